"""More of the Hub protocol by the unmodified `huggingface_hub`, in its default settings, against a real server."""

from __future__ import annotations

import dataclasses
import io
import threading
import uuid
from pathlib import Path

import pytest
from flask import request
from huggingface_hub import CommitOperationAdd, CommitOperationCopy, CommitOperationDelete, HfApi, hf_hub_download
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.utils import get_session
from tests.client.models import safetensors_bytes
from tests.conftest import Server
from werkzeug.serving import make_server

from registry_server.app import app_of
from registry_server.usecases import accounts
from registry_server.usecases.context import Registry

LARGE = bytes(range(256)) * 2000


def api_of(server: Server, token: str) -> HfApi:
    return HfApi(endpoint=server.endpoint, token=token)


@pytest.fixture
def alice(server: Server) -> HfApi:
    return api_of(server, server.token)


@pytest.fixture(scope="session")
def bob_token(server: Server) -> str:
    return server.add_user("bob")


@pytest.fixture
def bob(server: Server, bob_token: str) -> HfApi:
    return api_of(server, bob_token)


@pytest.fixture
def repo(alice: HfApi, repo_id: str) -> str:
    """A repo with a small and two large files, of which one is safetensors."""
    alice.create_repo(repo_id)
    head = (
        b"---\nlicense: mit\ntags: [zebra]\nco2_eq_emissions:\n  emissions: 30\n  source: codecarbon\n---\n# A model\n"
    )
    files = {"README.md": head, "sub/w.bin": LARGE, "model.safetensors": safetensors_bytes([1.0, 2.0])}
    operations = [CommitOperationAdd(path, data) for path, data in files.items()]
    alice.create_commit(repo_id, operations, commit_message="First")
    return repo_id


def other(repo_id: str, owner: str = "alice") -> str:
    return f"{owner}/o-{uuid.uuid4().hex[:12]}"


def fetched(api: HfApi, repo_id: str, path: str, folder: Path, revision: str | None = None) -> bytes:
    got = api.hf_hub_download(repo_id, path, revision=revision, local_dir=folder / uuid.uuid4().hex)
    return Path(got).read_bytes()


def test_listings_tell_last_commits(alice: HfApi, repo: str) -> None:
    made = alice.upload_file(path_or_fileobj=b"x", path_in_repo="sub/x.txt", repo_id=repo, commit_message="Second")
    items = {item.path: item for item in alice.list_repo_tree(repo, recursive=True, expand=True)}
    titles = {path: item.last_commit.title for path, item in items.items() if item.last_commit}
    assert titles == {
        ".gitattributes": "initial commit",
        "README.md": "First",
        "model.safetensors": "First",
        "sub": "Second",
        "sub/w.bin": "First",
        "sub/x.txt": "Second",
    }
    (item,) = alice.get_paths_info(repo, "sub", expand=True)
    assert item.last_commit is not None
    assert item.last_commit.oid == made.oid


def test_a_repo_is_moved_and_found_by_its_old_name(alice: HfApi, repo: str, tmp_path: Path) -> None:
    new = other(repo)
    alice.move_repo(repo, new)
    assert alice.model_info(repo).id == new
    assert fetched(alice, repo, "sub/w.bin", tmp_path) == LARGE
    assert fetched(alice, repo, "README.md", tmp_path).endswith(b"# A model\n")
    assert len(alice.list_repo_files(repo)) == 4
    alice.upload_file(path_or_fileobj=b"small", path_in_repo="a.txt", repo_id=repo)
    alice.upload_file(path_or_fileobj=LARGE[:-1], path_in_repo="b.bin", repo_id=repo)
    assert fetched(alice, new, "b.bin", tmp_path) == LARGE[:-1]
    alice.snapshot_download(repo, local_dir=tmp_path / "all")
    assert (tmp_path / "all" / "b.bin").read_bytes() == LARGE[:-1]
    with pytest.raises(HfHubHTTPError, match="already exists"):
        alice.move_repo(new, alice.create_repo(other(repo)).repo_id)


def test_settings_hide_and_show_a_repo(alice: HfApi, bob: HfApi, repo: str) -> None:
    alice.update_repo_settings(repo, visibility="private")
    assert not bob.repo_exists(repo)
    alice.update_repo_settings(repo, visibility="public")
    assert bob.repo_exists(repo)
    alice.auth_check(repo, write=True)


def test_files_are_copied_inside_a_repo_and_between_repos(alice: HfApi, bob: HfApi, repo: str, tmp_path: Path) -> None:
    copies = [CommitOperationCopy("sub/w.bin", "copy.bin"), CommitOperationCopy("README.md", "copy.md")]
    alice.create_commit(repo, [*copies, CommitOperationDelete("sub/", is_folder=True)], commit_message="Copy")
    assert fetched(alice, repo, "copy.bin", tmp_path) == LARGE
    # hf_xet takes what comes from a path, and only such files can be copied between repos
    big = tmp_path / "big.bin"
    big.write_bytes(LARGE[::-1])
    alice.upload_file(path_or_fileobj=big, path_in_repo="big.bin", repo_id=repo)
    target = bob.create_repo(other(repo, "bob")).repo_id
    operations = [
        CommitOperationCopy(path, path, src_repo_id=repo, src_repo_type="model") for path in ("big.bin", "README.md")
    ]
    bob.create_commit(target, operations, commit_message="From another repo")
    assert fetched(bob, target, "big.bin", tmp_path) == LARGE[::-1]


def test_nobody_copies_from_a_repo_they_cannot_read(alice: HfApi, bob: HfApi, repo: str) -> None:
    alice.update_repo_settings(repo, visibility="private")
    target = bob.create_repo(other(repo, "bob")).repo_id
    operation = CommitOperationCopy("sub/w.bin", "w.bin", src_repo_id=repo, src_repo_type="model")
    with pytest.raises(RepositoryNotFoundError):
        bob.create_commit(target, [operation], commit_message="Theft")
    with pytest.raises(RepositoryNotFoundError):
        bob.duplicate_repo(repo)


def test_a_repo_is_duplicated(alice: HfApi, bob: HfApi, repo: str, tmp_path: Path) -> None:
    target = other(repo, "bob")
    copy = bob.duplicate_repo(repo, target, repo_type="model")
    assert (copy.repo_id, copy.files_copy_pending) == (target, False)
    assert fetched(bob, target, "sub/w.bin", tmp_path) == LARGE
    assert [commit.title for commit in bob.list_repo_commits(target)] == [f"Duplicate from {repo}"]
    with pytest.raises(HfHubHTTPError, match="already exists"):
        bob.duplicate_repo(repo, target, repo_type="model")
    assert bob.duplicate_repo(repo, target, repo_type="model", exist_ok=True).repo_id == target


def test_a_pull_request_by_one_commit(alice: HfApi, bob: HfApi, repo: str, tmp_path: Path) -> None:
    operations = [CommitOperationAdd("c.txt", b"c"), CommitOperationAdd("d.bin", LARGE[::-1])]
    made = bob.create_commit(repo, operations, commit_message="A change", create_pr=True)
    assert (made.pr_num, made.pr_revision) == (1, "refs/pr/1")
    assert fetched(alice, repo, "d.bin", tmp_path, revision="refs/pr/1") == LARGE[::-1]
    assert not alice.file_exists(repo, "c.txt")
    assert alice.file_exists(repo, "c.txt", revision="refs/pr/1")
    refs = alice.list_repo_refs(repo, include_pull_requests=True)
    assert [(ref.name, ref.target_commit) for ref in refs.pull_requests or []] == [("1", made.oid)]
    bob.upload_file(path_or_fileobj=b"e", path_in_repo="e.txt", repo_id=repo, revision="refs/pr/1")
    (pull,) = alice.get_repo_discussions(repo)
    assert (pull.num, pull.title, pull.author, pull.status, pull.is_pull_request) == (
        1,
        "A change",
        "bob",
        "open",
        True,
    )
    details = alice.get_discussion_details(repo, 1)
    assert [event.type for event in details.events] == ["comment", "commit", "commit"]
    assert details.target_branch == "refs/heads/main"
    with pytest.raises(HfHubHTTPError, match="neither discussed nor merged"):
        alice.merge_pull_request(repo, 1)
    with pytest.raises(HfHubHTTPError, match="Discussions are not offered"):
        bob.create_discussion(repo, "A question")


def test_a_folder_is_proposed(alice: HfApi, bob: HfApi, repo: str, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    (folder / "x").mkdir(parents=True)
    (folder / "x" / "a.txt").write_text("a")
    (folder / "w.safetensors").write_bytes(safetensors_bytes([3.0] * 5000))
    made = bob.upload_folder(repo_id=repo, folder_path=folder, create_pr=True)
    assert made.pr_url is not None
    files = set(alice.list_repo_files(repo, revision="refs/pr/1"))
    assert {"x/a.txt", "w.safetensors", "README.md"} <= files
    assert fetched(alice, repo, "w.safetensors", tmp_path, "refs/pr/1") == safetensors_bytes([3.0] * 5000)
    with pytest.raises(HfHubHTTPError, match="403"):
        bob.upload_file(path_or_fileobj=b"e", path_in_repo="e.txt", repo_id=repo)


def test_history_is_squashed(alice: HfApi, repo: str, tmp_path: Path) -> None:
    alice.create_branch(repo, branch="dev")
    alice.super_squash_history(repo, commit_message="All in one")
    assert [commit.title for commit in alice.list_repo_commits(repo)] == ["All in one"]
    assert len(alice.list_repo_commits(repo, revision="dev")) == 2
    assert fetched(alice, repo, "sub/w.bin", tmp_path) == LARGE
    with pytest.raises(RevisionNotFoundError):
        alice.super_squash_history(repo, branch="nope")


def test_large_files_are_listed_and_taken_out(alice: HfApi, repo: str) -> None:
    files = list(alice.list_lfs_files(repo))
    assert {file.filename for file in files} == {"sub/w.bin", "model.safetensors"}
    alice.permanently_delete_lfs_files(repo, [file for file in files if file.filename == "sub/w.bin"])
    assert set(alice.list_repo_files(repo)) == {".gitattributes", "README.md", "model.safetensors"}
    assert [file.filename for file in alice.list_lfs_files(repo)] == ["model.safetensors"]


def test_headers_of_all_shards_by_one_call(alice: HfApi, repo: str) -> None:
    index = b'{"metadata": {"total_size": 8}, "weight_map": {"weight": "model.safetensors"}}'
    alice.upload_file(path_or_fileobj=index, path_in_repo="model.safetensors.index.json", repo_id=repo)
    found = alice.get_sharded_safetensors_metadata(repo)
    assert found.metadata == {"total_size": 8}
    single = alice.parse_safetensors_file_metadata(repo, "model.safetensors")
    assert found.files_metadata["model.safetensors"].tensors == single.tensors
    assert found.parameter_count == single.parameter_count


def test_lists_filter_and_fetch_what_is_asked(alice: HfApi, repo: str) -> None:
    found = {model.id: model for model in alice.list_models(author="alice", search=repo, full=True, fetch_config=True)}
    assert {file.rfilename for file in found[repo].siblings or []} >= {"README.md", "sub/w.bin"}
    assert [m.id for m in alice.list_models(search=repo, filter=["zebra", "license:mit"], gated=False)] == [repo]
    for more in ({"apps": "vllm"}, {"inference": "warm"}, {"inference_provider": "x"}, {"gated": True}):
        assert list(alice.list_models(search=repo, **more)) == [], more
    within = alice.list_models(search=repo, cardData=True, emissions_thresholds=(20, 40))
    assert [model.id for model in within] == [repo]
    assert list(alice.list_models(search=repo, cardData=True, emissions_thresholds=(40, 50))) == []
    assert [m.id for m in alice.list_models(search=repo, sort="downloads", limit=1)] == [repo]
    (model,) = alice.list_models(search=repo, expand=["downloads", "usedStorage", "siblings"])
    assert model.siblings is not None
    data = alice.create_repo(other(repo), repo_type="dataset").repo_id
    head = b"---\nlanguage: en\ntask_categories: [text-classification]\n---\n"
    alice.upload_file(path_or_fileobj=head, path_in_repo="README.md", repo_id=data, repo_type="dataset")
    sets = alice.list_datasets(search=data, language="en", task_categories="text-classification")
    assert [found.id for found in sets] == [data]
    assert list(alice.list_datasets(search=data, language="fr")) == []


def test_downloads_are_counted_within_seconds(server: Server, alice: HfApi, repo: str, tmp_path: Path) -> None:
    import time

    for number in range(3):
        hf_hub_download(
            repo, "README.md", endpoint=server.endpoint, token=server.token, local_dir=tmp_path / str(number)
        )
    deadline = time.monotonic() + 30
    while alice.model_info(repo).downloads != 3 and time.monotonic() < deadline:
        time.sleep(0.5)
    assert alice.model_info(repo).downloads == 3


def test_accounts_repos_and_tags(alice: HfApi, repo: str) -> None:
    overview = alice.get_user_overview("alice")
    assert (overview.username, overview.fullname) == ("alice", "alice")
    assert overview.num_models
    assert repo in {found.id for found in alice.list_user_repos()}
    assert "license:mit" in {tag["id"] for tag in alice.get_model_tags()["license"]}
    assert isinstance(alice.get_dataset_tags(), dict)
    with pytest.raises(HfHubHTTPError):
        alice.get_organization_overview("nobody")


def test_what_is_not_offered_fails_at_once(alice: HfApi, repo: str) -> None:
    import time

    started = time.monotonic()
    for call in (
        lambda: alice.unlike(repo),
        lambda: list(alice.list_repo_likers(repo)),
        lambda: list(alice.list_collections()),
        lambda: alice.list_liked_repos("alice"),
        lambda: list(alice.list_spaces()),
        lambda: alice.list_webhooks(),
    ):
        with pytest.raises(HfHubHTTPError, match=r"501|not offered|no spaces"):
            call()
    assert time.monotonic() - started < 10
    with pytest.raises(RepositoryNotFoundError):
        alice.space_info(repo)
    with pytest.raises(EntryNotFoundError):
        alice.get_discussion_details(repo, 5)


@pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")  # how the client sends a part
def test_a_very_large_file_is_sent_in_parts(registry: Registry, tmp_path: Path) -> None:
    # What comes from memory travels by git-LFS also where Xet is installed.
    small = dataclasses.replace(registry.settings, multipart_bytes=100_000, part_bytes=30_000)
    app = app_of(dataclasses.replace(registry, settings=small))
    parts: list[int] = []

    @app.before_request
    def note() -> None:
        if request.path.startswith("/lfs/part/"):
            parts.append(request.content_length or 0)

    serving = make_server("127.0.0.1", 0, app, threaded=True)
    threading.Thread(target=serving.serve_forever, daemon=True).start()
    api = HfApi(endpoint=f"http://127.0.0.1:{serving.server_port}", token=accounts.add_user(registry, "alice"))
    api.create_repo("alice/m")
    data = io.BytesIO(LARGE[:100_001])
    api.upload_file(path_or_fileobj=data, path_in_repo="w.bin", repo_id="alice/m")
    assert sorted(parts) == [10_001, 30_000, 30_000, 30_000]
    assert fetched(api, "alice/m", "w.bin", tmp_path) == LARGE[:100_001]
    serving.shutdown()
    serving.server_close()


def test_a_gated_model_is_read_by_those_whom_its_owner_admits(
    alice: HfApi, bob: HfApi, repo: str, tmp_path: Path
) -> None:
    alice.update_repo_settings(repo, gated="manual")
    assert bob.model_info(repo).gated == "manual"
    with pytest.raises(GatedRepoError):
        bob.hf_hub_download(repo, "sub/w.bin", local_dir=tmp_path)
    request = bob.endpoint + f"/api/models/{repo}/ask-access"
    assert get_session().post(request, headers=bob._build_hf_headers()).json() == {"status": "pending"}
    assert [asked.username for asked in alice.list_pending_access_requests(repo)] == ["bob"]
    alice.accept_access_request(repo, "bob")
    assert Path(bob.hf_hub_download(repo, "sub/w.bin", local_dir=tmp_path)).read_bytes() == LARGE
    alice.cancel_access_request(repo, "bob")
    alice.reject_access_request(repo, "bob", rejection_reason="not now")
    assert [asked.username for asked in alice.list_rejected_access_requests(repo)] == ["bob"]
    with pytest.raises(HfHubHTTPError):
        alice.reject_access_request(repo, "bob", rejection_reason="again")
    alice.update_repo_settings(repo, gated=False)
    assert bob.model_info(repo).gated is False
