"""How fast the command starts, beside a bare Python in the same run.

python benchmarks/startup.py [--times 21]
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time

from measure import REGISTRY, machine

COMMANDS: dict[str, list[object]] = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "registry --help": [REGISTRY, "--help"],
    "registry --version": [REGISTRY, "--version"],
    "registry push --help": [REGISTRY, "push", "--help"],
}


def main() -> None:
    """Print one JSON document; the commands take turns, and the first round only warms the caches."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=21)
    options = parser.parse_args()
    spans: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for turn in range(options.times + 1):
        for name, command in COMMANDS.items():
            start = time.perf_counter()
            subprocess.run([str(part) for part in command], check=True, capture_output=True)
            if turn:
                spans[name].append((time.perf_counter() - start) * 1000)
    medians = {name: round(statistics.median(found), 1) for name, found in spans.items()}
    bare = medians["python -c pass"]
    print(
        json.dumps(
            {
                "machine": machine(),
                **{
                    name: {"median_ms": span, "more_than_bare_python_ms": round(span - bare, 1)}
                    for name, span in medians.items()
                },
            },
            indent=2,
        )
    )


if __name__ == "__main__":
    main()
