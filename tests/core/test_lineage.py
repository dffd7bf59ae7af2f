"""Own, cumulative and induced footprints: each card once, and what has no card is unknown."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.peers import kwh

from registry_core.footprint import Footprint
from registry_core.lineage import Lineage, Node, induced, lineage, root_of

UNKNOWN = Footprint(**dict.fromkeys((field.name for field in dataclasses.fields(Footprint)), None))


def nodes(*found: Node) -> dict[str, Node]:
    return {node.digest: node for node in found}


def node(name: str, energy: float | None, *bases: str) -> Node:
    energy_kwh = None if energy is None else kwh(energy, energy / 2, energy * 2)
    footprint = dataclasses.replace(UNKNOWN, energy_facility_kwh=energy_kwh, device_time_hours=kwh(1.0))
    return Node(name, f"team/{name}", footprint, bases)


DIAMOND = nodes(node("a", 100), node("b", 10, "a"), node("c", 20, "a"), node("d", 1, "b", "c"))


def energy(found: Lineage) -> float | None:
    amount = found.cumulative.energy_facility_kwh
    return None if amount is None else amount.value


def test_a_merge_counts_their_root_once() -> None:
    found = lineage("d", DIAMOND)
    assert found.own.energy_facility_kwh == kwh(1, 0.5, 2)
    assert found.cumulative.energy_facility_kwh == kwh(131, 65.5, 262)
    assert found.cumulative.device_time_hours == kwh(4)
    assert sorted(found.ancestors) == ["a", "b", "c"]
    assert found.is_complete


def test_a_model_from_scratch_is_its_own_lineage() -> None:
    found = lineage("a", DIAMOND)
    assert found.cumulative == found.own
    assert found.ancestors == ()


def test_base_without_a_card_is_unknown_and_not_zero() -> None:
    found = lineage("b", nodes(node("b", 10, "a", "elsewhere/big"), node("a", 100)))
    assert found.unknown == ("elsewhere/big",)
    assert not found.is_complete
    assert energy(found) == 110


def test_ancestor_whose_energy_is_not_known_leaves_no_sum() -> None:
    assert energy(lineage("b", nodes(node("b", 10, "a"), node("a", None)))) is None


def test_circle_is_cut_with_its_reason_and_counted_once() -> None:
    found = lineage("a", nodes(node("a", 1, "b"), node("b", 2, "c"), node("c", 4, "a")))
    assert energy(found) == 7
    assert found.cuts == ("c names a as its base, which was made from it; that link is left out.",)
    assert not found.is_complete


def test_model_that_names_itself() -> None:
    found = lineage("a", nodes(node("a", 1, "a")))
    assert energy(found) == 1
    assert len(found.cuts) == 1


def test_a_base_reached_twice_is_no_circle() -> None:
    assert lineage("d", nodes(*DIAMOND.values(), node("d", 1, "b", "a", "c"))).cuts == ()


def test_a_lineage_of_ten_thousand_steps() -> None:
    chain = nodes(node("0", 1), *(node(str(step), 1, str(step - 1)) for step in range(1, 10_000)))
    assert energy(lineage("9999", chain)) == 10_000


@given(st.lists(st.sets(st.integers(0, 8), max_size=4), min_size=1, max_size=9))
def test_any_graph_counts_each_card_that_it_reaches_once(graph: list[set[int]]) -> None:
    found = nodes(*(node(str(i), 2.0**i, *(str(base) for base in bases)) for i, bases in enumerate(graph)))
    reached, waiting = {0}, [0]
    while waiting:
        new = {base for base in graph[waiting.pop()] if base < len(graph)} - reached
        reached |= new
        waiting += new
    assert energy(lineage("0", found)) == sum(2.0**i for i in reached)


def test_root_is_shared_by_all_that_came_from_it() -> None:
    assert {root_of(digest, DIAMOND) for digest in DIAMOND} == {"team/a"}


def test_root_of_a_merge_is_the_one_with_more_energy() -> None:
    found = nodes(
        node("small", 1), node("large", 50), node("unknown", None), node("m", 500, "small", "large", "unknown")
    )
    assert root_of("m", found) == "team/large"


@pytest.mark.parametrize(
    ("bases", "root"),
    [(("z/far", "elsewhere/big"), "elsewhere/big"), (("elsewhere/big", "a"), "team/a"), (("m",), "team/m")],
)
def test_root_without_a_card_of_its_own(bases: tuple[str, ...], root: str) -> None:
    assert root_of("m", nodes(node("m", 5, *bases), node("a", 1))) == root


def test_induced_is_the_energy_of_all_descendants_once() -> None:
    found = induced("a", DIAMOND)
    assert found.energy_kwh == kwh(31, 15.5, 62)
    assert found.descendants == ("b", "c", "d")
    assert found.unknown == ()


def test_induced_names_descendants_without_energy() -> None:
    found = induced("a", nodes(node("a", 1), node("b", 2, "a"), node("c", None, "b")))
    assert found.energy_kwh == kwh(2, 1, 4)
    assert found.unknown == ("c",)


def test_nothing_induced_is_not_zero() -> None:
    assert induced("d", DIAMOND).energy_kwh is None


def test_induced_in_a_circle_ends() -> None:
    assert induced("a", nodes(node("a", 1, "b"), node("b", 2, "a"))).descendants == ("b",)
