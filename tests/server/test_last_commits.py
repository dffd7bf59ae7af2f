"""The last commit that touched a path: always what a walk through the history would find."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.server.older import take_back_to
from tests.server.wire import commit, create, delete, delete_folder, inline

from registry_core.errors import EntryNotFound, InvalidPath
from registry_core.ids import RepoId, RepoPath, Revision
from registry_server.app import app_of, open_registry
from registry_server.catalog import accounts as account_rows
from registry_server.catalog import history, repos, touches
from registry_server.catalog.engine import Transaction
from registry_server.catalog.repos import Repo
from registry_server.git.objects import TREE_MODE, raw
from registry_server.usecases import accounts, commits, reading
from registry_server.usecases import repos as repo_verbs
from registry_server.usecases.commits import Deletion, InlineFile, Message
from registry_server.usecases.context import Registry

Token = Callable[[str], dict[str, str]]
REPO = "alice/m"


def listed(client: FlaskClient, revision: str, folder: str = "", *, recursive: bool = True) -> dict[str, str]:
    """Titles of the last commits, by path."""
    query = f"?expand=true&recursive={str(recursive).lower()}"
    items = client.get(f"/api/models/{REPO}/tree/{revision}{folder}{query}").json
    return {item["path"]: item["lastCommit"]["title"] for item in items}


def test_a_tree_tells_the_last_commit_of_files_and_folders(client: FlaskClient, token: Token) -> None:
    alice = token("alice")
    create(client, alice, REPO)
    commit(client, alice, REPO, [inline("a.txt", b"a"), inline("sub/deep/b.txt", b"b")], title="one")
    made = commit(client, alice, REPO, [inline("sub/c.txt", b"c")], title="two").json
    commit(client, alice, REPO, [inline("sub/deep/b.txt", b"b")], title="nothing changes")
    assert listed(client, "main") == {
        ".gitattributes": "initial commit",
        "a.txt": "one",
        "sub": "two",
        "sub/c.txt": "two",
        "sub/deep": "one",
        "sub/deep/b.txt": "one",
    }
    assert listed(client, "main", "/sub", recursive=False) == {"sub/c.txt": "two", "sub/deep": "one"}
    (item,) = client.post(f"/api/models/{REPO}/paths-info/main", data={"paths": "sub/c.txt", "expand": "True"}).json
    assert item["lastCommit"]["id"] == made["commitOid"]
    assert item["lastCommit"]["date"].endswith("Z")
    (item,) = client.post(f"/api/models/{REPO}/paths-info/main", data={"paths": "sub/c.txt"}).json
    assert "lastCommit" not in item
    assert "lastCommit" not in client.get(f"/api/models/{REPO}/tree/main").text


def test_branches_and_old_commits_have_their_own_last_commits(client: FlaskClient, token: Token) -> None:
    alice = token("alice")
    create(client, alice, REPO)
    start = commit(client, alice, REPO, [inline("a", b"1"), inline("b", b"1")], title="start").json["commitOid"]
    client.post(f"/api/models/{REPO}/branch/dev", json={}, headers=alice)
    commit(client, alice, REPO, [inline("a", b"2")], title="main goes on")
    commit(client, alice, REPO, [inline("b", b"2")], title="dev goes on", revision="dev")
    commit(client, alice, REPO, [inline("b", b"3"), delete("a")], title="again", revision="dev")
    titles = {revision: listed(client, revision) for revision in ("main", "dev", start)}
    assert {revision: (of.get("a"), of["b"]) for revision, of in titles.items()} == {
        "main": ("main goes on", "start"),
        "dev": (None, "again"),
        start: ("start", "start"),
    }


def test_a_file_that_comes_back_was_touched_when_it_came_back(client: FlaskClient, token: Token) -> None:
    alice = token("alice")
    create(client, alice, REPO)
    commit(client, alice, REPO, [inline("s/a", b"1"), inline("s/b", b"1")], title="one")
    commit(client, alice, REPO, [delete_folder("s/")], title="gone")
    commit(client, alice, REPO, [inline("s/a", b"1")], title="back")
    assert listed(client, "main") == {".gitattributes": "initial commit", "s": "back", "s/a": "back"}


def test_a_catalog_of_before_gets_the_index(registry: Registry, client: FlaskClient, token: Token) -> None:
    alice = token("alice")
    create(client, alice, REPO)
    commit(client, alice, REPO, [inline("a", b"1"), inline("s/b", b"1")], title="one")
    commit(client, alice, REPO, [inline("a", b"2")], title="two")
    expected = listed(client, "main")
    registry.engine.close()
    take_back_to(2, registry.settings.catalog_path)
    upgraded = open_registry(registry.settings)
    assert listed(app_of(upgraded).test_client(), "main") == expected
    upgraded.engine.close()


# By any history


NAMES = st.sampled_from(["a", "b", "d/a", "d/b", "d/e/a", "e/a", "d/e/f/a"])
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["commit", "commit", "commit", "branch"]),
        st.integers(0, 5),
        st.lists(st.tuples(st.sampled_from(["put", "delete", "folder"]), NAMES, st.binary(max_size=1)), max_size=4),
    ),
    max_size=14,
)


def walked(tx: Transaction, repo: Repo, tip: bytes) -> dict[str, bytes]:
    """The last commit of every path at `tip`, by looking at each commit in turn."""
    current = _entries(tx, _root(tx, tip))
    found: dict[str, bytes] = {}
    commit_oid: bytes | None = tip
    while commit_oid is not None:
        parent = history.log(tx, repo.row_id, commit_oid, 1)[0].parent
        here = _entries(tx, _root(tx, commit_oid))
        before = {} if parent is None else _entries(tx, _root(tx, parent))
        for path in current:
            if path not in found and here.get(path) != before.get(path):
                found[path] = commit_oid
        commit_oid = parent
    return found


def _root(tx: Transaction, oid: bytes) -> bytes:
    return raw(history.objects(tx, [oid])[oid].commit().tree)


def _entries(tx: Transaction, root: bytes, prefix: str = "") -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for name, mode, oid in history.trees(tx, [root])[root].items():
        path = prefix + name.decode()
        found[path] = raw(oid)
        if mode == TREE_MODE:
            found |= _entries(tx, raw(oid), f"{path}/")
    return found


def indexed(tx: Transaction, repo: Repo, tip: bytes) -> dict[str, bytes]:
    items = reading.list_tree(tx, repo, _root(tx, tip), recursive=True)
    last = reading.last_commits(tx, repo, tip.hex(), items)  # type: ignore[arg-type]
    return {path: entry.oid for path, entry in last.items()}


def operation(verb: str, path: str, content: bytes) -> Any:
    if verb == "put":
        return InlineFile(RepoPath(path), content)
    return Deletion(RepoPath(path if verb == "delete" else path.split("/")[0]))


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(STEPS)
def test_the_index_finds_what_a_walk_finds(registry: Registry, steps: Any) -> None:
    with registry.engine.write() as tx:
        owner = account_rows.by_name(tx, "alice")
    if owner is None:
        accounts.add_user(registry, "alice")
        with registry.engine.read() as tx:
            owner = account_rows.by_name(tx, "alice")
    assert owner is not None
    caller = account_rows.Caller(owner.id, "alice", is_admin=False, token_name="t", token_role="write")
    wanted = RepoId(REPO)
    repo = repo_verbs.create(registry, caller, "model", wanted, private=False)
    branches = ["main"]
    for number, (verb, choice, changes) in enumerate(steps):
        branch = branches[choice % len(branches)]
        if verb == "branch":
            branches.append(f"b{number}")
            repo_verbs.create_branch(registry, caller, "model", wanted, branches[-1], Revision(branch))
            continue
        operations = [operation(*change) for change in changes]
        with contextlib.suppress(EntryNotFound, InvalidPath):  # a deletion of nothing, a file where a folder is
            commits.commit(registry, caller, "model", wanted, Revision(branch), Message(f"{number}"), operations)
    with registry.engine.write() as tx:
        tips = [row["oid"] for row in tx.execute("select oid from commits where repo_id = :r", {"r": repo.row_id})]
        expected = {tip: walked(tx, repo, tip) for tip in tips}
        assert {tip: indexed(tx, repo, tip) for tip in tips} == expected
        touches.rebuild(tx, repo.row_id)
        assert {tip: indexed(tx, repo, tip) for tip in tips} == expected
        repos.remove(tx, repo)
        for table in ("chains", "folders", "touches"):
            assert tx.execute(f"select count(*) as n from {table}")[0]["n"] == 0
