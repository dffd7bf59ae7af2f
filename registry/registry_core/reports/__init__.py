"""Conformance reports: what a card says, standard by standard, line by line.

    card, totals, grade, decision, peers … ─► Subject ─► one module a standard ─► Report: head, lines, tables

A report is an aid for the people who have to answer; its head says what it is not. Requirements are paraphrased, never
quoted. A line without a value says who can supply it. `narrative.<line id>` of the card fills the lines that only
people can write.
"""

from __future__ import annotations

from collections.abc import Callable

from registry_core.errors import Invalid
from registry_core.reports import eu_form, evidence_list, frugality, ghg, hub, life_cycle, measurement, sci
from registry_core.reports.line import Body, Head, Report
from registry_core.reports.subject import Subject

__all__ = ["STANDARDS", "Report", "Subject", "report"]

_MODULES: dict[str, Callable[[Subject], Body]] = {
    "eu-form": eu_form.body,
    "sci": sci.body,
    "life-cycle": life_cycle.body,
    "ghg": ghg.body,
    "iso-42001": evidence_list.body,
    "frugality": frugality.body,
    "measurement": measurement.body,
    "hub": hub.body,
}
STANDARDS = tuple(_MODULES)
"""The names of the reports, in the order A to H of the specification."""

NOTICE = (
    "This is an aid for whoever has to report. It is no certificate, no audit and no legal advice, and nobody has"
    " endorsed it. Requirements are paraphrased; read them in the standard itself."
)


def report(standard: str, subject: Subject, recipient: str | None = None) -> Report:
    """The report of one standard, for one recipient when the standard knows recipients.

    Raises Invalid for a standard, or a recipient, that there is none of.
    """
    if standard not in _MODULES:
        raise Invalid(f"There is no report {standard[:40]!r}.", hint=f"There are {', '.join(STANDARDS)}.")
    body = _MODULES[standard](subject)
    lines = body.lines
    if recipient is not None:
        known = sorted({name for line in lines for name in line.recipients})
        if recipient not in known:
            raise Invalid(
                f"The report {standard} has no recipient {recipient[:40]!r}.",
                hint=f"It has {', '.join(known)}." if known else "It is the same for everybody.",
            )
        lines = tuple(line for line in lines if not line.recipients or recipient in line.recipients)
    head = Head(
        standard=standard,
        title=body.title,
        notice=" ".join([NOTICE, *body.notes]),
        recipient=recipient,
        repo_id=subject.repo_id,
        commit_id=subject.commit_id,
        card_digest=subject.card_digest,
        policy_digest=subject.decision.policy_digest if subject.decision else None,
        schema=subject.card.schema_,
        made_at=subject.made_at,
    )
    return Report(head, lines, body.tables)
