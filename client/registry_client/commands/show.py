"""`registry show`: one model on one page."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from registry_client import output
from registry_client.options import remote_options

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

    from registry_core.records import Lineage, ModelDetail, Rerun

_FILES_SHOWN = 20
_RERUNS_SHOWN = 5


@click.command(
    epilog="""\b
    Examples:
      registry show demo/digits-small
      registry show demo/digits-small@main --json
    """
)
@click.argument("spec", metavar="OWNER/NAME[@REV]")
@remote_options
def show(spec: str, endpoint: str | None, token: str | None, as_json: bool) -> None:
    """Show one model: what it cost to make, its files, its reruns."""
    from registry_client.show import lineage_of
    from registry_client.show import show as show_model

    detail = show_model(spec, endpoint=endpoint, token=token)
    lineage = None if as_json or not detail.footprint else lineage_of(detail, endpoint=endpoint, token=token)
    output.emit(detail, as_json, lambda detail: _page(detail, lineage))
    output.next_step(f"registry pull {spec}")


def _page(detail: ModelDetail, lineage: Lineage | None) -> RenderableType:
    from rich.console import Group
    from rich.text import Text

    parts: list[RenderableType] = [Text(output.plain(f"{detail.id}@{detail.revision}"), style="bold")]
    parts.append(_table(["", ""], [*_facts(detail), *_standing(detail), *_lineage(lineage)]))
    parts.extend(Text(output.plain(f"Cannot be served: {notice}"), style="red") for notice in detail.notices)
    if detail.totals:
        parts.append(_table(["footprint", "total", "95 % interval", "source"], _totals(detail.totals.get("all"))))
    scores = _dicts((detail.footprint or {}).get("quality"))
    parts.extend(Text(output.plain(_score_text(score))) for score in scores)
    parts.append(_table(["file", "size", "SHA-256"], _files(detail)))
    if detail.reruns:
        rows = [_rerun_cells(rerun) for rerun in detail.reruns[:_RERUNS_SHOWN]]
        parts.append(_table(["rerun", "metric", "claimed", "observed", "device", "by"], rows))
    return Group(*parts)


def _table(headings: list[str], rows: Any) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE, show_header=any(headings))
    for heading in headings:
        table.add_column(heading)
    for row in rows:
        table.add_row(*(Text(output.plain(cell)) for cell in row))
    return table


def _facts(detail: ModelDetail) -> Iterator[tuple[str, str]]:
    from registry_core.units import count_text, size_text

    model = (detail.footprint or {}).get("model", {})
    summary = detail.summary
    yield "commit", detail.commit_id
    yield "recommended", _recommended(detail)
    yield "task", str(model.get("task") or (summary.task if summary else None) or "–")
    yield "license", str(model.get("license") or (summary.license if summary else None) or "–")
    yield "parameters", count_text(model.get("parameters_total") or (summary.parameters if summary else None))
    yield "size", size_text(sum(file.size_bytes for file in detail.files))
    yield "footprint", detail.footprint_status
    if detail.private:
        yield "visible to", "its owner's members only"


def _standing(detail: ModelDetail) -> Iterator[tuple[str, str]]:
    """How far the numbers can be trusted, and how the energy compares."""
    summary = detail.summary
    if summary and summary.level and summary.commit_id == detail.commit_id:
        yield "evidence level", summary.level
    for found in detail.classes:
        letter = f"{found.letter}{' est.' if found.is_estimated else ''}" if found.letter else found.reason
        yield "energy class", f"{letter} ({found.metric} on {found.dataset}, {found.axis} energy, {found.taken_on})"
    if detail.no_class:
        yield "energy class", detail.no_class


def _lineage(lineage: Lineage | None) -> Iterator[tuple[str, str]]:
    from registry_core.units import energy_text

    if lineage is None:
        return
    cumulative = energy_text((lineage.cumulative.get("energy_facility_kwh") or {}).get("value"))
    unknown = "" if lineage.is_complete else f", at least; unknown: {', '.join(lineage.unknown) or 'some'}"
    bases = ", ".join(relative.id for relative in lineage.ancestors) or "nothing known here"
    yield "made from", f"{bases}; {cumulative} with all of it{unknown}"
    if lineage.descendants:
        induced = energy_text((lineage.induced_kwh or {}).get("value"))
        yield "made from it", f"{len(lineage.descendants)} models, which took {induced} themselves"


def _recommended(detail: ModelDetail) -> str:
    if detail.published_commit_id is None:
        return "no revision yet"
    return "this commit" if detail.published_commit_id == detail.commit_id else detail.published_commit_id


def _totals(sums: Any) -> Iterator[tuple[str, str, str, str]]:
    """One row a number: its total, its interval and what the total rests on."""
    from registry_core import units

    sums = sums if isinstance(sums, dict) else {}
    currency = sums.get("currency")
    rows = [
        ("energy", "energy_facility_kwh", units.energy_text),
        ("CO2e of operation", "co2e_location_kg", units.co2e_text),
        ("CO2e of the hardware", "co2e_embodied_kg", units.co2e_text),
        ("water", "water_litres", units.water_text),
        ("cost", "cost", lambda cost: units.cost_text(cost, currency)),
        ("time", "wall_time_seconds", units.duration_text),
    ]
    for label, name, text in rows:
        number = sums.get(name)
        if isinstance(number, dict):
            low, high = text(number.get("low")), text(number.get("high"))
            yield label, text(number.get("value")), f"{low} … {high}", str(number.get("source") or "–")
        else:
            yield label, "–", "", "not known"


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _score_text(score: dict[str, Any]) -> str:
    where = f"{score.get('dataset')} {score.get('split')}"
    samples = f", {score['n']} samples" if "n" in score else ""
    return f"  {score.get('metric')} {score.get('value')} on {where}{samples}"


def _files(detail: ModelDetail) -> Iterator[tuple[str, str, str]]:
    from registry_core.units import size_text

    for file in detail.files[:_FILES_SHOWN]:
        yield file.path, size_text(file.size_bytes), file.digest
    if len(detail.files) > _FILES_SHOWN:
        yield f"… and {len(detail.files) - _FILES_SHOWN} more", "", ""


def _rerun_cells(rerun: Rerun) -> tuple[str, ...]:
    report = rerun.report
    numbers = report.metric, f"{report.claimed:.4g}", f"{report.observed:.4g} (n = {report.n})"
    return (
        report.verdict,
        *numbers,
        report.device_name or report.device,
        f"{rerun.account}, {rerun.created_at}",
    )
