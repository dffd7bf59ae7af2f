"""Running the demo's commands: one log each, progress that can be seen, and a server that is stopped by its process."""

from __future__ import annotations

import itertools
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console

BUILD = Path(__file__).resolve().parent.parent / "build" / "demo"
TELL_SECONDS = 15.0

PLAIN: dict[str, Any] = {"markup": False, "soft_wrap": True}
console = Console(stderr=True, highlight=False)
_numbers = itertools.count(1)


class StepFailed(Exception):
    """A step did not do what it should; `log` is where its output lies."""

    def __init__(self, message: str, log: Path = BUILD / "logs") -> None:
        super().__init__(message)
        self.log = log


class Steps:
    """Says which step begins, and knows which one that was."""

    def __init__(self) -> None:
        self._number = 0
        self.current = "0, preparing"

    def begin(self, title: str) -> None:
        self._number += 1
        self.current = f"{self._number}, {title}"
        console.print(f"{self._number}. {title}", style="bold", **PLAIN)


def output_of(command: Sequence[str], environment: dict[str, str]) -> str:
    """What a command says on stdout. Raises StepFailed when its exit code is not 0."""
    log = BUILD / "logs" / f"{next(_numbers):02d}-{_verb(command)}.log"
    printed = log.with_suffix(".out")
    with log.open("w") as errors, printed.open("w") as output:
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=errors)
        _wait(process)
    if process.returncode:
        raise StepFailed(f"{' '.join(command[1:4])} ended with exit code {process.returncode}.", log)
    return printed.read_text()


def _verb(command: Sequence[str]) -> str:
    return command[3] if command[1] == "-m" else f"{Path(command[1]).stem}-{Path(command[2]).name}"


def _wait(process: subprocess.Popen[bytes]) -> None:
    """Wait for the process, and say now and then that it is still at work."""
    started = time.monotonic()
    with console.status("") as status:
        while True:
            try:
                process.wait(timeout=1 if console.is_terminal else TELL_SECONDS)
                return
            except subprocess.TimeoutExpired:
                seconds = time.monotonic() - started
                status.update(f"{seconds:.0f} s")
                if not console.is_terminal:
                    console.print(f"   {seconds:.0f} s …")


@contextmanager
def in_background(command: Sequence[str], environment: dict[str, str], log: Path) -> Iterator[Path]:
    """A process that runs while the block does; it is stopped by its process id."""
    with log.open("w") as output:
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=subprocess.STDOUT)
    try:
        yield log
    finally:
        process.terminate()
        try:
            process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
