"""Trees, commits and tags without some files: every object that named one is made anew."""

from __future__ import annotations

from collections.abc import Mapping

from dulwich.objects import Commit, ObjectID, Tag, Tree

from registry_server.git.changes import LoadTrees
from registry_server.git.objects import TREE_MODE, StoredObject, raw, stored


class Rewriting:
    """Makes objects anew, each once. `made` are those that came to be; a folder that loses its last file vanishes."""

    def __init__(self, without: set[bytes], load: LoadTrees) -> None:
        self._without = without
        self._load = load
        self._trees: dict[bytes, bytes | None] = {}
        self.made: dict[bytes, StoredObject] = {}

    def root(self, oid: bytes) -> bytes:
        """The root tree without the files; the empty tree when nothing is left."""
        found = self._tree(oid)
        return self._add(stored(Tree())) if found is None else found

    def commit(self, old: Commit, new_ids: Mapping[bytes, bytes]) -> bytes:
        """The commit on the trees and parents that took the place of its own."""
        new = Commit.from_string(old.as_raw_string())
        new.tree = _hex(self.root(raw(old.tree)))
        new.parents = [_hex(new_ids.get(raw(parent), raw(parent))) for parent in old.parents]
        return self._add(stored(new))

    def tag(self, old: Tag, target: bytes) -> bytes:
        """The annotated tag on another commit."""
        new = Tag.from_string(old.as_raw_string())
        new.object = (Commit, _hex(target))
        return self._add(stored(new))

    def _tree(self, oid: bytes) -> bytes | None:
        if oid in self._trees:
            return self._trees[oid]
        old = self._load([oid])[oid]
        new = Tree()
        for name, mode, child in old.items():
            kept = self._tree(raw(child)) if mode == TREE_MODE else raw(child)
            if kept is not None and kept not in self._without:
                new.add(name, mode, _hex(kept))
        made = stored(new)
        is_gone = len(new) == 0 and len(old) > 0
        self._trees[oid] = None if is_gone else oid if made.oid == oid else self._add(made)
        return self._trees[oid]

    def _add(self, thing: StoredObject) -> bytes:
        self.made[thing.oid] = thing
        return thing.oid


def _hex(oid: bytes) -> ObjectID:
    return ObjectID(oid.hex().encode())
