"""Changes to a tree, held against a plain dict of paths and against git itself."""

from __future__ import annotations

import itertools
import subprocess
import zlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pytest
from dulwich.objects import Tree
from hypothesis import given, settings
from hypothesis import strategies as st

from registry_core.errors import EntryNotFound, InvalidPath
from registry_core.ids import RepoPath
from registry_server.git.changes import Change, Delete, Put, apply_changes
from registry_server.git.objects import StoredObject, blob_object, commit_object, empty_tree

_TYPES = {1: "commit", 2: "tree", 3: "blob", 4: "tag"}


class Objects:
    """All objects made so far, and how often trees were asked for."""

    def __init__(self) -> None:
        empty = empty_tree()
        self.kept: dict[bytes, StoredObject] = {empty.oid: empty}
        self.root = empty.oid
        self.loads = 0

    def blob(self, content: bytes) -> bytes:
        made = blob_object(content)
        self.kept[made.oid] = made
        return made.oid

    def apply(self, *changes: Change) -> list[StoredObject]:
        """Move the root on; the trees that were made."""
        self.root, made = apply_changes(self.root, changes, self._load)
        self.kept.update((thing.oid, thing) for thing in made)
        return made

    def files(self) -> dict[str, bytes]:
        """Path and blob of every file below the root."""
        return dict(self._walk("", self.root))

    def _load(self, oids: Iterable[bytes]) -> Mapping[bytes, Tree]:
        self.loads += 1
        return {oid: self.kept[oid].tree() for oid in oids}

    def _walk(self, prefix: str, oid: bytes) -> Iterable[tuple[str, bytes]]:
        for name, mode, child in self.kept[oid].tree().items():
            place, raw = prefix + name.decode(), bytes.fromhex(child.decode())
            if mode == 0o040000:
                assert self.kept[raw].tree().items(), f"{place} is an empty folder"
                yield from self._walk(f"{place}/", raw)
            else:
                yield place, raw


@pytest.fixture
def objects() -> Objects:
    return Objects()


def put(objects: Objects, path: str, content: bytes = b"x") -> Put:
    return Put(RepoPath(path), objects.blob(content))


def delete(path: str) -> Delete:
    return Delete(RepoPath(path))


def export(objects: Objects, folder: Path) -> None:
    """A bare repository that holds the objects as loose files."""
    subprocess.run(["git", "init", "--quiet", "--bare", folder], check=True)
    for thing in objects.kept.values():
        target = folder / "objects" / thing.oid.hex()[:2] / thing.oid.hex()[2:]
        target.parent.mkdir(exist_ok=True)
        header = f"{_TYPES[thing.type]} {thing.size_bytes}\0".encode()
        target.write_bytes(zlib.compress(header + thing.content))


def git(folder: Path, *arguments: str) -> bytes:
    return subprocess.run(["git", "-C", folder, *arguments], check=True, capture_output=True).stdout


# What a sequence of changes means, said as plainly as possible.


def model_apply(files: dict[str, bytes], changes: Sequence[Change]) -> dict[str, bytes]:
    after = dict(files)
    for change in changes:
        below = [path for path in after if path.startswith(f"{change.path}/")]
        if isinstance(change, Delete):
            if change.path not in after and not below:
                raise EntryNotFound(change.path)
            for path in [*below, change.path]:
                after.pop(path, None)
        else:
            above = ["/".join(change.path.parts[:i]) for i in range(1, len(change.path.parts))]
            if below or any(path in after for path in above):
                raise InvalidPath(change.path)
            after[change.path] = change.oid
    return after


_NAMES = st.sampled_from(["a", "b", "a.txt", "a-b", "ä", "z 1", "Ω"])
_PATHS = st.lists(_NAMES, min_size=1, max_size=4).map("/".join).map(RepoPath)
_OIDS = st.integers(0, 5).map(lambda i: blob_object(b"%d" % i).oid)
_CHANGES = st.lists(st.one_of(st.builds(Put, _PATHS, _OIDS), st.builds(Delete, _PATHS)), min_size=1, max_size=6)


@settings(max_examples=250, deadline=None)
@given(st.lists(_CHANGES, min_size=1, max_size=6))
def test_changes_mean_what_they_mean_one_by_one(commits: list[list[Change]]) -> None:
    objects, files = Objects(), dict[str, bytes]()
    for changes in commits:
        objects.loads = 0
        try:
            expected: dict[str, bytes] | type[Exception] = model_apply(files, changes)
        except (EntryNotFound, InvalidPath) as error:
            expected = type(error)
        root = objects.root
        try:
            objects.apply(*changes)
            found: dict[str, bytes] | type[Exception] = objects.files()
        except (EntryNotFound, InvalidPath) as error:
            found = type(error)
        assert found == expected
        assert objects.loads <= max(len(change.path.parts) for change in changes)
        if isinstance(expected, dict):
            files = expected
        else:
            assert objects.root == root


@settings(max_examples=10, deadline=None)
@given(st.lists(_CHANGES, min_size=3, max_size=8))
def test_git_reads_the_same_files_and_finds_no_fault(
    tmp_path_factory: pytest.TempPathFactory, commits: list[list[Change]]
) -> None:
    objects = Objects()
    for i in range(6):
        objects.blob(b"%d" % i)
    for changes in commits:
        for change in changes:  # one by one, so that what a refused change would undo stays in
            try:
                objects.apply(change)
            except (EntryNotFound, InvalidPath):
                continue
    folder = tmp_path_factory.mktemp("repo") / "bare"
    export(objects, folder)
    git(folder, "fsck", "--strict", "--no-dangling")
    lines = git(folder, "ls-tree", "-r", "-z", objects.root.hex()).decode().split("\0")[:-1]
    listed = {line.partition("\t")[2]: bytes.fromhex(line.split()[2]) for line in lines}
    assert listed == objects.files()


def test_the_same_files_make_the_same_root_in_any_order(objects: Objects) -> None:
    changes = [put(objects, path) for path in ("a/b", "a-b", "a.txt", "a0", "b/c/d")]
    roots = set()
    for order in itertools.permutations(changes):
        again = Objects()
        again.kept.update(objects.kept)
        again.apply(*order)
        roots.add(again.root)
    assert len(roots) == 1


def test_git_makes_the_same_trees(objects: Objects, tmp_path: Path) -> None:
    paths = ["a/b", "a-b", "a.txt", "a0", "b/c/d", "B", "ä/ö", "with space/#%?.bin"]
    objects.apply(*(put(objects, path, path.encode()) for path in paths))
    work = tmp_path / "work"
    for path in paths:
        (work / path).parent.mkdir(parents=True, exist_ok=True)
        (work / path).write_bytes(path.encode())
    subprocess.run(["git", "init", "--quiet", work], check=True)
    git(work, "add", "--all")
    assert git(work, "write-tree").decode().strip() == objects.root.hex()


def test_deleting_nothing_is_an_error(objects: Objects) -> None:
    objects.apply(put(objects, "a/b"))
    for path in ("c", "a/c", "a/b/c", "c/d"):
        with pytest.raises(EntryNotFound):
            objects.apply(delete(path))


def test_deleting_twice_is_an_error(objects: Objects) -> None:
    objects.apply(put(objects, "a/b"), put(objects, "c"))
    with pytest.raises(EntryNotFound):
        objects.apply(delete("a"), delete("a/b"))
    with pytest.raises(EntryNotFound):
        objects.apply(delete("a/c"), delete("a"))


def test_what_was_put_may_be_deleted_in_the_same_commit(objects: Objects) -> None:
    objects.apply(put(objects, "keep"))
    before = objects.root
    objects.apply(put(objects, "a/b"), delete("a/b"), put(objects, "c"), delete("c"))
    assert objects.root == before


def test_a_folder_that_loses_its_last_file_vanishes(objects: Objects) -> None:
    objects.apply(put(objects, "a/b/c"), put(objects, "d"))
    objects.apply(delete("a/b/c"))
    assert list(objects.files()) == ["d"]
    assert len(objects.kept[objects.root].tree()) == 1


def test_losing_every_file_leaves_the_empty_tree(objects: Objects) -> None:
    objects.apply(put(objects, "a/b/c"))
    objects.apply(delete("a"))
    assert objects.root == empty_tree().oid


def test_a_file_and_a_folder_cannot_share_a_path(objects: Objects) -> None:
    objects.apply(put(objects, "a/b"), put(objects, "c"))
    clashes = [
        [put(objects, "a")],
        [put(objects, "c/d")],
        [put(objects, "e"), put(objects, "e/f")],
        [put(objects, "e/f"), put(objects, "e")],
    ]
    for changes in clashes:
        with pytest.raises(InvalidPath):
            objects.apply(*changes)


def test_a_file_takes_the_place_of_a_folder_whose_files_go(objects: Objects) -> None:
    objects.apply(put(objects, "a/b"), put(objects, "a/c/d"))
    objects.apply(delete("a/b"), delete("a/c/d"), put(objects, "a"))
    assert list(objects.files()) == ["a"]


def test_a_folder_takes_the_place_of_a_file_that_goes(objects: Objects) -> None:
    objects.apply(put(objects, "a"))
    objects.apply(delete("a"), put(objects, "a/b"))
    assert list(objects.files()) == ["a/b"]


def test_only_new_trees_are_made(objects: Objects) -> None:
    objects.apply(put(objects, "a/b/c"), put(objects, "d/e"))
    made = objects.apply(put(objects, "d/e", b"other"))
    assert len(made) == 2  # the root and d; not a, not a/b


def test_the_deepest_path_there_can_be_is_stored(objects: Objects) -> None:
    path = "/".join(["d"] * 512)
    objects.apply(put(objects, path))
    objects.apply(delete(path), put(objects, "x"))
    assert list(objects.files()) == ["x"]


def test_many_files_take_one_look_up_a_depth(objects: Objects) -> None:
    objects.apply(*(put(objects, f"f{i}/g{i}/h") for i in range(50)))
    objects.loads = 0
    objects.apply(*(put(objects, f"f{i}/g{i}/h", b"other") for i in range(50)))
    assert objects.loads == 3


def test_commits_pass_gits_own_check(objects: Objects, tmp_path: Path) -> None:
    from datetime import UTC, datetime

    objects.apply(put(objects, "a"))
    at = datetime(2026, 1, 1, tzinfo=UTC)
    made = commit_object(tree=objects.root, parents=[], author="alice", at=at, title="Ä title", message="More.")
    objects.kept[made.oid] = made
    export(objects, tmp_path / "bare")
    git(tmp_path / "bare", "fsck", "--strict", "--no-dangling")
    shown = git(tmp_path / "bare", "log", "-1", "--format=%an|%ae|%cI|%s|%b", made.oid.hex()).decode().strip()
    assert shown == "alice|alice@users.noreply|2026-01-01T00:00:00+00:00|Ä title|More."
