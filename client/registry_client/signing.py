"""Writing `footprint.att.json`: the signature over a card, the files it is about, and its evidence."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from registry_client import keys
from registry_client.completing import complete
from registry_client.folder import (
    CARD_NAME,
    LocalFile,
    list_files,
    measure,
    measured_again,
    safetensors_headers,
)
from registry_client.masking import checked
from registry_client.scrubbing import without_names
from registry_client.writing import rewrite
from registry_core.card import Card, card_digest, parse_card
from registry_core.errors import NotFound
from registry_core.signing import ATTESTATION_PATH, covered, sign_card


@dataclass(frozen=True)
class Signed:
    """A signature that was made, and what it covers."""

    path: str
    key_id: str
    files: list[str]


def sign_folder(folder: str | Path, key: str = keys.DEFAULT_NAME) -> Signed:
    """Complete the card of a folder and sign it. Raises NotFound, InvalidCard and Refused."""
    root = Path(folder)
    # As a push has it, which would otherwise change what was signed.
    files = checked(without_names(root, measure(root, list_files(root))))
    card_file = next((file for file in files if file.path == CARD_NAME), None)
    if card_file is None:
        raise _nothing_to_sign()
    _, text = complete(card_file.local.read_bytes(), files, safetensors_headers(files).values())
    if text is not None:
        rewrite(card_file.local, text)
    files = [measured_again(file) if file is card_file else file for file in files]
    bound = sorted(_covered(parse_card(card_file.local.read_bytes()), files))
    files = with_signature(root, files, key)
    return Signed(str(root / ATTESTATION_PATH), keys.show(key).key_id, bound)


def with_signature(root: Path, files: Sequence[LocalFile], key: str) -> list[LocalFile]:
    """The files, and among them a new `footprint.att.json` over the card as it will be sent."""
    pem = keys.private_pem(key)
    by_path = {str(file.path): file for file in files}
    if CARD_NAME not in by_path:
        raise _nothing_to_sign()
    by_path[CARD_NAME] = _naming_its_signature(by_path[CARD_NAME])
    card = parse_card(by_path[CARD_NAME].local.read_bytes())
    envelope = sign_card(card_digest(card), _covered(card, list(by_path.values())), pem)
    target = root.resolve() / ATTESTATION_PATH
    rewrite(target, envelope.decode())
    by_path[ATTESTATION_PATH] = measure(root, [target])[0]
    return list(by_path.values())


def _covered(card: Card, files: Sequence[LocalFile]) -> dict[str, str]:
    return covered(card, {str(file.path): str(file.digest) for file in files})


def _naming_its_signature(file: LocalFile) -> LocalFile:
    document = json.loads(file.local.read_bytes())
    if document["evidence"].get("signature") == ATTESTATION_PATH:
        return file
    document["evidence"]["signature"] = ATTESTATION_PATH
    rewrite(file.local, json.dumps(document, indent=2, ensure_ascii=False) + "\n")
    return measured_again(file)


def _nothing_to_sign() -> NotFound:
    return NotFound(
        f"There is no {CARD_NAME} to sign.", hint="Make one with `registry track` or `registry card import`."
    )
