"""Making a folder fit to be sent: everything is checked before anything leaves this computer.

weights ─► evaluation.yaml ─► README.md ─► footprint.json, completed ─► the README drafted, or compared with the card
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from registry_client.comparing import disagreements
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
from registry_client.writing import rewrite
from registry_core.card import Card
from registry_core.errors import InvalidReadme
from registry_core.ids import RepoId, RepoPath
from registry_core.readme import parse_readme
from registry_core.recipe import parse_recipe
from registry_core.safetensors import Header

logger = logging.getLogger(__name__)


def prepared(root: Path, files: Sequence[LocalFile], repo: RepoId) -> list[LocalFile]:
    """The files as they are to be sent: all of them checked, the card completed, a README there.

    Raises InvalidWeights, InvalidRecipe, InvalidReadme and InvalidCard, each with all faults of its file.
    """
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
        by_path[README_NAME] = _with_readme(root.resolve() / README_NAME, draft_readme(card, repo, by_path))
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


def _with_readme(readme: Path, text: str) -> LocalFile:
    rewrite(readme, text)
    logger.info("Wrote %s from the footprint card; please add words of your own.", readme)
    return measure(readme.parent, [readme])[0]
