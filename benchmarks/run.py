"""All benchmarks, one after the other, with their documents in build/benchmarks.

    make benchmark

Nothing else should run meanwhile; the figures in README.md beside this file come from such runs.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
BENCHMARKS = ("startup", "catalog", "pareto", "groups", "tracking", "transfer", "hub", "crowd")


def main() -> None:
    """Exit 1 when one of them fails."""
    out = HERE.parent / "build" / "benchmarks"
    out.mkdir(parents=True, exist_ok=True)
    for name in BENCHMARKS:
        print(f"{name} …", file=sys.stderr, flush=True)
        with (out / f"{name}.json").open("w") as document:
            if subprocess.run([sys.executable, HERE / f"{name}.py"], stdout=document, check=False).returncode:
                sys.exit(f"benchmarks/{name}.py failed")
        print((out / f"{name}.json").read_text())


if __name__ == "__main__":
    main()
