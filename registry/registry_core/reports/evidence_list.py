"""E. Records that a management system by ISO/IEC 42001 can point to.

Control numbers are entered by the organisation from its own copy of the standard.
"""

from __future__ import annotations

from registry_core.reports import line
from registry_core.reports.line import Body, Line, Table, Value
from registry_core.reports.subject import Subject


def body(subject: Subject) -> Body:
    """One row a record: what it is, where it stands, when it was made, and who signed it."""
    return Body(
        title="Evidence for a management system of AI (ISO/IEC 42001)",
        lines=tuple(_lines(subject)),
        tables=(_records(subject),),
    )


def _lines(subject: Subject) -> list[Line]:
    return [
        line.outside(
            "iso42001.controls",
            "Number of the control that each record serves",
            "the organisation, from its own copy of the standard",
        ),
        line.known(
            "iso42001.signed",
            "Records are bound to who made them",
            "evidence.signature",
            _signer(subject),
            supplier="the author, with registry push --sign",
        ),
        line.known(
            "iso42001.policy",
            "The revision was held against a policy",
            "decision",
            f"{subject.decision.policy}: {'allowed' if subject.decision.allowed else 'refused'}"
            if subject.decision
            else None,
            supplier="the registry, at a push",
        ),
    ]


def _signer(subject: Subject) -> str | None:
    found = subject.signature
    if found is None or not found.valid:
        return None
    return f"{found.signer or 'a key nobody registered'} ({found.key_id[:16]})"


def _records(subject: Subject) -> Table:
    card = subject.card
    ended = max(phase.ended_at for phase in card.phases)
    made: tuple[tuple[str, str, bool, str | None], ...] = (
        ("resource documentation", "model", True, card.created_at),
        ("computing resources", "phases[].groups", True, ended),
        ("impact assessment", "totals", True, card.created_at),
        ("life-cycle log", "phases", True, ended),
        ("data provenance", "data", card.data is not None, card.created_at),
        ("information for users", "README.md", subject.disagreements is not None, subject.committed_at),
        ("supplier", "model.base_models", bool(card.model.base_models), card.created_at),
    )
    signer = _signer(subject)
    rows: tuple[tuple[Value, ...], ...] = tuple(
        (kind, path if there else "missing", at if there else None, signer if there else None)
        for kind, path, there, at in made
    )
    return Table("Records", ("record", "where it stands", "date", "signed by"), rows)
