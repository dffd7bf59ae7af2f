"""How long the Pareto layers of one large comparison group take, in one process without numpy.

python benchmarks/pareto.py [--cards 10000] [--times 21]
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Callable

from measure import machine, timed

from registry_core.groups import Peer
from registry_core.pareto import layers, ranked
from registry_core.quantity import Amount

SEED = 20261122


def cards(count: int, energy_kwh: Callable[[random.Random, float], float], *, is_sure: bool) -> list[Peer]:
    """Peers of random scores whose energy follows from the score; sure ones have no interval and no standard error."""
    dice = random.Random(SEED)
    return [_card(str(index), dice, energy_kwh, is_sure) for index in range(count)]


def _card(name: str, dice: random.Random, energy_kwh: Callable[[random.Random, float], float], is_sure: bool) -> Peer:
    score = dice.random()
    value = energy_kwh(dice, score)
    amount = Amount(value, value, value, "measured") if is_sure else Amount(value, 0.9 * value, 1.1 * value, "measured")
    stderr = 0.0 if is_sure else 0.01
    return Peer(name, score, True, amount, "E2", stderr=stderr, baseline=0.1)


GROUPS: dict[str, tuple[Callable[[random.Random, float], float], bool]] = {
    "random, with intervals": (lambda dice, _: dice.lognormvariate(0, 2), False),
    "random, exact": (lambda dice, _: dice.lognormvariate(0, 2), True),
    "better costs more, with intervals": (lambda dice, score: (1 + score) ** 8 * dice.lognormvariate(0, 0.5), False),
    "every card in a layer of its own": (lambda _, score: 2 - score, True),
    "all in one layer": (lambda _, score: 1 + score, True),
}


def main() -> None:
    """Print one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cards", type=int, default=10_000)
    parser.add_argument("--times", type=int, default=21)
    options = parser.parse_args()
    found: dict[str, object] = {}
    for name, (energy_kwh, is_sure) in GROUPS.items():
        peers = cards(options.cards, energy_kwh, is_sure=is_sure)
        found[name] = {
            "deepest_layer": max(layer for layer in layers(peers) if layer is not None),
            "layers": timed(lambda peers=peers: layers(peers), times=options.times),
            "layers_and_order": timed(lambda peers=peers: ranked(peers), times=options.times),
        }
    print(json.dumps({"machine": machine(), "cards": options.cards, **found}, indent=2))


if __name__ == "__main__":
    main()
