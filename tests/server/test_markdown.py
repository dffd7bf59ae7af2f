"""READMEs become pages that no author can turn against the reader."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry_server.markdown import MAX_CHARACTERS, render

BASE = "/alice/digits/resolve/main/"


def html(text: str) -> str:
    return str(render(text, BASE))


def test_headings_go_below_the_pages_own_without_a_gap() -> None:
    found = re.findall(r"<(h\d)", html("## First\n# Second\n#### Third\n###### Fourth\n"))
    assert found == ["h3", "h3", "h4", "h5"]


def test_link_inside_the_text_finds_its_heading() -> None:
    found = html("[How](#how-to-use)\n\n# How to: *use*!\n")
    assert 'href="#readme-how-to-use"' in found
    assert 'id="readme-how-to-use"' in found


@pytest.mark.parametrize(
    ("address", "resolved"),
    [
        ("docs/a.md", "/alice/digits/resolve/main/docs/a.md"),
        ("./a.md?x=1#y", "/alice/digits/resolve/main/a.md?x=1#y"),
        ("/bob/m", "/bob/m"),
        ("https://example.org/", "https://example.org/"),
        ("mailto:a@example.org", "mailto:a@example.org"),
    ],
)
def test_links_start_from_the_repo(address: str, resolved: str) -> None:
    assert html(f"[x]({address})") == f'<p><a href="{resolved}" rel="nofollow noopener">x</a></p>\n'


@pytest.mark.parametrize(
    "address",
    [
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        "java&#x0A;script:alert(1)",
        "data:text/html,x",
        "vbscript:x",
        "file:///x",
    ],
)
@pytest.mark.parametrize("form", ["[x]({})", "<{}>", '<a href="{}">x</a>', "![x]({})", '<img src="{}" alt="x">'])
def test_addresses_that_run_or_carry_something_are_dropped(address: str, form: str) -> None:
    kept = re.findall(r'(?:href|src)="([^"]*)', html(form.format(address)))
    assert all(found.startswith(BASE) for found in kept)  # a strange name of a file in the repo is harmless


@pytest.mark.parametrize("address", ["https://example.org/b.svg", "//example.org/b.svg"])
def test_foreign_pictures_become_their_words(address: str) -> None:
    assert "src=" not in html(f"![the build]({address})")
    assert "the build" in html(f"![the build]({address})")
    assert html(f'<img src="{address}" alt="x">').strip() == '<img alt="x">'
    assert html('<img src="/\\example.org/b.svg" alt="x">').strip() == '<img alt="x">'


def test_own_pictures_stay() -> None:
    assert f'<img src="{BASE}a.png" alt="a">' in html("![a](a.png)")


def test_column_alignment_needs_no_style() -> None:
    assert '<td align="right">1</td>' in html("|a|\n|-:|\n|1|\n")


def test_raw_html_stays_where_it_is_harmless() -> None:
    found = html('<div onclick="x()" style="color:red" id="content"><b>bold</b><form><input></form></div><!-- note -->')
    assert found.strip() == "<div><b>bold</b></div>"
    assert "alert" not in html(
        "<script>alert(1)</script><style>a{}</style><iframe src=x></iframe><svg onload=alert(1)>"
    )


def test_very_long_text_is_cut() -> None:
    assert len(html("word " * MAX_CHARACTERS)) < MAX_CHARACTERS + 100


@given(st.text(alphabet="<>\"'&;:/\\()[]!#*`| \n=javscriptonhef", max_size=200))
def test_nothing_that_runs_comes_out(text: str) -> None:
    tags = re.findall(r"<[^>]*>", html(text))
    assert not [tag for tag in tags if re.search(r"<script|\son\w+=|\sstyle=|\"\s*javascript:", tag, re.IGNORECASE)]
