"""Comparison groups: who may be compared with whom, as far as a caller sees them."""

from __future__ import annotations

from dataclasses import asdict

from registry_core.groups import GroupKey, Peer
from registry_core.quantity import Amount
from registry_server.catalog.accounts import Caller
from registry_server.catalog.cards import GROUP_ID, LABEL, LABEL_ID, LEVELS
from registry_server.catalog.engine import Row, Transaction
from registry_server.catalog.repos import VISIBLE_CARD, Repo, seen_by

KEY = (
    f"{LABEL.format('g.task_id')} as task, g.dataset, g.config, g.split, g.revision,"
    f" {LABEL.format('g.metric_id')} as metric"
)
"""What is read of a row `g` of comparison_groups."""


def peers(tx: Transaction, caller: Caller, group: GroupKey) -> list[Peer]:
    """The models of a group that the caller sees, by id; a card without a grade is at E0.

    A score of which nobody said whether higher is better is left out, and of several of one model the first is taken.
    """
    rows = tx.execute(
        "select r.name, m.value, m.stderr, m.higher_is_better, c.energy_kwh, c.energy_low_kwh, c.energy_high_kwh,"
        f" {LABEL.format('c.energy_source_id')} as source, c.level, {LABEL.format('c.license_id')} as license"
        " from metrics m cross join cards c on c.repo_id = m.repo_id cross join repos r on r.id = m.repo_id"
        f" where m.group_id = {GROUP_ID} and m.higher_is_better is not null and c.is_model = 1 and {VISIBLE_CARD}"
        " order by r.key, m.position desc",
        {**asdict(group), **seen_by(caller)},
    )
    return list({row["name"]: _peer(row) for row in rows}.values())


def groups_of_task(tx: Transaction, caller: Caller, task: str, metric: str | None = None) -> list[tuple[GroupKey, int]]:
    """The groups of a task, or those of one metric, with how many models the caller sees in each, most first."""
    rows = tx.execute(
        f"select {KEY}, count(distinct m.repo_id) as n from comparison_groups g join metrics m on m.group_id = g.id"
        f" join cards c on c.repo_id = m.repo_id where g.task_id = {LABEL_ID.format('task')} and c.is_model = 1"
        " and m.higher_is_better is not null"
        f" and (:metric is null or g.metric_id = {LABEL_ID.format('metric')}) and {VISIBLE_CARD}"
        " group by g.id order by n desc, g.id",
        {"task": task, "metric": metric, **seen_by(caller)},
    )
    return [(key_of(row), row["n"]) for row in rows]


def version(tx: Transaction) -> int:
    """The version of the index: it grows with each change of a card, of its repo's name, and of who sees it."""
    number: int = tx.execute("select number from cards_version")[0]["number"]
    return number


def groups_of_repo(tx: Transaction, repo: Repo) -> list[GroupKey]:
    """The groups that a repo the caller is known to see belongs to, in the order of its scores."""
    rows = tx.execute(
        f"select {KEY} from metrics m join comparison_groups g on g.id = m.group_id where m.repo_id = :repo"
        " group by g.id order by min(m.position)",
        {"repo": repo.row_id},
    )
    return [key_of(row) for row in rows]


def key_of(row: Row) -> GroupKey:
    """A row that holds all columns of KEY, as a group."""
    return GroupKey(row["task"], row["dataset"], row["config"], row["split"] or "", row["revision"], row["metric"])


def _peer(row: Row) -> Peer:
    return Peer(
        id=row["name"],
        score=row["value"],
        higher_is_better=bool(row["higher_is_better"]),
        energy_kwh=_energy(row),
        level=LEVELS[row["level"] or 0],
        stderr=row["stderr"],
        license=row["license"],
    )


def _energy(row: Row) -> Amount | None:
    value = row["energy_kwh"]
    if value is None:
        return None
    low, high = row["energy_low_kwh"], row["energy_high_kwh"]
    return Amount(value, value if low is None else low, value if high is None else high, row["source"])
