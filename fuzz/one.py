"""`python -m fuzz.one TARGET [libFuzzer's arguments]`: one target under atheris, until time or an input ends it."""

from __future__ import annotations

import contextlib
import importlib
import random
import resource
import sys

import atheris

from registry_core.errors import Invalid

ADDRESS_BYTES = 6 << 30
"""A backstop for one huge allocation, which would be over before the fuzzer looks at the memory in use."""


def main() -> None:
    name = sys.argv.pop(1)
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_BYTES, ADDRESS_BYTES))
    with atheris.instrument_imports(include=["registry_core", "registry_server"]):
        target = importlib.import_module(f"fuzz.targets.{name}")

    def one_input(data: bytes) -> None:
        with contextlib.suppress(Invalid):  # the one answer to what makes no sense
            target.read(data)

    def mutate(data: bytes, most_bytes: int, seed: int) -> bytes:
        source = random.Random(seed)
        if hasattr(target, "change") and source.random() < 0.7:
            with contextlib.suppress(ValueError, RecursionError):
                if len(changed := target.change(data, source)) <= most_bytes:
                    return changed
        return atheris.Mutate(data, most_bytes)

    atheris.Setup(sys.argv, one_input, custom_mutator=mutate)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
