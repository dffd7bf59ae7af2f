"""Tables of models that are compared with each other."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from registry_client import output

if TYPE_CHECKING:
    from rich.table import Table

    from registry_core.comparisons import Layers
    from registry_core.groups import GroupKey, Peer
    from registry_core.quantity import Amount
    from registry_core.suggesting import Candidate


def layers_table(found: Layers) -> Table:
    """One row a model, best first."""
    caption = f"{group_text(found.group)}; {found.axis} energy; {found.models} models"
    if found.contrary:
        caption += f", {found.contrary} of them left out: they take higher for better the other way round"
    headings = ("model", "layer", "score", "energy", "95 % interval", "evidence")
    return _table(
        headings, ([entry.peer.id, _layer(entry.layer), *_cells(entry.peer)] for entry in found.ranked), caption
    )


def candidates_table(found: Iterable[Candidate]) -> Table:
    """One row a model, least energy first."""
    headings = ("model", "group", "score", "energy", "95 % interval", "evidence", "expected saving")
    rows = ([each.peer.id, group_text(each.group), *_cells(each.peer), _amount_text(each.saving_kwh)] for each in found)
    return _table(headings, rows, None)


def group_text(group: GroupKey) -> str:
    """`accuracy on digits, test`."""
    where = [part for part in (group.dataset, group.config, group.split, group.revision) if part]
    return f"{group.metric} on {', '.join(where)}"


def _layer(layer: int | None) -> str:
    return "not ranked" if layer is None else "1 (front)" if layer == 1 else str(layer)


def _cells(peer: Peer) -> list[str]:
    from registry_core.units import energy_text

    error = "" if peer.stderr is None else f" ± {peer.stderr:.2g}"
    energy = energy_text(peer.energy_kwh.value if peer.energy_kwh else None)
    return [f"{peer.score:.4g}{error}", energy, _interval(peer.energy_kwh), peer.level]


def _interval(amount: Amount | None) -> str:
    from registry_core.units import energy_text

    return "–" if amount is None else f"{energy_text(amount.low)} … {energy_text(amount.high)}"


def _amount_text(amount: Amount | None) -> str:
    from registry_core.units import energy_text

    return "–" if amount is None else f"{energy_text(amount.value)} ({_interval(amount)})"


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]], caption: str | None) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(
        box=box.SIMPLE, caption=None if caption is None else Text(output.plain(caption)), caption_justify="left"
    )
    for heading in headings:
        table.add_column(heading)
    for row in rows:
        table.add_row(*(Text(output.plain(cell)) for cell in row))
    return table
