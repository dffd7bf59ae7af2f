"""Taking large files out of a repo for good, and out of its history."""

from __future__ import annotations

from collections.abc import Iterable

from dulwich.objects import ShaFile, Tag

from registry_core.ids import Digest, RepoId, RepoKind, Revision
from registry_server.catalog import cards, history, large_files, repos, rewritten, touches
from registry_server.catalog.accounts import Caller
from registry_server.catalog.engine import Transaction
from registry_server.catalog.repos import Repo
from registry_server.git.objects import TAG_TYPE
from registry_server.git.rewriting import Rewriting
from registry_server.usecases import access, indexing, reading
from registry_server.usecases.context import Registry


def purge(
    registry: Registry,
    caller: Caller,
    kind: RepoKind,
    repo_id: RepoId,
    digests: Iterable[Digest],
    *,
    rewrite_history: bool,
) -> None:
    """Let the repo hold these files no longer; those it does not hold are passed over. For those who manage it.

    With `rewrite_history` every commit that names one is made anew without it, and refs and publications follow.
    Otherwise the text of a pointer is left in its place. The bytes are freed by the collector.
    """
    wanted = {bytes.fromhex(digest) for digest in digests}
    with registry.engine.write() as tx:
        repo = access.open_repo(tx, caller, kind, repo_id, "admin")
        pointers = large_files.pointers(tx, repo.row_id, wanted)
        if not pointers:
            return
        if rewrite_history:
            _rewrite(tx, repo, set(pointers))
        large_files.release(tx, repo.row_id, pointers.values())
        repos.touch(tx, repo.row_id, registry.stamp())
        commit = reading.resolve(tx, repo, Revision("main"))
        root = reading.root_of(tx, commit)
        cards.index(tx, repo.row_id, indexing.derive(registry, tx, repo, commit, root))


def _rewrite(tx: Transaction, repo: Repo, without: set[bytes]) -> None:
    rewriting = Rewriting(without, lambda oids: history.trees(tx, oids))
    new_ids: dict[bytes, bytes] = {}
    for oid in rewritten.log(tx, repo.row_id):  # parents first
        new = rewriting.commit(history.objects(tx, [oid])[oid].commit(), new_ids)
        if new != oid:
            new_ids[oid] = new
    refs = []
    for ref in history.refs(tx, repo.row_id):
        target = new_ids.get(ref.commit_oid, ref.commit_oid)
        oid = target
        if ref.oid != ref.commit_oid and target != ref.commit_oid:
            tag = ShaFile.from_raw_string(TAG_TYPE, history.objects(tx, [ref.oid])[ref.oid].content)
            assert isinstance(tag, Tag)
            oid = rewriting.tag(tag, target)
        if target != ref.commit_oid:
            refs.append((ref.name, oid, target))
    history.add_objects(tx, repo.row_id, list(rewriting.made.values()))
    rewritten.replace_commits(tx, repo.row_id, new_ids)
    rewritten.point_refs(tx, repo.row_id, refs)
    touches.rebuild(tx, repo.row_id)
