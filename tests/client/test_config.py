"""Where endpoint and token come from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from registry_client.config import checked_endpoint, connection, login_path, store_login
from registry_core.errors import Invalid

ALL = {
    "REGISTRY_ENDPOINT": "http://own:1",
    "REGISTRY_TOKEN": "own",
    "HF_ENDPOINT": "http://hub:2",
    "HF_TOKEN": "hub",
}


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    """An environment with an empty configuration folder."""
    return {"XDG_CONFIG_HOME": str(tmp_path / "config")}


def test_arguments_come_first(home: dict[str, str]) -> None:
    found = connection("http://given:3", "given", environ={**home, **ALL})
    assert (found.endpoint, found.token) == ("http://given:3", "given")


def test_own_variables_come_before_those_of_the_hub(home: dict[str, str]) -> None:
    found = connection(environ={**home, **ALL})
    assert (found.endpoint, found.token) == ("http://own:1", "own")


def test_variables_of_the_hub_come_before_the_login(home: dict[str, str]) -> None:
    store_login("http://stored:4", "stored", environ=home)
    found = connection(environ={**home, "HF_ENDPOINT": "http://hub:2", "HF_TOKEN": "hub"})
    assert (found.endpoint, found.token) == ("http://hub:2", "hub")


def test_login_is_used_when_nothing_else_is_said(home: dict[str, str]) -> None:
    store_login("http://stored:4", "stored", environ=home)
    found = connection(environ=home)
    assert (found.endpoint, found.token) == ("http://stored:4", "stored")


def test_without_anything_it_is_this_machine_and_no_token(home: dict[str, str]) -> None:
    found = connection(environ=home)
    assert (found.endpoint, found.token) == ("http://127.0.0.1:8000", None)


def test_stored_token_goes_only_to_its_own_server(home: dict[str, str]) -> None:
    store_login("http://one:1", "first", environ=home)
    store_login("http://two:2", "second", environ=home)
    assert connection("http://one:1/", environ=home).token == "first"
    assert connection("http://two:2", environ=home).token == "second"
    assert connection("http://three:3", environ=home).token is None
    assert connection(environ=home).endpoint == "http://two:2"


def test_login_file_is_private_and_leaves_nothing_beside_it(home: dict[str, str]) -> None:
    path = store_login("http://one:1", "secret", environ=home)
    assert path == login_path(home) == Path(home["XDG_CONFIG_HOME"], "model-commons", "login.json")
    assert path.stat().st_mode & 0o777 == 0o600
    assert json.loads(path.read_text()) == {"endpoint": "http://one:1", "tokens": {"http://one:1": "secret"}}
    assert list(path.parent.iterdir()) == [path]


def test_unreadable_login_file_is_named(home: dict[str, str]) -> None:
    path = store_login("http://one:1", "secret", environ=home)
    path.write_text("{")
    with pytest.raises(Invalid, match=r"login\.json"):
        connection(environ=home)


def test_token_does_not_show_in_the_representation(home: dict[str, str]) -> None:
    assert "secret" not in repr(connection("http://one:1", "secret", environ=home))


def test_line_break_after_a_token_is_forgiven_and_one_inside_is_not(home: dict[str, str]) -> None:
    assert connection(token="abc\n", environ=home).token == "abc"
    with pytest.raises(Invalid):
        connection(token="abc\ndef", environ=home)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("http://Host:8000/", "http://host:8000"),
        ("HTTPS://hub.example/prefix/", "https://hub.example/prefix"),
        ("http://[::1]:8000", "http://[::1]:8000"),
    ],
)
def test_endpoint_is_brought_to_one_spelling(given: str, expected: str) -> None:
    assert checked_endpoint(given) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "localhost:8000",
        "ftp://host",
        "http://",
        "http://user:pw@host",
        "http://host:99999",
        "http://h?x=1",
        "http://[::1",
    ],
)
def test_faulty_endpoint_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        checked_endpoint(text)
