"""What every blob store does."""

from __future__ import annotations

import errno
import hashlib
import mmap
import os
import random
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from registry_core.errors import DigestDiffers, Invalid, StorageFull, Unavailable
from registry_core.ids import Digest
from registry_server.blobs.folder import FolderBlobStore
from registry_server.blobs.memory import MemoryBlobStore
from registry_server.blobs.store import BlobNotFound, BlobStore, key_of

DATA = random.Random(0).randbytes(100_000)


@pytest.fixture(params=["folder", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> BlobStore:
    return FolderBlobStore(tmp_path / "blobs") if request.param == "folder" else MemoryBlobStore()


def digest_of(data: bytes) -> Digest:
    return Digest(hashlib.sha256(data).hexdigest())


def put(store: BlobStore, data: bytes, chunks: Iterable[bytes] | None = None) -> str:
    """Store `data`, sent as `chunks`; its key."""
    digest = digest_of(data)
    sent = [data] if chunks is None else chunks
    store.put(key_of(digest), sent, digest=digest, size_bytes=len(data))
    return key_of(digest)


def read(store: BlobStore, key: str, offset: int = 0) -> bytes:
    with store.open(key, offset) as blob:
        return blob.read()


def is_empty(store: BlobStore) -> bool:
    return list(store.keys()) == []


def test_what_was_put_can_be_read(store: BlobStore) -> None:
    key = put(store, DATA, [DATA[:7], b"", DATA[7:60_000], DATA[60_000:]])
    assert read(store, key) == DATA
    assert store.size_bytes(key) == len(DATA)
    assert list(store.keys()) == [key]


def test_reading_begins_at_an_offset_and_may_seek(store: BlobStore) -> None:
    key = put(store, DATA)
    assert read(store, key, 99_990) == DATA[99_990:]
    assert read(store, key, len(DATA)) == b""
    with store.open(key, 10) as blob:
        assert blob.read(5) == DATA[10:15]
        assert blob.tell() == 15
        blob.seek(0)
        assert blob.read(3) == DATA[:3]


def test_an_empty_blob_is_a_blob(store: BlobStore) -> None:
    key = put(store, b"", [])
    assert (store.size_bytes(key), read(store, key)) == (0, b"")


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=300), st.integers(1, 40), st.integers(0, 300))
def test_any_bytes_in_any_pieces_come_back(store: BlobStore, data: bytes, piece: int, offset: int) -> None:
    key = put(store, data, (data[i : i + piece] for i in range(0, len(data), piece)))
    assert read(store, key, min(offset, len(data))) == data[offset:]


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_pieces_may_be_any_kind_of_bytes(store: BlobStore, kind: type) -> None:
    key = put(store, DATA, [kind(DATA[:10]), kind(DATA[10:])])
    assert read(store, key) == DATA


def test_a_mapped_file_can_be_put(store: BlobStore, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(DATA)
    with (tmp_path / "file").open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        key = put(store, DATA, iter(lambda: mapped.read(4096), b""))
    assert read(store, key) == DATA


def test_putting_twice_changes_nothing(store: BlobStore) -> None:
    key = put(store, DATA)
    with store.open(key) as blob:
        blob.read(10)
        assert put(store, DATA) == key
        assert blob.read() == DATA[10:]
    assert read(store, key) == DATA
    assert list(store.keys()) == [key]


@pytest.mark.parametrize(
    "sent",
    [b"", DATA[:-1], DATA + b"x", b"x" + DATA[1:], DATA * 3, DATA[:-1] + b"\0"],
    ids=["nothing", "short", "long", "other", "much longer", "other at the end"],
)
def test_other_bytes_than_announced_leave_nothing(store: BlobStore, sent: bytes) -> None:
    with pytest.raises(DigestDiffers):
        put(store, DATA, [sent[:50_000], sent[50_000:]])
    assert is_empty(store)
    assert store.size_bytes(key_of(digest_of(DATA))) is None


def test_a_wrong_put_does_not_touch_the_right_blob(store: BlobStore) -> None:
    key = put(store, DATA)
    with pytest.raises(DigestDiffers):
        put(store, DATA, [b"other"])
    assert read(store, key) == DATA


def test_a_liar_is_not_listened_to_for_ever(store: BlobStore) -> None:
    taken = 0

    def endless() -> Iterator[bytes]:
        nonlocal taken
        while True:
            taken += 1
            assert taken < 100, "the store goes on taking bytes that it cannot accept"
            yield b"x" * 1000

    with pytest.raises(DigestDiffers):
        put(store, DATA[:3000], endless())
    assert is_empty(store)


class Vanished(Exception):
    pass


def test_a_source_that_fails_midway_leaves_nothing(store: BlobStore) -> None:
    def failing() -> Iterator[bytes]:
        yield DATA[:50_000]
        raise Vanished

    with pytest.raises(Vanished):
        put(store, DATA, failing())
    assert is_empty(store)
    put(store, DATA)


def test_a_check_that_fails_leaves_nothing(store: BlobStore) -> None:
    key = f"xorb/{'a' * 64}"
    seen: list[bytes] = []

    def check(blob: BinaryIO) -> None:
        seen.append(blob.read())
        if len(seen) == 1:
            raise Vanished

    with pytest.raises(Vanished):
        store.put(key, [DATA], size_bytes=len(DATA), check=check)
    assert is_empty(store)
    store.put(key, [DATA], size_bytes=len(DATA), check=check)
    assert seen == [DATA, DATA]
    assert read(store, key) == DATA


def test_without_a_digest_the_size_still_counts(store: BlobStore) -> None:
    key = f"xorb/{'a' * 64}"
    for sent in (DATA[:-1], DATA + b"x"):
        with pytest.raises(DigestDiffers):
            store.put(key, [sent], size_bytes=len(DATA))
    assert is_empty(store)


def test_nothing_is_seen_before_it_is_complete(store: BlobStore) -> None:
    key = key_of(digest_of(DATA))

    def watched() -> Iterator[bytes]:
        for i in range(0, len(DATA), 10_000):
            assert store.size_bytes(key) is None
            assert is_empty(store)
            yield DATA[i : i + 10_000]
        assert store.size_bytes(key) is None

    put(store, DATA, watched())
    assert store.size_bytes(key) == len(DATA)


def test_many_writers_of_one_key_all_succeed(store: BlobStore) -> None:
    barrier = threading.Barrier(8)

    def work(_: int) -> bytes:
        barrier.wait()
        return read(store, put(store, DATA, [DATA[:1], DATA[1:]]))

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(work, range(8))) == {DATA}
    assert len(list(store.keys())) == 1


def test_a_deleted_blob_is_gone(store: BlobStore) -> None:
    key = put(store, DATA)
    store.delete(key)
    assert store.size_bytes(key) is None
    assert is_empty(store)
    with pytest.raises(BlobNotFound):
        store.open(key)
    store.delete(key)  # again: nothing happens
    put(store, DATA)
    assert read(store, key) == DATA


def test_a_blob_that_is_read_may_be_deleted(store: BlobStore) -> None:
    key = put(store, DATA)
    with store.open(key) as blob:
        blob.read(10)
        store.delete(key)
        assert blob.read() == DATA[10:]


def test_keys_names_them_all(store: BlobStore) -> None:
    keys = {put(store, b"%d" % i) for i in range(300)}
    assert set(store.keys()) == keys


HOSTILE = ["", "sha256", "sha256/", "sha256/../../etc/passwd", "../tmp/x", "/etc/passwd", "tmp/x", "md5/" + "a" * 32]
HOSTILE += ["sha256/" + "a" * 63, "sha256/" + "a" * 65, "sha256/" + "A" * 64, "sha256/" + "g" * 64]
HOSTILE += ["sha256/" + "a" * 64 + "\n", " sha256/" + "a" * 64, "sha256//" + "a" * 63, "SHA256/" + "a" * 64]
HOSTILE += ["sha256/" + "a" * 64 + "/..", "sha256/" + "a" * 64 + "\0", "sha256/" + "٣" * 64, "sha256\\" + "a" * 64]


@pytest.mark.parametrize("key", HOSTILE)
def test_a_key_that_could_name_something_else_is_refused(store: BlobStore, key: str) -> None:
    for use in (store.open, store.size_bytes, store.delete):
        with pytest.raises(Invalid):
            use(key)
    with pytest.raises(Invalid):
        store.put(key, [DATA], digest=digest_of(DATA), size_bytes=len(DATA))
    assert is_empty(store)


def test_a_store_without_addresses_says_so(store: BlobStore) -> None:
    assert store.url(put(store, DATA), 60) is None


# The folder alone


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "blobs"


def test_nothing_is_left_in_tmp(root: Path) -> None:
    store = FolderBlobStore(root)
    put(store, DATA)
    put(store, DATA)
    for sent in (b"", DATA * 2):
        with pytest.raises(DigestDiffers):
            put(store, DATA, [sent])
    assert list((root / "tmp").iterdir()) == []


def test_the_folder_can_be_opened_again(root: Path) -> None:
    key = put(FolderBlobStore(root), DATA)
    assert read(FolderBlobStore(root), key) == DATA


def test_what_writers_left_a_day_ago_is_swept_at_the_start(root: Path) -> None:
    FolderBlobStore(root)
    old, new = root / "tmp" / "old", root / "tmp" / "new"
    for path in (old, new):
        path.write_bytes(b"half")
    os.utime(old, (0, 0))
    FolderBlobStore(root)
    assert [path.name for path in (root / "tmp").iterdir()] == ["new"]


def test_files_of_others_are_no_blobs(root: Path) -> None:
    store = FolderBlobStore(root)
    key = put(store, DATA)
    for stray in ("sha256/ab/cd/notes.txt", "sha256/.DS_Store", "sha256/ab/x"):
        (root / stray).parent.mkdir(parents=True, exist_ok=True)
        (root / stray).write_text("")
    assert list(store.keys()) == [key]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one MiB, where the machine lets us have one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder], capture_output=True)
    if mounted.returncode:
        pytest.skip("a small file system cannot be mounted here")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_a_full_disk_is_told_and_takes_blobs_again_once_there_is_room(small_disk: Path) -> None:
    store = FolderBlobStore(small_disk / "blobs")
    kept = put(store, DATA)
    large = random.Random(1).randbytes(2 << 20)
    with pytest.raises(StorageFull):
        put(store, large, [large[i : i + 65536] for i in range(0, len(large), 65536)])
    assert list((small_disk / "blobs" / "tmp").iterdir()) == []
    assert list(store.keys()) == [kept]
    assert read(store, kept) == DATA
    put(store, large[:100_000])


def test_a_limit_on_the_size_of_files_is_told(root: Path) -> None:
    """A real limit of the system, in a process of its own since it cannot be lifted again."""
    script = """
import hashlib, resource, signal, sys
from pathlib import Path
from registry_core.errors import Unavailable
from registry_core.ids import Digest
from registry_server.blobs.folder import FolderBlobStore
store = FolderBlobStore(Path(sys.argv[1]))
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
data = b"x" * 200_000
digest = Digest(hashlib.sha256(data).hexdigest())
try:
    store.put(f"sha256/{digest}", [data[:60_000]] * 3 + [data[:20_000]], digest=digest, size_bytes=len(data))
except Unavailable as error:
    print(error.message)
"""
    done = subprocess.run([sys.executable, "-c", script, root], capture_output=True, text=True)
    assert os.strerror(errno.EFBIG) in done.stdout, done.stderr
    assert [path for path in root.rglob("*") if path.is_file()] == []


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Unavailable):
        FolderBlobStore(tmp_path / "file" / "blobs")


def test_a_store_that_is_there_says_so(store: BlobStore) -> None:
    store.check()


def test_a_folder_that_went_away_is_told(root: Path) -> None:
    store = FolderBlobStore(root)
    root.rename(root.with_name("elsewhere"))
    with pytest.raises(Unavailable, match="is not there"):
        store.check()


def test_a_source_that_fails_leaves_no_thread_behind(root: Path) -> None:
    def broken() -> Iterator[bytes]:
        yield DATA
        raise OSError(errno.EPIPE, "the client vanished")

    before = threading.active_count()
    with pytest.raises(Unavailable):
        put(FolderBlobStore(root), DATA, broken())
    assert threading.active_count() == before
