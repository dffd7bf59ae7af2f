"""Commits that took the place of others, wherever a repo's rows name them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from registry_server.catalog.engine import Transaction

_STATEMENTS = (
    # Two commits that differed in the files alone have become one.
    "delete from commits where repo_id = :repo and oid = :old"
    " and exists (select 1 from commits c where c.repo_id = :repo and c.oid = :new)",
    "update commits set oid = :new where repo_id = :repo and oid = :old",
    "update commits set parent = :new where repo_id = :repo and parent = :old",
    "update publications set commit_oid = :new where repo_id = :repo and commit_oid = :old",
    "update pulls set start = :new where repo_id = :repo and start = :old",
    "delete from git_repo_objects where repo_id = :repo"
    " and object_id = (select o.id from git_objects o where o.oid = :old)",
)


def log(tx: Transaction, repo: int) -> list[bytes]:
    """Every commit of the repo, in the order in which they were made."""
    rows = tx.execute("select oid from commits where repo_id = :repo order by id", {"repo": repo})
    return [row["oid"] for row in rows]


def replace_commits(tx: Transaction, repo: int, new_ids: Mapping[bytes, bytes]) -> None:
    """Give commits of the log their new ids, and let go of the old objects."""
    for old, new in new_ids.items():
        for statement in _STATEMENTS:
            tx.execute(statement, {"repo": repo, "old": old, "new": new})


def point_refs(tx: Transaction, repo: int, refs: Iterable[tuple[str, bytes, bytes]]) -> None:
    """Let refs point elsewhere: name, id, and id of the commit."""
    tx.execute_many(
        "update refs set oid = :oid, commit_oid = :commit where repo_id = :repo and name = :name",
        ({"repo": repo, "name": name, "oid": oid, "commit": commit} for name, oid, commit in refs),
    )
