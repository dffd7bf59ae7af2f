"""Putting a text in place of a file, at once or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

_NEW_FILE = 0o644


def rewrite(file: Path, text: str, *, private: bool = False) -> None:
    """Put `text` in place of the file's content; a `private` file only its owner may read.

    A file that was there keeps its permissions otherwise, and a link goes on pointing to the file.
    """
    file = file.resolve()
    handle, temporary = tempfile.mkstemp(dir=file.parent, prefix=".#", suffix=".tmp")  # private from its first moment
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
        if not private:
            Path(temporary).chmod(file.stat().st_mode & 0o777 if file.exists() else _NEW_FILE)
        Path(temporary).replace(file)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
