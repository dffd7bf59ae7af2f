"""A reconstruction plan: which bytes of which xorbs make up a file, or a range of one.

    file     ├────── term 0 ──────┼── term 1 ──┼─────── term 2 ───────┤
    asked               ┆ start                        ┆ stop
    chunks   │     │    ┆  │      │      │     │   │    ┆│     │      │
    planned        ├───────┼──────┼──────┼─────┼───┼─────┤                whole chunks only
                   └────┘ skip_bytes

A plan goes out as JSON to clients that fetch the xorbs' bytes themselves (https://huggingface.co/docs/xet/api), or is
followed here by `content` for those that cannot.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from registry_server.xet.hashing import XetHash
from registry_server.xet.shard import Term
from registry_server.xet.xorb import XorbIndex


@dataclass(frozen=True, slots=True)
class Fetch:
    """One part of a stored xorb: the chunks from `start` up to `end`, at the bytes `first_byte` to `last_byte`."""

    xorb: XetHash
    start: int
    end: int
    first_byte: int
    last_byte: int


@dataclass(frozen=True, slots=True)
class Plan:
    """`terms` in the order of the file; `fetches` hold each of them whole, and share no chunk among each other.

    The wanted `size_bytes` begin `skip_bytes` after the first term's beginning.
    """

    skip_bytes: int
    size_bytes: int
    terms: tuple[Term, ...]
    fetches: tuple[Fetch, ...]


IndexOf = Callable[[XetHash], XorbIndex]


def plan(terms: Sequence[Term], index_of: IndexOf, start: int = 0, stop: int | None = None) -> Plan:
    """How to get the bytes from `start` up to `stop` of the file made of `terms`; to its end without `stop`.

    Bytes past the end are left out; a plan of none has no terms. Only xorbs that the range touches are looked up,
    each of them once.
    """
    size_bytes = sum(term.raw_bytes for term in terms)
    stop = size_bytes if stop is None else min(stop, size_bytes)
    if start >= stop:
        return Plan(0, 0, (), ())
    indexes: dict[XetHash, XorbIndex] = {}
    kept: list[Term] = []
    skip_bytes = term_start = 0
    for term in terms:
        term_stop = term_start + term.raw_bytes
        if start < term_stop and term_start < stop:
            index = indexes.get(term.xorb) or indexes.setdefault(term.xorb, index_of(term.xorb))
            part, skipped = _trimmed(term, index, max(start - term_start, 0), min(stop - term_start, term.raw_bytes))
            if not kept:
                skip_bytes = start - term_start - skipped
            kept.append(part)
        term_start = term_stop
    return Plan(skip_bytes, stop - start, tuple(kept), tuple(_fetches(kept, indexes)))


def as_json(plan: Plan, url_of: Callable[[Fetch], str]) -> dict[str, Any]:
    """The answer of `v2/reconstructions`. One range per address, so that nobody asks for several at once."""
    xorbs: dict[str, list[dict[str, Any]]] = {}
    for fetch in plan.fetches:
        part = {"chunks": _chunk_range(fetch), "bytes": _byte_range(fetch)}
        xorbs.setdefault(str(fetch.xorb), []).append({"url": url_of(fetch), "ranges": [part]})
    return {**_terms_json(plan), "xorbs": xorbs}


def as_json_v1(plan: Plan, url_of: Callable[[Fetch], str]) -> dict[str, Any]:
    """The answer of `v1/reconstructions`."""
    fetch_info: dict[str, list[dict[str, Any]]] = {}
    for fetch in plan.fetches:
        part = {"range": _chunk_range(fetch), "url": url_of(fetch), "url_range": _byte_range(fetch)}
        fetch_info.setdefault(str(fetch.xorb), []).append(part)
    return {**_terms_json(plan), "fetch_info": fetch_info}


def content(plan: Plan, chunks_of: Callable[[Term], Iterable[bytes]]) -> Iterator[bytes]:
    """The bytes that the plan is for. `chunks_of` gives the raw chunks of a term, see `xorb.decode_chunks`."""
    skip_bytes, left_bytes = plan.skip_bytes, plan.size_bytes
    for term in plan.terms:
        for chunk in chunks_of(term):
            piece = chunk[skip_bytes : skip_bytes + left_bytes]
            skip_bytes = max(skip_bytes - len(chunk), 0)
            left_bytes -= len(piece)
            yield piece


def _trimmed(term: Term, index: XorbIndex, start: int, stop: int) -> tuple[Term, int]:
    """The term without the chunks outside of its bytes from `start` up to `stop`; and the bytes left out in front."""
    begin, _ = index.raw_span(term.start, term.end)
    first = index.chunk_at(begin + start)
    end = index.chunk_at(begin + stop - 1) + 1
    first_byte, end_byte = index.raw_span(first, end)
    return replace(term, start=first, end=end, raw_bytes=end_byte - first_byte), first_byte - begin


def _fetches(terms: Iterable[Term], indexes: dict[XetHash, XorbIndex]) -> Iterator[Fetch]:
    ranges: dict[XetHash, list[tuple[int, int]]] = {}
    for term in terms:
        ranges.setdefault(term.xorb, []).append((term.start, term.end))
    for xorb, parts in ranges.items():
        for start, end in _merged(parts):
            begin, stop = indexes[xorb].span(start, end)
            yield Fetch(xorb, start, end, begin, stop - 1)


def _merged(ranges: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The ranges in order, those that overlap or touch made one."""
    merged: list[tuple[int, int]] = []
    for start, end in sorted(ranges):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _terms_json(plan: Plan) -> dict[str, Any]:
    terms = [
        {"hash": str(term.xorb), "unpacked_length": term.raw_bytes, "range": {"start": term.start, "end": term.end}}
        for term in plan.terms
    ]
    return {"offset_into_first_range": plan.skip_bytes, "terms": terms}


def _chunk_range(fetch: Fetch) -> dict[str, int]:
    return {"start": fetch.start, "end": fetch.end}


def _byte_range(fetch: Fetch) -> dict[str, int]:
    """Both ends count, as in an HTTP range."""
    return {"start": fetch.first_byte, "end": fetch.last_byte}
