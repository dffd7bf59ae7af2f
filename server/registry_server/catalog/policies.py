"""Which policy an owner set for an act, which exceptions were approved, and what was decided."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from registry_core.records import Judgement
from registry_server.catalog.engine import Transaction
from registry_server.catalog.repos import Repo

if TYPE_CHECKING:
    from registry_core.policy.deciding import Decision
    from registry_core.policy.rules import Act
    from registry_core.policy.waivers import Waiver


def set_policy(tx: Transaction, owner_id: int, act: Act, source: str | None, account_id: int, at: str) -> None:
    """The owner's policy for the act from now on; None: the default one again. Former ones are kept."""
    tx.execute(
        "insert into policies (owner_id, act, source, account_id, created_at)"
        " values (:owner, :act, :source, :account, :at)",
        {"owner": owner_id, "act": act, "source": source, "account": account_id, "at": at},
    )


def policy_of(tx: Transaction, owner_id: int, act: Act) -> str | None:
    """The source of the policy that the owner set for the act."""
    rows = tx.execute(
        "select source from policies where owner_id = :owner and act = :act order by id desc limit 1",
        {"owner": owner_id, "act": act},
    )
    return rows[0]["source"] if rows else None


def add_waiver(tx: Transaction, repo: Repo, waiver: Waiver, account_id: int, at: str) -> None:
    """Keep an exception that was approved."""
    tx.execute(
        "insert into waivers (repo_id, waiver, account_id, created_at) values (:repo, :waiver, :account, :at)",
        {"repo": repo.row_id, "waiver": json.dumps(asdict(waiver)), "account": account_id, "at": at},
    )


def waivers_of(tx: Transaction, repo: Repo) -> list[Waiver]:
    """The exceptions of a repo, newest first, whether they still count or not."""
    from registry_core.policy.waivers import Waiver  # with all of policies, which a start should not wait for

    rows = tx.execute("select waiver from waivers where repo_id = :repo order by id desc", {"repo": repo.row_id})
    return [Waiver(**json.loads(row["waiver"])) for row in rows]


def add_decision(
    tx: Transaction, repo: Repo, commit_oid: bytes, decision: Decision, account_id: int, *, co2e_kg: float | None
) -> None:
    """Keep a decision; `co2e_kg` is what the card adds to the owner's budget."""
    tx.execute(
        "insert into decisions (repo_id, commit_oid, act, allowed, co2e_kg, decision, account_id, decided_at)"
        " values (:repo, :commit, :act, :allowed, :co2e_kg, :decision, :account, :at)",
        {
            "repo": repo.row_id,
            "commit": commit_oid,
            "act": decision.act,
            "allowed": int(decision.allowed),
            "co2e_kg": co2e_kg,
            "decision": json.dumps(asdict(decision)),
            "account": account_id,
            "at": decision.decided_at,
        },
    )


def decisions_on(tx: Transaction, repo: Repo, commit_oid: bytes) -> list[Judgement]:
    """What was decided about one commit, newest first."""
    rows = tx.execute(
        "select a.name, d.decision from decisions d join accounts a on a.id = d.account_id"
        " where d.repo_id = :repo and d.commit_oid = :commit order by d.id desc limit 20",
        {"repo": repo.row_id, "commit": commit_oid},
    )
    return [Judgement(row["name"], json.loads(row["decision"])) for row in rows]


def spent_co2e_kg(tx: Transaction, owner_id: int, since: str, *, without: Repo) -> float:
    """What the cards that the owner's other repos pushed since then add up to, the last one of each repo."""
    rows = tx.execute(
        "select coalesce(sum(d.co2e_kg), 0) as spent from decisions d where d.id in ("
        " select max(l.id) from decisions l join repos r on r.id = l.repo_id where r.owner_id = :owner"
        "  and l.repo_id <> :repo and l.act = 'push' and l.allowed = 1 and l.decided_at >= :since group by l.repo_id)",
        {"owner": owner_id, "repo": without.row_id, "since": since},
    )
    spent: float = rows[0]["spent"]
    return spent
