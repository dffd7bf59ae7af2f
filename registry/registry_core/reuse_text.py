"""The ledger as JSON and as CSV."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from registry_core.quantity import Amount
from registry_core.reuse_ledger import Ledger, Sum
from registry_core.reuse_statement import StatedReuse
from registry_core.reuse_views import ModelLedger

_AVOIDED = [f"avoided_{what}{end}" for what in ("kwh", "co2e_kg") for end in ("", "_low", "_high")]
_EVENT_COLUMNS = [
    *"id made_on organisation team account task artifact root models evidence".split(),
    *"displacement counterfactual_kwh spent_kwh".split(),
    *_AVOIDED,
    "convention",
]
_SUM_COLUMNS = ["by", "name", "events", *_AVOIDED, "events_without_co2e", "convention"]


def ledger_json(found: Ledger | ModelLedger | StatedReuse) -> dict[str, Any]:
    """The record as plain JSON values; days as `2026-11-22`, amounts as `{value, low, high, source}`."""
    document: dict[str, Any] = json.loads(json.dumps(asdict(found), default=str))
    return document


def events_csv(found: Ledger) -> str:
    """One line an event. A number that is not known is an empty cell."""
    return _csv(
        _EVENT_COLUMNS,
        (
            {
                "id": event.id,
                "made_on": event.made_on,
                "organisation": event.organisation,
                "team": event.team,
                "account": event.account,
                "task": event.task,
                "artifact": event.artifact,
                "root": event.root,
                "models": " ".join(share.model for share in event.shares),
                "evidence": event.evidence,
                "displacement": event.displacement,
                "counterfactual_kwh": event.counterfactual_kwh.value,
                "spent_kwh": event.spent_kwh.value,
                **_cells("avoided_kwh", event.energy_kwh),
                **_cells("avoided_co2e_kg", event.co2e_kg),
                "convention": found.convention.id,
            }
            for event in found.events
        ),
    )


def sums_csv(found: Ledger) -> str:
    """One line for each model, team, organisation and reuser. The four views are of the same events."""
    views: dict[str, tuple[Sum, ...]] = {
        "model": found.by_model,
        "team": found.by_team,
        "organisation": found.by_organisation,
        "reuser": found.by_reuser,
    }
    return _csv(
        _SUM_COLUMNS,
        (
            {
                "by": by,
                "name": entry.name,
                "events": entry.events,
                **_cells("avoided_kwh", entry.energy_kwh),
                **_cells("avoided_co2e_kg", entry.co2e_kg),
                "events_without_co2e": entry.events_without_co2e,
                "convention": found.convention.id,
            }
            for by, entries in views.items()
            for entry in entries
        ),
    )


def _csv(columns: Sequence[str], rows: Iterable[dict[str, object]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _cells(name: str, amount: Amount | None) -> dict[str, object]:
    ends = ("", "", "") if amount is None else (amount.value, amount.low, amount.high)
    return dict(zip((name, f"{name}_low", f"{name}_high"), ends, strict=True))
