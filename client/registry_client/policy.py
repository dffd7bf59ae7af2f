"""What a policy says of a local folder, or of a model on a server: the same rules that the server asks.

Rules that look at the rest of the registry are decided at push; here they have no effect.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from registry_client import keys
from registry_client.completing import complete
from registry_client.config import Connection, connection
from registry_client.drafting import draft_readme
from registry_client.folder import CARD_NAME, README_NAME, LocalFile, list_files, measure, safetensors_headers
from registry_client.spec import parse_spec
from registry_core.card import Card, card_digest, parse_card
from registry_core.errors import InvalidName, InvalidReadme, NotAllowed, NotFound, PolicyRefused
from registry_core.evidence import MAX_EVIDENCE_BYTES, Read, read_evidence
from registry_core.grades import SignatureCheck
from registry_core.ids import CommitId, RepoId
from registry_core.levels import grade
from registry_core.policy.deciding import Decision, PolicyInput, decide
from registry_core.policy.facts import card_facts, file_facts, sampling_facts
from registry_core.policy.reading import parse_policy
from registry_core.policy.rules import Act, Policy
from registry_core.policy.shipped import SHIPPED, shipped_policy
from registry_core.readme import parse_readme
from registry_core.signing import ATTESTATION_PATH, covered, verify

DEFAULT_POLICY = "minimal"
_EVIDENCE = [README_NAME, CARD_NAME, ATTESTATION_PATH, "footprint/*"]


@dataclass(frozen=True)
class PolicyName:
    """One line of `registry policy list`."""

    policy: str  # name/version
    title: str
    rules: int
    blocking: int
    digest: str


@dataclass(frozen=True)
class _Subject:
    """A revision, wherever it lies. `read` gives its small files."""

    card: Card | None
    tree: Mapping[str, tuple[str, int]]
    read: Read
    readme: str | None
    repo_id: str | None


def check_policy(
    what: str | Path,
    *,
    policy: str | Path = DEFAULT_POLICY,
    act: Act = "push",
    endpoint: str | None = None,
    token: str | None = None,
) -> Decision:
    """What `policy`, a file or the name of a shipped one, says of `what`: a folder, or `OWNER/NAME[@REVISION]`.

    Raises NotFound, InvalidPolicy, InvalidCard, InvalidWeights and InvalidReadme.
    """
    rules = load_policy(policy)
    is_folder = Path(what).is_dir()
    subject = _folder_subject(Path(what)) if is_folder else _remote_subject(str(what), endpoint, token)
    return decide(rules, _input(subject, act))


def require_allowed(files: Sequence[LocalFile], repo: RepoId, to: Connection) -> None:
    """Raise PolicyRefused where the server would refuse a push of these files, before any of them is sent.

    The owner's own policy decides, as the server tells it; one that tells none decides when it has the files.
    """
    by_path = {str(file.path): file for file in files}
    if CARD_NAME not in by_path:
        return
    rules = _policy_of_owner(repo, to)
    decision = decide(rules, _input(_subject_of(by_path, str(repo)), "push")) if rules else None
    if decision is not None and not decision.allowed:
        raise PolicyRefused(
            f"The policy {decision.policy} does not let this push of {repo} go on; nothing was sent.",
            hint="Correct the card; `registry policy check FOLDER` tells the same.",
            faults=[f"{outcome.rule}: {outcome.message}" for outcome in decision.having("block")],
        )


def _policy_of_owner(repo: RepoId, to: Connection) -> Policy | None:
    from registry_client.remote import Remote

    with Remote(to.endpoint, to.token) as remote:
        try:
            document = remote.policy(repo.owner, "push")
        except (NotFound, NotAllowed):
            return None
    rules = [{**rule, "on": list(rule["severity"])} for rule in document["rules"]]
    return parse_policy(json.dumps({**document, "rules": rules}), shipped_policy)


def load_policy(name: str | Path) -> Policy:
    """The policy in a file, or the shipped one of this name. Raises NotFound and InvalidPolicy."""
    path = Path(name)
    if not path.is_file():
        if path.suffix in (".yaml", ".yml"):
            raise NotFound(f"There is no policy file {path}.")
        return shipped_policy(str(name))
    return parse_policy(path.read_bytes(), shipped_policy)


def list_policies() -> list[PolicyName]:
    """The policies that come with the package."""
    found = [shipped_policy(name) for name in SHIPPED]
    return [
        PolicyName(
            policy=policy.name,
            title=policy.title,
            rules=len(policy.rules),
            blocking=sum(rule.blocks for rule in policy.rules),
            digest=str(policy.digest),
        )
        for policy in found
    ]


def _folder_subject(folder: Path) -> _Subject:
    """The folder as a push would send it: the card is completed, and nothing is written."""
    return _subject_of({str(file.path): file for file in measure(folder, list_files(folder))}, None)


def _subject_of(files: Mapping[str, LocalFile], repo_id: str | None) -> _Subject:
    card = _completed_card(files)
    tree = {path: (str(file.digest), file.size_bytes) for path, file in files.items()}
    read = {path: file.local for path, file in files.items()}
    return _Subject(card, tree, lambda path: _bytes_of(read.get(path)), _folder_readme(card, files), repo_id)


def _completed_card(files: Mapping[str, LocalFile]) -> Card | None:
    if CARD_NAME not in files:
        return None
    headers = safetensors_headers(files.values())
    card, _ = complete(files[CARD_NAME].local.read_bytes(), list(files.values()), headers.values())
    return card


def _remote_subject(spec: str, endpoint: str | None, token: str | None) -> _Subject:
    from registry_client.hub import Hub
    from registry_client.remote import Remote

    try:
        repo, revision = parse_spec(spec)
    except InvalidName as error:
        raise NotFound(f"There is no folder {spec}.", hint="Name a folder, or a model as OWNER/NAME.") from error
    to = connection(endpoint, token)
    with Remote(to.endpoint, to.token) as remote:
        detail = remote.detail(repo, revision)
    tree = {file.path: (file.digest, file.size_bytes) for file in detail.files}
    if detail.footprint is None:
        return _Subject(None, tree, lambda _: None, None, detail.id)
    folder = Hub(to.endpoint, to.token).download(repo, CommitId(detail.commit_id), None, only=_EVIDENCE)
    readme = _text(folder / README_NAME) if README_NAME in tree else ""
    read = {path: folder / path for path in tree}
    return _Subject(parse_card(detail.footprint), tree, lambda path: _bytes_of(read.get(path)), readme, detail.id)


def _bytes_of(file: Path | None) -> bytes | None:
    """The beginning of a file, long enough for its reader to see that it is too long."""
    if file is None or not file.is_file():
        return None
    with file.open("rb") as stream:
        return stream.read(MAX_EVIDENCE_BYTES + 1)


def _input(subject: _Subject, act: Act) -> PolicyInput:
    card = subject.card
    return PolicyInput(
        act=act,
        moment=datetime.now(UTC),
        card=None if card is None else _facts(card, subject),
        files=file_facts(subject.tree),
        repo_id=subject.repo_id,
        card_digest=None if card is None else str(card_digest(card)),
    )


def _facts(card: Card, subject: _Subject) -> Mapping[str, object]:
    evidence = read_evidence(card, subject.read)
    signature = _signature(card, subject)
    head = parse_readme(subject.readme or "").front_matter
    return card_facts(
        card,
        grade=grade(card, evidence, signature=signature, head=head),
        tree=subject.tree,
        readme=subject.readme,
        sampling=sampling_facts(evidence),
        signature=signature,
    )


def _signature(card: Card, subject: _Subject) -> SignatureCheck | None:
    """What the signature is worth, as far as the keys of this computer tell."""
    envelope = subject.read(ATTESTATION_PATH)
    if envelope is None:
        return None
    files = covered(card, {path: digest for path, (digest, _) in subject.tree.items()})
    return verify(envelope, card_digest(card), files, {key.key_id: key for key in keys.listed()})


def _folder_readme(card: Card | None, files: Mapping[str, LocalFile]) -> str | None:
    """The README that a push would send: one that is not there is drafted."""
    if README_NAME in files:
        return _text(files[README_NAME].local)
    return None if card is None else draft_readme(card, RepoId("me/model"), files)


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InvalidReadme(f"{file} is not UTF-8 text.", hint="Save it as UTF-8.") from error
