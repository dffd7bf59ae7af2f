"""The audit: each act leaves one line, in the transaction of the act, and nobody reads it over HTTP."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from click.testing import CliRunner
from flask import Flask
from flask.testing import FlaskClient
from tests.server.pushing import let_publish, push
from tests.server.wire import create
from tests.server.xet_wire import Made, made, noise, xet_push

from registry_core.ids import RepoId
from registry_server.catalog import audit
from registry_server.catalog.audit import Entry
from registry_server.commands.admin import admin
from registry_server.usecases import accounts, commits
from registry_server.usecases.checking import check
from registry_server.usecases.collecting import collect
from registry_server.usecases.context import Registry
from registry_server.usecases.xet_checking import check_all

pytestmark = pytest.mark.usefixtures("run_checks")

Headers = dict[str, str]


@pytest.fixture
def lie() -> Made:
    """A file that is announced with the SHA-256 of another."""
    return made(noise(3, [900, 400])).claiming(hashlib.sha256(b"something else").hexdigest())


def lines(registry: Registry, **wanted: Any) -> list[Entry]:
    with registry.engine.read() as tx:
        return audit.entries(tx, **wanted)


def acts(registry: Registry, **wanted: Any) -> list[tuple[str, str | None, str]]:
    return [(line.action, line.account, line.subject) for line in lines(registry, **wanted)]


def test_accounts_leave_lines(registry: Registry) -> None:
    accounts.add_user(registry, "alice", token_role="read")
    accounts.add_user(registry, "alice")
    accounts.add_organisation(registry, "vision", [("alice", "admin")])
    assert acts(registry) == [
        ("user.create", None, "alice"),
        ("token.create", None, "alice"),
        ("token.create", None, "alice"),
        ("org.create", None, "vision"),
        ("member.set", None, "alice"),
    ]
    assert [line.detail for line in lines(registry)][1:] == [
        {"role": "read", "token": "cli"},
        {"role": "write", "token": "cli"},
        {},
        {"org": "vision", "role": "admin"},
    ]


def test_a_repos_life_can_be_followed_through_its_names(
    registry: Registry, client: FlaskClient, alice: Headers, bob: Headers
) -> None:
    push(client, alice, "alice/m", {"a.txt": b"a"})
    push(client, bob, "bob/other", {"a.txt": b"a"})
    head = client.get("/api/models/alice/m").json["sha"]
    let_publish(client, alice)
    assert client.post("/api/registry/v1/repos/models/alice/m/publish/main", headers=alice).status_code == 200
    for private in (True, True, False):
        assert client.put("/api/models/alice/m/settings", json={"private": private}, headers=alice).status_code == 200
    names = {"fromRepo": "alice/m", "toRepo": "alice/New", "type": "model"}
    assert client.post("/api/repos/move", json=names, headers=alice).status_code == 200
    assert client.delete("/api/repos/delete", json={"name": "alice/New"}, headers=alice).status_code == 200
    assert acts(registry, repo=RepoId("Alice/M")) == [
        ("repo.create", "alice", ""),
        ("repo.publish", "alice", "main"),
        ("repo.access", "alice", ""),
        ("repo.access", "alice", ""),
        ("repo.move", "alice", "alice/New"),
    ]
    assert acts(registry, repo=RepoId("alice/new")) == [
        ("repo.move", "alice", "alice/New"),
        ("repo.delete", "alice", ""),
    ]
    told = {line.action: line.detail for line in lines(registry, repo=RepoId("alice/m"))}
    assert told["repo.publish"] == {"commit_id": head}
    assert told["repo.access"] == {"private": False, "gated": None}


def test_an_act_that_is_undone_leaves_no_line(
    registry: Registry, app: Flask, client: FlaskClient, alice: Headers, monkeypatch: pytest.MonkeyPatch
) -> None:
    app.config["PROPAGATE_EXCEPTIONS"] = False
    create(client, alice, "alice/m")
    create(client, alice, "alice/m")  # 409

    def fail(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(commits, "first_commit", fail)
    body = {"name": "n", "organization": "alice", "type": "model"}
    assert client.post("/api/repos/create", json=body, headers=alice).status_code == 500
    assert [line.repo for line in lines(registry) if line.action == "repo.create"] == ["alice/m"]


def test_upkeep_leaves_its_beginning_and_its_end(registry: Registry, client: FlaskClient, alice: Headers) -> None:
    push(client, alice, "alice/m", {"a.txt": b"a"})
    collect(registry, dry_run=True)
    collect(registry)
    check(registry, repair=True)
    told = [line for line in lines(registry) if line.action.split(".")[0] in ("gc", "fsck")]
    assert [line.action for line in told] == ["gc.start", "gc.end", "fsck.start", "fsck.end"]
    assert told[1].detail["freed_bytes"] == 0
    assert (told[2].detail, told[3].detail) == ({"repair": True}, {"found": 0, "lost": 0, "repaired": 0})


def test_a_wrong_sha256_is_told_to_the_owner_and_to_the_audit(
    registry: Registry, client: FlaskClient, alice: Headers, bob: Headers, lie: Made
) -> None:
    xet_push(client, alice, "alice/hidden", {"w": lie}, private=True)
    xet_push(client, bob, "bob/m", {"v": lie})
    check_all(registry)
    check_all(registry)
    told = [line for line in lines(registry) if line.action == "file.mismatch"]
    assert [(line.account, line.repo, line.subject) for line in told] == [
        (None, "alice/hidden", lie.digest),
        (None, "bob/m", lie.digest),
    ]
    found = hashlib.sha256(lie.content).hexdigest()
    assert told[0].detail == {"found": found, "sent_by": ["alice", "bob"], "xet_file": str(lie.file.hash)}
    for name, path, headers in (("alice/hidden", "w", alice), ("bob/m", "v", {})):
        detail = client.get(f"/api/registry/v1/repos/models/{name}", headers=headers).json
        (notice,) = detail["notices"]
        assert notice.startswith(f"{path}: ")
        assert found in notice
        assert found in client.get(f"/{name}/resolve/main/{path}", headers=headers).json["error"]
    assert found in client.get("/bob/m").text
    absent = client.get("/api/registry/v1/repos/models/alice/absent", headers=bob)
    hidden = client.get("/api/registry/v1/repos/models/alice/hidden", headers=bob)
    assert (hidden.status_code, hidden.text) == (absent.status_code, absent.text)


def test_a_mismatch_that_no_repo_names_yet_leaves_a_line_too(
    registry: Registry, client: FlaskClient, alice: Headers, lie: Made
) -> None:
    machine = xet_push(client, alice, "alice/m", {})
    machine.upload(lie)
    check_all(registry)
    (line,) = [line for line in lines(registry) if line.action == "file.mismatch"]
    assert (line.repo, line.detail["sent_by"]) == (None, ["alice"])


def test_the_command_says_it_for_people_and_for_programs(
    registry: Registry, client: FlaskClient, alice: Headers
) -> None:
    push(client, alice, "alice/m", {"a.txt": b"a"})
    data = ["--data", str(registry.settings.data)]
    shown = CliRunner().invoke(admin, ["audit", *data])
    assert shown.exit_code == 0
    assert "this machine  user.create  alice" in shown.stdout
    assert "alice  repo.create  model alice/m  private=False" in shown.stdout
    told = CliRunner().invoke(admin, ["audit", *data, "--repo", "alice/m", "--since", "2020-01-01", "--json"])
    (entry,) = json.loads(told.stdout)["entries"]
    assert (entry["action"], entry["repo_kind"], entry["detail"]) == ("repo.create", "model", {"private": False})
    none = CliRunner().invoke(admin, ["audit", *data, "--since", "2999-01-01T00:00:00Z"])
    assert (none.exit_code, none.stdout) == (0, "")


def test_no_address_leads_to_the_audit(app: Flask) -> None:
    assert not [rule.rule for rule in app.url_map.iter_rules() if "audit" in rule.rule]
