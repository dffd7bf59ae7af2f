"""Whether another measurement of this whole machine runs at the same time: each would count the energy of both.

The measurements of a host share one file in its folder for temporary files:

    start   who gets the lock for itself is alone; everybody then shares the lock, and appends a byte
    stop    who finds bytes after its own was not alone to the end

The lock of a process that ends goes with it, however it ends. Measurements in other containers, or with another
TMPDIR, are not seen.
"""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

_IS_POSIX = os.name == "posix"  # elsewhere nobody is seen
if _IS_POSIX:
    import fcntl

FILE_NAME = "model-commons-measuring"
_PATIENCE_SECONDS = 0.1  # others hold the lock alone for microseconds


class Overlap:
    """One measurement among those of this host. Use once: `start`, `stop`."""

    def __init__(self) -> None:
        self._file: int | None = None
        self._own_byte = 0

    def start(self) -> bool:
        """Whether another measurement runs now; False where that cannot be told."""
        if not _IS_POSIX:
            return False
        try:
            file = _opened(Path(tempfile.gettempdir(), FILE_NAME))
            is_alone = self._enter(file)
        except OSError:  # a folder, or a file system, that does not let us
            return False
        self._file = file
        return not is_alone

    def stop(self) -> bool:
        """Whether another one was started after this one."""
        if self._file is None:
            return False
        file, self._file = self._file, None
        is_alone = os.fstat(file).st_size == self._own_byte
        fcntl.flock(file, fcntl.LOCK_UN)  # closing is not enough: forked workers have the file open, too
        os.close(file)
        return not is_alone

    def _enter(self, file: int) -> bool:
        """Take a share of the lock, append a byte; whether nobody else was there."""
        is_free = _locked(file, fcntl.LOCK_EX)
        bytes_before = os.fstat(file).st_size
        _take_share(file)
        os.write(file, b".")
        self._own_byte = os.lseek(file, 0, os.SEEK_CUR)
        # Giving up the lock for a share of it takes two steps, and somebody may come in between.
        return is_free and self._own_byte == bytes_before + 1


def _opened(path: Path) -> int:
    """The file, which any user of the host may write to."""
    try:
        return os.open(path, os.O_RDWR | os.O_APPEND | os.O_NOFOLLOW)
    except FileNotFoundError:
        file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_NOFOLLOW | os.O_CREAT, 0o666)
        os.fchmod(file, 0o666)  # whatever the umask says
        return file


def _take_share(file: int) -> None:
    end = time.monotonic() + _PATIENCE_SECONDS
    while not _locked(file, fcntl.LOCK_SH) and time.monotonic() < end:
        time.sleep(0.001)


def _locked(file: int, kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
