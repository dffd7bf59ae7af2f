"""Making a folder fit to be sent: everything is checked before anything leaves this computer.

evidence ─► secrets ─► weights ─► evaluation.yaml ─► README.md ─► footprint.json, completed
                                                        └─► the README drafted, or compared with the card
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from registry_client.completing import complete
from registry_client.drafting import draft_readme
from registry_client.folder import (
    CARD_NAME,
    README_NAME,
    RECIPE_NAME,
    LocalFile,
    measure,
    measured_again,
    safetensors_headers,
)
from registry_client.masking import checked
from registry_client.scrubbing import without_names
from registry_client.writing import rewrite
from registry_core.card import Card
from registry_core.disagreements import disagreements
from registry_core.errors import InvalidReadme
from registry_core.eval_results import FOLDER as EVAL_RESULTS_FOLDER
from registry_core.eval_results import OWN_FILE as EVAL_RESULTS_NAME
from registry_core.eval_results import eval_results
from registry_core.ids import RepoId, RepoPath
from registry_core.readme import parse_readme
from registry_core.recipe import parse_recipe
from registry_core.safetensors import Header

logger = logging.getLogger(__name__)


def prepared(
    root: Path, files: Sequence[LocalFile], repo: RepoId, *, mask: bool = False, allowed: Collection[str] = ()
) -> list[LocalFile]:
    """The files as they are to be sent: all of them checked, the card completed, a README there.

    `mask` replaces secrets and personal data where they stand; `allowed` are fingerprints of what only looks like
    them. Raises Refused, InvalidWeights, InvalidRecipe, InvalidReadme and InvalidCard, each with all faults.
    """
    files = checked(without_names(root, files), mask=mask, allowed=allowed)
    headers = safetensors_headers(files)
    _warn_of_pickles(files)
    by_path = {str(file.path): file for file in files}
    if RECIPE_NAME in by_path:
        parse_recipe(by_path[RECIPE_NAME].local.read_bytes())
    head = _head(by_path[README_NAME]) if README_NAME in by_path else None
    if CARD_NAME not in by_path:
        logger.info("No %s here: the model will be shown without a footprint.", CARD_NAME)
        return list(files)
    card, by_path[CARD_NAME] = _with_card(by_path[CARD_NAME], files, headers)
    if head is None:
        by_path[README_NAME] = _drafted(root, README_NAME, draft_readme(card, repo, by_path))
        if card.quality and not any(path.startswith(f"{EVAL_RESULTS_FOLDER}/") for path in by_path):
            by_path[EVAL_RESULTS_NAME] = _drafted(root, EVAL_RESULTS_NAME, eval_results(card))
    else:
        _warn_of_disagreement(head, card)
    return list(by_path.values())


def _warn_of_pickles(files: Sequence[LocalFile]) -> None:
    for file in files:
        if file.is_pickle:
            logger.warning("%s is a pickle, which can run code when it is loaded; safetensors cannot.", file.path)


def _head(readme: LocalFile) -> dict[str, Any]:
    try:
        return parse_readme(readme.local.read_text(encoding="utf-8")).front_matter
    except UnicodeDecodeError as error:
        raise InvalidReadme(f"{readme.local} is not UTF-8 text.", hint="Save it as UTF-8.") from error


def _warn_of_disagreement(head: Mapping[str, Any], card: Card) -> None:
    found = disagreements(head, card)
    if found:
        logger.warning("The head of %s contradicts %s: %s.", README_NAME, CARD_NAME, "; ".join(found))


def _with_card(
    file: LocalFile, files: Sequence[LocalFile], headers: Mapping[RepoPath, Header]
) -> tuple[Card, LocalFile]:
    """The card, and its file after it was completed."""
    card, text = complete(file.local.read_bytes(), files, headers.values())
    if text is None:
        return card, file
    rewrite(file.local, text)
    logger.info("Completed %s from the files of the folder.", file.local)
    return card, measured_again(file)


def _drafted(root: Path, name: str, text: str) -> LocalFile:
    """A file that was not there, drawn from the card."""
    file = root.resolve() / name
    file.parent.mkdir(exist_ok=True)
    rewrite(file, text)
    logger.info("Wrote %s from the footprint card.", file)
    return measure(root, [file])[0]
