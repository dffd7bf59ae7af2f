"""Conformance reports: of a model on a server, or of a folder before it is pushed."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from registry_client.completing import complete
from registry_client.config import connection
from registry_client.folder import CARD_NAME, WEIGHT_SUFFIXES, list_files, measure, safetensors_headers
from registry_client.remote import Remote
from registry_client.spec import parse_spec
from registry_core.errors import NotFound
from registry_core.reports import Report, Subject
from registry_core.reports import report as report_of


def report(
    standard: str,
    model: str | Path,
    *,
    recipient: str | None = None,
    endpoint: str | None = None,
    token: str | None = None,
) -> Report:
    """The report of one standard on `OWNER/NAME[@REVISION]`, or on the card in a folder.

    What only a server knows (who signed, what was decided, what else there is) is missing in that of a folder.
    Raises Invalid for a standard or a recipient that there is none of, NotFound, and InvalidCard for a faulty card.
    """
    folder = Path(model)
    if folder.is_dir():
        return report_of(standard, _subject(folder), recipient)
    repo, revision = parse_spec(str(model))
    to = connection(endpoint, token)
    with Remote(to.endpoint, to.token) as remote:
        return remote.report(repo, revision, standard, recipient)


def _subject(folder: Path) -> Subject:
    try:
        data = (folder / CARD_NAME).read_bytes()
    except FileNotFoundError as error:
        raise NotFound(f"{folder} holds no {CARD_NAME}.", hint="`registry track` writes one.") from error
    # As a push would complete it: a draft may not name its weights yet.
    weights = measure(folder, [path for path in list_files(folder) if path.suffix in WEIGHT_SUFFIXES])
    card, _ = complete(data, weights, safetensors_headers(weights).values())
    made_at = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    return Subject(card, made_at)
