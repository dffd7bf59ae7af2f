"""Patterns of `.gitattributes` and `.gitignore`, matched in time that grows with the length of the path.

Whoever pushes chooses both pattern and path, and `*a*a*a*a*b` on many a's would keep a usual regular expression busy
for hours. After a star, the leftmost place where the next piece fits leaves the most to the pieces after it; so that
place is never reconsidered: each piece but the last is an atomic group. Unlike git's, a bracket holds no slash.
"""

from __future__ import annotations

import re

from dulwich.wildmatch import MalformedPattern, translate_bracket_expression


def compile_glob(pattern: bytes) -> re.Pattern[bytes] | None:
    """`pattern` as an expression for whole paths, `**` meaning any folders; None for one that git cannot read either.

    A pattern without a slash, but at its start or end, is about the last part of a path.
    """
    anchored = b"/" in pattern.rstrip(b"/")
    segments = pattern.removeprefix(b"/").split(b"/")
    if not anchored:
        segments = [b"**", *segments]
    try:
        return re.compile(_whole(segments), re.DOTALL)
    except MalformedPattern:
        return None


def _whole(segments: list[bytes]) -> bytes:
    first, *rest = _split_at_any_folders(segments)
    if not rest:
        return _joined(first)
    *middle, last = rest
    found = b"".join(segment + b"/" for segment in map(_segment, first))
    for group in filter(None, middle):
        found += b"(?>(?:[^/]+/)*?" + _joined(group) + b"/)"
    if len(last) == 1:  # is about the last part of the path, wherever the folders before it end
        return found + b"(?>(?:.*/)?)" + _segment(last[0])
    return found + (b"(?:[^/]+/)*" + _joined(last) if last else b".+")


def _split_at_any_folders(segments: list[bytes]) -> list[list[bytes]]:
    groups: list[list[bytes]] = [[]]
    for segment in segments:
        if segment == b"**":
            groups.append([])
        else:
            groups[-1].append(segment)
    return groups


def _joined(segments: list[bytes]) -> bytes:
    return b"/".join(map(_segment, segments))


def _segment(segment: bytes) -> bytes:
    """One part of a path, in which a star stops at a slash."""
    first, *rest = _pieces(segment)
    if not rest:
        return first
    *middle, last = rest
    return first + b"".join(b"(?>[^/]*?" + piece + b")" for piece in middle) + b"[^/]*" + last + b"(?=/|\\Z)"


def _pieces(segment: bytes) -> list[bytes]:
    """What stands between the stars, as expressions of fixed length."""
    pieces = [b""]
    i = 0
    while i < len(segment):
        char = segment[i : i + 1]
        i += 1
        if char == b"*":
            if pieces[-1] or len(pieces) == 1:  # several stars are one
                pieces.append(b"")
        elif char == b"?":
            pieces[-1] += b"[^/]"
        elif char == b"[":
            i, bracket = translate_bracket_expression(segment, i)
            pieces[-1] += bracket
        else:
            if char == b"\\":
                char, i = segment[i : i + 1], i + 1
            pieces[-1] += re.escape(char)
    return pieces
