"""H. Whether the head of the README says what the card says, in the form that Hub clients read."""

from __future__ import annotations

from registry_core.reports import line
from registry_core.reports.line import Body, Line
from registry_core.reports.subject import Subject
from registry_core.units import grams_from_kg


def body(subject: Subject) -> Body:
    """Emissions in grams, evaluation entries, and every field that contradicts the card."""
    return Body(title="Compatibility with the metadata of the Hugging Face Hub", lines=tuple(_lines(subject)))


def _lines(subject: Subject) -> list[Line]:
    head, card = subject.head, subject.card
    co2e = subject.totals.all.co2e_location_kg
    index = head.get("model-index")
    readme = "whoever writes the README"
    return [
        line.known(
            "hub.readme",
            "There is a README with a structured head",
            "README.md",
            "yes" if subject.disagreements is not None and head else None,
            supplier=readme,
        ),
        line.known(
            "hub.agrees", "No field of the head contradicts the card", "README.md", _agreement(subject), supplier=readme
        ),
        line.known(
            "hub.emissions",
            "co2_eq_emissions in grams, plain decimals",
            "README.md co2_eq_emissions",
            _stated(head.get("co2_eq_emissions")),
            unit="g",
            supplier=readme,
        ),
        line.known(
            "hub.emissions_card",
            "What the card adds up to",
            "totals.all.co2e_location",
            line.plain(grams_from_kg(co2e.value)) if co2e else None,
            unit="g",
            source=co2e.source if co2e else None,
        ),
        line.known(
            "hub.evaluations",
            "Evaluation entries in model-index",
            "README.md model-index",
            "yes" if index else None,
            supplier=readme,
        ),
        line.known(
            "hub.scores",
            "Evaluation entries in the card",
            "quality",
            ", ".join(f"{score.metric} {line.plain(score.value)}" for score in card.quality or ()),
        ),
    ]


def _agreement(subject: Subject) -> str | None:
    if subject.disagreements is None or subject.disagreements:
        return None
    return "no contradiction"


def _stated(emissions: object) -> str | None:
    if isinstance(emissions, dict):
        emissions = emissions.get("emissions")
    is_number = isinstance(emissions, (int, float, str)) and not isinstance(emissions, bool)
    return str(emissions) if is_number else None
