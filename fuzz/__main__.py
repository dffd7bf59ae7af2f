"""`python -m fuzz`: every parser against inputs that atheris invents, each in a process with bounds.

    build/fuzz/TARGET/corpus        what was worth keeping: seeds made by code, and what later runs found; used again
    build/fuzz/TARGET/crash-…       an input that broke the parser; timeout-… and oom-… likewise
    build/fuzz/TARGET/log.txt       all that the fuzzer said

One input again: `python -m fuzz.one TARGET build/fuzz/TARGET/crash-…`.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import importlib.util
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FOUND = ROOT / "build" / "fuzz"

INPUT_SECONDS = 10
"""An input that takes longer is a hang. The worst that are allowed take well under one, instrumented as they are."""

MEMORY_MB = 500
"""Of the whole process, of which Python, the parsers and the fuzzer itself take 40 to 90."""

MOST_INPUT_BYTES = 64 << 10
START_SECONDS = 120


@dataclass(frozen=True)
class Outcome:
    """What became of one target: `exit_code` is zero when nothing was found."""

    target: str
    exit_code: int
    executions: str
    peak_mb: str
    findings: tuple[str, ...]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m fuzz", description="Feed the parsers with invented inputs.")
    parser.add_argument("target", nargs="*", help=f"{', '.join(targets())}; all when none is named")
    parser.add_argument("--seconds", type=int, default=20, help="for each target (default: 20)")
    asked = parser.parse_args()
    if importlib.util.find_spec("atheris") is None:
        print("Skipped: atheris is not installed; it has wheels for Linux on x86-64 with Python 3.11 to 3.13.")
        return int(os.environ.get("CI") == "true" and _has_wheel())
    print(f"{asked.seconds} s for each target, {INPUT_SECONDS} s for an input, {MEMORY_MB} MB for a process.")
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        outcomes = list(pool.map(lambda target: _report(fuzz(target, asked.seconds)), asked.target or targets()))
    return int(any(outcome.exit_code for outcome in outcomes))


def targets() -> list[str]:
    """The modules of `fuzz/targets`."""
    return sorted(path.stem for path in (ROOT / "fuzz" / "targets").glob("[a-z]*.py"))


def fuzz(target: str, seconds: int) -> Outcome:
    """Run one target for so long."""
    folder = FOUND / target
    _write_seeds(target, folder / "corpus")
    before = set(folder.glob("*-*"))
    command = [sys.executable, "-m", "fuzz.one", target, folder / "corpus"]
    options = [
        f"-max_total_time={seconds}",
        f"-timeout={INPUT_SECONDS}",
        f"-rss_limit_mb={MEMORY_MB}",
        f"-max_len={MOST_INPUT_BYTES}",
        f"-artifact_prefix={folder}/",
        "-print_final_stats=1",
    ]
    with (folder / "log.txt").open("w+") as log:
        try:
            code = subprocess.run(
                [*command, *options], cwd=ROOT, stdout=log, stderr=log, timeout=seconds + START_SECONDS, check=False
            ).returncode
        except subprocess.TimeoutExpired:
            code = 124
    said = (folder / "log.txt").read_text(errors="replace")
    new = sorted(str(path.relative_to(ROOT)) for path in set(folder.glob("*-*")) - before)
    return Outcome(target, code, _last(r"executed_units: *(\d+)", said), _last(r"peak_rss_mb: *(\d+)", said), (*new,))


def _write_seeds(target: str, corpus: Path) -> None:
    corpus.mkdir(parents=True, exist_ok=True)
    for seed in importlib.import_module(f"fuzz.targets.{target}").SEEDS:
        (corpus / hashlib.sha256(seed).hexdigest()[:40]).write_bytes(seed)


def _report(outcome: Outcome) -> Outcome:
    state = "sound" if outcome.exit_code == 0 else f"FOUND SOMETHING (exit {outcome.exit_code}); see log.txt"
    print(f"{outcome.target:16} {outcome.executions:>9} inputs  {outcome.peak_mb:>5} MB  {state}", flush=True)
    for finding in outcome.findings:
        print(f"    {finding}", flush=True)
    return outcome


def _last(pattern: str, text: str) -> str:
    found = re.findall(pattern, text)
    return found[-1] if found else "?"


def _has_wheel() -> bool:
    return sys.platform == "linux" and os.uname().machine == "x86_64" and sys.version_info < (3, 14)


if __name__ == "__main__":
    sys.exit(main())
