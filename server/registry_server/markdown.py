"""A README as HTML that is safe to show. Whatever authors write is hostile until it went through here.

text ─ markdown-it ─► tokens ─ headings under the page's own ─► HTML ─ nh3: a list of what may stay ─► Markup
"""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from urllib.parse import urljoin

import nh3
from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup

MAX_CHARACTERS = 100_000  # the worst of such length take 3 s, plain ones a tenth

_PARSER = MarkdownIt("commonmark").enable(["table", "strikethrough"])
_SECTION_LEVEL = 2  # of the page's own heading above the text
_ID_PREFIX = "readme-"  # so that no author's heading takes the place of an id of ours
_HEADINGS = {"h3", "h4", "h5", "h6"}
_ATTRIBUTES = {
    **{heading: {"id"} for heading in _HEADINGS},
    "a": {"href", "title"},
    "details": {"open"},
    "img": {"src", "alt", "title", "width", "height"},
    "ol": {"start"},
    "td": {"align", "colspan", "rowspan"},
    "th": {"align", "colspan", "rowspan"},
}
_TAGS = {
    *_ATTRIBUTES,
    *"b blockquote br center code dd del div dl dt em hr i kbd li p pre s samp small span strong sub".split(),
    *"summary sup table tbody tfoot thead tr u ul var".split(),
}
_FOCUSABLE = {"tabindex": "0"}  # wide ones scroll, and the keyboard has to reach what scrolls
_LENGTH = re.compile(r"[0-9]{1,4}%?")
_ALIGNMENT = re.compile(r"text-align:(left|center|right)")


@functools.lru_cache(maxsize=64)
def render(text: str, base: str) -> Markup:
    """`text` as HTML. `base` is the address of the folder that relative links and images start from."""
    tokens = _PARSER.parse(text[:MAX_CHARACTERS])
    _place_headings(tokens)
    _align_cells(tokens)
    _name_foreign_images(tokens, base)

    return Markup(  # noqa: S704 - nh3 has just cleaned it
        nh3.clean(
            _PARSER.renderer.render(tokens, _PARSER.options, {}),
            tags=_TAGS,
            attributes=_ATTRIBUTES,
            attribute_filter=lambda _, attribute, value: _kept(attribute, value, base),
            set_tag_attribute_values={"pre": _FOCUSABLE, "table": _FOCUSABLE},
            url_schemes={"http", "https", "mailto"},
            link_rel="nofollow noopener",
        )
    )


def _place_headings(tokens: Sequence[Token]) -> None:
    """Put the headings under the page's own, no level left out, and give each an id to link to."""
    level = _SECTION_LEVEL
    for i, token in enumerate(tokens):
        if token.type == "heading_open":
            level = min(level + 1, _SECTION_LEVEL + int(token.tag[1]), 6)
            token.attrSet("id", _ID_PREFIX + _slug(tokens[i + 1].content))
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{level}"


def _slug(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")[:100]


def _align_cells(tokens: Sequence[Token]) -> None:
    """Say a column's alignment by an attribute: the page allows no inline style."""
    for token in tokens:
        alignment = _ALIGNMENT.fullmatch(str(token.attrGet("style") or ""))
        if alignment:
            token.attrs = {"align": alignment[1]}


def _name_foreign_images(tokens: Sequence[Token], base: str) -> None:
    """Put its words in the place of an image that the page may not load."""
    for token in tokens:
        for child in token.children or ():
            if child.type == "image" and not _is_own(_resolved(str(child.attrGet("src")), base)):
                child.type, child.tag = "text", ""


def _kept(attribute: str, value: str, base: str) -> str | None:
    """The attribute's value as it may stay, or None to drop it. nh3 has judged the scheme of addresses before."""
    match attribute:
        case "href" if value.startswith("#"):
            return f"#{_ID_PREFIX}{value[1:]}"
        case "href":
            return _resolved(value, base)
        case "src":
            address = _resolved(value, base)
            return address if _is_own(address) else None
        case "id":
            return value if value.startswith(_ID_PREFIX) else None
        case "width" | "height":
            return value if _LENGTH.fullmatch(value) else None
    return value


def _is_own(address: str | None) -> bool:
    """Whether the address is of this server: a page tells nobody else who reads it."""
    return address is not None and address.startswith("/") and not address.startswith(("//", "/\\"))


def _resolved(address: str, base: str) -> str | None:
    try:
        return urljoin(base, address)
    except ValueError:  # such as http://[
        return None
