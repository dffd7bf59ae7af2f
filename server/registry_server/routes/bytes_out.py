"""Sending a file's bytes: whole or a range, at constant memory, and never as something a browser would run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import BinaryIO
from urllib.parse import quote

from flask import Response, request
from werkzeug.datastructures import Headers
from werkzeug.http import parse_etags, parse_range_header

from registry_core.ids import Digest
from registry_server.blobs.store import key_of
from registry_server.routes.requests import registry
from registry_server.usecases import contents

CHUNK_BYTES = 1 << 18


def headers_of(name: str, etag: str) -> Headers:
    """Headers of every answer that carries bytes which users brought."""
    headers = Headers()
    headers["ETag"] = f'"{etag}"'
    headers["Accept-Ranges"] = "bytes"
    headers["Content-Type"] = "application/octet-stream"
    headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(name, safe='')}"
    headers["Content-Security-Policy"] = "sandbox; default-src 'none'"
    headers["X-Content-Type-Options"] = "nosniff"
    return headers


class Span:
    """The part of a file that a request asks for."""

    def __init__(self, size_bytes: int, etag: str) -> None:
        self.size_bytes = size_bytes
        self.start, self.stop, self.status = 0, size_bytes, 200
        known = parse_etags(request.headers.get("If-None-Match"))
        if known and known.contains_weak(etag):  # a proxy that compresses makes weak ones of ours
            self.status, self.stop = 304, 0
        elif self._range_counts(etag):
            self._take_range()

    @property
    def has_body(self) -> bool:
        """Whether the bytes themselves are to be sent."""
        return request.method == "GET" and self.status in (200, 206) and self.stop > self.start

    def response(self, headers: Headers, body: Iterable[bytes] = ()) -> Response:
        """The answer with `body` behind the right status and lengths."""
        if self.status in (206, 416):
            part = f"{self.start}-{self.stop - 1}" if self.status == 206 else "*"
            headers["Content-Range"] = f"bytes {part}/{self.size_bytes}"
        if self.status != 304:
            # By hand, also for HEAD: a client that is told 0 stores an empty file and reports success.
            headers["Content-Length"] = str(self.stop - self.start)
        return Response(body, self.status, headers, direct_passthrough=True)

    def _range_counts(self, etag: str) -> bool:
        """A range of another version than the client has the start of would corrupt its file."""
        if request.method != "GET" or "Range" not in request.headers:
            return False  # HEAD tells the whole length, whatever range is sent with it
        if_range = request.headers.get("If-Range")
        return if_range is None or if_range.strip('"') == etag

    def _take_range(self) -> None:
        ranges = parse_range_header(request.headers.get("Range"))
        if ranges is None or ranges.units != "bytes" or len(ranges.ranges) != 1:
            return  # what we do not understand is answered whole, as the standard allows
        start, stop = ranges.ranges[0]
        if stop is None and -start > self.size_bytes > 0:
            found: tuple[int, int] | None = (0, self.size_bytes)  # the last hundred bytes of ten are those ten
        else:
            found = ranges.range_for_length(self.size_bytes)
        if found is None:
            self.status, self.start, self.stop = 416, 0, 0
        else:
            self.status, (self.start, self.stop) = 206, found


def file_body(file: BinaryIO, length: int) -> Iterable[bytes]:
    """`length` bytes of `file` from where it stands, by the server's fastest way.

    gunicorn sends a file that was seeked before by sendfile(2), as many bytes as Content-Length says; `send_file` of
    Flask would cut ranges into pieces of 8 KiB.
    """
    wrapper = request.environ.get("wsgi.file_wrapper")
    if wrapper is not None and "gunicorn" in request.environ.get("SERVER_SOFTWARE", ""):
        wrapped: Iterable[bytes] = wrapper(file, CHUNK_BYTES)
        return wrapped
    return _pieces(file, length)


def large_body(digest: Digest, xet_file: bytes | None, span: Span) -> Iterable[bytes]:
    """The bytes of a large file that `span` asks for, wherever they are stored."""
    if xet_file is not None:
        body = contents.pieces(registry(), digest, xet_file, span.start, span.stop)
        # The first piece before the headers leave: what is damaged or disputed is then answered as an error.
        first = next(body, b"")
        return chain([first], body)
    return file_body(registry().blobs.open(key_of(digest), span.start), span.stop - span.start)


def _pieces(file: BinaryIO, length: int) -> Iterator[bytes]:
    with file:
        while length > 0 and (piece := file.read(min(CHUNK_BYTES, length))):
            length -= len(piece)
            yield piece
