"""The energy class compares with peers that are at least as good, and takes the worse side of doubt."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.peers import GROUP, kwh, peer, peers

from registry_core.energy_class import DISCLAIMER, Letter, Snapshot, energy_class, letter_of
from registry_core.groups import Peer


def snapshot(*found: Peer) -> Snapshot:
    return Snapshot("2026-Q4", date(2026, 10, 1), GROUP, "own", found)


# The median of their energies is 8 kWh.
EIGHT = snapshot(*(peer(str(index), 0.9, 8.0) for index in range(8)))


@pytest.mark.parametrize(
    ("energy", "letter"),
    [(0.5, "A"), (1.0, "A"), (1.1, "B"), (2.0, "B"), (4.0, "C"), (8.0, "D"), (16.0, "E"), (32.0, "F"), (32.1, "G")],
)
def test_letters(energy: float, letter: Letter) -> None:
    assert energy_class(peer("new", 0.9, energy), EIGHT).letter == letter


def test_class_says_where_it_is_from() -> None:
    found = energy_class(peer("new", 0.9, 4.0), EIGHT)
    assert (found.snapshot_id, found.taken_on, found.group, found.axis) == ("2026-Q4", date(2026, 10, 1), GROUP, "own")
    assert found.index == kwh(0.5)
    assert (found.peers, found.widened_to, str(found)) == (8, None, "C")


def test_disclaimer_says_that_it_is_no_eu_label() -> None:
    assert "not an EU energy label" in DISCLAIMER


def test_worst_class_of_the_interval_is_shown() -> None:
    assert energy_class(peer("new", 0.9, kwh(3.0, 1.0, 4.1)), EIGHT).letter == "D"
    assert energy_class(peer("new", 0.9, kwh(3.0, 0.1, 40.0)), EIGHT).letter == "G"


def test_estimated_energy_gets_c_at_most() -> None:
    found = energy_class(peer("new", 0.9, 0.1, level="E1"), EIGHT)
    assert str(found) == "C est."
    assert energy_class(peer("new", 0.9, 9.0, level="E1"), EIGHT).letter == "E"


def test_seven_peers_are_not_enough() -> None:
    found = energy_class(peer("new", 0.9, 4.0), snapshot(*EIGHT.peers[:7]))
    assert (found.letter, str(found)) == (None, "not enough peers")


def test_estimated_and_unknown_cards_are_no_peers() -> None:
    others = [peer("e", 0.9, 8.0, level="E1"), peer("u", 0.9, None), peer("z", 0.9, 0.0)]
    assert energy_class(peer("new", 0.9, 4.0), snapshot(*EIGHT.peers[:7], *others)).letter is None


@pytest.mark.parametrize(
    ("card", "reason"),
    [
        (peer("new", 0.9, None), "energy not known"),
        (peer("new", 0.9, 0.0), "energy not known"),
        (peer("new", 0.9, 4.0, level="E0"), "energy only declared"),
    ],
)
def test_no_class_without_an_energy_to_compare(card: Peer, reason: str) -> None:
    assert str(energy_class(card, EIGHT)) == reason


def test_bad_and_small_models_are_not_compared_with() -> None:
    weak = [peer(f"weak{index}", 0.5, 0.01) for index in range(100)]
    found = energy_class(peer("new", 0.9, 4.0), snapshot(*EIGHT.peers, *weak))
    assert (found.letter, found.peers) == ("C", 8)


def test_two_standard_errors_below_are_peers() -> None:
    near = [peer(f"near{index}", 0.875, 4.0) for index in range(9)]
    found = snapshot(*EIGHT.peers, *near)
    assert energy_class(peer("new", 0.9, 4.0, stderr=0.0125), found).peers == 17
    assert energy_class(peer("new", 0.9, 4.0, stderr=0.0120), found).peers == 8


def test_window_is_widened_to_the_nearest_eight_and_their_ties() -> None:
    ladder = [peer(str(index), index / 10, float(index)) for index in range(1, 10)]
    tie = peer("tie", 0.2, 2.0)
    found = energy_class(peer("new", 0.8, 1.0), snapshot(*ladder, tie))
    assert (found.peers, found.widened_to) == (9, 0.2)  # 0.9 down to 0.2, and its tie; 0.1 is left out
    assert energy_class(peer("new", 0.8, 1.0), snapshot(tie, *reversed(ladder))) == found


def test_window_where_lower_is_better() -> None:
    others = [peer(str(index), 5.0, 8.0, higher_is_better=False) for index in range(8)]
    worse = [peer(f"w{index}", 9.0, 0.1, higher_is_better=False) for index in range(20)]
    found = energy_class(peer("new", 5.0, 4.0, higher_is_better=False), snapshot(*others, *worse))
    assert (found.letter, found.peers) == ("C", 8)


@given(peers(levels=("E2", "E3"), max_size=14), st.floats(0.01, 100), st.floats(1, 100), st.floats(0, 6))
def test_class_never_improves_when_energy_rises(found: list[Peer], energy: float, times: float, score: float) -> None:
    less = energy_class(peer("new", score, kwh(energy, energy * 0.9, energy * 1.1)), snapshot(*found))
    more_energy = kwh(energy * times, energy * times * 0.9, energy * times * 1.1)
    more = energy_class(peer("new", score, more_energy), snapshot(*found))
    assert (less.letter is None) == (more.letter is None)
    assert (less.letter or "") <= (more.letter or "")


@given(st.floats(0.001, 1000), st.floats(0.001, 1000))
def test_letters_follow_the_index(one: float, other: float) -> None:
    assert letter_of(min(one, other)) <= letter_of(max(one, other))
