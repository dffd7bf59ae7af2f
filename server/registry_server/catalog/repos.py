"""Repos: who owns what, and who may see it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from registry_core.ids import RepoId, RepoKind
from registry_server.catalog import words
from registry_server.catalog.accounts import Caller
from registry_server.catalog.engine import Row, Transaction

_OWN = (
    "r.owner_id = :caller or :caller_is_admin = 1"
    " or r.owner_id in (select m.org_id from members m where m.user_id = :caller)"
)
VISIBLE = f"(r.private = 0 or {_OWN})"
"""The one condition that decides who sees a repo `r`; takes the parameters of `seen_by`."""
READABLE = (
    f"({_OWN} or r.private = 0 and (r.gated is null or exists (select 1 from admissions q"
    " where q.repo_id = r.id and q.account_id = :caller and q.status = 'accepted')))"
)
"""The one condition that decides who reads the files of a repo `r`, which for a gated one not all do who see it."""
VISIBLE_CARD = (
    "(c.private_to is null or c.private_to = :caller or :caller_is_admin = 1"
    " or c.private_to in (select m.org_id from members m where m.user_id = :caller))"
)
"""The same for a row `c` of the index, which a trigger gives its repo's privacy and owner."""

USED_BYTES = (
    "((select coalesce(sum(coalesce(f.size, b.size)), 0) from repo_blobs h"
    " left join xet_files f on f.hash = h.xet_file and f.digest = h.digest"
    " left join blobs b on b.digest = h.digest where h.repo_id = r.id)"
    " + (select coalesce(sum(o.size), 0) from git_repo_objects g join git_objects o on o.id = g.object_id"
    " where g.repo_id = r.id and o.data is not null))"
)
"""What the whole history of a repo `r` takes up."""

COLUMNS = "r.id, r.kind, r.owner_id, r.name, r.private, r.gated, r.created_at, r.updated_at, r.downloads"
"""What `repo_of` reads of a repo `r`."""

Gate = Literal["auto", "manual"]
"""Who asks to read the files is admitted at once, or when its owner says so."""


@dataclass(frozen=True)
class Repo:
    """One repo."""

    row_id: int
    kind: RepoKind
    owner_id: int
    id: RepoId
    private: bool
    gated: Gate | None  # None: whoever sees it reads its files
    created_at: str
    updated_at: str
    downloads: int


def seen_by(caller: Caller) -> dict[str, object]:
    """The parameters of VISIBLE."""
    return {"caller": caller.account_id, "caller_is_admin": int(caller.is_admin)}


def visible(tx: Transaction, caller: Caller, kind: RepoKind, repo_id: RepoId) -> Repo | None:
    """The repo, if there is one and the caller may see it: absent and hidden are the same answer."""
    rows = tx.execute(
        f"select {COLUMNS} from repos r where r.kind = :kind and r.key = :key and {VISIBLE}",
        {"kind": kind, "key": repo_id.key, **seen_by(caller)},
    )
    return repo_of(rows[0]) if rows else None


def is_readable(tx: Transaction, caller: Caller, repo: Repo) -> bool:
    """Whether the caller, who sees the repo, may read its files."""
    if repo.gated is None:
        return True
    params = {"repo": repo.row_id, **seen_by(caller)}
    return bool(tx.execute(f"select 1 from repos r where r.id = :repo and {READABLE}", params))


def moved(tx: Transaction, caller: Caller, kind: RepoKind, old: RepoId) -> Repo | None:
    """The repo that was called `old` before, if the caller may see it."""
    rows = tx.execute(
        f"select {COLUMNS} from old_names o join repos r on r.id = o.repo_id"
        f" where o.kind = :kind and o.key = :key and {VISIBLE}",
        {"kind": kind, "key": old.key, **seen_by(caller)},
    )
    return repo_of(rows[0]) if rows else None


def exists(tx: Transaction, kind: RepoKind, repo_id: RepoId) -> bool:
    """Whether the id is taken, whoever asks. Only for those who may write to its owner."""
    return bool(tx.execute("select 1 from repos where kind = :kind and key = :key", {"kind": kind, "key": repo_id.key}))


def add(tx: Transaction, kind: RepoKind, repo_id: RepoId, owner_id: int, *, private: bool, at: str) -> Repo:
    """A new repo; the id must be free."""
    row = tx.execute(
        "insert into repos as r (kind, owner_id, name, key, private, created_at, updated_at)"
        f" values (:kind, :owner, :name, :key, :private, :at, :at) returning {COLUMNS.replace('r.', '')}",
        {
            "kind": kind,
            "owner": owner_id,
            "name": repo_id,
            "key": repo_id.key,
            "private": int(private),
            "at": at,
        },
    )[0]
    return repo_of(row)


def remove(tx: Transaction, repo: Repo) -> None:
    """Forget the repo and all that belongs to it alone. Shared objects and blobs stay for the collector."""
    tx.execute("delete from repos where id = :repo", {"repo": repo.row_id})


def set_private(tx: Transaction, repo: Repo, private: bool) -> None:
    tx.execute("update repos set private = :private where id = :repo", {"private": int(private), "repo": repo.row_id})


def set_gated(tx: Transaction, repo: Repo, gated: Gate | None) -> None:
    tx.execute("update repos set gated = :gated where id = :repo", {"gated": gated, "repo": repo.row_id})


def rename(tx: Transaction, repo: Repo, new: RepoId, owner_id: int) -> None:
    """Give the repo another name, which must be free, and remember the old one.

    A repo that takes the old name later hides this memory from those who may see that repo, and from nobody else:
    strangers must not learn of a private repo from a redirect that ended.
    """
    tx.execute(
        "update repos set name = :name, key = :key, owner_id = :owner where id = :repo",
        {"name": new, "key": new.key, "owner": owner_id, "repo": repo.row_id},
    )
    tx.execute(
        "update card_words set name = :words where repo_id = :repo",
        {"words": words.kept(words.folded(new)), "repo": repo.row_id},
    )
    if repo.id.key != new.key:
        tx.execute(
            "insert into old_names (kind, key, repo_id) values (:kind, :key, :repo)"
            " on conflict (kind, key) do update set repo_id = excluded.repo_id",
            {"kind": repo.kind, "key": repo.id.key, "repo": repo.row_id},
        )


def add_downloads(tx: Transaction, counts: Mapping[int, int]) -> None:
    """So many more downloads, by repo."""
    tx.execute_many(
        "update repos set downloads = downloads + :number where id = :repo",
        ({"repo": repo, "number": number} for repo, number in counts.items()),
    )


def used_bytes(tx: Transaction, repo: Repo) -> int:
    """What the repo's whole history holds: each large file once, and git objects uncompressed."""
    rows = tx.execute(f"select {USED_BYTES} as size from repos r where r.id = :repo", {"repo": repo.row_id})
    size: int = rows[0]["size"]
    return size


def owned(tx: Transaction, owner_id: int, after: int, limit: int) -> list[Repo]:
    """Repos of an owner in the order of their making, from number `after` on. For those who may see all of them."""
    rows = tx.execute(
        f"select {COLUMNS} from repos r where r.owner_id = :owner and r.id > :after order by r.id limit :limit",
        {"owner": owner_id, "after": after, "limit": limit},
    )
    return [repo_of(row) for row in rows]


def numbers(tx: Transaction, caller: Caller, owner_id: int) -> dict[str, int]:
    """How many repos of an owner the caller sees, by kind."""
    rows = tx.execute(
        f"select r.kind, count(*) as n from repos r where r.owner_id = :owner and {VISIBLE} group by r.kind",
        {"owner": owner_id, **seen_by(caller)},
    )
    return {row["kind"]: row["n"] for row in rows}


def touch(tx: Transaction, repo_row_id: int, at: str) -> None:
    """Something in the repo changed at that moment."""
    tx.execute("update repos set updated_at = :at where id = :repo", {"at": at, "repo": repo_row_id})


def repo_of(row: Row) -> Repo:
    """A row that holds all columns of a repo, as a Repo."""
    return Repo(
        row_id=row["id"],
        kind=row["kind"],
        owner_id=row["owner_id"],
        id=RepoId(row["name"]),
        private=bool(row["private"]),
        gated=row["gated"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        downloads=row["downloads"],
    )
