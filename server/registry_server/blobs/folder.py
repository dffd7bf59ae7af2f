"""Blobs as files in a local folder.

ROOT/tmp/<random>                what is being written; never served
ROOT/sha256/ab/cd/abcd…          a finished file, by its digest
ROOT/xorb/ab/cd/abcd…            a finished xorb, by its Xet hash
ROOT/part/ab/cd/abcd…            a part of an upload that is not put together yet
ROOT/quarantine/sha256/abcd…     damaged bytes that were set aside; never served
ROOT/lock                        held by who takes a file away, and shared by those who give one its name
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import secrets
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO

from registry_core.errors import StorageFull, Unavailable
from registry_core.ids import Digest
from registry_server.blobs.hashing import Sha256Beside
from registry_server.blobs.store import Check, check_announced, checked_key, damaged, is_key, not_found

_SPACES = ("sha256", "xorb", "part")
_ABANDONED_SECONDS = 24 * 3600
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class FolderBlobStore:
    """The default blob store."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._tmp = root / "tmp"
        self._aside = root / "quarantine"
        with _our_errors():
            for folder in (self._tmp, *(place / space for place in (root, self._aside) for space in _SPACES)):
                folder.mkdir(parents=True, exist_ok=True)
            _sync_folder(root)
        self._sweep()

    def put(
        self,
        key: str,
        chunks: Iterable[bytes],
        *,
        size_bytes: int,
        digest: Digest | None = None,
        check: Check | None = None,
    ) -> None:
        target = self._path(key)
        temporary = self._tmp / secrets.token_hex(16)
        try:
            with _our_errors(), temporary.open("x+b") as file:
                received = _write(file, chunks, size_bytes, hashed=digest is not None)
                check_announced((digest, size_bytes), received)
                file.flush()
                if check is not None:
                    file.seek(0)
                    check(file)
                os.fsync(file.fileno())
            with _our_errors():
                self._reveal(temporary, target)
        finally:
            temporary.unlink(missing_ok=True)

    def open(self, key: str, offset: int = 0) -> BinaryIO:
        try:
            file = self._path(key).open("rb")
        except FileNotFoundError:
            raise (damaged if (self._aside / key).exists() else not_found)(key) from None
        file.seek(offset)
        return file

    def size_bytes(self, key: str) -> int | None:
        try:
            return self._path(key).stat().st_size
        except FileNotFoundError:
            return None

    def stored_at(self, key: str) -> datetime | None:
        try:
            return _EPOCH + timedelta(microseconds=self._path(key).stat().st_mtime_ns // 1000)
        except FileNotFoundError:
            return None

    def delete(self, key: str, *, unless_after: datetime | None = None) -> bool:
        return self._take(key, unless_after, Path.unlink)

    def keys(self) -> Iterator[str]:
        for space in _SPACES:
            for path in (self._root / space).glob("??/??/*"):
                if is_key(key := f"{space}/{path.name}"):  # people leave things in folders
                    yield key

    def set_aside(self, key: str, *, unless_after: datetime | None = None) -> bool:
        return self._take(key, unless_after, lambda path: path.rename(self._aside / key))

    def open_aside(self, key: str) -> BinaryIO | None:
        try:
            return (self._aside / checked_key(key)).open("rb")
        except FileNotFoundError:
            return None

    def check(self) -> None:
        if not self._tmp.is_dir():
            raise Unavailable(f"The blob store's folder {self._root} is not there.")

    def url(self, key: str, expires_seconds: int) -> str | None:  # noqa: ARG002 - a folder has no address
        return None

    def _sweep(self) -> None:
        """Remove what writers that died left behind; a living one has written within the last day."""
        oldest = time.time() - _ABANDONED_SECONDS
        for path in self._tmp.iterdir():
            with contextlib.suppress(FileNotFoundError):
                if path.stat().st_mtime < oldest:
                    path.unlink()

    def _path(self, key: str) -> Path:
        algorithm, _, name = checked_key(key).partition("/")
        return self._root / algorithm / name[:2] / name[2:4] / name

    def _reveal(self, temporary: Path, target: Path) -> None:
        """Give the finished file its key, so that both the name and the bytes survive a power cut."""
        target.parent.mkdir(parents=True, exist_ok=True)
        with self._lock(fcntl.LOCK_SH):
            temporary.rename(target)
        # The folders above too, whoever made them: another writer may have done so a moment ago, and not synced yet.
        for folder in (target.parent, target.parent.parent, target.parent.parent.parent):
            _sync_folder(folder)

    def _take(self, key: str, unless_after: datetime | None, take: Callable[[Path], object]) -> bool:
        """Take the file away, unless it is newer; under the lock nobody puts one between the look and the act."""
        with _our_errors(), self._lock(fcntl.LOCK_EX):
            stored_at = self.stored_at(key)
            if stored_at is None or (unless_after is not None and stored_at > unless_after):
                return False
            take(self._path(key))
        return True

    @contextlib.contextmanager
    def _lock(self, operation: int) -> Iterator[None]:
        """A lock between processes and threads, given back by the system when its holder dies."""
        descriptor = os.open(self._root / "lock", os.O_RDONLY | os.O_CREAT, 0o644)
        try:
            fcntl.flock(descriptor, operation)
            yield
        finally:
            os.close(descriptor)


def _write(file: BinaryIO, chunks: Iterable[bytes], size_bytes: int, *, hashed: bool) -> tuple[str | None, int]:
    """Digest and size of what was written. Stops early at more than the announced size: a liar fills no disk."""
    received = 0
    with Sha256Beside() if hashed else nullcontext() as sha256:
        for chunk in chunks:
            received += len(chunk)
            if received > size_bytes:
                break
            if sha256 is not None:
                sha256.update(chunk)
            file.write(chunk)
        return None if sha256 is None else sha256.hexdigest(), received


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _our_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageFull("The blob store's disk is full.", hint="Free some space and push again.") from error
        raise Unavailable(f"The blob store cannot write: {error.strerror}.") from error
