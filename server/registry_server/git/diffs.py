"""What differs between two trees."""

from __future__ import annotations

from registry_server.git.changes import LoadTrees
from registry_server.git.objects import TREE_MODE, raw

Place = tuple[str, str]
"""A folder, `""` for the root, and the name of something in it."""

_Entry = tuple[int, bytes]  # mode and id in hex digits


def touched(old: bytes | None, new: bytes | None, load: LoadTrees) -> set[Place]:
    """Every file and folder that is in one of two trees only, or differs; None stands for no tree.

    Subtrees that are the same on both sides are not opened, so this costs what the difference is large.
    """
    found: set[Place] = set()
    level = [("", old, new)]
    while level:
        trees = load({oid for _, *sides in level for oid in sides if oid is not None})
        below = []
        for folder, *sides in level:
            before, after = ({n: (mode, oid) for n, mode, oid in trees[s].items()} if s else {} for s in sides)
            for name in {name for name, _ in before.items() ^ after.items()}:
                found.add((folder, name.decode()))
                subtrees = _subtree(before.get(name)), _subtree(after.get(name))
                if subtrees != (None, None):
                    place = f"{folder}/{name.decode()}" if folder else name.decode()
                    below.append((place, *subtrees))
        level = below
    return found


def _subtree(entry: _Entry | None) -> bytes | None:
    return raw(entry[1]) if entry is not None and entry[0] == TREE_MODE else None
