"""Git objects, refs and the commit log of repos.

Object rows are shared by content between repos; `git_repo_objects` says which repo owns which. An id that comes from
outside is always looked up through that table.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from dulwich.objects import Tree

from registry_core.errors import Refused
from registry_server.catalog.engine import Row, Transaction, in_batches, in_list
from registry_server.git.objects import COMMIT_TYPE, StoredObject


@dataclass(frozen=True)
class Ref:
    """A name that points to a commit, directly or through an annotated tag."""

    name: str  # refs/heads/main
    oid: bytes
    commit_oid: bytes


@dataclass(frozen=True)
class CommitEntry:
    """One line of a repo's log."""

    oid: bytes
    parent: bytes | None
    created_at: str
    author: str
    title: str
    message: str


@dataclass(frozen=True)
class FileFacts:
    """What is known of the blob behind a tree entry."""

    size_bytes: int  # of the file people see, not of its pointer
    sha256: bytes  # of the file people see
    is_lfs: bool
    pointer_bytes: int  # size of the git blob
    in_catalog: bool  # the bytes are in git_objects, not in the blob store
    xet_file: bytes | None  # the Xet file that rebuilds it, where the blob store has no whole file


def objects(tx: Transaction, oids: Iterable[bytes]) -> dict[bytes, StoredObject]:
    """The objects of those ids, by id; ids that are not there are left out. For ids that we ourselves wrote."""
    found: dict[bytes, StoredObject] = {}
    for names, params in in_batches(oids):
        rows = tx.execute(f"select oid, type, size, sha256, data from git_objects where oid in {names}", params)
        found.update((row["oid"], _object(row)) for row in rows)
    return found


def trees(tx: Transaction, oids: Iterable[bytes]) -> dict[bytes, Tree]:
    """The trees of those ids, by id. For ids that we ourselves wrote."""
    return {oid: thing.tree() for oid, thing in objects(tx, oids).items()}


def owned_commit(tx: Transaction, repo: int, oid: bytes) -> bytes | None:
    """`oid`, if it is a commit that this repo owns."""
    rows = tx.execute(
        "select o.oid from git_objects o join git_repo_objects g on g.object_id = o.id and g.repo_id = :repo"
        " where o.oid = :oid and o.type = :type",
        {"repo": repo, "oid": oid, "type": COMMIT_TYPE},
    )
    return rows[0]["oid"] if rows else None


def commits_with_prefix(tx: Transaction, repo: int, low: bytes, high: bytes) -> list[bytes]:
    """Up to two commits of the repo with an id between `low` and `high`."""
    rows = tx.execute(
        "select oid from commits where repo_id = :repo and oid between :low and :high limit 2",
        {"repo": repo, "low": low, "high": high},
    )
    return [row["oid"] for row in rows]


def add_objects(tx: Transaction, repo: int, new: Sequence[StoredObject]) -> None:
    """Store the objects and make the repo their owner.

    Raises Refused when an id is there already with other content: the first writer of a SHA-1 collision must not decide
    for everybody.
    """
    ordered = sorted(new, key=lambda thing: thing.oid)  # one order for all writers, so that none waits in a circle
    tx.execute_many(
        "insert into git_objects (oid, type, size, sha256, data) values (:oid, :type, :size, :sha256, :data)"
        " on conflict (oid) do nothing",
        ({"oid": o.oid, "type": o.type, "size": o.size_bytes, "sha256": o.sha256, "data": o.data} for o in ordered),
    )
    ids: list[int] = []
    digests = {o.oid: o.sha256 for o in ordered}
    for names, params in in_batches(digests):
        for row in tx.execute(f"select id, oid, sha256 from git_objects where oid in {names}", params):
            if row["sha256"] != digests[row["oid"]]:
                raise Refused(f"Object {row['oid'].hex()} is already stored with other content.")
            ids.append(row["id"])
    tx.execute_many(
        "insert into git_repo_objects (repo_id, object_id) values (:repo, :id)"
        " on conflict (repo_id, object_id) do nothing",
        ({"repo": repo, "id": object_id} for object_id in ids),
    )


def own_objects(tx: Transaction, repo: int, oids: Iterable[bytes]) -> None:
    """Make the repo an owner of objects that are stored already. For ids that we ourselves looked up."""
    for names, params in in_batches(oids):
        tx.execute(
            "insert into git_repo_objects (repo_id, object_id)"
            f" select :repo, id from git_objects where oid in {names} on conflict (repo_id, object_id) do nothing",
            {"repo": repo, **params},
        )


def add_pointers(tx: Transaction, pointers: Iterable[tuple[bytes, bytes, int]]) -> None:
    """Remember what pointer blobs mean: (git id, SHA-256, size)."""
    tx.execute_many(
        "insert into lfs_pointers (oid, digest, size) values (:oid, :digest, :size) on conflict (oid) do nothing",
        ({"oid": oid, "digest": digest, "size": size} for oid, digest, size in pointers),
    )


def file_facts(tx: Transaction, repo: int, oids: Iterable[bytes]) -> dict[bytes, FileFacts]:
    """Facts of the blobs of those ids, by id.

    A pointer stands for a large file only in a repo that holds the file: whoever commits the text of a foreign pointer
    gets that text back, not the foreign file.
    """
    found: dict[bytes, FileFacts] = {}
    for names, params in in_batches(oids):
        rows = tx.execute(
            "select o.oid, o.size, o.sha256, o.data is not null as in_catalog, h.digest, p.size as lfs_size, h.xet_file"
            " from git_objects o left join lfs_pointers p on p.oid = o.oid"
            " left join repo_blobs h on h.repo_id = :repo and h.digest = p.digest"
            f" where o.oid in {names}",
            {"repo": repo, **params},
        )
        found.update((row["oid"], _facts(row)) for row in rows)
    return found


def ref(tx: Transaction, repo: int, names: Iterable[str]) -> Ref | None:
    """The first of those refs that exists."""
    wanted = list(names)
    for in_names, params in in_batches(wanted):
        rows = tx.execute(
            f"select name, oid, commit_oid from refs where repo_id = :repo and name in {in_names}",
            {"repo": repo, **params},
        )
        found = {row["name"]: row for row in rows}
        return next((_ref(found[name]) for name in wanted if name in found), None)
    return None


def refs(tx: Transaction, repo: int) -> list[Ref]:
    """All refs of the repo, by name."""
    rows = tx.execute("select name, oid, commit_oid from refs where repo_id = :repo order by name", {"repo": repo})
    return [_ref(row) for row in rows]


def add_ref(tx: Transaction, repo: int, name: str, oid: bytes, commit_oid: bytes) -> bool:
    """A new ref; False when there is one of that name."""
    return bool(
        tx.changed(
            "insert into refs (repo_id, name, oid, commit_oid) values (:repo, :name, :oid, :commit)"
            " on conflict (repo_id, name) do nothing",
            {"repo": repo, "name": name, "oid": oid, "commit": commit_oid},
        )
    )


def ref_in_the_way(tx: Transaction, repo: int, name: str) -> str | None:
    """A ref that cannot stand beside one of that name: git keeps refs as files, and a file cannot be a folder too."""
    parts = name.split("/")
    above = ["/".join(parts[:count]) for count in range(1, len(parts))]
    names, params = in_list("p", above)
    rows = tx.execute(
        # What begins with the name and a slash sorts before the name and the sign that follows the slash.
        f"select name from refs where repo_id = :repo and (name in {names} or (name >= :low and name < :high)) limit 1",
        {**params, "repo": repo, "low": f"{name}/", "high": f"{name}0"},
    )
    return rows[0]["name"] if rows else None


def swap_ref(tx: Transaction, repo: int, name: str, old: bytes, new: bytes) -> bool:
    """Move a branch from `old` to `new`; False when it does not point to `old` any more."""
    return bool(
        tx.changed(
            "update refs set oid = :new, commit_oid = :new where repo_id = :repo and name = :name and oid = :old",
            {"repo": repo, "name": name, "old": old, "new": new},
        )
    )


def remove_ref(tx: Transaction, repo: int, name: str) -> bool:
    """Forget a ref; False when there is none of that name."""
    return bool(tx.changed("delete from refs where repo_id = :repo and name = :name", {"repo": repo, "name": name}))


def add_commit(tx: Transaction, repo: int, entry: CommitEntry) -> None:
    """A line in the repo's log."""
    tx.execute(
        "insert into commits (repo_id, oid, parent, created_at, author, title, message)"
        " values (:repo, :oid, :parent, :at, :author, :title, :message) on conflict (repo_id, oid) do nothing",
        {
            "repo": repo,
            "oid": entry.oid,
            "parent": entry.parent,
            "at": entry.created_at,
            "author": entry.author,
            "title": entry.title,
            "message": entry.message,
        },
    )


def log(tx: Transaction, repo: int, tip: bytes, limit: int) -> list[CommitEntry]:
    """Up to `limit` commits from `tip` on, along first parents, newest first."""
    rows = tx.execute(
        "with recursive line (oid, depth) as (select :tip, 0 union all"
        " select c.parent, line.depth + 1 from line join commits c on c.repo_id = :repo and c.oid = line.oid"
        " where c.parent is not null and line.depth + 1 < :limit)"
        " select c.oid, c.parent, c.created_at, c.author, c.title, c.message"
        " from line join commits c on c.repo_id = :repo and c.oid = line.oid order by line.depth",
        {"repo": repo, "tip": tip, "limit": limit},
    )
    return [entry_of(row) for row in rows]


def entry_of(row: Row) -> CommitEntry:
    """A row that holds all columns of a line of the log, as a CommitEntry."""
    return CommitEntry(row["oid"], row["parent"], row["created_at"], row["author"], row["title"], row["message"])


def _object(row: Row) -> StoredObject:
    return StoredObject(row["oid"], row["type"], row["size"], row["sha256"], row["data"])


def _ref(row: Row) -> Ref:
    return Ref(row["name"], row["oid"], row["commit_oid"])


def _facts(row: Row) -> FileFacts:
    is_lfs = row["digest"] is not None
    return FileFacts(
        size_bytes=row["lfs_size"] if is_lfs else row["size"],
        sha256=row["digest"] if is_lfs else row["sha256"],
        is_lfs=is_lfs,
        pointer_bytes=row["size"],
        in_catalog=not is_lfs and bool(row["in_catalog"]),
        xet_file=row["xet_file"],
    )
