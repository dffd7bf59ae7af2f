from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.server.xet.objects import random_chunks, store_of, term_of

from registry_server.xet.hashing import XetHash
from registry_server.xet.plan import Fetch, Plan, as_json, as_json_v1, content, plan
from registry_server.xet.shard import Term
from registry_server.xet.xorb import XorbIndex, decode_chunks

STORE = store_of(
    [b"a" * 10, b"b" * 20, b"c" * 30, b"d" * 40],
    random_chunks(1, 30, largest=400),
    random_chunks(2, 30, largest=400),
)
SMALL, *LARGE = STORE.indexes.values()


def index_of(xorb: XetHash) -> XorbIndex:
    return STORE.indexes[xorb]


def chunks_of(term: Term) -> Any:
    return decode_chunks(STORE.stored[term.xorb], STORE.indexes[term.xorb], term.start, term.end)


def url_of(fetch: Fetch) -> str:
    return f"https://store/{fetch.xorb}?{fetch.start}-{fetch.end}"


@st.composite
def term_lists(draw: st.DrawFn) -> list[Term]:
    terms = []
    for _ in range(draw(st.integers(1, 8))):
        index = draw(st.sampled_from(LARGE))
        start = draw(st.integers(0, index.chunks - 1))
        terms.append(term_of(index, start, draw(st.integers(start + 1, index.chunks))))
    return terms


def test_a_whole_file_is_planned_term_by_term() -> None:
    terms = [term_of(SMALL, 2, 4), term_of(SMALL, 0, 1)]
    begin, stop = SMALL.span(2, 4)
    assert plan(terms, index_of) == Plan(
        skip_bytes=0,
        size_bytes=80,
        terms=tuple(terms),
        fetches=(Fetch(SMALL.hash, 0, 1, 0, SMALL.ends[0] - 1), Fetch(SMALL.hash, 2, 4, begin, stop - 1)),
    )


@pytest.mark.parametrize(
    ("start", "stop", "skip_bytes", "chunks"),
    [
        (0, 1, 0, (0, 1)),
        (0, 10, 0, (0, 1)),
        (9, 11, 9, (0, 2)),
        (10, 11, 0, (1, 2)),
        (35, 36, 5, (2, 3)),
        (99, 100, 39, (3, 4)),
        (15, 2**64, 5, (1, 4)),
    ],
)
def test_a_range_takes_the_chunks_it_touches(start: int, stop: int, skip_bytes: int, chunks: tuple[int, int]) -> None:
    found = plan([term_of(SMALL, 0, 4)], index_of, start, stop)
    assert (found.skip_bytes, found.terms) == (skip_bytes, (term_of(SMALL, *chunks),))
    assert found.size_bytes == min(stop, 100) - start


@pytest.mark.parametrize(("start", "stop"), [(100, 101), (100, 2**64), (2**70, 2**71), (5, 5)])
def test_a_range_without_bytes_needs_nothing(start: int, stop: int) -> None:
    assert plan([term_of(SMALL, 0, 4)], index_of, start, stop) == Plan(0, 0, (), ())


def test_an_empty_file_needs_nothing() -> None:
    found = plan([], index_of)
    assert as_json(found, url_of) == {"offset_into_first_range": 0, "terms": [], "xorbs": {}}


def test_only_xorbs_that_the_range_touches_are_looked_up_and_once() -> None:
    asked: list[XetHash] = []

    def counting(xorb: XetHash) -> XorbIndex:
        asked.append(xorb)
        return STORE.indexes[xorb]

    one, two = LARGE
    terms = [term_of(SMALL, 0, 4), term_of(one, 0, 3), term_of(one, 5, 9), term_of(two, 0, 30)]
    stop = 100 + terms[1].raw_bytes + terms[2].raw_bytes
    plan(terms, counting, 100, stop)
    assert asked == [one.hash]


@pytest.mark.parametrize(
    ("ranges", "merged"),
    [
        ([(0, 2), (2, 4)], [(0, 4)]),
        ([(2, 4), (0, 3)], [(0, 4)]),
        ([(0, 4), (1, 2)], [(0, 4)]),
        ([(0, 1), (2, 3), (0, 1)], [(0, 1), (2, 3)]),
    ],
)
def test_ranges_that_overlap_or_touch_are_fetched_as_one(
    ranges: list[tuple[int, int]], merged: list[tuple[int, int]]
) -> None:
    found = plan([term_of(SMALL, *chunks) for chunks in ranges], index_of)
    assert [(fetch.start, fetch.end) for fetch in found.fetches] == merged


def test_the_answer_of_the_second_version() -> None:
    found = plan([term_of(SMALL, 0, 1), term_of(SMALL, 2, 4)], index_of, 4)
    begin, stop = SMALL.span(2, 4)
    name = str(SMALL.hash)
    assert as_json(found, url_of) == {
        "offset_into_first_range": 4,
        "terms": [
            {"hash": name, "unpacked_length": 10, "range": {"start": 0, "end": 1}},
            {"hash": name, "unpacked_length": 70, "range": {"start": 2, "end": 4}},
        ],
        "xorbs": {
            name: [
                {
                    "url": f"https://store/{name}?0-1",
                    "ranges": [{"chunks": {"start": 0, "end": 1}, "bytes": {"start": 0, "end": SMALL.ends[0] - 1}}],
                },
                {
                    "url": f"https://store/{name}?2-4",
                    "ranges": [{"chunks": {"start": 2, "end": 4}, "bytes": {"start": begin, "end": stop - 1}}],
                },
            ]
        },
    }


def test_the_answer_of_the_first_version() -> None:
    found = plan([term_of(SMALL, 1, 2)], index_of)
    begin, stop = SMALL.span(1, 2)
    name = str(SMALL.hash)
    assert as_json_v1(found, url_of) == {
        "offset_into_first_range": 0,
        "terms": [{"hash": name, "unpacked_length": 20, "range": {"start": 1, "end": 2}}],
        "fetch_info": {
            name: [
                {
                    "range": {"start": 1, "end": 2},
                    "url": f"https://store/{name}?1-2",
                    "url_range": {"start": begin, "end": stop - 1},
                }
            ]
        },
    }


@given(term_lists(), st.data())
@settings(max_examples=200, deadline=None)
def test_any_range_of_any_file_comes_back(terms: list[Term], data: st.DataObject) -> None:
    whole = STORE.content(terms)
    start = data.draw(st.integers(0, len(whole)))
    stop = data.draw(st.integers(start, len(whole) + 5) | st.none())
    found = plan(terms, index_of, start, stop)
    assert b"".join(content(found, chunks_of)) == whole[start:stop]
    assert _as_a_client_would(as_json(found, url_of), found.size_bytes) == whole[start:stop]


@given(term_lists())
@settings(deadline=None)
def test_fetches_of_one_xorb_lie_apart(terms: list[Term]) -> None:
    fetches = plan(terms, index_of).fetches
    for before, after in pairwise(fetches):
        assert before.xorb != after.xorb or before.end < after.start


def _as_a_client_would(answer: dict[str, Any], size_bytes: int) -> bytes:
    """Fetches every range of the answer, decodes it alone, and puts the terms together from what it got."""
    chunks: dict[tuple[str, int], bytes] = {}
    for name, entries in answer["xorbs"].items():
        index, stored = STORE.indexes[XetHash.parse(name)], STORE.stored[XetHash.parse(name)]
        for entry in entries:
            (part,) = entry["ranges"]
            first, end = part["chunks"]["start"], part["chunks"]["end"]
            offset = part["bytes"]["start"]
            fetched = stored[offset : part["bytes"]["end"] + 1]
            raw = decode_chunks(fetched, index, first, end, offset=offset)
            chunks |= {(name, number): chunk for number, chunk in enumerate(raw, first)}
    terms = []
    for term in answer["terms"]:
        numbers = range(term["range"]["start"], term["range"]["end"])
        terms.append(b"".join(chunks[term["hash"], number] for number in numbers))
        assert len(terms[-1]) == term["unpacked_length"]
    return b"".join(terms)[answer["offset_into_first_range"] :][:size_bytes]
