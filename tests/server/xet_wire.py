"""The single steps of a Xet push, as they are on the wire, and a pusher that takes them all."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from flask.testing import FlaskClient
from tests.server.wire import commit, create, large
from tests.server.xet.objects import Store, encode_shard, encode_xorb, file_of, listing_of, store_of, term_of
from werkzeug.test import TestResponse

from registry_core.ids import Digest
from registry_server.usecases.context import Registry
from registry_server.xet.hashing import XetHash
from registry_server.xet.shard import Shard, ShardFile, Term
from registry_server.xet.xorb import XorbIndex

Headers = Mapping[str, str]


@dataclass(frozen=True)
class Made:
    """A file with the xorbs that it is made of, as a client holds them before it sends anything."""

    store: Store
    file: ShardFile

    @property
    def content(self) -> bytes:
        return self.store.content(self.file.terms)

    @property
    def digest(self) -> str:
        """The SHA-256 that is claimed for it."""
        assert self.file.sha256 is not None
        return self.file.sha256

    @property
    def xorbs(self) -> list[XorbIndex]:
        return list(self.store.indexes.values())

    @property
    def shard(self) -> Shard:
        return Shard((self.file,), tuple(listing_of(index) for index in self.xorbs))

    def claiming(self, digest: str) -> Made:
        """The same bytes under another SHA-256."""
        return replace(self, file=replace(self.file, sha256=Digest(digest)))


def made(*xorbs: Sequence[bytes], terms: Sequence[tuple[int, int, int]] | None = None) -> Made:
    """The file of these xorbs' chunks one after the other, or of the terms (number of the xorb, first chunk, end)."""
    store = store_of(*xorbs)
    indexes = list(store.indexes.values())
    wanted = [(number, 0, index.chunks) for number, index in enumerate(indexes)] if terms is None else terms
    return made_of(store, [term_of(indexes[number], start, end) for number, start, end in wanted])


def made_of(store: Store, terms: Sequence[Term]) -> Made:
    digest = Digest(hashlib.sha256(store.content(terms)).hexdigest())
    return Made(store, file_of(store, terms, digest))


def noise(seed: int, sizes: Sequence[int]) -> list[bytes]:
    """Chunks of these sizes that do not shrink."""
    source = random.Random(seed)
    return [source.randbytes(size) for size in sizes]


def ask_token(
    client: FlaskClient, headers: Headers, repo_id: str, scope: str, *, revision: str = "main"
) -> TestResponse:
    return client.get(f"/api/models/{repo_id}/xet-{scope}-token/{revision}", headers=dict(headers))


@dataclass
class Machine:
    """A client at work on one repo, with the token it was given for the store."""

    client: FlaskClient
    headers: Headers
    repo_id: str
    scope: str = "write"
    store_url: str = field(init=False)
    token: str = field(init=False)

    def __post_init__(self) -> None:
        answer = ask_token(self.client, self.headers, self.repo_id, self.scope)
        assert answer.status_code == 200, answer.text
        given = answer.get_json()
        self.store_url, self.token = given["casUrl"], given["accessToken"]

    @property
    def bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    def get(self, call: str, **headers: str) -> TestResponse:
        return self.client.get(f"{self.store_url}/{call}", headers={**self.bearer, **headers})

    def post(self, call: str, body: bytes) -> TestResponse:
        return self.client.post(f"{self.store_url}/{call}", data=body, headers=self.bearer)

    def send_xorb(self, xorb: XetHash, body: bytes) -> TestResponse:
        return self.post(f"v1/xorbs/default/{xorb}", body)

    def send_chunks(self, index: XorbIndex, chunks: Sequence[bytes], schemes: Sequence[int] = (0, 1, 2)) -> None:
        answer = self.send_xorb(index.hash, encode_xorb(chunks, schemes))
        assert answer.status_code == 200, answer.text

    def send_shard(self, shard: Shard | bytes, *, version: int = 2) -> TestResponse:
        return self.post(f"v{version}/shards", encode_shard(shard) if isinstance(shard, Shard) else shard)

    def register(self, shard: Shard) -> None:
        answer = self.send_shard(shard)
        assert answer.status_code == 200, answer.text
        assert last_line(answer)["type"] == "result", answer.text

    def upload(self, file: Made) -> None:
        """Xorbs, then the shard."""
        for name, index in file.store.indexes.items():
            self.send_chunks(index, file.store.raw[name])
        self.register(file.shard)

    def commit(self, files: Mapping[str, Made]) -> TestResponse:
        operations = [large(path, file.digest, len(file.content)) for path, file in files.items()]
        return commit(self.client, self.headers, self.repo_id, operations)

    def reconstruct(self, file: XetHash, byte_range: str | None = None, *, version: int = 2) -> TestResponse:
        headers = {} if byte_range is None else {"Range": byte_range}
        return self.get(f"v{version}/reconstructions/{file}", **headers)

    def resolve(self, path: str, **headers: str) -> TestResponse:
        return self.client.get(f"/{self.repo_id}/resolve/main/{path}", headers={**self.headers, **headers})


def xet_push(
    client: FlaskClient, headers: Headers, repo_id: str, files: Mapping[str, Made], *, private: bool = False
) -> Machine:
    """One commit with these files on main of the repo, which is made when needed."""
    create(client, headers, repo_id, private=private)
    machine = Machine(client, headers, repo_id)
    for file in files.values():
        machine.upload(file)
    answer = machine.commit(files)
    assert answer.status_code == 200, answer.text
    return machine


def last_line(answer: TestResponse) -> dict[str, Any]:
    """The last line of a v2 shard answer, which says how it ended."""
    line: dict[str, Any] = json.loads(answer.text.splitlines()[-1])
    return line


def stored_keys(registry: Registry) -> set[str]:
    return set(registry.blobs.keys())


def count(registry: Registry, table: str) -> int:
    """Rows of a table of the catalog."""
    with registry.engine.read() as tx:
        number: int = tx.execute(f"select count(*) as n from {table}")[0]["n"]
    return number


def unfinished(registry: Registry) -> list[str]:
    """What half-done uploads left in the blob store."""
    return [path.name for path in (registry.settings.blobs_path / "tmp").iterdir()]
