"""A. The Model Documentation Form of the EU code of practice for general-purpose AI (2025-07-10).

Recipients: AIO, the AI Office; NCA, a national competent authority; DP, a downstream provider. Lines on energy and
computing go to the authorities, not downstream. The form defines no boundary for energy, so the line says which one
its number has.
"""

from __future__ import annotations

import math
from datetime import datetime

from registry_core.card import Card
from registry_core.phase import Phase
from registry_core.quantity import Amount
from registry_core.reports import line
from registry_core.reports.line import Body, Line
from registry_core.reports.subject import Subject

AUTHORITIES = ("AIO", "NCA")
EVERYBODY = ("AIO", "NCA", "DP")

_KWH_PER_MWH = 1000
_BANDS = (
    (500e6, "1 to 500 million"),
    (5e9, "500 million to 5 billion"),
    (15e9, "5 to 15 billion"),
    (50e9, "15 to 50 billion"),
    (100e9, "50 to 100 billion"),
    (500e9, "100 to 500 billion"),
    (1e12, "500 billion to 1 trillion"),
)
_MONTH_DAYS = 365.25 / 12


def body(subject: Subject) -> Body:
    """The form, filled as far as card and repository go."""
    return Body(
        title="Model Documentation Form of the EU code of practice for general-purpose AI models",
        lines=tuple(
            _general(subject)
            + _properties(subject)
            + _distribution(subject)
            + _use(subject)
            + _training(subject)
            + _data(subject)
            + _time(subject)
            + _computation(subject)
            + _energy_lines(subject)
            + _inference_lines(subject)
        ),
        notes=(
            "A provider of an open-source model without systemic risk is exempt from this documentation; for such a"
            " model the report is voluntary.",
        ),
    )


def _general(subject: Subject) -> list[Line]:
    card = subject.card
    files = ", ".join(f"{file.path} {file.sha256}" for file in card.subject.files)
    signed = subject.signature is not None and subject.signature.valid
    return [
        line.known(
            "eu.updated",
            "Date of the last update, and version of the document",
            "created_at",
            f"{card.created_at}, version {subject.commit_id or 'not committed'}",
            to=EVERYBODY,
        ),
        line.known(
            "eu.provider",
            "Legal name of the provider",
            "organisation",
            subject.organisation,
            supplier="the organisation",
            to=EVERYBODY,
        ),
        line.known(
            "eu.model",
            "Name of the model and the versions covered",
            "subject",
            subject.repo_id,
            supplier="a push",
            to=EVERYBODY,
        ),
        line.known(
            "eu.authenticity",
            "How to tell that a copy is authentic",
            "subject.files",
            f"SHA-256: {files}"
            + (f"; signed by key {subject.signature.key_id}" if signed and subject.signature else ""),
            to=EVERYBODY,
        ),
        line.known("eu.released", "Date of release", "revision", subject.committed_at, supplier="a push", to=EVERYBODY),
        line.text(subject, "eu.market_date", "Date of placing on the Union market", to=EVERYBODY),
        line.known(
            "eu.dependencies", "Models that this one is built on", "model.base_models", _bases(card), to=EVERYBODY
        ),
    ]


def _bases(card: Card) -> str | None:
    bases = card.model.base_models
    if bases is None:
        return None
    return ", ".join(f"{base.repo_id} ({base.relation})" for base in bases) or "N/A"


def _properties(subject: Subject) -> list[Line]:
    model = subject.card.model
    return [
        line.known("eu.architecture", "Architecture", "model.architecture", model.architecture, to=EVERYBODY),
        line.text(subject, "eu.design", "Design specifications and their rationale", to=AUTHORITIES),
        line.known("eu.inputs", "Kinds of input", "model.modalities_in", _joined(model.modalities_in), to=EVERYBODY),
        line.known(
            "eu.outputs", "Kinds of output", "model.modalities_out", _joined(model.modalities_out), to=EVERYBODY
        ),
        line.text(subject, "eu.maximum_size", "Largest size of each kind of input and output", to=EVERYBODY),
        line.known(
            "eu.parameters",
            "Number of parameters",
            "model.parameters_total",
            model.parameters_total,
            unit="parameters",
            to=("AIO",),
        ),
        line.known(
            "eu.size_band",
            "Size band",
            "model.parameters_total",
            _band(model.parameters_total),
            unit="parameters",
            to=("NCA", "DP"),
        ),
    ]


def _joined(words: tuple[str, ...] | None) -> str | None:
    return ", ".join(words) if words else None


def _band(parameters: int | None) -> str | None:
    if parameters is None:
        return None
    return next((band for most, band in _BANDS if parameters <= most), "more than 1 trillion")


def _distribution(subject: Subject) -> list[Line]:
    drafted = None
    if subject.private is not None:
        drafted = f"This registry, {'to members of its owner' if subject.private else 'to everybody'}"
    return [
        line.text(subject, "eu.channels", "Channels of distribution", drafted=drafted, to=AUTHORITIES),
        line.text(
            subject,
            "eu.channels_downstream",
            "Channels of distribution, for downstream providers",
            drafted=drafted,
            to=("DP",),
        ),
        line.known("eu.license", "Licence", "model.license", subject.card.model.license, to=EVERYBODY),
        line.text(subject, "eu.assets", "Other assets that come with the model, such as code or data", to=EVERYBODY),
    ]


def _use(subject: Subject) -> list[Line]:
    precision = subject.card.model.precision
    needs = ", ".join(filter(None, [subject.library, precision])) or None
    return [
        line.text(subject, "eu.acceptable_use", "Acceptable use policy", to=EVERYBODY),
        line.text(subject, "eu.intended_use", "Intended uses, and kinds of systems it may be built into", to=EVERYBODY),
        line.text(subject, "eu.integration", "Technical means of integration", to=EVERYBODY),
        line.known(
            "eu.needs",
            "Hardware and software that it needs",
            "library, model.precision",
            needs,
            partly=True,
            to=("DP",),
        ),
    ]


def _training(subject: Subject) -> list[Line]:
    stages = ", ".join(phase.stage for phase in subject.card.phases)
    return [
        line.text(
            subject,
            "eu.training",
            "Training process: stages, methods and techniques",
            drafted=f"Stages: {stages}",
            to=AUTHORITIES,
        ),
        line.text(
            subject, "eu.rationale", "Rationale of the main decisions, and what was optimised for", to=AUTHORITIES
        ),
    ]


def _data(subject: Subject) -> list[Line]:
    data = subject.card.data
    sources = ", ".join(
        source.id + (f" ({source.role})" if source.role else "") for source in (data.sources or () if data else ())
    )
    return [
        line.known(
            "eu.data", "Data sets, and what they were used for", "data.sources", sources or None, to=AUTHORITIES
        ),
        line.known(
            "eu.provenance",
            "Where the data comes from",
            "data.provenance",
            _joined(data.provenance) if data else None,
            to=EVERYBODY,
        ),
        line.text(subject, "eu.data_obtained", "How the data was obtained and selected", to=AUTHORITIES),
        line.text(subject, "eu.data_amount", "Amount of data", to=AUTHORITIES),
        line.text(subject, "eu.data_scope", "Scope and main characteristics of the data", to=AUTHORITIES),
        line.text(subject, "eu.data_curation", "Curation: cleaning, filtering, annotation", to=EVERYBODY),
        line.text(subject, "eu.data_unsuitable", "How unsuitable sources were detected", to=AUTHORITIES),
        line.text(subject, "eu.data_bias", "How biases were detected and dealt with", to=AUTHORITIES),
    ]


def _time(subject: Subject) -> list[Line]:
    phases = subject.card.phases
    days = _calendar_days(phases)
    return [
        line.known("eu.time_band", "Training time, as a range", "phases[].started_at", _time_band(days), to=("NCA",)),
        line.known(
            "eu.time",
            "Training time in days of the calendar",
            "phases[].started_at",
            line.plain(days),
            unit="days",
            source="measured",
            to=("AIO",),
        ),
        line.known(
            "eu.hardware_days",
            "Hardware days, by kind of device",
            "phases[].groups",
            _hardware_days(phases),
            to=("AIO",),
        ),
    ]


def _computation(subject: Subject) -> list[Line]:
    flop = _flop(subject.card.phases)
    return [
        line.known(
            "eu.flop_order",
            "Computation of training, order of magnitude",
            "phases[].compute_flop",
            None if flop is None else f"10^{math.floor(math.log10(flop))}",
            unit="FLOP",
            source="estimated",
            to=("NCA",),
        ),
        line.known(
            "eu.flop",
            "Computation of training, two digits",
            "phases[].compute_flop",
            None if flop is None else f"{flop:.1e}",
            unit="FLOP",
            source="estimated",
            to=("AIO",),
        ),
        line.text(subject, "eu.flop_methodology", "How the computation was determined", to=AUTHORITIES),
    ]


def _energy_lines(subject: Subject) -> list[Line]:
    energy, boundary = _energy(subject)
    return [
        line.amount(
            "eu.energy",
            f"Energy of training, in MWh; boundary: {boundary}",
            "totals.all",
            energy,
            "MWh",
            subject,
            to=AUTHORITIES,
        )
        if energy
        else line.text(subject, "eu.energy", "Energy of training: why it is not given", to=AUTHORITIES),
        line.text(
            subject,
            "eu.energy_methodology",
            "How the energy was determined",
            drafted=_methodology(subject, boundary),
            to=AUTHORITIES,
        ),
    ]


def _inference_lines(subject: Subject) -> list[Line]:
    return [
        line.known(
            "eu.inference",
            "Computation of inference, on a benchmark",
            "use_phase",
            _inference(subject.card),
            partly=True,
            source="measured",
            to=AUTHORITIES,
        ),
        line.text(
            subject, "eu.inference_methodology", "How the computation of inference was determined", to=AUTHORITIES
        ),
    ]


def _calendar_days(phases: tuple[Phase, ...]) -> float:
    first = min(datetime.fromisoformat(phase.started_at) for phase in phases)
    last = max(datetime.fromisoformat(phase.ended_at) for phase in phases)
    return (last - first).total_seconds() / 86_400


def _time_band(days: float) -> str:
    months = days / _MONTH_DAYS
    if months < 1:
        return "less than 1 month"
    return "1 to 3 months" if months < 3 else "3 to 6 months" if months < 6 else "more than 6 months"


def _hardware_days(phases: tuple[Phase, ...]) -> str:
    by_model: dict[str, float] = {}
    for phase in phases:
        for group in phase.groups:
            hours = group.device_count * group.hours
            by_model[group.device_model] = by_model.get(group.device_model, 0.0) + hours / 24
    return ", ".join(f"{model}: {line.plain(days)} days" for model, days in by_model.items())


def _flop(phases: tuple[Phase, ...]) -> float | None:
    """The sum over the phases; None unless every phase that is no evaluation says it."""
    counted = [phase for phase in phases if phase.stage != "evaluation"] or list(phases)
    if not all(phase.compute_flop for phase in counted):
        return None
    found = math.fsum(phase.compute_flop.value for phase in counted if phase.compute_flop)
    return found or None


def _energy(subject: Subject) -> tuple[Amount | None, str]:
    """The energy in MWh, of the facility where every phase knows its PUE, and the boundary in words."""
    sums = subject.totals.all
    knows_pue = all(phase.scope == "facility" or phase.pue is not None for phase in subject.card.phases)
    if knows_pue and sums.energy_facility_kwh:
        return _in_mwh(sums.energy_facility_kwh), "the facility, cooling and power supply included"
    return (_in_mwh(sums.energy_it_kwh) if sums.energy_it_kwh else None), "the devices and what of their hosts was seen"


def _in_mwh(energy: Amount) -> Amount:
    return Amount(energy.value / _KWH_PER_MWH, energy.low / _KWH_PER_MWH, energy.high / _KWH_PER_MWH, energy.source)


def _methodology(subject: Subject, boundary: str) -> str | None:
    sums = subject.totals.all
    if sums.energy_it_kwh is None:
        return None
    evidence = subject.card.evidence
    methods = sorted({part.method for phase in subject.card.phases for part in phase.energy_parts if part.method})
    tool = " ".join(filter(None, [evidence.tool, evidence.tool_version]))
    origins = sorted({phase.pue_origin.replace("_", " ") for phase in subject.card.phases if phase.pue_origin})
    sentences = [
        f"Energy was {sums.energy_it_kwh.source} with {tool}" + (f" by {', '.join(methods)}" if methods else "") + ".",
        f"The number counts {boundary}.",
        f"The PUE is from: {', '.join(origins)}." if origins else "No PUE was declared.",
        "Development is included." if subject.totals.development else "Development was not reported.",
    ]
    return " ".join(sentences)


def _inference(card: Card) -> str | None:
    uses = [
        f"{line.plain(use.energy_per_unit.value)} kWh per {use.unit_of_work}"
        + (f" on {use.hardware}" if use.hardware else "")
        for use in card.use_phase or ()
    ]
    return ", ".join(uses) or None
