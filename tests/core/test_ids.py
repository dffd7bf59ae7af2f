"""Names check themselves, and agree with the Hub's client and with git."""

import subprocess
from pathlib import PurePosixPath, PureWindowsPath

import pytest
from huggingface_hub.errors import HFValidationError
from huggingface_hub.utils import validate_repo_id
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from registry_core.errors import Invalid, InvalidDigest, InvalidName, InvalidPath, InvalidRevision
from registry_core.ids import RESERVED_OWNERS, CommitId, Digest, Owner, RepoId, RepoPath, Revision

NAME = st.text("abcXYZ019-_.", min_size=1, max_size=12)
ANYTHING = st.text(st.characters(), max_size=40)


def accepts(kind, text) -> bool:
    try:
        return kind(text) == text
    except Invalid:
        return False


def hub_accepts(text) -> bool:
    try:
        validate_repo_id(text)
    except HFValidationError:
        return False
    return True


@given(st.one_of(ANYTHING, st.builds("{}/{}".format, NAME, NAME), st.builds("{}/{}/{}".format, NAME, NAME, NAME)))
@example("_a/_b")
@example("a" * 96 + "/" + "b" * 96)
@example("a" * 97 + "/b")
@example("a/b\n")
@example("é/b")
@example("a/b.git")
def test_repo_id_is_valid_when_the_hub_client_says_so(text):
    owner, slash, _ = text.partition("/")
    # We ask for an owner, keep some for ourselves, and want no owner that ends like a git folder.
    assume(slash and owner.lower() not in RESERVED_OWNERS and not owner.endswith(".git"))
    assert accepts(RepoId, text) == hub_accepts(text)


def test_repo_id_gives_its_parts_and_a_key_that_ignores_case():
    repo = RepoId("Demo/Digits-Small")
    assert (repo.owner, repo.name, repo.key) == ("Demo", "Digits-Small", "demo/digits-small")
    assert isinstance(repo.owner, Owner)


@pytest.mark.parametrize("text", ["", "demo", "demo/", "/digits", "a/b/c", "a.git/b", "a--b/c", "demo/-x", "demo/x."])
def test_repo_id_needs_two_names(text):
    with pytest.raises(InvalidName) as caught:
        RepoId(text)
    assert caught.value.hint


@pytest.mark.parametrize("text", [*sorted(RESERVED_OWNERS), "API", "Models"])
def test_no_owner_is_called_like_an_address_of_ours(text):
    with pytest.raises(InvalidName):
        Owner(text)
    with pytest.raises(InvalidName):
        RepoId(f"{text}/digits")


def test_message_about_an_endless_name_is_short():
    with pytest.raises(InvalidName) as caught:
        RepoId("a" * 100_000)
    assert len(caught.value.message) < 300
    with pytest.raises(InvalidName) as caught:
        RepoId("a/" + "b" * 100_000)
    assert len(caught.value.message) < 300


@settings(max_examples=60, deadline=None)
@given(st.text("ab0./-_@{+=~^: \\*?[", min_size=1, max_size=12).filter(lambda text: accepts(Revision, text)))
@example("feature/x.y")
@example("a@b")
@example("refs/pr/1")
def test_git_accepts_every_revision_we_accept(text):
    asked = subprocess.run(["git", "check-ref-format", f"refs/heads/{text}"], check=False)
    assert asked.returncode == 0


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".a",
        "a..b",
        "a//b",
        "a/",
        "/a",
        "a.",
        "a.lock",
        "a.lock/b",
        "a/.b",
        "@{1}",
        "a@{1",
        "@",
        "-a",
        "a b",
        "a~1",
        "a^",
        "a:b",
        "a?",
        "a*",
        "a[",
        "a\\b",
        "a\n",
        "a\x7f",
        "é",
        "a" * 201,
    ],
)
def test_revision_refuses_what_git_refuses(text):
    with pytest.raises(InvalidRevision):
        Revision(text)


@given(ANYTHING)
def test_revision_of_any_text_is_valid_or_refused(text):
    accepts(Revision, text)


def test_revision_knows_a_commit_id():
    assert Revision("0123456789abcdef" * 2 + "01234567").is_commit_id
    assert not Revision("main").is_commit_id
    assert not Revision("0123456789ABCDEF" * 2 + "01234567").is_commit_id


PARTS = st.sampled_from(["a", "..", ".", "", ".git", "C:", "b.txt", " ", "\\", "ü", "\x00", "…", ".GIT", "nul"])


@given(st.one_of(ANYTHING, st.lists(PARTS, min_size=1, max_size=5).map("/".join)))
def test_no_path_leaves_its_repo(text):
    assume(accepts(RepoPath, text))
    assert (PurePosixPath("/repo") / text).parts == ("/", "repo", *text.split("/"))
    assert (PureWindowsPath("R:/repo") / text).parts == ("R:\\", "repo", *text.split("/"))
    assert ".git" not in text.lower().split("/")
    assert text.encode()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/a",
        "a/",
        "a//b",
        "../a",
        "a/../b",
        ".",
        "./a",
        "a\\b",
        ".git/config",
        "a/.GIT/b",
        "a\x00b",
        "a\nb",
        "C:a",
        "c:/a",
        chr(0xD800),
        "a" * 256,
        "/".join(["a" * 200] * 6),
    ],
)
def test_path_is_refused(text):
    with pytest.raises(InvalidPath):
        RepoPath(text)


def test_path_gives_its_parts():
    assert RepoPath("onnx/ü model.onnx").parts == ["onnx", "ü model.onnx"]
    assert RepoPath(".gitattributes").parts == [".gitattributes"]


@pytest.mark.parametrize(("kind", "length", "error"), [(Digest, 64, InvalidDigest), (CommitId, 40, InvalidRevision)])
def test_digest_and_commit_id_are_lower_case_hex_of_one_length(kind, length, error):
    assert kind("0a" * (length // 2)) == "0a" * (length // 2)
    for text in (
        "",
        "0" * (length - 1),
        "0" * (length + 1),
        "A" * length,
        "g" * length,
        "0" * length + "\n",
        "٠" * length,
    ):
        with pytest.raises(error):
            kind(text)
