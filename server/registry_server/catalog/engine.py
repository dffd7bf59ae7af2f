"""What the catalog asks of a database, and SQLite as the embedded default.

    with engine.read() as tx:      one consistent snapshot
        repos.by_id(tx, …)
    with engine.write() as tx:     one writer at a time; all or nothing
        refs.swap(tx, …)

SQL is portable and takes named parameters (`:name`). Moments are RFC 3339 UTC texts, digests and git ids are raw bytes.
"""

from __future__ import annotations

import fcntl
import sqlite3
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

from registry_core.errors import StorageFull, Unavailable

_MAPPED_BYTES = 1 << 30

Params = Mapping[str, Any]


class Row(Protocol):
    """One row: values by column name."""

    def __getitem__(self, column: str, /) -> Any: ...


class Transaction(Protocol):
    """One open transaction."""

    def execute(self, sql: str, params: Params = ...) -> list[Row]:
        """All rows of the answer; an empty list for a statement that answers nothing."""

    def execute_many(self, sql: str, rows: Iterable[Params]) -> None:
        """Run one statement for each row of parameters."""

    def changed(self, sql: str, params: Params = ...) -> int:
        """Run one statement and answer how many rows it changed."""


class Engine(Protocol):
    """A database that holds the catalog."""

    def read(self) -> AbstractContextManager[Transaction]:
        """A snapshot: every statement inside sees the same state."""

    def write(self) -> AbstractContextManager[Transaction]:
        """The only writer while it is open. Committed and durable when the block ends; undone when it raises."""

    def migrate(self) -> None:
        """Bring the schema up to date; nothing happens when it is."""

    def text_match(self, table: str, param: str) -> str:
        """A condition that is true for rows of full-text `table` that match the query in parameter `param`."""

    def close(self) -> None:
        """Give all connections back."""


def in_list(prefix: str, values: Iterable[object]) -> tuple[str, dict[str, object]]:
    """`(:p0, :p1, …)` and its parameters; `(null)`, which matches nothing, for no values."""
    params = {f"{prefix}{i}": value for i, value in enumerate(values)}
    return (f"({', '.join(f':{name}' for name in params)})" if params else "(null)"), params


def in_batches(values: Iterable[object], size: int = 500) -> Iterator[tuple[str, dict[str, object]]]:
    """`in_list` for many values, in pieces that every database takes."""
    rest = iter(values)
    while piece := list(islice(rest, size)):
        yield in_list("b", piece)


class _SqliteTransaction:
    """A transaction on one sqlite3 connection."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def execute(self, sql: str, params: Params = {}) -> list[Row]:  # noqa: B006 - never written to
        return self._connection.execute(sql, params).fetchall()

    def execute_many(self, sql: str, rows: Iterable[Params]) -> None:
        self._connection.executemany(sql, rows)

    def changed(self, sql: str, params: Params = {}) -> int:  # noqa: B006 - never written to
        return self._connection.execute(sql, params).rowcount


def transaction_on(connection: sqlite3.Connection) -> Transaction:
    """A transaction that somebody else began on `connection` and will end: for steps of a migration."""
    return _SqliteTransaction(connection)


_MOST_IDLE = 16


class SqliteEngine:
    """The catalog in one SQLite file, in write-ahead mode with full durability.

    A connection serves one transaction at a time and then waits in a pool, so that hundreds of threads that stream
    bytes hold none. The pool keeps a few of them: each has pages of its own in memory.
    """

    def __init__(self, path: Path, *, busy_timeout_seconds: float = 30.0) -> None:
        self._path = path
        self._busy_timeout_seconds = busy_timeout_seconds
        self._idle: deque[sqlite3.Connection] = deque()

    @contextmanager
    def read(self) -> Iterator[Transaction]:
        with self._connection() as connection, self._transaction(connection, "begin"):
            yield _SqliteTransaction(connection)

    @contextmanager
    def write(self) -> Iterator[Transaction]:
        # IMMEDIATE takes the write lock at once: a deferred transaction that reads and then writes fails beside
        # another writer whatever the busy timeout.
        with self._connection() as connection, self._transaction(connection, "begin immediate"):
            yield _SqliteTransaction(connection)

    def migrate(self) -> None:
        from registry_server.catalog import migrations

        self._path.parent.mkdir(parents=True, exist_ok=True)
        with Path(f"{self._path}.lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # a server and an admin command may both start on an old schema
            with self._our_errors(), self._connection() as connection:
                migrations.apply(connection)

    def text_match(self, table: str, param: str) -> str:
        return f"{table} match :{param}"

    def close(self) -> None:
        while self._idle:
            self._idle.pop().close()

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        try:
            connection = self._idle.pop()
        except IndexError:
            connection = self._connect()
        try:
            yield connection
        finally:
            if connection.in_transaction or len(self._idle) >= _MOST_IDLE:  # or not even the rollback worked
                connection.close()
            else:
                self._idle.append(connection)

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._path,
            timeout=self._busy_timeout_seconds,
            isolation_level=None,  # transactions are begun by hand, see write()
            check_same_thread=False,  # the pool hands a connection to one thread at a time
        )
        connection.row_factory = sqlite3.Row
        # FULL: an acknowledged commit survives a power cut; NORMAL may lose it.
        connection.execute("pragma synchronous = full")
        connection.execute("pragma foreign_keys = on")
        # Pages of a large catalog are read where the system keeps them: a search that looks at a thousand cards among
        # a million takes 3 ms and not 10, and no connection needs a large cache of its own.
        connection.execute(f"pragma mmap_size = {_MAPPED_BYTES}")
        return connection

    @contextmanager
    def _transaction(self, connection: sqlite3.Connection, begin: str) -> Iterator[None]:
        with self._our_errors():
            connection.execute(begin)
            try:
                yield
            except BaseException:
                if connection.in_transaction:  # a full disk has undone it already
                    connection.execute("rollback")
                raise
            connection.execute("commit")

    @contextmanager
    def _our_errors(self) -> Iterator[None]:
        """Turn what SQLite says of its file into our words; anything else is a fault of ours."""
        try:
            yield
        except sqlite3.DatabaseError as error:
            match getattr(error, "sqlite_errorcode", 0) & 0xFF:  # the rest is detail
                case sqlite3.SQLITE_FULL:
                    raise StorageFull("The catalog's disk is full.", hint="Free some space and try again.") from error
                case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
                    busy = "The catalog is busy with another writer."
                    raise Unavailable(busy, hint="Try again in a moment.") from error
                case sqlite3.SQLITE_NOTADB | sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_IOERR | sqlite3.SQLITE_CANTOPEN:
                    raise Unavailable(
                        f"The catalog cannot be used: {error}.", hint=f"Look at {self._path} and its disk."
                    ) from error
            raise
