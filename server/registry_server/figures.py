"""What a footprint card says, as words and lengths for a page: a text, its interval, and one sentence on its origin."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from registry_core import units
from registry_core.card import Card
from registry_core.footprint import DEFAULT_PUE, Footprint, phase_footprint, totals
from registry_core.phase import Phase
from registry_core.quantity import Amount, Quantity

UNKNOWN = "–"

_COMPONENTS = {"gpu": "GPU", "cpu": "CPU", "ram": "Memory", "other": "Other"}
_TOOLS = {"codecarbon": "CodeCarbon", "zeus": "Zeus", "model-commons": "Model Commons"}
_BASES = {"billed": "as billed", "list_price": "at list price", "imputed": "imputed"}


@dataclass(frozen=True)
class Span:
    """An interval and its value as percentages of its high end, for drawing."""

    low: float
    value: float


@dataclass(frozen=True)
class Figure:
    """One number for people."""

    name: str
    text: str
    interval: str  # empty when the number has none
    source: str  # a sentence
    span: Span | None


@dataclass(frozen=True)
class Part:
    """What one component took; `start` and `width` are percentages of the largest phase."""

    key: str  # gpu, cpu, ram, other, rest
    name: str
    text: str
    source: str
    start: float
    width: float


@dataclass(frozen=True)
class PhaseRow:
    phase: Phase
    hardware: str
    energy: str
    interval: str
    parts: list[Part]
    pue: str
    intensity: str
    co2e: str


def figures(card: Card) -> list[Figure]:
    """The sums over the whole card. A number that nobody knows is there too, and says so."""
    sums = totals(card).all
    missing = "Not reported." if len(card.phases) == 1 else "Not reported for every phase."

    def figure(
        name: str, amount: Amount | None, text: Callable[[float], str], source: Callable[[Amount], str]
    ) -> Figure:
        return _figure(name, amount, text, source(amount)) if amount else Figure(name, UNKNOWN, "", missing, None)

    return [
        figure("Energy", sums.energy_facility_kwh, units.energy_text, lambda _: _energy_source(card, sums)),
        figure("CO2e", sums.co2e_location_kg, _mass, lambda amount: _co2e_source(card, amount)),
        figure("Time", sums.wall_time_seconds, units.duration_text, lambda amount: _time_source(card, amount)),
        figure("Device time", sums.device_time_hours, _hours, lambda _: "Summed over all devices."),
        figure("Water", sums.water_litres, units.water_text, lambda amount: f"{_said_by(amount, card)}."),
        figure(
            "Cost",
            sums.cost,
            lambda value: units.cost_text(value, sums.currency),
            lambda amount: f"{_said_by(amount, card)}, {_basis(card)}.",
        ),
        figure(
            "CO2e of the hardware",
            sums.co2e_embodied_kg,
            _mass,
            lambda amount: f"Share of making the devices, by hours used, {amount.source}.",
        ),
    ]


def development_text(card: Card) -> str:
    """One sentence on the runs before the final one."""
    development = totals(card).development
    if development is None:
        return "Runs during development are not reported, which does not mean that there were none."
    energy = development.energy_facility_kwh
    return f"Of this energy, development took {units.energy_text(energy.value if energy else None)}."


def phase_rows(card: Card) -> list[PhaseRow]:
    """The card's phases, with bars in one scale."""
    footprints = [phase_footprint(phase) for phase in card.phases]
    largest = max((found.energy_it_kwh.value for found in footprints if found.energy_it_kwh), default=0.0)
    return [_row(phase, found, largest) for phase, found in zip(card.phases, footprints, strict=True)]


def percent_of(value: float | None, largest: float) -> float:
    """`value` as a percentage of `largest`, for drawing; 0 for what is not known."""
    return 100 * value / largest if value and largest else 0.0


def _figure(name: str, amount: Amount, text: Callable[[float], str], source: str) -> Figure:
    if amount.low == amount.high:
        return Figure(name, text(amount.value), "", source, None)
    span = Span(percent_of(amount.low, amount.high), percent_of(amount.value, amount.high))
    return Figure(name, text(amount.value), _interval(amount, text), f"{source[:-1]}, {_spread(amount)}.", span)


def _interval(amount: Amount, text: Callable[[float], str]) -> str:
    return f"{text(amount.low)} to {text(amount.high)}" if amount.low != amount.high else ""


def _spread(amount: Amount) -> str:
    """How far the interval goes, relative to the value."""
    if not amount.value:
        return "with an interval"
    up, down = amount.high / amount.value - 1, 1 - amount.low / amount.value
    return f"+{100 * up:.0f}\N{NO-BREAK SPACE}% / −{100 * down:.0f}\N{NO-BREAK SPACE}%"


def _mass(mass_kg: float) -> str:
    return units.co2e_text(mass_kg).removesuffix(" CO2e")  # its name says it


def _hours(hours: float) -> str:
    return f"{hours:.3g} h"


def _said_by(amount: Amount, card: Card, methods: Iterable[str | None] = ()) -> str:
    """`Estimated by CodeCarbon 3.3.2 (cpu_load_model)`."""
    if amount.source == "declared":
        return "Declared by the author"
    evidence = card.evidence
    tool = " ".join(filter(None, [_TOOLS.get(evidence.tool.lower(), evidence.tool), evidence.tool_version]))
    named = ", ".join(dict.fromkeys(filter(None, methods)))
    return f"{amount.source.capitalize()} by {tool}" + (f" ({named})" if named else "")


def _energy_source(card: Card, sums: Footprint) -> str:
    assert sums.energy_it_kwh is not None  # energy at the facility follows from it
    methods = [quantity.method for phase in card.phases for quantity in _energies(phase)]
    return f"{_said_by(sums.energy_it_kwh, card, methods)}, {_either(_pue_text(phase) for phase in card.phases)}."


def _energies(phase: Phase) -> list[Quantity]:
    """The quantities that the phase's energy rests on."""
    if phase.energy_it is not None and phase.energy_it.source != "derived":
        return [phase.energy_it]
    return list(phase.energy_parts)


def _pue_text(phase: Phase) -> str:
    if phase.pue is None:
        return "for the whole facility" if phase.scope == "facility" else f"times the default PUE {DEFAULT_PUE:g}"
    return f"times the {'default' if phase.pue_origin == 'default' else phase.pue.source} PUE {phase.pue.value:g}"


def _co2e_source(card: Card, co2e: Amount) -> str:
    if any(phase.intensity_meta is None for phase in card.phases):
        return f"{_said_by(co2e, card)}."
    return f"Energy times {_either(_intensity_text(phase, long=True) for phase in card.phases)}."


def _intensity_text(phase: Phase, *, long: bool = False) -> str:
    if phase.intensity is None or phase.intensity_meta is None:
        return UNKNOWN
    meta = phase.intensity_meta
    text = f"{phase.intensity.value:.4g} g/kWh"
    return f"{text} ({meta.zone} {meta.year}, {meta.dataset}, {meta.resolution})" if long else f"{text}, {meta.zone}"


def _time_source(card: Card, time: Amount) -> str:
    devices = " and ".join(dict.fromkeys(_hardware(phase) for phase in card.phases))
    return f"{time.source.capitalize()}, from start to end on {devices}."


def _basis(card: Card) -> str:
    return _either(_BASES[phase.cost.basis] for phase in card.phases if phase.cost)


def _either(texts: Iterable[str]) -> str:
    return " or ".join(dict.fromkeys(texts))


def _row(phase: Phase, found: Footprint, largest: float) -> PhaseRow:
    energy, co2e = found.energy_it_kwh, found.co2e_location_kg
    return PhaseRow(
        phase=phase,
        hardware=_hardware(phase),
        energy=units.energy_text(energy.value if energy else None),
        interval=_interval(energy, units.energy_text) if energy else "",
        parts=_parts(phase, energy, largest),
        pue=f"{phase.pue.value:g}" if phase.pue else UNKNOWN,
        intensity=_intensity_text(phase),
        co2e=units.co2e_text(co2e.value if co2e else None),
    )


def _hardware(phase: Phase) -> str:
    return ", ".join(f"{group.device_count} × {group.device_model}" for group in phase.groups)


def _parts(phase: Phase, energy: Amount | None, largest: float) -> list[Part]:
    """The components one after the other, and last what was metered and nobody itemised."""
    given = [
        (key, name, quantity.value, f"{quantity.source} by {quantity.method}" if quantity.method else quantity.source)
        for key, name in _COMPONENTS.items()
        if (quantity := getattr(phase, f"energy_{key}")) is not None
    ]
    rest = energy.value - sum(value for _, _, value, _ in given) if energy else 0.0
    if energy and rest > 0.005 * energy.value:
        given.append(("rest", "Not itemised", rest, energy.source))
    parts, start = [], 0.0
    for key, name, value, source in given:
        width = percent_of(value, largest)
        parts.append(Part(key, name, units.energy_text(value), source, start, width))
        start += width
    return parts
