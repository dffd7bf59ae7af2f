"""Shards as clients upload them, and the checks of one that could be read."""

from __future__ import annotations

from tests.server.xet.objects import encode_shard, file_of, listing_of, random_chunks, store_of, term_of

from registry_core.ids import Digest
from registry_server.xet.checks import check_shard
from registry_server.xet.shard import Shard, read_shard

STORE = store_of(random_chunks(1, 5), random_chunks(2, 3))
FIRST, SECOND = STORE.indexes.values()
FILE = file_of(STORE, [term_of(FIRST, 0, 5), term_of(SECOND, 1, 3)], Digest("a" * 64))
SEEDS = [
    encode_shard(Shard((), ())),
    encode_shard(Shard((FILE,), ())),
    encode_shard(Shard((FILE,), (listing_of(FIRST), listing_of(SECOND)))),
    encode_shard(Shard((file_of(STORE, [term_of(SECOND, 0, 1)]),), (listing_of(SECOND),))),
]


def read(data: bytes) -> None:
    shard = read_shard(data)
    check_shard(shard, STORE.indexes.get)
