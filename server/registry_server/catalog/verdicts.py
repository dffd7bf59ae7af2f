"""What people did with a model: reruns and their verdicts, and the act of publishing."""

from __future__ import annotations

import json
from dataclasses import asdict

from registry_core.records import Publication, Rerun, RerunReport
from registry_server.catalog.engine import Row, Transaction
from registry_server.catalog.repos import Repo

RERUN = "select v.id, a.name, v.created_at, v.report from reruns v join accounts a on a.id = v.account_id"


def add_rerun(tx: Transaction, repo: Repo, commit_oid: bytes, account_id: int, report: RerunReport, at: str) -> int:
    """A new verdict; answers its number."""
    row = tx.execute(
        "insert into reruns (repo_id, commit_oid, account_id, created_at, verdict, report)"
        " values (:repo, :commit, :account, :at, :verdict, :report) returning id",
        {
            "repo": repo.row_id,
            "commit": commit_oid,
            "account": account_id,
            "at": at,
            "verdict": report.verdict,
            "report": json.dumps(asdict(report)),
        },
    )[0]
    number: int = row["id"]
    return number


def reruns_of_commit(tx: Transaction, repo: Repo, commit_oid: bytes, limit: int = 100) -> list[Rerun]:
    """Verdicts on one commit, newest first."""
    rows = tx.execute(
        f"{RERUN} where v.repo_id = :repo and v.commit_oid = :commit order by v.id desc limit :limit",
        {"repo": repo.row_id, "commit": commit_oid, "limit": limit},
    )
    return [rerun_of(row) for row in rows]


def reruns_of_repo(tx: Transaction, repo: Repo, limit: int = 100) -> list[Rerun]:
    """Verdicts on any commit of the repo, newest first."""
    rows = tx.execute(
        f"{RERUN} where v.repo_id = :repo order by v.id desc limit :limit",
        {"repo": repo.row_id, "limit": limit},
    )
    return [rerun_of(row) for row in rows]


def add_publication(tx: Transaction, repo: Repo, commit_oid: bytes, account_id: int, at: str) -> None:
    """Mark the commit as the one recommended for reuse."""
    tx.execute(
        "insert into publications (repo_id, commit_oid, account_id, published_at)"
        " values (:repo, :commit, :account, :at)",
        {"repo": repo.row_id, "commit": commit_oid, "account": account_id, "at": at},
    )


def publication(tx: Transaction, repo: Repo) -> Publication | None:
    """The recommendation that stands: the last one made."""
    rows = tx.execute(
        "select p.commit_oid, a.name, p.published_at from publications p join accounts a on a.id = p.account_id"
        " where p.repo_id = :repo order by p.id desc limit 1",
        {"repo": repo.row_id},
    )
    if not rows:
        return None
    row = rows[0]
    return Publication(repo.id, row["commit_oid"].hex(), row["name"], row["published_at"])


def rerun_of(row: Row) -> Rerun:
    """A row of RERUN."""
    return Rerun(row["id"], row["name"], row["created_at"], RerunReport(**json.loads(row["report"])))
