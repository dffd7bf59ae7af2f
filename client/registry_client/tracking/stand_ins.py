"""Modules that take the place of others while a measuring tool is imported or asked."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

AMD_DRIVER = Path("/dev/kfd")

_LOCK = threading.Lock()


@contextmanager
def in_place_of(name: str, module: Any) -> Iterator[None]:
    """Let imports of `name` find `module` meanwhile, or fail when it is None; one that is loaded stays."""
    with _LOCK:  # several runs may begin at once, each with its meter on a thread
        is_loaded = name in sys.modules
        sys.modules.setdefault(name, module)
        try:
            yield
        finally:
            if not is_loaded:
                del sys.modules[name]


@contextmanager
def without_amd() -> Iterator[None]:
    """Where there is no AMD GPU, keep amdsmi from being imported: it prints to stdout that it finds no driver."""
    with nullcontext() if AMD_DRIVER.exists() else in_place_of("amdsmi", None):
        yield
