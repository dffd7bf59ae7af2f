"""F1, F2, F3, F12: what the measuring tool said, and how it was set."""

from __future__ import annotations

from collections.abc import Iterator

from registry_core.errors import Invalid
from registry_core.evidence import ToolRow
from registry_core.findings.subject import Subject
from registry_core.grades import Finding
from registry_core.intensity import intensity
from registry_core.tables import table
from registry_core.units import GRAMS_PER_KG

DEFECTS = "tool-defects-2026.csv"
TOLERANCE = 0.01
WORLD_DEFAULT_G_PER_KWH = 475.0  # what CodeCarbon says of a place that it does not know
_PLACE_SETTINGS = ("country_iso_code", "region", "cloud_region")


def place_unknown(subject: Subject) -> Iterator[Finding]:
    """F1: the tool fell back to Quebec, or to the world of 2019, because nobody told it where it was."""
    if _is_place_explicit(subject):
        return
    for row in subject.evidence.rows:
        is_quebec = row.text("country_iso_code") == "CAN" and (row.text("region") or "quebec").lower() == "quebec"
        implied = implied_g_per_kwh(row)
        is_world = implied is not None and abs(implied - WORLD_DEFAULT_G_PER_KWH) <= 0.005 * WORLD_DEFAULT_G_PER_KWH
        if is_quebec or is_world:
            said = "Quebec" if is_quebec else f"the world default of {WORLD_DEFAULT_G_PER_KWH:g} g/kWh"
            yield subject.finding(
                "F1",
                "error",
                "site",
                f"The tool took {said}, which is what it takes when it is told no place. "
                "Track again with the country given.",
            )
            return


def intensity_differs(subject: Subject) -> Iterator[Finding]:
    """F2: the card names a dataset, and that dataset says something else."""
    phase = subject.phase
    if phase.intensity is None or phase.intensity_meta is None:
        return
    stated = phase.intensity.value
    for source, expected in _expected(subject):
        if abs(stated - expected) > TOLERANCE * max(stated, expected):
            yield subject.finding(
                "F2",
                "error",
                "intensity",
                f"The intensity is {stated:g} g/kWh, and {source} gives {expected:.4g}. Name the dataset it is from, "
                "or take its value.",
            )
            return


def configured_from_outside(subject: Subject) -> Iterator[Finding]:
    """F3: a file or the environment changed how the tool measures."""
    environment = subject.evidence.environment
    settings = environment.configuration if environment else {}
    names = sorted(
        name for name, found in settings.items() if found.layer in ("file", "environment") and found.value is not None
    )
    if names:
        shown = ", ".join(repr(name[:60]) for name in names[:5])
        yield subject.finding(
            "F3",
            "error",
            "",
            f"A file or an environment variable set {shown} of the tool. Remove it, or pass the value explicitly, "
            "and measure again.",
        )


def known_defect(subject: Subject) -> Iterator[Finding]:
    """F12: this version of the tool is known to be wrong for a method that the phase uses."""
    stated = subject.card.evidence
    environment = subject.evidence.environment
    tool = environment.tool if environment and environment.tool else None
    name = (tool.name if tool else stated.tool).strip().lower()
    version = tool.version if tool else stated.tool_version
    methods = {part.method for part in [*subject.phase.energy_parts, subject.phase.energy_it] if part is not None}
    for row in table(DEFECTS).rows:
        touched = set(row["methods"].split("|")) if row["methods"] else methods
        if row["tool"] == name and touched & methods and _is_before(version, row["fixed_in"]):
            update = (
                f"Measure again with {row['fixed_in']} or later" if row["fixed_in"] else "Measure with another tool"
            )
            yield subject.finding(
                "F12",
                "warn",
                "",
                f"{name} {version or ''!r:.40} has a known defect: {row['defect']} ({row['source']}). {update}.",
            )
            return


def implied_g_per_kwh(row: ToolRow) -> float | None:
    """The intensity that a CodeCarbon row was computed with: emissions / energy."""
    emissions, energy = row.number("emissions"), row.number("energy_consumed")
    if emissions is None or energy is None or energy <= 0:
        return None
    implied = emissions / energy * GRAMS_PER_KG
    return implied if implied < float("inf") else None


def _is_place_explicit(subject: Subject) -> bool:
    environment = subject.evidence.environment
    settings = environment.configuration if environment else {}
    given = (settings.get(name) for name in _PLACE_SETTINGS)
    return any(found is not None and found.layer == "explicit" and bool(found.value) for found in given)


def _expected(subject: Subject) -> Iterator[tuple[str, float]]:
    """What the stated dataset gives: by our own copy of it, and by the row of a tool that uses it."""
    meta = subject.phase.intensity_meta
    if meta is None or meta.basis != "location":
        return
    try:
        known = intensity(meta.zone, meta.year)
    except Invalid:
        known = None
    if known is not None and known.dataset == meta.dataset and known.year == meta.year:
        yield f"that dataset for {meta.zone} in {meta.year}", known.value
    if "codecarbon" not in meta.dataset.lower():
        return
    for row in subject.evidence.rows:
        # A row of a finer place than a country was computed with that place's factor, which is no contradiction.
        implied = None if row.text("region") or row.text("cloud_region") else implied_g_per_kwh(row)
        if implied is not None:
            yield "the tool's row", implied


def _is_before(version: str | None, fixed_in: str) -> bool:
    """Whether a version is older than the one that mended it; a version that nobody can read is not accused."""
    if not fixed_in:
        return True
    numbers = _numbers(version or "")
    return bool(numbers) and numbers < _numbers(fixed_in)


def _numbers(version: str) -> tuple[int, ...]:
    parts = version.strip().split(".")[:3]
    return tuple(int(part) for part in parts if part.isascii() and part.isdigit() and len(part) < 10)
