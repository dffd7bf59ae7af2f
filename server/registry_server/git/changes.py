"""Applying a list of changes to a tree.

The folders that changes reach into are opened first, level by level (one look-up a depth); the changes are made in
them one by one, in the order they were asked for; then the folders are written from the leaves up. A folder that loses
its last file vanishes at once, as in git.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from dulwich.objects import ObjectID, Tree

from registry_core.errors import EntryNotFound, InvalidPath
from registry_core.ids import RepoPath
from registry_server.git.objects import FILE_MODE, TREE_MODE, StoredObject, raw, stored

LoadTrees = Callable[[Iterable[bytes]], Mapping[bytes, Tree]]


@dataclass(frozen=True)
class Put:
    """Set a path to a blob."""

    path: RepoPath
    oid: bytes


@dataclass(frozen=True)
class Delete:
    """Remove a path and, if it is a folder, everything below it."""

    path: RepoPath


Change = Put | Delete


@dataclass
class _Folder:
    """A folder in the making. What `tree` says of an open subfolder is out of date until that one is written."""

    tree: Tree = field(default_factory=Tree)
    open: dict[bytes, _Folder] = field(default_factory=dict)

    def __contains__(self, name: bytes) -> bool:
        return name in self.open or name in self.tree

    def is_folder(self, name: bytes) -> bool:
        return name in self.open or (name in self.tree and self.tree[name][0] == TREE_MODE)

    def is_empty(self) -> bool:
        return not self.open and len(self.tree) == 0

    def remove(self, name: bytes) -> None:
        self.open.pop(name, None)
        if name in self.tree:
            del self.tree[name]


def apply_changes(root: bytes, changes: Sequence[Change], load: LoadTrees) -> tuple[bytes, list[StoredObject]]:
    """The root of the tree after `changes`, and the trees that are new.

    Raises EntryNotFound for a deletion of nothing and InvalidPath when a file and a folder would share a path.
    """
    top = _opened(root, changes, load)
    for change in changes:
        if isinstance(change, Delete):
            _delete(top, change.path)
        else:
            _put(top, change)
    return _written(top)


def _opened(root: bytes, changes: Sequence[Change], load: LoadTrees) -> _Folder:
    """The root, and in it every folder of the tree on the way to a change: one look-up for each depth."""
    top = _Folder()
    level = [(top, root, _folders_on_the_way(changes))]
    while level:
        trees = load([oid for _, oid, _ in level])
        below = []
        for folder, oid, wanted in level:
            folder.tree = Tree.from_string(trees[oid].as_raw_string())  # ours to change
            for name, deeper in wanted.items():
                if folder.is_folder(name):
                    folder.open[name] = _Folder()
                    below.append((folder.open[name], raw(folder.tree[name][1]), deeper))
        level = below
    return top


class _Names(dict[bytes, "_Names"]):
    """Names of folders, each with those below it."""


def _folders_on_the_way(changes: Sequence[Change]) -> _Names:
    names = _Names()
    for change in changes:
        below = names
        for part in change.path.parts[:-1]:
            below = below.setdefault(part.encode(), _Names())
    return names


def _put(folder: _Folder, change: Put) -> None:
    *above, name = (part.encode() for part in change.path.parts)
    for part in above:
        if part in folder and not folder.is_folder(part):
            raise _clash(change.path)
        folder = folder.open.setdefault(part, _Folder())
    if folder.is_folder(name):
        raise _clash(change.path)
    folder.tree.add(name, FILE_MODE, ObjectID(change.oid.hex().encode()))


def _delete(top: _Folder, path: RepoPath) -> None:
    *above, name = (part.encode() for part in path.parts)
    trail = [top]
    for part in above:
        if part not in trail[-1].open:
            raise _missing(path)
        trail.append(trail[-1].open[part])
    if name not in trail[-1]:
        raise _missing(path)
    trail[-1].remove(name)
    for folder, part in zip(reversed(trail[:-1]), reversed(above), strict=True):
        if folder.open[part].is_empty():
            folder.remove(part)


def _written(top: _Folder) -> tuple[bytes, list[StoredObject]]:
    """The id of the root and all folders as objects. Without recursion: a path may be 512 folders deep."""
    places: list[tuple[_Folder, bytes, _Folder]] = []
    level = [top]
    while level:
        below = [(folder, name, child) for folder in level for name, child in folder.open.items()]
        places += below
        level = [child for _, _, child in below]
    made: dict[bytes, StoredObject] = {}
    for parent, name, folder in reversed(places):
        tree = stored(folder.tree)
        made[tree.oid] = tree
        parent.tree.add(name, TREE_MODE, ObjectID(tree.oid.hex().encode()))
    root = stored(top.tree)
    return root.oid, list({**made, root.oid: root}.values())


def _missing(path: str) -> EntryNotFound:
    return EntryNotFound(f"A file with this name doesn't exist: {path}")


def _clash(path: str) -> InvalidPath:
    return InvalidPath(
        f"A file and a folder cannot share the path {path!r}.",
        hint="Delete the one in the same commit, or rename the other.",
    )
