"""Evidence files are read within bounds; whatever they hold, reading them raises nothing and says what is wrong."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.core.cards import full_card
from tests.core.recorded_evidence import ENVIRONMENT, ROW, SAMPLES, Recorded

from registry_core.card import parse_card
from registry_core.evidence import (
    MAX_JSON_BYTES,
    MAX_SAMPLES_BYTES,
    RawEvidence,
    ToolRow,
    read_evidence,
)
from registry_core.levels import grade
from registry_core.samples import HEADER as SAMPLES_HEADER
from registry_core.sampling import counter_falls, samplings

T0 = "2026-11-02T08:00:00Z"


def read(path: str, data: bytes) -> RawEvidence:
    found = Recorded("nvml")
    found.files[path] = data
    return found.evidence()


def test_all_of_it_is_read() -> None:
    found = Recorded("nvml").evidence()
    (phase,) = found.phases
    assert found.faults == ()
    assert phase.row is not None
    assert (phase.row.number("gpu_energy"), phase.row.text("country_iso_code")) == (0.2, "FRA")
    assert phase.row.number("country_iso_code") is None
    assert phase.environment is not None
    assert phase.environment.tool is not None
    assert phase.environment.tool.version == "3.3.2"
    assert phase.environment.configuration["country_iso_code"].layer == "explicit"
    assert {series.host for series in phase.series} == {"5f0c2a91"}
    assert len(phase.series) == 5
    assert sum(sampling.energy_kwh for sampling in samplings(phase.series)) == pytest.approx(1300 * 600 / 3.6e6)


def test_a_card_without_files_has_no_evidence_and_no_faults() -> None:
    found = Recorded("nvml")
    found.document["evidence"] = {"tool": "by hand"}
    read_nothing = read_evidence(found.card(), lambda _: None)
    assert read_nothing.faults == ()
    assert read_nothing.phases[0].row is None


def test_files_that_the_card_names_must_be_there() -> None:
    found = read_evidence(Recorded("nvml").card(), lambda _: None)
    assert found.faults == (
        f"{SAMPLES}: is named by the card, and is not there",
        f"{ROW}: is named by the card, and is not there",
    )


def test_samples_belong_to_the_phase_in_their_name() -> None:
    found = Recorded("nvml")
    found.document["phases"].append({**found.phase, "stage": "evaluation"})
    second = SAMPLES.replace("0-pretraining", "1-evaluation")
    found.files[second] = found.files.pop(SAMPLES)
    found.document["evidence"]["samples"] = [second, "footprint/samples-7-evaluation-ab.csv", "footprint/notes.csv"]
    read_back = found.evidence()
    assert [len(phase.series) for phase in read_back.phases] == [0, 5]
    assert len(read_back.faults) == 2


@pytest.mark.parametrize(
    ("path", "data", "said"),
    [
        (ROW, b"{", "JSON"),
        (ROW, b"[1]", "object"),
        (ROW, b'{"emissions": NaN}', "NaN"),
        (ROW, b'{"emissions": 1' + b"0" * 5000 + b"}", "JSON"),
        (ROW, b"[" * 100_000, "JSON"),
        (ROW, b"\xff\xfe{}", "JSON"),
        (ROW, b" " * (MAX_JSON_BYTES + 1), "larger"),
        (ENVIRONMENT, b'{"tool": "codecarbon"}', "tool"),
        (ENVIRONMENT, b'{"configuration": {"pue": {"value": 1, "layer": "magic"}}}', "layer"),
        (ENVIRONMENT, b'{"span": {"covered_seconds": -1}}', "covered_seconds"),
        (ENVIRONMENT, b'{"notes": "all well"}', "notes"),
        (SAMPLES, b"", "first line"),
        (SAMPLES, b"time,power\n", "first line"),
        (SAMPLES, f"{SAMPLES_HEADER}\n{T0},a,1".encode(), "line 2: expected 4 cells"),
        (SAMPLES, f"{SAMPLES_HEADER}\nyesterday,a,1,".encode(), "line 2: expected a moment"),
        (SAMPLES, f"{SAMPLES_HEADER}\n2026-02-31T08:00:00Z,a,1,".encode(), "line 2"),
        (SAMPLES, f"{SAMPLES_HEADER}\n{T0},a,nan,".encode(), "line 2: expected a number"),
        (SAMPLES, f"{SAMPLES_HEADER}\n{T0},a,-5,".encode(), "line 2: expected a number"),
        (SAMPLES, f"{SAMPLES_HEADER}\n{T0},a,1e999,".encode(), "line 2: expected a number"),
        (SAMPLES, f"{SAMPLES_HEADER}\n{T0},a,,".encode(), "line 2: has neither"),
        (SAMPLES, b"\xff", "decode"),
        (SAMPLES, b" " * (MAX_SAMPLES_BYTES + 1), "larger"),
    ],
)
def test_a_file_that_is_of_no_use_is_left_out_and_named(path: str, data: bytes, said: str) -> None:
    found = read(path, data)
    (fault,) = found.faults
    assert fault.startswith(f"{path}: ")
    assert said in fault
    assert grade(Recorded("nvml").card(), found).level in ("E0", "E1", "E2")


def test_very_many_devices_and_phases_are_no_burden() -> None:
    found = Recorded("nvml")
    found.files[SAMPLES] = "\n".join([SAMPLES_HEADER, *(f"{T0},gpu{n},1," for n in range(20_000))]).encode()
    found.document["phases"] *= 200
    assert grade(found.card(), found.evidence()).level == "E0"


def test_what_is_no_unicode_is_left_out() -> None:
    (fault,) = read(ENVIRONMENT, b'{"tool": {"name": "codecarbon", "version": "3.2.\\ud800"}}').faults
    assert "tool.version" in fault
    fault.encode()


def test_the_samples_of_a_card_are_bounded_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("registry_core.evidence.MAX_ALL_SAMPLES_BYTES", 100)
    assert "together" in read(SAMPLES, b" " * 101).faults[0]


def test_unknown_fields_of_a_newer_client_are_ignored() -> None:
    found = Recorded("nvml")
    found.change(ENVIRONMENT, weather="sunny")
    assert found.evidence().faults == ()


def test_power_is_integrated_where_there_is_no_counter() -> None:
    lines = [f"2026-11-02T08:00:{second:02d}Z,gpu,{power}," for second, power in ((20, 300), (0, 100), (10, 200))]
    (series,) = read(SAMPLES, "\n".join([SAMPLES_HEADER, *lines]).encode()).phases[0].series
    (sampling,) = samplings([series])
    assert sampling.energy_kwh * 3.6e6 == pytest.approx(150 * 10 + 250 * 10)
    assert (sampling.interval_seconds, sampling.longest_gap_seconds) == (10, 10)
    assert not sampling.is_counter


def test_a_counter_that_falls_loses_only_the_fall() -> None:
    lines = [
        f"2026-11-02T08:00:{second:02d}Z,gpu,,{joules}" for second, joules in ((0, 100), (1, 200), (2, 50), (3, 90))
    ]
    (series,) = read(SAMPLES, "\n".join([SAMPLES_HEADER, *lines]).encode()).phases[0].series
    (sampling,) = samplings([series])
    assert sampling.energy_kwh * 3.6e6 == pytest.approx(140)
    assert counter_falls(series) == 1


def test_one_sample_is_no_series() -> None:
    (series,) = read(SAMPLES, f"{SAMPLES_HEADER}\n{T0},gpu,300,".encode()).phases[0].series
    assert samplings([series]) == []


@pytest.mark.parametrize("value", [None, True, "1", [], float("inf"), 10**400])
def test_a_row_gives_numbers_that_are_numbers(value: Any) -> None:
    assert ToolRow({"x": value}).number("x") is None


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(max_size=10), children, max_size=4),
    max_leaves=12,
)
row_names = st.sampled_from(list(json.loads(Recorded("nvml").files[ROW])))
environment_names = st.sampled_from(["tool", "methods", "configuration", "span", "notes", "reason", "removed"])
cells = st.text(alphabet="0123456789.-+eEnaifTZ:, \n", max_size=30) | st.sampled_from([T0, "", "1e308", "-0.0", "gpu"])


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    row=st.binary(max_size=200) | st.dictionaries(row_names, json_values).map(lambda found: json.dumps(found).encode()),
    environment=st.binary(max_size=200)
    | st.dictionaries(environment_names, json_values).map(lambda found: json.dumps(found).encode()),
    lines=st.binary(max_size=200)
    | st.lists(st.lists(cells, min_size=4, max_size=4).map(",".join), max_size=6).map(
        lambda found: "\n".join([SAMPLES_HEADER, *found]).encode()
    ),
)
def test_hostile_evidence_never_raises(row: bytes, environment: bytes, lines: bytes) -> None:
    found = Recorded("nvml")
    found.files |= {ROW: row, ENVIRONMENT: environment, SAMPLES: lines}
    raw = found.evidence()
    told = grade(found.card(), raw)
    assert told.level in ("E0", "E1", "E2", "E3", "E4")
    json.dumps([raw.faults, [finding.message for finding in told.findings], told.missing]).encode()
    for text in (*raw.faults, *told.missing, *(finding.message for finding in told.findings)):
        text.encode()


def test_a_card_with_every_field_can_be_graded() -> None:
    assert grade(parse_card(full_card())).level == "E0"
