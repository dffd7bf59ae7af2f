"""Fragments of a distributed run: what counts once, what is added, and what is made up for those who left nothing."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry_core.errors import Invalid
from registry_core.fragments import Fragment, merge, parse_fragment
from registry_core.phase import Phase

BEGIN = datetime(2026, 11, 22, 8, 0, 0, tzinfo=UTC)
KWH = 3.6e6


def at(seconds: float) -> str:
    return (BEGIN + timedelta(seconds=seconds)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def measured(part: str, device: str, start: float, end: float, watts: float, **changes: Any) -> dict[str, Any]:
    found = {
        "part": part,
        "device": device,
        "scope": "device" if part == "gpu" else "machine",
        "started_at": at(start),
        "ended_at": at(end),
        "energy_kwh": watts * (end - start) / KWH,
        "method": "nvml_counter" if part == "gpu" else "rapl_package",
        "source": "measured",
    }
    return {**found, **changes}


def fragment(host: str = "h0", start: float = 0.0, end: float = 100.0, watts: float = 50.0, **changes: Any) -> Fragment:
    """One process that measured the processors of its host."""
    document = {
        "schema": "footprint-fragment/1.0",
        "family": "f",
        "host": host,
        "outcome": "done",
        "started_at": at(start),
        "ended_at": at(end),
        "wall_seconds": end - start,
        "devices": [{"id": f"cpu-{host}", "kind": "cpu", "model": "Quiet CPU"}],
        "measurements": [measured("cpu", f"cpu-{host}", start, end, watts)],
        "phase": {"stage": "pretraining", "scope": "machine", "site": {"country": "FRA"}},
    }
    return parse_fragment({**document, **changes})


def kwh(fragments: list[Fragment], part: str = "energy_it") -> float:
    return float(merge(fragments).phase[part]["value"])


def test_a_run_of_one_process_is_its_fragment() -> None:
    phase = Phase.model_validate(merge([fragment()]).phase)
    assert phase.energy_cpu
    assert phase.energy_cpu.value == pytest.approx(50 * 100 / KWH)
    assert (phase.energy_cpu.source, phase.energy_cpu.method) == ("measured", "rapl_package")
    assert phase.device_time.value == pytest.approx(100 / 3600)
    assert (phase.included_runs, phase.failed_runs_included) == (1, False)
    assert (phase.coverage.hosts_measured, phase.coverage.hosts_total) == (1, 1)


def test_two_trackers_of_a_whole_machine_give_one_total() -> None:
    assert kwh([fragment(), fragment()]) == pytest.approx(kwh([fragment()]))
    assert kwh([fragment(watts=40.0), fragment(watts=60.0)]) == pytest.approx(50 * 100 / KWH)


def test_where_spans_differ_their_union_counts() -> None:
    early, late = fragment(start=0, end=60, watts=50.0), fragment(start=40, end=100, watts=70.0)
    assert kwh([early, late]) == pytest.approx((40 * 50 + 20 * 60 + 40 * 70) / KWH)
    phase = merge([early, late]).phase
    assert phase["device_time"]["value"] == pytest.approx(100 / 3600)
    assert phase["wall_time"]["value"] == 100.0


def test_hosts_are_added() -> None:
    both = merge([fragment("h0", watts=50.0), fragment("h1", watts=70.0)]).phase
    assert both["energy_cpu"]["value"] == pytest.approx(120 * 100 / KWH)
    assert both["energy_cpu"]["source"] == "measured"
    assert both["groups"][0]["device_count"] == 2
    assert both["groups"][0]["hosts"] == 2


def test_of_one_device_the_longest_measurement_counts() -> None:
    def rank(gpus: str, start: float, end: float) -> Fragment:
        devices = [{"id": f"gpu-{gpu}", "kind": "gpu", "model": "Fast GPU", "tdp_w": 700.0} for gpu in gpus]
        found = [measured("gpu", f"gpu-{gpu}", start, end, 300.0) for gpu in gpus]
        return fragment(start=start, end=end, devices=devices, measurements=found)

    phase = merge([rank("ab", 0, 100), rank("b", 10, 90), rank("c", 0, 50), rank("c", 60, 100)]).phase
    assert phase["energy_gpu"]["value"] == pytest.approx(300 * (100 + 100 + 90) / KWH)
    assert phase["groups"][0]["device_count"] == 3
    assert phase["device_time"]["value"] == pytest.approx((100 + 100 + 90) / 3600)


def test_processes_are_added() -> None:
    ranks = [
        fragment(measurements=[measured("cpu", f"cpu of {rank}", 0, 100, 20.0, scope="process")]) for rank in range(3)
    ]
    assert kwh(ranks) == pytest.approx(3 * 20 * 100 / KWH)


def test_hosts_that_left_nothing_are_like_the_others_and_the_phase_is_estimated() -> None:
    merged = merge([fragment("h0", hosts_total=4, watts=50.0), fragment("h1", hosts_total=4, watts=70.0)])
    phase = Phase.model_validate(merged.phase)
    assert phase.energy_cpu
    assert phase.energy_cpu.value == pytest.approx(4 * 60 * 100 / KWH)
    assert phase.energy_cpu.source == "estimated"
    assert phase.device_time.source == "estimated"
    assert phase.device_time.value == pytest.approx(4 * 100 / 3600)
    assert (phase.coverage.hosts_measured, phase.coverage.hosts_total) == (2, 4)
    assert merged.notes == ("2 of 4 hosts were measured, the others are taken to be like them",)


def test_a_host_that_could_not_measure_is_like_the_others_and_says_why() -> None:
    merged = merge([fragment("h0"), fragment("h1", measurements=[], reason="No sensor.")])
    assert merged.phase["energy_cpu"]["value"] == pytest.approx(2 * 50 * 100 / KWH)
    assert merged.phase["energy_cpu"]["source"] == "estimated"
    assert merged.phase["coverage"]["hosts_measured"] == 1
    assert merged.notes[0] == "a host was not measured: No sensor."


def test_a_process_of_a_measured_host_that_could_not_measure_is_named_in_scope_process() -> None:
    declared = {"stage": "pretraining", "scope": "process", "site": {"country": "FRA"}}
    found = [measured("cpu", "cpu of 0", 0, 100, 20.0, scope="process")]
    ranks = [fragment(phase=declared, measurements=found), fragment(phase=declared, measurements=[], reason="Late.")]
    assert merge(ranks).notes == ("a process was not measured: Late.",)


def test_when_nobody_measured_there_is_no_energy() -> None:
    merged = merge([fragment("h0", measurements=[], reason="No sensor.")])
    phase = Phase.model_validate(merged.phase)
    assert phase.energy_it is None
    assert not phase.coverage.cpu
    assert phase.coverage.hosts_measured == 0
    assert phase.device_time.value == pytest.approx(100 / 3600)


def test_a_process_without_a_meter_names_no_second_processor() -> None:
    other = fragment(measurements=[], reason="Late.", devices=[{"id": "cpu-x", "kind": "cpu", "model": "x86_64"}])
    phase = merge([fragment(), other]).phase
    assert [group["device_model"] for group in phase["groups"]] == ["Quiet CPU"]
    assert phase["coverage"]["hosts_measured"] == 1
    assert kwh([fragment(), other]) == pytest.approx(kwh([fragment()]))


def test_runs_that_failed_are_included() -> None:
    crashed = fragment(start=0, end=30, outcome="running")
    phase = merge([crashed, fragment(start=60, end=160)]).phase
    assert (phase["included_runs"], phase["failed_runs_included"]) == (2, True)
    assert phase["energy_cpu"]["value"] == pytest.approx(50 * 130 / KWH)
    assert phase["device_time"]["value"] == pytest.approx(130 / 3600)


def test_guesses_beside_counters_make_the_sum_estimated_and_widen_it() -> None:
    guess = [measured("cpu", "cpu-h1", 0, 100, 50.0, method="cpu_load_model", source="estimated")]
    energy = merge([fragment("h0"), fragment("h1", measurements=guess)]).phase["energy_cpu"]
    assert energy["source"] == "estimated"
    assert energy["low"] == pytest.approx(50 * 100 / KWH * (0.90 + 0.33))
    assert energy["high"] == pytest.approx(50 * 100 / KWH * (1.15 + 3.0))


def test_processes_that_left_nothing_are_named() -> None:
    merged = merge([fragment(rank=0, world_size=4), fragment(rank=2, world_size=4)])
    assert merged.notes == ("2 of 4 processes wrote a fragment",)


@pytest.mark.parametrize(
    ("others", "told"),
    [
        ([], "no fragments"),
        ([fragment(), fragment(family="g")], "2 different runs"),
        ([fragment(), fragment(phase={"stage": "rl", "scope": "machine", "site": {"country": "FRA"}})], "stage"),
    ],
)
def test_what_does_not_belong_together_is_refused(others: list[Fragment], told: str) -> None:
    with pytest.raises(Invalid, match=told):
        merge(others)


def test_a_file_that_is_no_fragment_is_refused_with_all_faults() -> None:
    with pytest.raises(Invalid) as caught:
        parse_fragment({"schema": "footprint-fragment/9.0", "family": ""})
    assert {"schema", "family", "host"} <= {fault.split(":")[0] for fault in caught.value.faults}


seconds = st.integers(min_value=0, max_value=300)


@st.composite
def spans(draw: st.DrawFn) -> Fragment:
    start = draw(seconds)
    end = start + draw(st.integers(min_value=1, max_value=300))
    host = draw(st.sampled_from(["h0", "h1", "h2"]))
    watts = draw(st.integers(min_value=1, max_value=500))
    outcome = draw(st.sampled_from(["done", "failed"]))
    gpu = measured("gpu", f"gpu-{draw(st.integers(0, 2))}", start, end, watts)
    found = [measured("cpu", f"cpu-{host}", start, end, watts), gpu]
    devices = [{"id": gpu["device"], "kind": "gpu", "model": "Fast GPU"}]
    hosts_total = draw(st.sampled_from([3, 5]))
    return fragment(host, start, end, outcome=outcome, measurements=found, devices=devices, hosts_total=hosts_total)


@given(st.lists(spans(), min_size=1, max_size=6), st.randoms(use_true_random=False))
def test_the_order_does_not_matter(fragments: list[Fragment], chance: random.Random) -> None:
    shuffled = list(fragments)
    chance.shuffle(shuffled)
    assert merge(shuffled) == merge(fragments)


@given(st.lists(spans(), min_size=1, max_size=6))
def test_a_fragment_that_comes_twice_counts_once(fragments: list[Fragment]) -> None:
    once, twice = merge(fragments).phase, merge([*fragments, fragments[0]]).phase
    for part in ("energy_cpu", "energy_gpu", "energy_it", "device_time"):
        assert twice[part]["value"] == pytest.approx(once[part]["value"])


@given(st.lists(spans(), min_size=1, max_size=6))
def test_every_merge_is_a_phase_and_never_more_than_the_sum(fragments: list[Fragment]) -> None:
    phase = merge(fragments).phase
    Phase.model_validate(phase)
    everything = sum(found.energy_kwh for one in fragments for found in one.measurements)
    hosts = len({one.host for one in fragments})
    assert phase["energy_it"]["value"] <= everything * phase["coverage"]["hosts_total"] / hosts * (1 + 1e-9)
    hours = sum(group["device_count"] * group["hours"] for group in phase["groups"])
    assert phase["device_time"]["value"] == pytest.approx(hours)
    assert all(group["hours"] * 3600 <= phase["wall_time"]["value"] + 1e-6 for group in phase["groups"])
