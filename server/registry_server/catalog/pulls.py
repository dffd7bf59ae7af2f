"""Pull requests: commits beside the branches, each under a ref of its own, `refs/pr/NUMBER`."""

from __future__ import annotations

from dataclasses import dataclass

from registry_server.catalog import history
from registry_server.catalog.engine import Row, Transaction

_COLUMNS = (
    "p.number, p.account_id, a.name as author, p.base, p.start, p.status, p.title, p.description, p.created_at"
    " from pulls p join accounts a on a.id = p.account_id"
)


@dataclass(frozen=True)
class Pull:
    """A pull request."""

    number: int
    account_id: int
    author: str
    base: str  # refs/heads/main
    start: bytes  # the commit that it was opened on
    status: str  # draft, open
    title: str
    description: str
    created_at: str

    @property
    def ref(self) -> str:
        return ref_of(self.number)


def ref_of(number: int) -> str:
    """The ref that holds a pull request's head."""
    return f"refs/pr/{number}"


def add(tx: Transaction, repo: int, new: Pull, head: bytes) -> int:
    """Open a pull request with its ref at `head`; its number, which takes the place of the one given."""
    row = tx.execute(
        "insert into pulls (repo_id, number, account_id, base, start, status, title, description, created_at)"
        " values (:repo, (select coalesce(max(number), 0) + 1 from pulls where repo_id = :repo),"
        " :account_id, :base, :start, :status, :title, :description, :created_at) returning number",
        {**vars(new), "repo": repo},
    )[0]
    number: int = row["number"]
    history.add_ref(tx, repo, ref_of(number), head, head)
    return number


def by_number(tx: Transaction, repo: int, number: int) -> Pull | None:
    rows = tx.execute(
        f"select {_COLUMNS} where p.repo_id = :repo and p.number = :number", {"repo": repo, "number": number}
    )
    return _pull(rows[0]) if rows else None


def of_repo(tx: Transaction, repo: int) -> list[Pull]:
    """All pull requests of the repo, newest first."""
    rows = tx.execute(f"select {_COLUMNS} where p.repo_id = :repo order by p.number desc", {"repo": repo})
    return [_pull(row) for row in rows]


def _pull(row: Row) -> Pull:
    return Pull(
        number=row["number"],
        account_id=row["account_id"],
        author=row["author"],
        base=row["base"],
        start=row["start"],
        status=row["status"],
        title=row["title"],
        description=row["description"],
        created_at=row["created_at"],
    )
