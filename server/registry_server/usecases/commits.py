"""Making a commit: a set of changes becomes visible, all or nothing.

    1. the operations are turned into git objects; large inline files go to the blob store on the way
    2. the new tree is built on the branch's head
    3. one write transaction stores the objects, moves the branch from the head that was built on, and indexes the card

When somebody else moved the branch between 2 and 3, nothing was written: a caller who named a parent is told, for
others the changes are put on the new head. A proposal moves nothing: its commit gets a ref of its own.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from registry_core.card import CARD_PATH
from registry_core.errors import Refused, RevisionNotFound, StaleParent
from registry_core.ids import CommitId, RepoId, RepoKind, RepoPath, Revision
from registry_server.catalog import blobs, cards, damage, history, pulls, repos, touches, weights
from registry_server.catalog.accounts import Caller
from registry_server.catalog.engine import Transaction
from registry_server.catalog.history import CommitEntry, Ref
from registry_server.catalog.pulls import Pull
from registry_server.catalog.repos import Repo
from registry_server.git.changes import Put, apply_changes
from registry_server.git.diffs import Place, touched
from registry_server.git.objects import StoredObject, blob_object, commit_id, commit_object, empty_tree
from registry_server.usecases import access, indexing, reading
from registry_server.usecases.context import Registry, moment
from registry_server.usecases.drafts import Deletion, Draft, InlineFile, LargeFile, Operation, draft
from registry_server.usecases.late import governing

__all__ = [
    "Deletion",
    "InlineFile",
    "LargeFile",
    "Message",
    "Operation",
    "add_root",
    "commit",
    "first_commit",
    "propose",
]

_ATTEMPTS = 50


@dataclass(frozen=True)
class Message:
    """What the author says of a commit; `parent` is the head they built on, possibly abbreviated."""

    title: str
    text: str = ""
    parent: str | None = None


@dataclass(frozen=True)
class _Built:
    """A commit on `head`, not stored yet."""

    head: bytes
    root: bytes
    entry: CommitEntry
    objects: list[StoredObject]
    places: set[Place]


def commit(
    registry: Registry,
    caller: Caller,
    kind: RepoKind,
    repo_id: RepoId,
    branch: Revision,
    message: Message,
    operations: Iterable[Operation],
) -> CommitId:
    """Put `operations`, in their order, on `branch` as one commit and answer its id.

    A commit that changes nothing makes none and answers the head; so does one that was already made.
    Raises RepoNotFound, Forbidden, RevisionNotFound, EntryNotFound, InvalidPath, InvalidCard, StaleParent, Refused for
    a large file that was not uploaded, and PolicyRefused for a card that the owner's policy does not let pass.
    """
    name = branch if branch.startswith("refs/") else f"refs/heads/{branch}"
    with registry.engine.read() as tx:
        repo = access.open_for_push(tx, caller, kind, repo_id, name)
        _head(tx, repo, name)
    made = draft(registry, caller, repo, operations, is_proposal=access.is_pull(name))
    for _ in range(_ATTEMPTS):
        done = _attempt(registry, caller, repo, name, message, made)
        if done is not None:
            return done
    raise StaleParent(f"{branch} of {repo.id} moves too fast.", hint="Try again in a moment.")


def propose(
    registry: Registry,
    caller: Caller,
    kind: RepoKind,
    repo_id: RepoId,
    base: Revision,
    message: Message,
    operations: Iterable[Operation],
) -> tuple[CommitId, int]:
    """Put `operations` on the head of the branch `base` as a new pull request; its head and its number.

    Whoever may read the repo may do so. Raises what `commit` raises.
    """
    name = f"refs/heads/{base.removeprefix('refs/heads/')}"
    with registry.engine.read() as tx:
        repo = access.open_for_proposal(tx, caller, kind, repo_id)
        _head(tx, repo, name)
    made = draft(registry, caller, repo, operations, is_proposal=True)
    built = _build(registry, caller, repo, name, message, made)
    with registry.engine.write() as tx:
        if access.open_for_proposal(tx, caller, kind, repo.id).row_id != repo.row_id:
            raise _stale()
        if isinstance(built, _Built):
            _store(registry, tx, caller, repo, made, built)
        start = built.head if isinstance(built, _Built) else built
        head = built.entry.oid if isinstance(built, _Built) else built
        new = Pull(
            0, caller.account_id, caller.name, name, start, "open", message.title, message.text, registry.stamp()
        )
        number = pulls.add(tx, repo.row_id, new, head)
    return commit_id(head), number


def first_commit(registry: Registry, tx: Transaction, repo: Repo, author: str, files: dict[str, bytes]) -> CommitId:
    """The commit that a new repo starts with, inside the caller's transaction."""
    blob_objects = {RepoPath(path): blob_object(content) for path, content in files.items()}
    changes = [Put(path, blob.oid) for path, blob in blob_objects.items()]
    empty = empty_tree()
    root, trees = apply_changes(empty.oid, changes, lambda _: {empty.oid: empty.tree()})
    history.add_objects(tx, repo.row_id, [*blob_objects.values(), *trees])
    made = add_root(registry, tx, repo, author, root, "initial commit")
    history.add_ref(tx, repo.row_id, reading.MAIN, made, made)
    cards.index(tx, repo.row_id, indexing.derive(registry, tx, repo, commit_id(made), root))
    return commit_id(made)


def add_root(registry: Registry, tx: Transaction, repo: Repo, author: str, root: bytes, title: str) -> bytes:
    """A commit without a parent on the tree `root`, which the repo owns already. No ref points to it yet."""
    now = registry.now()
    made = commit_object(tree=root, parents=[], author=author, at=now, title=title, message="")
    history.add_objects(tx, repo.row_id, [made])
    entry = CommitEntry(made.oid, None, moment(now), author, title, message="")
    history.add_commit(tx, repo.row_id, entry)
    places = touched(None, root, lambda oids: history.trees(tx, oids))
    touches.add(tx, repo.row_id, made.oid, None, places)
    return made.oid


def _head(tx: Transaction, repo: Repo, name: str) -> Ref:
    found = history.ref(tx, repo.row_id, [name])
    if found is None or not (name.startswith("refs/heads/") or access.is_pull(name)):
        raise RevisionNotFound(
            f"Invalid rev id: {name.removeprefix('refs/heads/')}",
            hint="Commits go to a branch; create the branch first.",
        )
    return found


def _attempt(
    registry: Registry, caller: Caller, repo: Repo, name: str, message: Message, made: Draft
) -> CommitId | None:
    """The new head; None when the branch moved meanwhile and the caller did not insist on a parent."""
    built = _build(registry, caller, repo, name, message, made)
    if not isinstance(built, _Built):
        _hold_again(registry, caller, repo, name, made)
        return commit_id(built)
    with registry.engine.write() as tx:
        # The repo may have been deleted or hidden since it was first opened.
        if access.open_for_push(tx, caller, repo.kind, repo.id, name).row_id != repo.row_id:
            raise _stale()
        if not history.swap_ref(tx, repo.row_id, name, built.head, built.entry.oid):
            return None  # before anything was written
        _store(registry, tx, caller, repo, made, built)
        repos.touch(tx, repo.row_id, built.entry.created_at)
        if name == reading.MAIN:
            card = indexing.derive(registry, tx, repo, commit_id(built.entry.oid), built.root)
            cards.index(tx, repo.row_id, card)
        if repo.kind == "model" and _brings_card(made) and not access.is_pull(name):
            governing.require(registry, tx, caller, repo, commit_id(built.entry.oid), "push")
    return commit_id(built.entry.oid)


def _brings_card(made: Draft) -> bool:
    return any(isinstance(change, Put) and change.path == CARD_PATH for change in made.changes)


def _build(registry: Registry, caller: Caller, repo: Repo, name: str, message: Message, made: Draft) -> _Built | bytes:
    """The commit on the head of `name`; the head itself when there is nothing to change."""
    with registry.engine.read() as tx:
        head = _head(tx, repo, name).commit_oid
        stale = message.parent is not None and not head.hex().startswith(message.parent)
        base = _named_parent(tx, repo, head, message) if stale else head
        base_root = reading.root_of(tx, commit_id(base))
        root, trees = apply_changes(base_root, made.changes, lambda oids: history.trees(tx, oids))
        if root == reading.root_of(tx, commit_id(head)):
            return head  # or made already by a request whose answer got lost
        if stale:
            raise _stale()
        new = {tree.oid: tree.tree() for tree in trees}
        places = touched(base_root, root, lambda oids: new | history.trees(tx, set(oids) - new.keys()))
    now = registry.now()
    wrapped = commit_object(
        tree=root, parents=[head], author=caller.name, at=now, title=message.title, message=message.text
    )
    entry = CommitEntry(wrapped.oid, head, moment(now), caller.name, message.title, message.text)
    return _Built(head, root, entry, [*made.objects, *trees, wrapped], places)


def _named_parent(tx: Transaction, repo: Repo, head: bytes, message: Message) -> bytes:
    """The parent of the head, if that is what the caller named: their commit may have been made already."""
    parent = reading.log(tx, repo, commit_id(head), 1)[0].parent
    if parent is None or message.parent is None or not parent.hex().startswith(message.parent):
        raise _stale()
    return parent


def _store(registry: Registry, tx: Transaction, caller: Caller, repo: Repo, made: Draft, built: _Built) -> None:
    """Everything that stands behind the ref."""
    _hold(registry, tx, caller, repo, made)
    history.add_pointers(tx, made.pointers)
    history.add_objects(tx, repo.row_id, built.objects)
    history.add_commit(tx, repo.row_id, built.entry)
    touches.add(tx, repo.row_id, built.entry.oid, built.head, built.places)


def _hold(registry: Registry, tx: Transaction, caller: Caller, repo: Repo, made: Draft) -> None:
    """The files of a draft become the repo's, with the grants of large ones looked at once more."""
    current = blobs.granted(tx, caller, repo.row_id, made.large, registry.upload_grace_start())
    # A file may meanwhile be stored in another way, which is as good.
    if current.keys() != made.large.keys():
        raise Refused("A file of this commit was removed from storage meanwhile.", hint="Run the push again.")
    damage.heal_objects(tx, made.objects)
    at = registry.stamp()
    for digest, size_bytes in made.detached.items():
        blobs.add(tx, digest, size_bytes, at)
    blobs.see(tx, made.large, at)
    blobs.hold(tx, repo.row_id, [*made.large, *made.detached])
    blobs.hold_unchecked(tx, repo.row_id, made.unchecked)
    for header in made.weights:
        weights.add(tx, header)


def _hold_again(registry: Registry, caller: Caller, repo: Repo, name: str, made: Draft) -> None:
    """The same files as before: where the bytes behind one were lost, or not what was claimed, they are replaced."""
    with registry.engine.write() as tx:
        if access.open_for_push(tx, caller, repo.kind, repo.id, name).row_id != repo.row_id:
            raise _stale()
        _hold(registry, tx, caller, repo, made)


def _stale() -> StaleParent:
    return StaleParent(
        "A commit has happened since. Please refresh and try again.",
        hint="Look at the branch again and repeat the push; nothing of it was lost.",
    )
