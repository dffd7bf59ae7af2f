"""Finding models: the statement that answers a query fastest, whatever the size of the catalog.

A statement can begin in two ways:

    along the order    the index of what is sorted by, probing each card for the rest until the page is full: right
                       where many cards match, since the number of probes does not grow with the catalog
    from the rarest    the cards that have one word, tag, owner or task, and then sorted: right where few match

SQLite cannot know how many match, so a first statement counts, and no further than it matters.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from registry_core.where import Comparison
from registry_server.catalog.accounts import Caller
from registry_server.catalog.cards import LABEL_ID, SHOWN, SHOWN_WITH_HEAD, Found, found_of
from registry_server.catalog.conditions import SIGNS, Sql, is_metric, leads_sql, of_card
from registry_server.catalog.counting import Tally, counts_sql, tally_of
from registry_server.catalog.engine import Engine, Row, Transaction
from registry_server.catalog.queries import Query, Start, where_sql
from registry_server.catalog.repos import USED_BYTES

_PROBES = 20
"""How many cards are looked at for a page when every card matches."""
_MOST_WEIGHED = "(select 1000 + coalesce(max(repo_id), 0) / 200 from cards)"
"""How far counting goes: at least to the root of _PROBES times all cards, beyond which numbers decide nothing."""
_MOST_TERMS = 500


@dataclass(frozen=True)
class Hits:
    """The hits of a page, one more than asked for when there are more, and the tally if it was asked for."""

    found: Sequence[Found]
    tally: Tally | None = None


def find(
    tx: Transaction, engine: Engine, caller: Caller, query: Query, *, counted: bool = False, known: Tally | None = None
) -> Hits:
    """The hits from `query.offset` on, in two statements at most.

    With `counted` also the tally of all that match: `known`, a tally of the same query, while nothing has changed.
    """
    if query.matches_nothing:
        return Hits([], Tally.of_nothing() if counted else None)
    candidates = list(_candidates(engine, query))
    rarest, number, most = _rarest(tx, candidates)
    along = _along(query)
    # Where one card in so many matches, a page along the order looks at _PROBES x so many, and sorting at all that do.
    from_rarest = along is None or (rarest is not None and number * number <= _PROBES * most)
    start = (rarest or _ALL) if from_rarest or along is None else along
    page, params = _page(caller, query, start)
    params |= {name: value for one in candidates for name, value in one.params.items()}
    if not counted:
        rows = tx.execute(f"select {_columns(query)} from {_joined(query, page, 'cross join')}", params)
        return Hits([_found(row, query) for row in rows])
    counts, more_params = counts_sql(caller, query, rarest or _ALL)
    rows = tx.execute(
        f"select {_columns(query)}, v.number as version, case when v.number = :known then null else ({counts}) end"
        f" as counts from cards_version v left join {_joined(query, page, 'left join')}",
        {**params, **more_params, "known": known.version if known else 0},
    )
    tally = tally_of(query, rows[0]["version"], rows[0]["counts"]) if rows[0]["counts"] is not None else known
    return Hits([_found(row, query) for row in rows if row["id"] is not None], tally)


# -- where to begin


_ALL = Start("cards c")
_ALONG_REPOS = Start("repos r cross join cards c on c.repo_id = r.id", "r.kind = :kind", reads_repo=True)


def _along(query: Query) -> Start | None:
    """The index of what is sorted by, if there is one."""
    match query.sort.name:
        case "updated_at" | "name":
            return _ALONG_REPOS
        case "energy_kwh":
            return _ALL
        case "co2e_kg" | "duration_seconds" if query.task is not None:
            return _ALL
        case name if is_metric(name):
            leads, _ = leads_sql("s", name, "s_", query.task)
            return Start("metrics s cross join cards c on c.repo_id = s.repo_id", leads, along_metric=True)
    return None


@dataclass(frozen=True)
class _Candidate:
    """A start at something rare, and how many cards or so it holds."""

    start: Start
    number_sql: str
    params: dict[str, object]


def _candidates(engine: Engine, query: Query) -> Iterator[_Candidate]:
    for i, beginning in enumerate(query.beginnings):
        match = engine.text_match("card_text", f"match{i}")
        vocabulary = f"select doc from card_vocabulary where term >= :from{i} and term < :upto{i} limit {_MOST_TERMS}"
        yield _Candidate(
            Start("card_text cross join cards c on c.repo_id = card_text.rowid", match, beginning=beginning),
            f"(select coalesce(sum(doc), 0) from ({vocabulary}))",
            {f"match{i}": f'"{beginning}"*', f"from{i}": beginning, f"upto{i}": f"{beginning}\U0010ffff"},
        )
    for i in range(len(query.tags)):
        having = f"tag_id = {LABEL_ID.format(f'tag{i}')}"
        start = Start("tags g cross join cards c on c.repo_id = g.repo_id", f"g.{having}")
        yield _Candidate(start, _number("tags", having), {f"tag{i}": query.tags[i]})
    for i, leaf in enumerate(query.leaves):
        if isinstance(leaf, Comparison) and is_metric(leaf.name) and leaf.name != query.sort.name:
            leads, params = leads_sql("s", leaf.name, f"n{i}_", query.task)
            having = f"{leads} and s.value {SIGNS[leaf.operator]} :n{i}_v"
            start = Start("metrics s cross join cards c on c.repo_id = s.repo_id", having)
            yield _Candidate(start, _number("metrics s", having), {**params, f"n{i}_v": leaf.value, "task": query.task})
    if query.author is not None:
        owned = "owner_id = (select a.id from accounts a where a.key = :author)"
        start = Start("repos r cross join cards c on c.repo_id = r.id", f"r.{owned}", reads_repo=True)
        yield _Candidate(start, _number("repos", owned), {"author": query.author.lower()})
    if query.task is not None and query.sort.name not in ("energy_kwh", "co2e_kg", "duration_seconds"):
        having = f"task_id = {LABEL_ID.format('task')}"
        yield _Candidate(_ALL, _number("cards", having), {"task": query.task})


def _number(table: str, having: str) -> str:
    return f"(select count(*) from (select 1 from {table} where {having} limit {_MOST_WEIGHED}))"


def _rarest(tx: Transaction, candidates: list[_Candidate]) -> tuple[Start | None, int, int]:
    """The start at the fewest cards, how many these are, and how many cards there are."""
    if not candidates:
        return None, 0, 0
    numbers = ", ".join(f"{one.number_sql} as n{i}" for i, one in enumerate(candidates))
    params = {name: value for one in candidates for name, value in one.params.items()}
    row = tx.execute(f"select (select max(repo_id) from cards) as most, {numbers}", params)[0]
    number, i = min((row[f"n{i}"], i) for i in range(len(candidates)))
    return candidates[i].start, number, row["most"] or 0


# -- the page


def _page(caller: Caller, query: Query, start: Start) -> Sql:
    """Numbers of repos, and what they are sorted by."""
    key, key_params = of_card(query.task)(query.sort.name, "s_")
    where, params = where_sql(query, caller, of_card(query.task), start)
    params = {**params, **key_params, "kind": query.kind, "limit": query.limit + 1, "offset": query.offset}
    if start.along_metric:
        return _page_along_metric(caller, query, start, where), {**params, "upto": query.offset + query.limit + 1}
    # The number of the same table, so that an index which ends in it gives the whole order.
    number = "r.id" if key.startswith("r.") else "c.repo_id"
    return (
        f"select c.repo_id, {key} as key from {start.tables_for(query)} where {start.where} and {where}"
        f" order by {_order(query, key, number)} limit :limit offset :offset"
    ), params


def _page_along_metric(caller: Caller, query: Query, start: Start, where: str) -> str:
    """Cards that have the metric along its index and then, if the page is not full yet, those that have not."""

    def value_sql(name: str, prefix: str) -> Sql:
        return ("s.value", {}) if name == query.sort.name else of_card(query.task)(name, prefix)

    with_metric, _ = where_sql(query, caller, value_sql, start)
    leading = (
        f"select s.repo_id, s.value as key from {start.tables_for(query)} where {start.where} and {with_metric}"
        f" order by {_order(query, 's.value', 's.repo_id')} limit :upto"
    )
    if query.requires(query.sort.name):
        return f"{leading.removesuffix(':upto')} :limit offset :offset"
    # Joined first, and not asked of each card: with enough leading ones there is nothing to join the cards to.
    room = "(select 1 where (select count(*) from leading) < :upto) cross join"
    others = (
        f"select c.repo_id, null as key from {room} {_ALL.tables_for(query)}"
        f" where not exists (select 1 from metrics s where s.repo_id = c.repo_id and {start.where}) and {where}"
        f" order by {_order(query, 'null', 'c.repo_id')} limit :upto"
    )
    return (
        f"with leading as materialized ({leading})"
        f" select repo_id, key from (select * from leading union all select * from ({others}))"
        f" order by {_order(query, 'key', 'repo_id')} limit :limit offset :offset"
    )


def _order(query: Query, key: str, number: str) -> str:
    """Unknown values come last; the repo's number breaks ties, so that pages never overlap."""
    direction = "desc" if query.sort.descending else "asc"
    return f"{key} {direction} nulls last, {number} {direction}"


# -- what is shown


def _columns(query: Query) -> str:
    columns = SHOWN_WITH_HEAD if query.with_head else SHOWN
    return f"{columns}, {USED_BYTES} as used_bytes" if query.with_used_bytes else columns


def _joined(query: Query, page: str, join: str) -> str:
    """The numbers of a page with all that is shown of them, in their order."""
    head = f" {join} card_heads h on h.repo_id = p.repo_id" if query.with_head else ""
    return (
        f"({page}) p {'on true ' if join == 'left join' else ''}{join} cards c on c.repo_id = p.repo_id"
        f" {join} repos r on r.id = p.repo_id{head} order by {_order(query, 'p.key', 'p.repo_id')}"
    )


def _found(row: Row, query: Query) -> Found:
    hit = found_of(row, with_head=query.with_head)
    return replace(hit, used_bytes=row["used_bytes"]) if query.with_used_bytes else hit
