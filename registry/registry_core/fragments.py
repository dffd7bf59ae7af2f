"""Fragments of a distributed run, and their merging into one phase.

Every process writes down what it saw, as a `Fragment`. Several see the same thing: each process of a host that
measures the machine counts the work of all. So a measurement is known by host, device and time, and

    a device, or a process    the longest of those that overlap in time counts, the others do not
    a machine                 the union of the spans, with the mean power where several overlap

Hosts that wrote nothing are taken to have used the mean of those that did, and the phase is then estimated.
The run of one process is the merge of its one fragment.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from registry_core.card_rules import Moment, moment
from registry_core.errors import Invalid
from registry_core.overlaps import Energies, Span, covered_seconds, longest, union
from registry_core.phase import Scheduler
from registry_core.quantity import NEGLIGIBLE_SHARE, default_interval
from registry_core.strict import Count, Items, Number, Strict, Text, fault_lines, faults_of
from registry_core.units import GRAMS_PER_KG, hours_from_seconds

PARTS = ("gpu", "cpu", "ram")

Part = Literal["gpu", "cpu", "ram"]


class FragmentDevice(Strict):
    """A device that a process could see; `id` is a salted hash, the same in every process of the run."""

    id: Text
    kind: Literal["cpu", "gpu"]
    model: Text
    tdp_w: Number | None = None


class Measured(Strict):
    """Energy that one device used in a span of time, or in scope machine all of a host's devices of that part."""

    part: Part
    device: Text  # tells it from others of the host
    scope: Literal["device", "process", "machine"]
    started_at: Moment
    ended_at: Moment
    energy_kwh: Number
    method: Text
    source: Literal["measured", "estimated"]


class Fragment(Strict):
    """What one process saw of a run. Those of one run share `family`."""

    schema_: Annotated[str, Field(alias="schema", pattern=r"^footprint-fragment/1\.0$")]
    family: Text
    host: Text
    outcome: Literal["done", "failed", "running"]  # running: it ended without a word
    started_at: Moment
    ended_at: Moment
    wall_seconds: Number  # by the clock that never jumps
    devices: Items[FragmentDevice] = Field(min_length=1)
    measurements: Items[Measured]
    phase: dict[str, Any]  # what people declared: stage, scope, site, pue, intensity, …
    rank: Count | None = None
    world_size: Count | None = None
    hosts_total: Count | None = None
    scheduler: Scheduler | None = None
    reason: Text | None = None  # why there are no measurements


@dataclass(frozen=True)
class Merged:
    """One phase of a card, as plain JSON values, and remarks for people on how it came about."""

    phase: dict[str, Any]
    notes: tuple[str, ...]


def parse_fragment(document: Mapping[str, Any]) -> Fragment:
    """Raises Invalid naming every fault."""
    try:
        return Fragment.model_validate(document)
    except ValidationError as error:
        raise Invalid("This is not a fragment of a run.", faults=fault_lines(faults_of(error))) from error


def merge(fragments: Sequence[Fragment]) -> Merged:
    """The phase that these fragments of one run describe, in whatever order they come.

    Raises Invalid when there are none, when they are of several runs, and when they declare different things.
    """
    _check_one_run(fragments)
    ordered = sorted(fragments, key=lambda fragment: fragment.model_dump_json())
    hosts = _Hosts.of(ordered)
    parts = {part: energy for part in PARTS if (energy := _energy(part, ordered, hosts))}
    started, ended = _ends(ordered)
    groups = _groups(ordered, hosts)
    runs = _runs(ordered)
    phase = {
        **ordered[0].phase,
        "included_runs": len(runs),
        "failed_runs_included": any(fragment.outcome != "done" for fragment in ordered),
        "started_at": started,
        "ended_at": ended,
        "wall_time": _quantity(_wall_seconds(ordered), "s", "measured", "monotonic_clock"),
        "device_time": _device_time(groups, hosts),
        "groups": groups,
        **{f"energy_{part}": energy for part, energy in sorted(parts.items())},
        "coverage": {
            **{part: part in parts for part in PARTS},
            "host_rest": False,
            "network": False,
            "hosts_total": hosts.total,
            "hosts_measured": hosts.measured,
        },
    }
    if parts:
        phase["energy_it"] = _sum(parts.values())
    if parts and "pue" in phase:
        phase["co2e_location"] = _co2e(phase)
    scheduler = next((fragment.scheduler for fragment in ordered if fragment.scheduler), None)
    if scheduler:
        phase["scheduler"] = scheduler.model_dump(exclude_none=True)
    return Merged(phase, tuple(_notes(ordered, hosts)))


def _check_one_run(fragments: Sequence[Fragment]) -> None:
    if not fragments:
        raise Invalid("There are no fragments to merge.")
    families = {fragment.family for fragment in fragments}
    if len(families) > 1:
        raise Invalid(
            f"These fragments are of {len(families)} different runs.", hint="Keep one folder of fragments a run."
        )
    first = fragments[0].phase
    differing = sorted({name for other in fragments for name in {*first, *other.phase} if _differs(name, first, other)})
    if differing:
        raise Invalid(
            f"The processes of this run declare different things: {', '.join(differing)}.",
            hint="Give every process the same arguments.",
        )


def _differs(name: str, first: Mapping[str, Any], other: Fragment) -> bool:
    return first.get(name) != other.phase.get(name)


@dataclass(frozen=True)
class _Hosts:
    """How many hosts took part, wrote a fragment, and measured energy."""

    total: int
    seen: int
    measured: int

    @classmethod
    def of(cls, fragments: Sequence[Fragment]) -> _Hosts:
        seen = {fragment.host for fragment in fragments}
        measured = {fragment.host for fragment in fragments if fragment.measurements}
        announced = max((fragment.hosts_total or 0 for fragment in fragments), default=0)
        return cls(max(announced, len(seen)), len(seen), len(measured))

    @property
    def factor(self) -> float:
        """By what the numbers of the hosts seen are multiplied to speak for all."""
        return self.total / self.seen


def _energy(part: str, fragments: Sequence[Fragment], hosts: _Hosts) -> dict[str, Any] | None:
    """The energy of one part over all hosts as a quantity of the card; None when nobody measured it."""
    by_key: dict[tuple[str, str, str], list[Span]] = defaultdict(list)
    for fragment in fragments:
        for found in fragment.measurements:
            if found.part == part:
                device = "" if found.scope == "machine" else found.device
                by_key[fragment.host, device, found.scope].append(_span(found))
    energies: Energies = Counter()
    for (_, _, scope), spans in sorted(by_key.items()):
        energies += union(spans) if scope == "machine" else longest(spans)
    if not energies:
        return None
    having = {fragment.host for fragment in fragments if part != "gpu" or _has_gpu(fragment)}
    measured = {host for host, _, _ in by_key}
    factor = hosts.factor * len(having | measured) / len(measured)
    return _with_interval(energies, factor, max(span.seconds for spans in by_key.values() for span in spans))


def _span(item: Fragment | Measured) -> Span:
    start, end = moment(item.started_at).timestamp(), moment(item.ended_at).timestamp()
    if isinstance(item, Fragment):
        return Span(start, end)
    return Span(start, end, item.energy_kwh, item.method, item.source)


def _has_gpu(fragment: Fragment) -> bool:
    return any(device.kind == "gpu" for device in fragment.devices)


def _with_interval(energies: Energies, factor: float, window_seconds: float) -> dict[str, Any]:
    total = math.fsum(energies.values())
    bounds = [default_interval(kwh, key[0], window_seconds=window_seconds) for key, kwh in sorted(energies.items())]
    guessed = math.fsum(kwh for (_, source), kwh in energies.items() if source == "estimated")
    is_estimated = factor > 1 or guessed >= NEGLIGIBLE_SHARE * total
    method = max(sorted(energies), key=lambda key: energies[key])[0]  # of most of the energy
    found = _quantity(total * factor, "kWh", "estimated" if is_estimated else "measured", method)
    return {**found, "low": math.fsum(b[0] for b in bounds) * factor, "high": math.fsum(b[1] for b in bounds) * factor}


def _sum(parts: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    found = list(parts)
    bounds = {edge: sum(part[edge] for part in found) for edge in ("value", "low", "high")}
    return {**bounds, "unit": "kWh", "source": "derived"}


def _co2e(phase: Mapping[str, Any]) -> dict[str, Any]:
    value = phase["energy_it"]["value"] * phase["pue"]["value"] * phase["intensity"]["value"] / GRAMS_PER_KG
    return {"value": value, "unit": "kgCO2e", "source": "derived"}


def _groups(fragments: Sequence[Fragment], hosts: _Hosts) -> list[dict[str, Any]]:
    """Equal devices together, with the mean of their hours; hosts that wrote nothing had as many."""
    seen: dict[tuple[str, str], list[Span]] = defaultdict(list)
    kinds: dict[tuple[str, str], tuple[str, str, float | None]] = {}
    for fragment in _knowing(fragments):
        for device in fragment.devices:
            seen[fragment.host, device.id].append(_span(fragment))
            kinds[fragment.host, device.id] = (device.kind, device.model, device.tdp_w)
    for fragment in fragments:
        if not fragment.measurements:
            for (host, _), spans in seen.items():
                spans += [_span(fragment)] if host == fragment.host else []
    return [
        _group(kind, [key for key in sorted(kinds) if kinds[key] == kind], seen, fragments, hosts)
        for kind in sorted(set(kinds.values()), key=str)
    ]


def _knowing(fragments: Sequence[Fragment]) -> list[Fragment]:
    """Those that name the devices of their host best: a process whose meter failed knows little of them."""
    measured = {fragment.host for fragment in fragments if fragment.measurements}
    return [fragment for fragment in fragments if fragment.measurements or fragment.host not in measured]


def _group(
    kind: tuple[str, str, float | None],
    devices: Sequence[tuple[str, str]],
    seen: Mapping[tuple[str, str], Sequence[Span]],
    fragments: Sequence[Fragment],
    hosts: _Hosts,
) -> dict[str, Any]:
    # One process alone has the better clock.
    alone = fragments[0].wall_seconds if len(fragments) == 1 else None
    seconds = [covered_seconds(seen[key]) if alone is None else alone for key in devices]
    group: dict[str, Any] = {
        "device_kind": kind[0],
        "device_model": kind[1],
        "device_count": math.ceil(len(devices) * hosts.factor),
        "hosts": math.ceil(len({host for host, _ in devices}) * hosts.factor),
        "hours": hours_from_seconds(math.fsum(seconds) / len(devices)),
    }
    return group if kind[2] is None else {**group, "tdp_w": kind[2]}


def _device_time(groups: Sequence[Mapping[str, Any]], hosts: _Hosts) -> dict[str, Any]:
    """Hours of the accelerators where there are any, else of the processors."""
    working = [group for group in groups if group["device_kind"] == "gpu"] or groups
    hours = math.fsum(group["hours"] * group["device_count"] for group in working)
    if hosts.factor > 1:
        return _quantity(hours, "device_hour", "estimated", "mean_of_hosts")
    return _quantity(hours, "device_hour", "measured", "monotonic_clock")


def _ends(fragments: Sequence[Fragment]) -> tuple[str, str]:
    return (
        min((fragment.started_at for fragment in fragments), key=moment),
        max((fragment.ended_at for fragment in fragments), key=moment),
    )


def _wall_seconds(fragments: Sequence[Fragment]) -> float:
    if len(fragments) == 1:
        return fragments[0].wall_seconds
    started, ended = _ends(fragments)
    return (moment(ended) - moment(started)).total_seconds()


def _runs(fragments: Sequence[Fragment]) -> list[float]:
    """When each run began. Processes whose times overlap belong to one; what follows a gap was started again."""
    begun: list[float] = []
    reached = -math.inf
    for span in sorted(map(_span, fragments)):
        if span.start > reached:
            begun.append(span.start)
        reached = max(reached, span.end)
    return begun


def _notes(fragments: Sequence[Fragment], hosts: _Hosts) -> list[str]:
    measured = {fragment.host for fragment in fragments if fragment.measurements}
    reasons = {
        f"a {'process' if fragment.host in measured else 'host'} was not measured: {fragment.reason}"
        for fragment in fragments
        # Who measures a machine stands for all of its processes.
        if fragment.reason and (fragment.host not in measured or fragment.phase.get("scope") == "process")
    }
    notes = sorted(reasons)
    if hosts.measured < hosts.total and hosts.measured:
        notes.append(f"{hosts.measured} of {hosts.total} hosts were measured, the others are taken to be like them")
    world_size = max((fragment.world_size or 0 for fragment in fragments), default=0)
    ranks = {fragment.rank for fragment in fragments if fragment.rank is not None}
    if len(fragments) > 1 and ranks and len(ranks) < world_size:
        notes.append(f"{len(ranks)} of {world_size} processes wrote a fragment")
    return notes


def _quantity(value: float, unit: str, source: str, method: str) -> dict[str, Any]:
    return {"value": value, "unit": unit, "source": source, "method": method}
