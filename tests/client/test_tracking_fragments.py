"""Several processes of one run: each leaves a fragment, and one card is made of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import pytest
from tests.client.meters import save_weights, tracker, work

from registry_client import cli
from registry_client.tracking import merge_fragments
from registry_client.tracking.fragments import FragmentFolder, _samples_beside
from registry_client.tracking.launch import Launch, launch_of
from registry_core.card import Card, parse_card
from registry_core.card_rules import moment
from registry_core.errors import Invalid
from registry_core.evidence import read_evidence

PROGRAM = textwrap.dedent(
    """
    import os, sys, time
    from registry_client import track

    declared = {"task": "other", "license": "MIT", "country": "FRA", "measure_seconds": 0.2}
    with track(**declared, fragments=sys.argv[1], patience_seconds=None) as run:
        print("measuring", flush=True)
        if sys.argv[2] == "hang":
            time.sleep(60)
        end = time.monotonic() + 1.5
        while time.monotonic() < end:
            sum(range(1000))
        run.quality("accuracy", 0.5 + int(os.environ["RANK"]) / 10, dataset="a/b", split="test", n=10)
    """
)


def started(folder: Path, rank: int, how: str = "train") -> subprocess.Popen[str]:
    environ = {**os.environ, "RANK": str(rank), "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2"}
    command = [sys.executable, "-c", PROGRAM, str(folder), how]
    return subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, text=True)


def card_at(path: Path) -> Card:
    return parse_card(path.read_bytes())


def fragments_in(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(path.read_text())["fragment"] for path in sorted(folder.glob("fragment-*.json"))]


def test_two_processes_of_a_host_give_one_machine(tmp_path: Path) -> None:
    save_weights(tmp_path / "model")
    fragments = tmp_path / "fragments"
    ranks = [started(fragments, rank) for rank in range(2)]
    assert [process.wait(60) for process in ranks] == [0, 0]
    for process in ranks:
        assert process.stdout
        process.stdout.close()
    found = merge_fragments(fragments, tmp_path / "model" / "footprint.json")
    assert (found.fragments, found.runs, found.hosts_measured, found.hosts_total) == (2, 1, 1, 1)
    card = card_at(tmp_path / "model" / "footprint.json")
    phase = card.phases[0]
    seen = [entry["measurements"] for entry in fragments_in(fragments)]
    ram = [item for items in seen for item in items if item["part"] == "ram"]
    assert phase.energy_ram
    # One machine: its mean power is between what the two say, and not their sum.
    begun, ended = (pick(moment(item[name]) for item in ram) for pick, name in ((min, "started_at"), (max, "ended_at")))
    power = phase.energy_ram.value / (ended - begun).total_seconds()
    powers = sorted(item["energy_kwh"] / _seconds(item) for item in ram)
    assert powers[0] * 0.99 <= power <= powers[1] * 1.01
    assert phase.groups[0].hosts == 1
    assert card.quality
    assert card.quality[0].value == 0.5  # as rank 0 says
    assert phase.scheduler
    assert phase.scheduler.ranks == 2
    evidence = read_evidence(card, lambda name: _bytes(tmp_path / "model" / name))
    assert evidence.faults == ()
    assert {series.device.partition("-")[0] for series in evidence.phases[0].series} == {"cpu", "ram"}
    text = (fragments / "run.json").read_text()
    assert json.loads(text)["salt"] not in "".join(path.read_text() for path in (tmp_path / "model").rglob("*.json"))


def _seconds(item: dict[str, Any]) -> float:
    return (moment(item["ended_at"]) - moment(item["started_at"])).total_seconds()


def _bytes(path: Path) -> bytes | None:
    return path.read_bytes() if path.exists() else None


def test_what_a_killed_process_had_used_is_counted(tmp_path: Path) -> None:
    fragments = tmp_path / "fragments"
    killed = started(fragments, 0, "hang")
    with killed:
        assert killed.stdout
        assert killed.stdout.readline() == "measuring\n"
        time.sleep(0.8)
        killed.kill()
    with tracker(fragments=fragments, task="other", license="MIT") as run:
        work(0.2)
    assert run.path
    found = merge_fragments(fragments, tmp_path / "footprint.json")
    assert (found.runs, found.failed_runs) == (2, True)
    document = json.loads((tmp_path / "footprint.json").read_text())
    phase = document["phases"][0]
    assert (phase["included_runs"], phase["failed_runs_included"]) == (2, True)
    assert phase["energy_ram"]["method"] == "unknown"  # samples do not tell
    assert phase["energy_ram"]["source"] == "estimated"
    assert phase["energy_ram"]["value"] > 0


def test_an_exception_leaves_a_fragment_that_says_so(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), tracker(fragments=tmp_path):
        raise ZeroDivisionError
    assert [entry["outcome"] for entry in fragments_in(tmp_path)] == ["failed"]


def test_all_processes_share_the_id_of_the_run_and_its_salt(tmp_path: Path) -> None:
    first, second = FragmentFolder(tmp_path), FragmentFolder(tmp_path)
    assert first.family == second.family
    assert first.pseudonyms == second.pseudonyms
    assert FragmentFolder(tmp_path / "other").pseudonyms.host != first.pseudonyms.host


def test_a_card_of_one_process_among_others_says_so(tmp_path: Path) -> None:
    environ = {"RANK": "0", "WORLD_SIZE": "8", "LOCAL_WORLD_SIZE": "4", "REGISTRY_COUNTRY": "FRA"}
    with tracker(environ=environ, output=tmp_path / "footprint.json"):
        work(0.05)
    document = json.loads((tmp_path / "footprint.json").read_text())
    assert "of 8 processes one was measured" in document["narrative"]["energy"]
    assert document["phases"][0]["coverage"]["hosts_total"] == 1


def test_the_cut_end_of_a_file_of_samples_is_left_out(tmp_path: Path) -> None:
    lines = ["t_utc,device_id,power_w,energy_counter_j"]
    lines += [f"2026-11-22T08:00:0{second}.000Z,cpu-1,,{100 * second}.000000" for second in range(1, 5)]
    (tmp_path / "samples-a.csv").write_text("\n".join(lines)[: -len("00.000000")])
    samples = _samples_beside(tmp_path / "fragment-a.json")
    assert [row["energy_counter_j"] for row in samples] == ["100.000000", "200.000000", "300.000000"]


def test_a_folder_without_fragments_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="no fragments"):
        merge_fragments(tmp_path, tmp_path / "footprint.json")


def test_results_stated_later_reach_the_fragment(tmp_path: Path) -> None:
    with tracker(fragments=tmp_path / "fragments") as run:
        work(0.1)
    run.quality("accuracy", 0.75, dataset="a/b", split="test", n=4)
    run.work(tokens=1000, compute_flop=6e9, method="six_n_d")
    run.rewrite()
    merge_fragments(tmp_path / "fragments", tmp_path / "footprint.json")
    document = json.loads((tmp_path / "footprint.json").read_text())
    assert document["quality"][0]["value"] == 0.75
    assert document["phases"][0]["tokens"]["value"] == 1000


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, Launch()),
        ({"WORLD_SIZE": "2"}, Launch()),
        ({"RANK": "1", "WORLD_SIZE": "4"}, Launch("launcher", None, 1, 4, None)),
        ({"RANK": "1", "WORLD_SIZE": "5", "LOCAL_WORLD_SIZE": "2"}, Launch("launcher", None, 1, 5, 3)),
        (
            {"RANK": "3", "WORLD_SIZE": "8", "GROUP_WORLD_SIZE": "2", "TORCHELASTIC_RUN_ID": "job-7"},
            Launch("torchrun", "job-7", 3, 8, 2),
        ),
        (
            {"SLURM_JOB_ID": "91", "SLURM_PROCID": "2", "SLURM_NTASKS": "16", "SLURM_JOB_NUM_NODES": "4"},
            Launch("slurm", "91", 2, 16, 4),
        ),
        (
            {"SLURM_JOB_ID": "91", "SLURM_JOB_NUM_NODES": "4", "SLURM_STEP_NUM_NODES": "1"},
            Launch("slurm", "91", None, None, 1),
        ),
    ],
)
def test_launchers_say_which_process_this_is(environ: dict[str, str], expected: Launch) -> None:
    assert launch_of(environ) == expected


def test_commands_leave_fragments_and_merge_them(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    declared = ("--task", "other", "--license", "MIT", "--country", "FRA", "--fragments", str(tmp_path / "fragments"))
    assert cli.run(["track", *declared, "--", sys.executable, "-c", "raise SystemExit(3)"]) == 3
    assert cli.run(["track", *declared, "--", sys.executable, "-c", "pass"]) == 0
    assert "registry card merge" in capfd.readouterr().err
    assert {entry["outcome"] for entry in fragments_in(tmp_path / "fragments")} == {"failed", "done"}
    output = str(tmp_path / "footprint.json")
    assert cli.run(["card", "merge", str(tmp_path / "fragments"), "--output", output, "--json"]) == 0
    record = json.loads(capfd.readouterr().out)
    assert (record["path"], record["fragments"], record["failed_runs"]) == (output, 2, True)
