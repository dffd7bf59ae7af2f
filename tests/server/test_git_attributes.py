"""`.gitattributes` and `.gitignore`, held against git, and against patterns made to be slow."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from registry_core.errors import Invalid
from registry_server.git.attributes import Attributes, Ignored
from registry_server.git.objects import INITIAL_ATTRIBUTES

PATHS = [
    *["a", "b", "ab", "aab", "a.bin", "a.b.bin", "a b", "a/b", "a/a", "a/ab", "b/a", "a/b/a", "a/b/b", "b/a/b/a.bin"],
    *[
        "saved_model/x",
        "saved_model/a/b/x",
        "x/saved_model/y",
        "a.tar.gz",
        "events.out.tfevents.1",
        "ä",
        "a/ä.bin",
        "[a]",
    ],
]
# `a**/b` is left out: git strips what is literal at the start first, and then reads the stars as a part of their own.
SEGMENTS = (
    st.lists(
        st.sampled_from(["a", "b", "*", "?", ".bin", "[ab]", "[!a]", "[a-b]", "\\a", ".", "ä", "[[:alpha:]]", "]"]),
        min_size=1,
        max_size=4,
    )
    .map("".join)
    .filter(lambda segment: "**" not in segment)
)
PATTERNS = st.builds(
    lambda start, segments, end: start + "/".join(segments) + end,
    st.sampled_from(["", "", "/", "**/"]),
    st.lists(st.one_of(SEGMENTS, st.just("**")), min_size=1, max_size=4),
    st.sampled_from(["", "", "", "/", "/**"]),
)


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A git work tree."""
    folder = tmp_path_factory.mktemp("work")
    subprocess.run(["git", "init", "--quiet", folder], check=True)
    return folder


def git_says(work: Path, *command: str) -> list[str]:
    """git's answer for each of PATHS."""
    given = "\0".join(PATHS) + "\0"
    done = subprocess.run(["git", "-C", work, *command], input=given, capture_output=True, text=True)
    assert done.returncode in (0, 1), done.stderr
    return done.stdout.split("\0")[:-1]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(PATTERNS, st.sampled_from(["filter=lfs", "-filter", "!filter", "text"])), max_size=4))
def test_attributes_are_read_as_git_reads_them(work: Path, lines: list[tuple[str, str]]) -> None:
    content = "".join(f"{pattern} {attribute}\n" for pattern, attribute in lines).encode()
    (work / ".gitattributes").write_bytes(content)
    answers = git_says(work, "check-attr", "-z", "--stdin", "filter")
    expected = {path for path, value in zip(answers[::3], answers[2::3], strict=True) if value == "lfs"}
    attributes = Attributes(content)
    assert {path for path in PATHS if attributes.is_lfs(path)} == expected


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.sampled_from(["", "", "!"]), PATTERNS), max_size=4))
def test_ignored_paths_are_those_that_git_ignores(work: Path, lines: list[tuple[str, str]]) -> None:
    content = "".join(f"{sign}{pattern}\n" for sign, pattern in lines).encode()
    (work / ".gitignore").write_bytes(content)
    expected = set(git_says(work, "check-ignore", "-z", "--stdin", "--no-index"))
    ignored = Ignored(content)
    assert {path for path in PATHS if path in ignored} == expected


def test_a_new_repo_keeps_weights_as_large_files() -> None:
    attributes = Attributes(INITIAL_ATTRIBUTES)
    assert attributes.is_lfs("model.safetensors")
    assert attributes.is_lfs("deep/down/model-00001-of-00002.safetensors")
    assert attributes.is_lfs("saved_model/variables/x")
    assert not attributes.is_lfs("config.json")


@pytest.mark.parametrize("pattern", ["*a" * 30 + "b", "**/a/" * 30 + "b", "**/*a*a*a/" * 9 + "b", "?*" * 40 + "b"])
@pytest.mark.parametrize("path", ["a" * 255, "a/" * 500 + "c", ("a" * 250 + "/") * 4 + "c"])
def test_a_pattern_made_to_be_slow_is_fast(pattern: str, path: str) -> None:
    started = time.perf_counter()
    assert not Attributes(f"{pattern} filter=lfs\n".encode()).is_lfs(path)
    assert path not in Ignored(pattern.encode())
    assert time.perf_counter() - started < 1


def test_what_nobody_writes_by_hand_is_cut() -> None:
    assert not Attributes(b"x filter=lfs\n" * 501 + b"a filter=lfs\n").is_lfs("a")
    assert Attributes(b"x filter=lfs\n" * 499 + b"a filter=lfs\n").is_lfs("a")


def test_many_folders_and_many_lines_are_refused_before_they_take_long() -> None:
    ignored = Ignored(b"x*y\n" * 500)
    assert ("a/" * 511 + "c") not in ignored
    assert ("a/" * 511 + "d") not in ignored  # its folders are known by now
    with pytest.raises(Invalid, match="too many lines"):
        [path for path in (f"{number}/" + "b/" * 509 + "c" for number in range(9)) if path in ignored]
    usual = Ignored(b"*.log\n__pycache__/\n" * 250)
    assert [path for path in (f"a/{number // 110}/{number}.py" for number in range(990)) if path in usual] == []
