"""The whole story with real processes and real HTTP: train, push, find, pull, rerun, show.

    make demo

Everything lies under build/demo afterwards: the server's data, both models, a log of each step, and summary.json.
The exit code is 0 when every step did what it should, and 1 when one did not; then the step and its log are named.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
from processes import BUILD, PLAIN, StepFailed, Steps, console, free_port, in_background, output_of
from rich.table import Column, Table

from registry_core.units import co2e_text, count_text, duration_text, energy_text

TRAIN = Path(__file__).with_name("train.py")
SMALL, LARGE = "demo/digits-small", "demo/digits-large"
TASK, LEAST_ACCURACY = "image-classification", 0.9
SMALL_SECONDS = 6.0
TIMES_LONGER = 10
MARGIN_SECONDS = 1.0  # the small one's last step may end late


def main() -> int:
    country = parsed_country()
    started = time.monotonic()
    shutil.rmtree(BUILD, ignore_errors=True)
    (BUILD / "logs").mkdir(parents=True)
    console.print(f"The grid is that of {country}; --country names another place for this computer.")
    steps = Steps()
    try:
        summary = story(steps, country)
    except Exception as error:  # whatever went wrong, it is told with its step
        log = error.log if isinstance(error, StepFailed) else BUILD / "logs"
        console.print(f"Failed at step {steps.current}: {error or repr(error)}\nLog: {log}", style="red", **PLAIN)
        return 1
    summary["wall_seconds"] = time.monotonic() - started
    (BUILD / "summary.json").write_text(json.dumps(summary, indent=2) + "\n")
    tell(summary)
    return 0


def parsed_country() -> str:
    parser = argparse.ArgumentParser(description="Train, push, find, pull, rerun and show, for real.")
    parser.add_argument("--country", default="DEU", help="where this computer stands, ISO 3166-1 alpha-3")
    return str(parser.parse_args().country)


def story(steps: Steps, country: str) -> dict[str, Any]:
    """Every step in its order; what they found."""
    endpoint = f"http://127.0.0.1:{free_port()}"
    data = BUILD / "data"
    server = registry("serve", "--data", str(data), "--port", endpoint.rpartition(":")[2])
    with in_background(server, plain_environment(), BUILD / "logs" / "server.log") as log:
        steps.begin(f"Start a server on an empty folder: {endpoint}")
        wait_until_healthy(endpoint, log)
        token = output_of(registry("admin", "user", "add", "demo", "--data", str(data)), plain_environment()).strip()
        environment = plain_environment() | {
            "REGISTRY_ENDPOINT": endpoint,
            "REGISTRY_TOKEN": token,
            "HF_HOME": str(BUILD / "cache"),
        }
        trainings = train_both(steps, environment, country)
        commits = push_both(steps, environment)
        ranking = find_cheapest(steps, environment)
        folder = pull_small(steps, environment)
        verdict = rerun_small(steps, environment)
        details = show_both(steps, environment, endpoint, verdict)
    return {
        "endpoint": endpoint,
        "country": country,
        "models": {repo: describe(details[repo], trainings[repo], commits[repo]) for repo in (SMALL, LARGE)},
        "ranking": ranking,
        "pulled_to": folder,
        "rerun": verdict,
    }


def train_both(steps: Steps, environment: dict[str, str], country: str) -> dict[str, dict[str, Any]]:
    """The trainings as they told of themselves; the second one takes ten times as long as the first one took."""
    steps.begin("Train a small classifier of digits")
    small = train("small", ["--hidden", "64", "--seconds", str(SMALL_SECONDS)], environment, country)
    seconds = math.ceil(TIMES_LONGER * small["duration_seconds"] + MARGIN_SECONDS)
    steps.begin(f"Train a needlessly large one for {seconds} s")
    hidden = ["--hidden", "1024", "1024", "1024", "--dropout", "0.5"]
    large = train("large", [*hidden, "--seconds", str(seconds)], environment, country)
    if large["duration_seconds"] < TIMES_LONGER * small["duration_seconds"]:
        raise StepFailed("The large training did not take ten times as long as the small one.")
    return {SMALL: small, LARGE: large}


def train(name: str, options: list[str], environment: dict[str, str], country: str) -> dict[str, Any]:
    command = [sys.executable, str(TRAIN), str(BUILD / name), "--country", country, *options]
    told: dict[str, Any] = json.loads(output_of(command, environment))
    if told["accuracy"] < LEAST_ACCURACY or told["duration_seconds"] < 5:
        raise StepFailed(f"The training of {name} gave {told}.")
    return told


def push_both(steps: Steps, environment: dict[str, str]) -> dict[str, str]:
    """The commit ids."""
    steps.begin(f"Push both: {SMALL}, {LARGE}")
    folders = {SMALL: BUILD / "small", LARGE: BUILD / "large"}
    return {
        repo: json.loads(output_of(registry("push", str(folder), repo, "--json"), environment))["commit_id"]
        for repo, folder in folders.items()
    }


def find_cheapest(steps: Steps, environment: dict[str, str]) -> list[dict[str, Any]]:
    """Both models as `find` ranks them. Fails unless the small one comes first."""
    where = f"accuracy >= {LEAST_ACCURACY}"
    steps.begin(f"Find before training: accuracy of {LEAST_ACCURACY} or better, least energy first")
    command = registry("find", "--task", TASK, "--where", where, "--sort", "energy", "--json")
    items = json.loads(output_of(command, environment))["items"]
    if [item["id"] for item in items] != [SMALL, LARGE]:
        raise StepFailed(f"find answered {[item['id'] for item in items]}, not {[SMALL, LARGE]}.")
    if None in [item["energy_kwh"] for item in items]:
        raise StepFailed("A training's energy could not be measured; its footprint.json says why.")
    names = ("id", "energy_kwh", "energy_source", "co2e_kg", "duration_seconds", "parameters", "metrics")
    return [{name: item[name] for name in names} for item in items]


def pull_small(steps: Steps, environment: dict[str, str]) -> str:
    """The folder in the cache, which was empty before."""
    steps.begin(f"Pull {SMALL} into an empty cache")
    pulled = json.loads(output_of(registry("pull", SMALL, "--json"), environment))
    if pulled["verified"] != pulled["files"] or not Path(pulled["path"]).is_relative_to(BUILD / "cache"):
        raise StepFailed(f"pull answered {pulled}.")
    return str(pulled["path"])


def rerun_small(steps: Steps, environment: dict[str, str]) -> dict[str, Any]:
    """The verdict as the server stored it."""
    steps.begin(f"Rerun {SMALL}: does its claim hold here?")
    result = json.loads(output_of(registry("rerun", SMALL, "--json"), environment))
    if result["report"]["verdict"] != "pass" or result["posted"] is None:
        raise StepFailed(f"rerun answered {result}.")
    return dict(result["posted"])


def show_both(
    steps: Steps, environment: dict[str, str], endpoint: str, verdict: dict[str, Any]
) -> dict[str, dict[str, Any]]:
    """What `show` says of each model. Fails unless the verdict is there, and on the small one's web page."""
    steps.begin("Show the verdict, in the command and on the web page")
    details = {repo: json.loads(output_of(registry("show", repo, "--json"), environment)) for repo in (SMALL, LARGE)}
    if [rerun["number"] for rerun in details[SMALL]["reruns"]] != [verdict["number"]]:
        raise StepFailed("show does not list the rerun.")
    page = httpx2.get(f"{endpoint}/{SMALL}", follow_redirects=True, trust_env=False)
    (BUILD / "logs" / "page.html").write_text(page.text)
    shown = f"{verdict['report']['observed']:.4g}"
    if page.status_code != 200 or "pass" not in page.text or shown not in page.text:
        raise StepFailed(f"The page does not show the verdict pass, {shown}.", BUILD / "logs" / "page.html")
    return details


def wait_until_healthy(endpoint: str, log: Path, timeout_seconds: float = 30.0) -> None:
    end = time.monotonic() + timeout_seconds
    while time.monotonic() < end:
        try:
            if httpx2.get(f"{endpoint}/healthz", trust_env=False).status_code == 200:
                return
        except httpx2.TransportError:
            time.sleep(0.1)
    raise StepFailed(f"The server did not answer within {timeout_seconds:.0f} s.", log)


def registry(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "registry_client", *arguments]


def plain_environment() -> dict[str, str]:
    """This environment without what would lead the commands to another server, cache or login."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "REGISTRY_"))}
    return kept | {"XDG_CONFIG_HOME": str(BUILD / "config"), "NO_PROXY": "127.0.0.1"}


def describe(detail: dict[str, Any], training: dict[str, Any], commit_id: str) -> dict[str, Any]:
    if detail["commit_id"] != commit_id or detail["footprint_status"] != "complete":
        raise StepFailed(f"{detail['id']} is at {detail['commit_id']} with a footprint {detail['footprint_status']}.")
    return {
        "commit_id": commit_id,
        "accuracy": training["accuracy"],
        "parameters": detail["summary"]["parameters"],
        "totals": detail["totals"]["all"],
    }


def tell(summary: dict[str, Any]) -> None:
    """What was found, for a reader."""
    names = ("model", "accuracy", "parameters", "training", "energy", "CO2e")
    table = Table(*(Column(name, no_wrap=True) for name in names), box=None, padding=(0, 2, 0, 0))
    for item in summary["ranking"]:
        table.add_row(
            item["id"],
            f"{item['metrics']['accuracy']:.4f}",
            count_text(item["parameters"]),
            duration_text(item["duration_seconds"]),
            energy_text(item["energy_kwh"]),
            co2e_text(item["co2e_kg"]),
        )
    console.print("\nWhat find answered, the least energy first:\n", style="bold", **PLAIN)
    console.print(table)
    console.print()
    for line in conclusions(summary):
        console.print(line, **PLAIN)
    console.print(f"All of it took {duration_text(summary['wall_seconds'])}; build/demo/summary.json has the numbers.")
    console.print("Next: make serve, and open the address that it prints.", style="bold", **PLAIN)


def conclusions(summary: dict[str, Any]) -> Iterator[str]:
    """What the numbers mean, a sentence a line."""
    least, most = (item["energy_kwh"] for item in summary["ranking"])
    report = summary["rerun"]["report"]
    metric, evaluation_kwh = report["metric"], report["energy_kwh"]
    known = " and ".join(sorted({str(item["energy_source"]) for item in summary["ranking"]}))
    yield f"Both have the {metric} that was asked for; {SMALL} took {most / least:.1f} times less energy ({known})."
    yield (
        f"Rerun on this computer: {report['verdict']}, {metric} {report['observed']:.4f}"
        f" where its card claims {report['claimed']:.4f} ± {report['tolerance']:.4f}."
    )
    if evaluation_kwh:
        times = f"{least / evaluation_kwh:,.0f} times"
        yield f"One evaluation of it takes {energy_text(evaluation_kwh)}; training it took {times} as much."


if __name__ == "__main__":
    sys.exit(main())
