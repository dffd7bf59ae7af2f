"""Pareto layers: the sweep finds what the definition says, in any order, and doubt makes cards incomparable."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.peers import kwh, peer, peers

from registry_core.groups import Peer
from registry_core.pareto import dominates, layers, ranked


def peeled(found: Sequence[Peer]) -> list[int | None]:
    """The definition: layer by layer, what nothing that is left dominates."""
    layer_of: dict[str, int] = {}
    left, layer = [peer for peer in found if peer.is_ranked], 1
    while left:
        front = [peer for peer in left if not any(dominates(other, peer) for other in left)]
        layer_of |= dict.fromkeys((peer.id for peer in front), layer)
        left = [peer for peer in left if peer not in front]
        layer += 1
    return [layer_of.get(peer.id) for peer in found]


@given(peers(max_size=16))
def test_sweep_is_the_definition(found: list[Peer]) -> None:
    assert layers(found) == peeled(found)


@given(st.data(), peers())
def test_order_of_input_does_not_matter(data: st.DataObject, found: list[Peer]) -> None:
    assert ranked(data.draw(st.permutations(found))) == ranked(found)


@given(peers(levels=("E1", "E2")))
def test_a_dominated_card_changes_nothing_for_others(found: list[Peer]) -> None:
    worse = peer("worse", -1.0, 7.0)
    assert layers([*found, worse])[:-1] == layers(found)


@given(peers())
def test_declared_and_unknown_energies_come_last(found: list[Peer]) -> None:
    has_layer = [entry.layer is not None for entry in ranked(found)]
    assert has_layer == sorted(has_layer, reverse=True)
    assert sum(has_layer) == sum(peer.level != "E0" and peer.energy_kwh is not None for peer in found)


def test_declared_card_dominates_nothing() -> None:
    assert layers([peer("declared", 1.0, 0.001, level="E0"), peer("measured", 0.5, 1.0)]) == [None, 1]


@pytest.mark.parametrize(
    ("better", "is_dominated"),
    [
        (peer("a", 0.9, 1.0), True),
        (peer("a", 0.9, 2.0), True),  # equal energy, better score
        (peer("a", 0.8, 1.0), True),  # equal score, less energy
        (peer("a", 0.8, 2.0), False),  # equal in both
        (peer("a", 0.7, 1.0), False),  # cheaper and worse
        (peer("a", 0.9, 1.0, stderr=0.2), False),  # perhaps no better
        (peer("a", 0.9, 1.0, stderr=0.05), True),
        (peer("a", 0.9, kwh(1.0, 0.5, 2.5)), False),  # perhaps no cheaper
        (peer("a", 0.9, kwh(1.0, 0.5, 1.9)), True),
    ],
)
def test_dominance_is_beyond_doubt(better: Peer, is_dominated: bool) -> None:
    other = peer("b", 0.8, 2.0)
    assert dominates(better, other) == is_dominated
    assert layers([better, other])[1] == (2 if is_dominated else 1)


def test_lower_scores_win_where_lower_is_better() -> None:
    found = [peer("a", 5.0, 1.0, higher_is_better=False), peer("b", 6.0, 1.0, higher_is_better=False)]
    assert layers(found) == [1, 2]


def test_a_chain_has_a_layer_for_each_card() -> None:
    found = [peer(str(index), 10.0 - index, 1.0 + index) for index in range(10)]
    assert layers(found) == list(range(1, 11))


def test_in_a_layer_evidence_comes_before_gain_and_gain_before_energy() -> None:
    found = [
        peer("cheap", 0.5, 1.0, baseline=0.4),
        peer("gains", 0.8, 2.0, baseline=0.0),
        peer("estimated", 0.9, 3.0, baseline=0.0, level="E1"),
        peer("evidenced", 0.91, 30.0, baseline=0.0, level="E3"),
        peer("beaten", 0.4, 40.0, level="E4"),
    ]
    assert [(entry.peer.id, entry.layer) for entry in ranked(found)] == [
        ("evidenced", 1),
        ("gains", 1),
        ("cheap", 1),
        ("estimated", 1),
        ("beaten", 2),
    ]
