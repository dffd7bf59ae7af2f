"""Statements of reuse: what was signed, what came of it when it was last worked out, and whom it may be shown to.

    stated ─► stale ─► worked out ─► shown to whoever sees all of its repos
                ▲          │
                └──────────┘ a card of its organisation or of its models, a rerun, a key, a name, privacy (triggers)

`reuses_version` changes with every statement and with everything that makes one stale.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from registry_core.records import Rerun
from registry_server.catalog.accounts import Caller
from registry_server.catalog.engine import Row, Transaction
from registry_server.catalog.repos import COLUMNS, VISIBLE, Repo, repo_of, seen_by
from registry_server.catalog.verdicts import RERUN, rerun_of

End = Literal["withdrawn", "disproved"]

_VISIBLE_CLAIM = (
    "not exists (select 1 from reuse_repos t join repos r on r.id = t.repo_id"
    f" where t.reuse_id = u.id and not {VISIBLE})"
)
_OF_ORGANISATION = "(v.account_id = :org or v.account_id in (select m.user_id from members m where m.org_id = :org))"


@dataclass(frozen=True)
class Stated:
    """One statement."""

    number: int
    repo: Repo
    commit_oid: bytes
    organisation_id: int
    organisation: str
    account_id: int
    account: str
    envelope: str
    stated_at: str
    ended_as: End | None
    ended_at: str | None
    ended_because: str | None
    claim: str | None  # JSON, as it was last worked out


_SELECT = (
    f"select {COLUMNS}, u.id as number, u.commit_oid, u.org_id, o.name as organisation, u.account_id,"
    " a.name as account, u.envelope, u.stated_at, u.ended_as, u.ended_at, u.ended_because, u.claim"
    " from reuses u join repos r on r.id = u.repo_id join accounts o on o.id = u.org_id"
    " join accounts a on a.id = u.account_id"
)


def add(
    tx: Transaction, repo: Repo, commit_oid: bytes, organisation_id: int, account_id: int, envelope: str, at: str
) -> int:
    """A new statement; answers its number. The same one again is the one that is there."""
    params = {"repo": repo.row_id, "commit": commit_oid, "org": organisation_id, "account": account_id}
    earlier = tx.execute(
        "select id from reuses where repo_id = :repo and commit_oid = :commit and account_id = :account"
        " and envelope = :envelope",
        {**params, "envelope": envelope},
    )
    rows = earlier or tx.execute(
        "insert into reuses (repo_id, commit_oid, org_id, account_id, envelope, stated_at)"
        " values (:repo, :commit, :org, :account, :envelope, :at) returning id",
        {**params, "envelope": envelope, "at": at},
    )
    number: int = rows[0]["id"]
    return number


def by_number(tx: Transaction, number: int) -> Stated | None:
    rows = tx.execute(f"{_SELECT} where u.id = :id", {"id": number})
    return _stated(rows[0]) if rows else None


def end(tx: Transaction, number: int, kind: End, because: str | None, at: str) -> None:
    """From now on, the statement does not count."""
    tx.execute(
        "update reuses set ended_as = :kind, ended_at = :at, ended_because = :because, is_stale = 1 where id = :id",
        {"id": number, "kind": kind, "at": at, "because": because},
    )


def stale(tx: Transaction, limit: int) -> list[int]:
    """Numbers of statements that something happened to since they were last worked out."""
    rows = tx.execute("select id from reuses where is_stale = 1 order by id limit :limit", {"limit": limit})
    return [row["id"] for row in rows]


def keep(tx: Transaction, number: int, claim: str, repo_ids: Iterable[int]) -> None:
    """Keep what was worked out, and the repos that it tells something of."""
    tx.execute("delete from reuse_repos where reuse_id = :id", {"id": number})
    tx.execute_many(
        "insert into reuse_repos (reuse_id, repo_id) values (:id, :repo)",
        ({"id": number, "repo": repo} for repo in sorted(set(repo_ids))),
    )
    tx.execute("update reuses set claim = :claim, is_stale = 0 where id = :id", {"claim": claim, "id": number})


def version(tx: Transaction) -> int:
    number: int = tx.execute("select number from reuses_version")[0]["number"]
    return number


def claims(tx: Transaction, caller: Caller) -> list[str]:
    """The claims, as JSON, of which the caller sees every repo."""
    rows = tx.execute(
        f"select u.claim from reuses u where u.claim is not null and {_VISIBLE_CLAIM} order by u.id", seen_by(caller)
    )
    return [row["claim"] for row in rows]


def is_visible(tx: Transaction, caller: Caller, number: int) -> bool:
    """Whether the caller sees every repo that a claim tells of."""
    rows = tx.execute(
        f"select 1 from reuses u where u.id = :id and {_VISIBLE_CLAIM}", {"id": number, **seen_by(caller)}
    )
    return bool(rows)


def sees_more_than_strangers(tx: Transaction, caller: Caller) -> bool:
    """Whether there is a claim that the caller sees and strangers do not."""
    if caller.is_anonymous:
        return False
    rows = tx.execute(
        "select 1 from reuse_repos h join repos p on p.id = h.repo_id join reuses u on u.id = h.reuse_id"
        f" where p.private = 1 and u.claim is not null and {_VISIBLE_CLAIM} limit 1",
        seen_by(caller),
    )
    return bool(rows)


def numbers_of_repo(tx: Transaction, repo: Repo) -> set[str]:
    """The claims on any commit of a repo, by their id in the ledger."""
    rows = tx.execute("select id from reuses where repo_id = :repo", {"repo": repo.row_id})
    return {str(row["id"]) for row in rows}


def numbers_of_organisation(tx: Transaction, organisation_id: int) -> set[str]:
    """The claims of an organisation, by their id in the ledger."""
    rows = tx.execute("select id from reuses where org_id = :org", {"org": organisation_id})
    return {str(row["id"]) for row in rows}


def made_from(tx: Transaction, repo: Repo, owner_id: int, limit: int) -> list[Repo]:
    """Models of an owner whose cards name `repo`, by any name it had, as a base; newest first."""
    rows = tx.execute(
        f"select distinct {COLUMNS} from bases b join repos r on r.id = b.repo_id"
        " where r.owner_id = :owner and r.kind = 'model' and (b.base_key = :key"
        " or b.base_key in (select n.key from old_names n where n.repo_id = :repo)) order by r.id desc limit :limit",
        {"owner": owner_id, "key": repo.id.key, "repo": repo.row_id, "limit": limit},
    )
    return [repo_of(row) for row in rows]


def without_base(tx: Transaction, owner_id: int, limit: int) -> list[Repo]:
    """Models of an owner that have a card which names no base, last changed first."""
    rows = tx.execute(
        f"select {COLUMNS} from repos r join cards c on c.repo_id = r.id"
        " where r.owner_id = :owner and c.is_model = 1 and c.level is not null"
        " and not exists (select 1 from bases b where b.repo_id = r.id) order by r.updated_at desc limit :limit",
        {"owner": owner_id, "limit": limit},
    )
    return [repo_of(row) for row in rows]


def reruns_by(tx: Transaction, repo: Repo, commit_oid: bytes, organisation_id: int) -> list[Rerun]:
    """Reruns of one commit by an organisation and its members, oldest first."""
    rows = tx.execute(
        f"{RERUN} where v.repo_id = :repo and v.commit_oid = :commit and {_OF_ORGANISATION} order by v.id",
        {"repo": repo.row_id, "commit": commit_oid, "org": organisation_id},
    )
    return [rerun_of(row) for row in rows]


def _stated(row: Row) -> Stated:
    return Stated(
        number=row["number"],
        repo=repo_of(row),
        commit_oid=row["commit_oid"],
        organisation_id=row["org_id"],
        organisation=row["organisation"],
        account_id=row["account_id"],
        account=row["account"],
        envelope=row["envelope"],
        stated_at=row["stated_at"],
        ended_as=row["ended_as"],
        ended_at=row["ended_at"],
        ended_because=row["ended_because"],
        claim=row["claim"],
    )
