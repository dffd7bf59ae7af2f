"""Which commit last touched a path, answered without walking the history.

    main     1 ─ 2 ─ 3 ─ 4 ─ 5          chain A, tip 5
                      \\
    dev                4 ─ 5 ─ 6        chain B, left A at 3, tip 6

Each commit extends the chain of its first parent or, when somebody else did so before, starts a chain that remembers
where it left the other. Its generation is its distance from the first commit, so the history of any commit along first
parents is a handful of pieces "chain, up to generation", and no generation occurs twice on it. Every path that a commit
touched, and every folder above it, has a row with the commit's chain and generation.

All of this can be rebuilt from the objects.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

from registry_server.catalog import history
from registry_server.catalog.engine import Transaction, in_batches
from registry_server.catalog.history import CommitEntry
from registry_server.git.diffs import Place, touched
from registry_server.git.objects import raw

_LINE = (
    "with recursive line (chain, upto) as ("
    " select chain, generation from commits where repo_id = :repo and oid = :tip and chain is not null"
    " union all select c.parent, c.fork from line join chains c on c.id = line.chain where c.parent is not null)"
)
"""The history of commit `:tip` along first parents, as pieces of chains."""


def add(tx: Transaction, repo: int, oid: bytes, parent: bytes | None, places: Iterable[Place]) -> None:
    """Note what a commit that is in the log touched. Nothing happens for one that was noted before."""
    if _position(tx, repo, oid) is not None:
        return  # made before, on another branch and in the same second
    chain, generation = _next_position(tx, repo, parent)
    tx.execute(
        "update commits set chain = :chain, generation = :generation where repo_id = :repo and oid = :oid",
        {"repo": repo, "oid": oid, "chain": chain, "generation": generation},
    )
    places = list(places)
    folders = _folders(tx, repo, {folder for folder, _ in places}, make=True)
    tx.execute_many(
        "insert into touches (folder_id, name, chain, generation) values (:folder, :name, :chain, :generation)",
        (
            {"folder": folders[folder], "name": name, "chain": chain, "generation": generation}
            for folder, name in sorted(places)
        ),
    )


def last(tx: Transaction, repo: int, tip: bytes, places: Iterable[Place]) -> dict[Place, CommitEntry]:
    """For each place the last commit, at `tip` or before it, that touched it."""
    wanted = list(places)
    folders = _folders(tx, repo, {folder for folder, _ in wanted}, make=False)
    names = {number: folder for folder, number in folders.items()}
    line = _line(tx, repo, tip)
    generations: dict[Place, int] = {}
    pairs = [(folders[folder], name) for folder, name in wanted if folder in folders]
    for values, params in _pairs(pairs):
        rows = tx.execute(
            f"{_LINE} select t.folder_id, t.name, max(t.generation) as generation from touches t"
            " join line on line.chain = t.chain and t.generation <= line.upto"
            f" where (t.folder_id, t.name) in ({values}) group by t.folder_id, t.name",
            {**params, "repo": repo, "tip": tip},
        )
        generations.update(((names[row["folder_id"]], row["name"]), row["generation"]) for row in rows)
    positions = {generation: (_chain_at(line, generation), generation) for generation in generations.values()}
    commits = _commits(tx, repo, positions.values())
    return {place: commits[positions[generation]] for place, generation in generations.items()}


def rebuild(tx: Transaction, repo: int) -> None:
    """Forget the index of a repo and make it again from the objects."""
    tx.execute("update commits set chain = null, generation = null where repo_id = :repo", {"repo": repo})
    for table in ("folders", "chains"):
        tx.execute(f"delete from {table} where repo_id = :repo", {"repo": repo})
    # Rows of the log stand in the order in which commits were made, so that parents come first.
    for row in tx.execute("select oid, parent from commits where repo_id = :repo order by id", {"repo": repo}):
        old = None if row["parent"] is None else _root(tx, row["parent"])
        places = touched(old, _root(tx, row["oid"]), lambda oids: history.trees(tx, oids))
        add(tx, repo, row["oid"], row["parent"], places)


def _position(tx: Transaction, repo: int, oid: bytes) -> tuple[int, int] | None:
    """Chain and generation of a commit."""
    rows = tx.execute(
        "select chain, generation from commits where repo_id = :repo and oid = :oid and chain is not null",
        {"repo": repo, "oid": oid},
    )
    return (rows[0]["chain"], rows[0]["generation"]) if rows else None


def _next_position(tx: Transaction, repo: int, parent: bytes | None) -> tuple[int, int]:
    """Where a commit on `parent` comes to stand."""
    position = None if parent is None else _position(tx, repo, parent)
    chain, generation = position or (None, 0)
    tip = {"chain": chain, "generation": generation, "next": generation + 1, "repo": repo}
    if chain is not None and tx.changed("update chains set tip = :next where id = :chain and tip = :generation", tip):
        return chain, generation + 1
    made = tx.execute(
        "insert into chains (repo_id, parent, fork, tip) values (:repo, :chain, :generation, :next) returning id", tip
    )
    return made[0]["id"], generation + 1


def _line(tx: Transaction, repo: int, tip: bytes) -> list[tuple[int, int]]:
    """The pieces of the history of `tip`: chain, up to generation; newest first."""
    rows = tx.execute(f"{_LINE} select chain, upto from line order by upto desc", {"repo": repo, "tip": tip})
    return [(row["chain"], row["upto"]) for row in rows]


def _chain_at(line: list[tuple[int, int]], generation: int) -> int:
    """The chain that holds a generation of a history."""
    return next(chain for chain, upto in reversed(line) if generation <= upto)


def _commits(tx: Transaction, repo: int, positions: Iterable[tuple[int, int]]) -> dict[tuple[int, int], CommitEntry]:
    found: dict[tuple[int, int], CommitEntry] = {}
    for values, params in _pairs(positions):
        rows = tx.execute(
            "select chain, generation, oid, parent, created_at, author, title, message from commits"
            f" where repo_id = :repo and (chain, generation) in ({values})",
            {**params, "repo": repo},
        )
        found.update(((row["chain"], row["generation"]), history.entry_of(row)) for row in rows)
    return found


def _folders(tx: Transaction, repo: int, paths: set[str], *, make: bool) -> dict[str, int]:
    """The numbers of those folders, which are given to new ones if `make`."""
    if make:
        tx.execute_many(
            "insert into folders (repo_id, path) values (:repo, :path) on conflict (repo_id, path) do nothing",
            ({"repo": repo, "path": path} for path in sorted(paths)),
        )
    found: dict[str, int] = {}
    for names, params in in_batches(paths):
        rows = tx.execute(
            f"select id, path from folders where repo_id = :repo and path in {names}", {"repo": repo, **params}
        )
        found.update((row["path"], row["id"]) for row in rows)
    return found


def _pairs(pairs: Iterable[tuple[object, object]], size: int = 200) -> Iterator[tuple[str, dict[str, object]]]:
    """`values (:a0, :b0), …` and its parameters, in pieces that every database takes."""
    rest = iter(pairs)
    while piece := list(islice(rest, size)):
        params = {f"{side}{i}": value for i, pair in enumerate(piece) for side, value in zip("ab", pair, strict=True)}
        yield "values " + ", ".join(f"(:a{i}, :b{i})" for i in range(len(piece))), params


def _root(tx: Transaction, commit: bytes) -> bytes:
    return raw(history.objects(tx, [commit])[commit].commit().tree)
