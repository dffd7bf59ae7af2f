"""What a measuring tool said, kept beside the card so that others can check the numbers against it.

Where someone sits, on which host and under which name is nobody's business: such values are taken out, and
named as taken out.
"""

from __future__ import annotations

import contextlib
import getpass
import hashlib
import re
import socket
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import rfc8785

from registry_client.tracking.measurement import Span
from registry_client.tracking.meter import Reading

_PLACES = frozenset({"longitude", "latitude"})


def evidence_path(stage: str) -> str:
    """Where the evidence of a phase lies in the model's folder."""
    return f"footprint/tool-row-{stage}.json"


def evidence_of(span: Span) -> dict[str, Any]:
    """The document kept for one phase: the span, what the tool said of it, and how the tool was set."""
    document = {
        "started_at": moment(span.started_at),
        "ended_at": moment(span.ended_at),
        "wall_seconds": span.wall_seconds,
        "uncovered_seconds": span.uncovered_seconds,
    }
    if span.reading is None:
        return {**document, "reason": span.reason, "removed": []}
    return {**document, **_said_by_tool(span.reading, own_names())}


def settings_digest(reading: Reading) -> str:
    """SHA-256 of the tool's settings in canonical form, without the values that `evidence_of` takes out."""
    return hashlib.sha256(rfc8785.dumps(without_names(reading.settings, own_names())[0])).hexdigest()


def own_names() -> set[str]:
    """Texts that tell who and where: this host's name, the user's name and home folder."""
    names = {socket.gethostname(), str(Path.home())}
    with contextlib.suppress(OSError, KeyError):  # a container's user id may have no name
        names.add(getpass.getuser())
    return {name for name in names if len(name) > 1}


def without_names(values: Mapping[str, Any], names: Iterable[str]) -> tuple[dict[str, Any], list[str]]:
    """`values` without places and without texts that hold one of `names`; and the keys of what was taken out."""
    patterns = [re.compile(rf"(?<![A-Za-z0-9]){re.escape(name)}(?![A-Za-z0-9])") for name in names]
    removed = [key for key, value in values.items() if key in _PLACES or _tells(value, patterns)]
    return {key: value for key, value in values.items() if key not in removed}, sorted(removed)


def moment(time: datetime) -> str:
    """RFC 3339 in UTC, to the millisecond."""
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _tells(value: Any, patterns: list[re.Pattern[str]]) -> bool:
    return isinstance(value, str) and any(pattern.search(value) for pattern in patterns)


def _said_by_tool(reading: Reading, names: Iterable[str]) -> dict[str, Any]:
    row, from_row = without_names(reading.row, names)
    settings, from_settings = without_names(reading.settings, names)
    return {
        "covered_seconds": reading.duration_seconds,
        "tool": reading.tool,
        "tool_version": reading.tool_version,
        "methods": reading.methods,
        "notes": list(reading.notes),
        "row": row,
        "settings": settings,
        "removed": [*(f"row.{key}" for key in from_row), *(f"settings.{key}" for key in from_settings)],
    }
