"""What every engine of the catalog does."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from registry_core.errors import StorageFull, Unavailable
from registry_server.catalog.engine import Engine, SqliteEngine, in_batches, in_list

Factory = Callable[[], Engine]


@pytest.fixture(params=["sqlite"])
def another(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Factory]:
    """Opens the same catalog once more, as another process would; it waits a tenth of a second for other writers."""
    opened: list[Engine] = []

    def factory() -> Engine:
        engines = {"sqlite": lambda: SqliteEngine(tmp_path / "catalog.sqlite3", busy_timeout_seconds=0.1)}
        engine = engines[request.param]()
        engine.migrate()
        opened.append(engine)
        return engine

    yield factory
    for engine in opened:
        engine.close()


@pytest.fixture
def engine(another: Factory) -> Engine:
    made = another()
    with made.write() as tx:
        tx.execute("create table things (name text primary key, value integer)")
    return made


def put(engine: Engine, name: str, value: int | None = None) -> None:
    with engine.write() as tx:
        tx.execute("insert into things (name, value) values (:name, :value)", {"name": name, "value": value})


def names(engine: Engine) -> list[str]:
    with engine.read() as tx:
        return [row["name"] for row in tx.execute("select name from things order by name")]


def test_what_was_written_is_read(engine: Engine, another: Factory) -> None:
    put(engine, "a", 1)
    put(engine, "b")
    with another().read() as tx:
        rows = tx.execute("select name, value from things order by name")
    assert [(row["name"], row["value"]) for row in rows] == [("a", 1), ("b", None)]


def test_changed_answers_how_many_rows(engine: Engine) -> None:
    with engine.write() as tx:
        tx.execute_many("insert into things (name) values (:name)", ({"name": str(i)} for i in range(5)))
        assert tx.changed("update things set value = 1 where name > :name", {"name": "2"}) == 2
        assert tx.changed("delete from things where name = 'nope'") == 0
        assert tx.changed("insert into things (name) values ('0') on conflict (name) do nothing") == 0


def test_returning_gives_rows(engine: Engine) -> None:
    with engine.write() as tx:
        (row,) = tx.execute("insert into things (name, value) values ('a', 7) returning value")
    assert row["value"] == 7


def test_a_transaction_that_raises_is_undone(engine: Engine) -> None:
    put(engine, "before")

    def fail_midway() -> None:
        with engine.write() as tx:
            tx.execute("insert into things (name) values ('half')")
            raise KeyError

    with pytest.raises(KeyError):
        fail_midway()
    assert names(engine) == ["before"]
    put(engine, "after")
    assert names(engine) == ["after", "before"]


def test_a_read_sees_one_state_to_its_end(engine: Engine) -> None:
    put(engine, "a")
    with engine.read() as tx:
        before = tx.execute("select count(*) as n from things")[0]["n"]
        put(engine, "b")
        assert tx.execute("select count(*) as n from things")[0]["n"] == before == 1
    assert names(engine) == ["a", "b"]


def test_nobody_reads_what_is_not_committed(engine: Engine, another: Factory) -> None:
    other = another()
    with engine.write() as tx:
        tx.execute("insert into things (name) values ('a')")
        assert names(other) == []
    assert names(other) == ["a"]


def test_a_second_writer_waits_its_turn(engine: Engine, another: Factory, tmp_path: Path) -> None:
    patient = SqliteEngine(tmp_path / "catalog.sqlite3", busy_timeout_seconds=20)
    inside = threading.Event()
    order: list[str] = []

    def first() -> None:
        with engine.write() as tx:
            inside.set()
            time.sleep(0.2)
            tx.execute("insert into things (name) values ('first')")
            order.append("first")

    thread = threading.Thread(target=first)
    thread.start()
    assert inside.wait(5)
    with patient.write() as tx:
        order.append("second")
        assert [row["name"] for row in tx.execute("select name from things")] == ["first"]
    thread.join()
    patient.close()
    assert order == ["first", "second"]


def test_a_writer_that_waited_too_long_is_told(engine: Engine, another: Factory) -> None:
    other = another()
    with engine.write(), pytest.raises(Unavailable, match="busy"), other.write():
        pass
    put(other, "a")
    assert names(engine) == ["a"]


def test_no_increment_of_many_threads_is_lost(tmp_path: Path, engine: Engine) -> None:
    put(engine, "counter", 0)
    patient = SqliteEngine(tmp_path / "catalog.sqlite3", busy_timeout_seconds=30)

    def increment(_: int) -> None:
        with patient.write() as tx:
            value = tx.execute("select value from things")[0]["value"]
            tx.execute("update things set value = :value", {"value": value + 1})

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(increment, range(80)))
    with patient.read() as tx:
        assert tx.execute("select value from things")[0]["value"] == 80
    patient.close()


def test_a_full_disk_is_told_and_what_was_there_stays(engine: Engine) -> None:
    put(engine, "before")

    def fill() -> None:
        with engine.write() as tx:
            tx.execute(f"pragma max_page_count = {tx.execute('pragma page_count')[0]['page_count'] + 10}")
            rows = ({"name": f"{i:05}" * 200} for i in range(1000))
            tx.execute_many("insert into things (name) values (:name)", rows)

    with pytest.raises(StorageFull):
        fill()
    assert names(engine) == ["before"]
    with pytest.raises(StorageFull):
        fill()
    with engine.write() as tx:
        tx.execute("pragma max_page_count = 1000000")
    put(engine, "after")
    assert names(engine) == ["after", "before"]


def test_a_broken_rule_undoes_all_and_frees_the_catalog(engine: Engine, another: Factory) -> None:
    put(engine, "a")
    with pytest.raises(Exception, match="UNIQUE"), engine.write() as tx:
        tx.execute_many("insert into things (name) values (:name)", [{"name": "b"}, {"name": "a"}])
    put(another(), "c")
    assert names(engine) == ["a", "c"]


def test_migrating_again_does_nothing(engine: Engine, another: Factory) -> None:
    put(engine, "a")

    def schema() -> list[tuple[str, str]]:
        with engine.read() as tx:
            rows = tx.execute("select name, sql from sqlite_master order by name")
            return [(row["name"], row["sql"]) for row in rows]

    before = schema()
    engine.migrate()
    another()
    assert schema() == before
    assert names(engine) == ["a"]


def test_processes_that_start_at_once_agree_on_the_schema(tmp_path: Path) -> None:
    script = """
import sys
from pathlib import Path
from registry_server.catalog.engine import SqliteEngine
engine = SqliteEngine(Path(sys.argv[1]))
input()
engine.migrate()
with engine.read() as tx:
    print(len(tx.execute("select name from sqlite_master")))
engine.close()
"""
    command = [sys.executable, "-c", script, tmp_path / "catalog.sqlite3"]
    started = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    for process in started:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    answers = [process.communicate(timeout=60) for process in started]
    assert [error for _, error in answers] == [""] * 3
    assert len({out for out, _ in answers}) == 1


def test_words_are_found_as_they_begin(engine: Engine) -> None:
    texts = {1: (" alice digits", " classifier digits hand tiny"), 2: (" bob größe", " größen schätzt")}
    with engine.write() as tx:
        for row, (name, words) in texts.items():
            tx.execute(
                "insert into card_text (rowid, name, words) values (:row, :name, :words)",
                {"row": row, "name": name, "words": words},
            )
    clause = engine.text_match("card_text", "words")

    def found(words: str) -> list[int]:
        with engine.read() as tx:
            rows = tx.execute(f"select rowid as n from card_text where {clause} order by rowid", {"words": words})
            return [row["n"] for row in rows]

    assert found('"digits"*') == [1]
    assert found('"class"* "tiny"*') == [1]
    assert found('"größ"*') == [2]
    assert found('"nothing"*') == []


@given(st.lists(st.integers(), unique=True, max_size=30), st.integers(1, 7))
def test_batches_hold_every_value_once(values: list[int], size: int) -> None:
    pieces = list(in_batches(values, size))
    assert [value for _, params in pieces for value in params.values()] == values
    assert all(0 < len(params) <= size for _, params in pieces)
    assert all(text.count(":") == len(params) for text, params in pieces)


@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(501, 3000))
def test_more_values_than_one_statement_takes(engine: Engine, count: int) -> None:
    with engine.write() as tx:
        tx.execute("delete from things")
        tx.execute_many("insert into things (name) values (:name)", ({"name": str(i)} for i in range(count)))
        found = [
            row["name"]
            for part, params in in_batches(str(i) for i in range(0, count, 2))
            for row in tx.execute(f"select name from things where name in {part}", params)
        ]
    assert sorted(found, key=int) == [str(i) for i in range(0, count, 2)]


def test_an_empty_list_matches_nothing(engine: Engine) -> None:
    put(engine, "a")
    part, params = in_list("p", [])
    with engine.read() as tx:
        assert tx.execute(f"select name from things where name in {part}", params) == []
        assert tx.execute(f"select name from things where name not in {part}", params) == []


def test_a_file_that_is_no_catalog_is_told_by_name(tmp_path: Path) -> None:
    (tmp_path / "catalog.sqlite3").write_text("this is no database, whatever its name says\n" * 99)
    engine = SqliteEngine(tmp_path / "catalog.sqlite3")
    with pytest.raises(Unavailable, match=r"catalog\.sqlite3"):
        engine.migrate()
    engine.close()


def test_a_crowd_leaves_few_connections_behind(tmp_path: Path) -> None:
    engine = SqliteEngine(tmp_path / "catalog.sqlite3")
    engine.migrate()
    with ExitStack() as crowd:
        for _ in range(50):
            crowd.enter_context(engine.read()).execute("select 1")
    assert 0 < len(engine._idle) <= 16
    with engine.write() as tx:
        tx.execute("select 1")
    engine.close()
