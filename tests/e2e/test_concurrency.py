"""Several people push to one branch at once, against a real server."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import pytest
from huggingface_hub import CommitOperationAdd, HfApi
from huggingface_hub.errors import HfHubHTTPError
from tests.client.models import write_model
from tests.conftest import Server

from registry_client import pull, push
from registry_client.hub import Hub
from registry_core.errors import StaleParent


@pytest.fixture
def api(server: Server) -> HfApi:
    return HfApi(endpoint=server.endpoint, token=server.token)


@pytest.fixture
def at(server: Server) -> dict[str, str]:
    return {"endpoint": server.endpoint, "token": server.token}


def at_once(tries: int, work: Callable[[int], Any]) -> list[Any]:
    """The results of `work`, run by that many threads that start together."""
    barrier = threading.Barrier(tries)

    def run(i: int) -> Any:
        barrier.wait()
        return work(i)

    with ThreadPoolExecutor(tries) as pool:
        return list(pool.map(run, range(tries)))


def test_of_two_pushes_at_once_one_is_told_and_succeeds_when_repeated(
    at: dict[str, str], api: HfApi, repo_id: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = [write_model(tmp_path / f"model{i}", values=[float(i)] * 1000) for i in range(2)]
    for i, folder in enumerate(folders):
        (folder / "model.safetensors").rename(folder / f"w{i}.safetensors")
        (folder / f"only{i}.txt").write_text(f"of {i}")
    api.create_repo(repo_id)
    both_looked = threading.Barrier(2)
    head = Hub.head

    def slow_head(self: Hub, *arguments: Any) -> Any:
        found = head(self, *arguments)
        both_looked.wait(20)
        return found

    def try_to_push(i: int) -> str:
        try:
            return push(folders[i], repo_id, message=f"Push {i}", **at).commit_id
        except StaleParent as error:
            return f"stale: {error.hint}"

    with monkeypatch.context() as patch:
        patch.setattr(Hub, "head", slow_head)
        results = at_once(2, try_to_push)
    (loser,) = [i for i in range(2) if results[i].startswith("stale: ")]
    assert "repeat" in results[loser]
    again = push(folders[loser], repo_id, **at)
    log = [commit.commit_id for commit in api.list_repo_commits(repo_id)]
    assert log[:2] == [again.commit_id, results[1 - loser]]
    assert len(log) == 3
    got = pull(repo_id, to=tmp_path / "got", **at).path
    for i, folder in enumerate(folders):
        for name in (f"w{i}.safetensors", f"only{i}.txt"):
            assert (Path(got) / name).read_bytes() == (folder / name).read_bytes()


def test_of_commits_with_one_parent_one_wins(api: HfApi, repo_id: str) -> None:
    api.create_repo(repo_id)
    parent = api.repo_info(repo_id).sha

    def work(i: int) -> int:
        try:
            operation = CommitOperationAdd(f"f{i}.txt", b"%d" % i)
            api.create_commit(repo_id, [operation], commit_message=f"n{i}", parent_commit=parent)
        except HfHubHTTPError as error:
            return int(error.response.status_code)
        return 200

    assert sorted(at_once(4, work)) == [200, 412, 412, 412]
    assert len(api.list_repo_commits(repo_id)) == 2
    for i in range(4):  # each in its turn, on the head of that moment
        head = api.repo_info(repo_id).sha
        api.create_commit(
            repo_id, [CommitOperationAdd(f"f{i}.txt", b"%d" % i)], commit_message=f"again {i}", parent_commit=head
        )
    assert {f"f{i}.txt" for i in range(4)} <= set(api.list_repo_files(repo_id))


def test_eighty_commits_of_eight_people_all_land(server: Server, api: HfApi, repo_id: str) -> None:
    api.create_repo(repo_id)

    def work(thread: int) -> list[str]:
        headers = {"Authorization": f"Bearer {server.token}"}
        made = []
        with httpx2.Client(base_url=server.endpoint, headers=headers, timeout=60) as http:
            for i in range(10):
                body = (
                    f'{{"key":"header","value":{{"summary":"{thread}-{i}"}}}}\n'
                    f'{{"key":"file","value":{{"path":"t{thread}/{i}.txt","content":"YQ==","encoding":"base64"}}}}\n'
                )
                answer = http.post(f"/api/models/{repo_id}/commit/main", content=body.encode())
                assert answer.status_code == 200, answer.text
                made.append(answer.json()["commitOid"])
        return made

    made = [commit for commits in at_once(8, work) for commit in commits]
    log = api.list_repo_commits(repo_id)
    assert len(log) == 81
    assert set(made) == {commit.commit_id for commit in log[:-1]}
    assert {commit.title for commit in log[:-1]} == {f"{thread}-{i}" for thread in range(8) for i in range(10)}
    files = set(api.list_repo_files(repo_id)) - {".gitattributes"}
    assert files == {f"t{thread}/{i}.txt" for thread in range(8) for i in range(10)}


def test_of_eight_who_create_one_repo_one_makes_it(server: Server, repo_id: str) -> None:
    def work(_: int) -> int:
        headers = {"Authorization": f"Bearer {server.token}"}
        answer = httpx2.post(f"{server.endpoint}/api/repos/create", json={"name": repo_id}, headers=headers, timeout=60)
        return answer.status_code

    assert sorted(at_once(8, work)) == [200] + [409] * 7


def test_the_same_large_file_sent_by_many_at_once_is_kept_once(
    server: Server, api: HfApi, repo_id: str, tmp_path: Path
) -> None:
    folders = [write_model(tmp_path / f"m{i}", values=[1.0] * 500_000) for i in range(4)]
    repos = [f"{repo_id}-{i}" for i in range(4)]

    def work(i: int) -> str:
        return push(folders[i], repos[i], endpoint=server.endpoint, token=server.token).commit_id

    commits = at_once(4, work)
    for repo, commit in zip(repos, commits, strict=True):
        got = pull(f"{repo}@{commit}", to=tmp_path / repo, endpoint=server.endpoint, token=server.token).path
        weights = Path(got) / "model.safetensors"
        assert weights.read_bytes() == (folders[0] / "model.safetensors").read_bytes()
