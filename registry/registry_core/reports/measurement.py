"""G. A measurement sheet in the style of the power rules of MLPerf."""

from __future__ import annotations

from registry_core.phase import Phase
from registry_core.reports import line
from registry_core.reports.line import Body, Line, Table, Value
from registry_core.reports.subject import Subject

_PARTS = {
    "energy_gpu": "GPU",
    "energy_cpu": "CPU",
    "energy_ram": "memory",
    "energy_other": "other",
    "energy_it": "whole node",
}


def body(subject: Subject) -> Body:
    """What measured each component, how often, on how many nodes, from when to when."""
    return Body(
        title="Measurement sheet (style of the MLPerf power rules)",
        lines=tuple(_lines(subject)),
        tables=(_components(subject), _spans(subject)),
    )


def _lines(subject: Subject) -> list[Line]:
    card, level = subject.card, subject.grade.level if subject.grade else None
    measured = sum(phase.coverage.hosts_measured for phase in card.phases)
    hosts = sum(phase.coverage.hosts_total for phase in card.phases)
    interconnect = all(phase.coverage.network for phase in card.phases)
    return [
        line.known(
            "mlperf.tool",
            "Instrument and version",
            "evidence.tool",
            " ".join(filter(None, [card.evidence.tool, card.evidence.tool_version])),
        ),
        line.known(
            "mlperf.samples",
            "Raw samples, one a second at least and sixty in all",
            "evidence.samples",
            ", ".join(card.evidence.samples or ()) or None,
            partly=level not in ("E3", "E4"),
            source="measured",
        ),
        line.known(
            "mlperf.nodes",
            "Nodes measured, of all",
            "phases[].coverage",
            f"{measured} of {hosts}",
            partly=measured < hosts,
            source="measured",
        ),
        line.known(
            "mlperf.interconnect",
            "Interconnect measured or estimated",
            "phases[].coverage.network",
            "counted" if interconnect else None,
        ),
        line.text(subject, "mlperf.accuracy", "Accuracy of the instruments"),
        line.known("mlperf.same_run", "Score and energy are of the same run", "quality", _scores(subject), partly=True),
        line.known("mlperf.logs", "Logs of the tool", "evidence.row", card.evidence.row),
        line.known("mlperf.level", "Evidence level", "evidence", level, supplier="the registry, at a push"),
    ]


def _scores(subject: Subject) -> str | None:
    return ", ".join(f"{score.metric} {line.plain(score.value)}" for score in subject.card.quality or ()) or None


def _components(subject: Subject) -> Table:
    rows: list[tuple[Value, ...]] = []
    for phase in subject.card.phases:
        for name, words in _PARTS.items():
            quantity = getattr(phase, name)
            if quantity is not None and quantity.source != "derived":
                rows.append((phase.stage, words, quantity.value, quantity.source, quantity.method))
    columns = ("stage", "component", "energy, kWh", "source", "meter or counter")
    return Table("Energy by component", columns, tuple(rows))


def _spans(subject: Subject) -> Table:
    columns = ("stage", "start", "end", "wall time, s", "hosts measured", "hosts in all")
    return Table("Spans", columns, tuple(_span(phase) for phase in subject.card.phases))


def _span(phase: Phase) -> tuple[Value, ...]:
    seen = phase.coverage
    return (
        phase.stage,
        phase.started_at,
        phase.ended_at,
        phase.wall_time.value,
        float(seen.hosts_measured),
        float(seen.hosts_total),
    )
