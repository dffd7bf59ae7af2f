"""What the documents say is true: their commands run, and what there is to mention is mentioned."""

from __future__ import annotations

import os
import re
import runpy
import shlex
import signal
import socket
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from flask import Flask
from werkzeug.routing import Rule

from registry_client.cli import GROUP, registry
from registry_client.entry_points import entry_points
from registry_server.routes.openapi import document

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
README, API, OPERATIONS, CLI = (
    ROOT / name for name in ("README.md", "docs/api.md", "docs/operations.md", "docs/cli.md")
)


# -- what runs


def test_the_tour_the_api_examples_and_the_backup_run(tmp_path: Path) -> None:
    # One test for the three: the second and the third need the server and the model of the first.
    port = _free_port()
    environment = _visitor(tmp_path)
    for name, text in _tour_files():
        (tmp_path / name).write_text(_at(port, text))
    tour = _at(port, "\n".join(blocks(README, "sh", "tour")))
    with _Group() as group:
        told = group.run(tour, tmp_path, environment)
        assert "pass: accuracy" in told
        group.run(f"curl --fail http://127.0.0.1:{port}/alice/digits | grep digits", tmp_path, environment)
        examples = f"ENDPOINT=http://127.0.0.1:{port} TOKEN=$(cat token)\n"
        token = re.search(r"hf_\w+", (tmp_path / "config" / "model-commons" / "login.json").read_text())
        assert token is not None
        (tmp_path / "token").write_text(token[0])
        for block in blocks(API, "sh", "api"):
            group.run(examples + block, tmp_path, environment)
        backup = "\n".join(blocks(OPERATIONS, "sh", "backup"))
        group.run(backup.replace("DATA/", "data/").replace("BACKUP", "kept"), tmp_path, environment)
    _check_backup(tmp_path, environment)


def test_a_token_is_taken_back_as_the_page_says(tmp_path: Path) -> None:
    from registry_core.errors import Unauthenticated
    from registry_server.app import open_registry
    from registry_server.settings import Settings
    from registry_server.usecases import accounts

    opened = open_registry(Settings(data=tmp_path, secret_key="secret"))
    token = accounts.add_user(opened, "alice")
    assert accounts.authenticate(opened, token).name == "alice"
    (program,) = blocks(OPERATIONS, "python", "revoke")
    subprocess.run([sys.executable, "-c", program.replace("DATA", str(tmp_path))], check=True)
    with pytest.raises(Unauthenticated):
        accounts.authenticate(opened, token)
    opened.engine.close()


# -- what is mentioned


def test_the_cli_page_is_what_its_script_prints() -> None:
    printed = runpy.run_path(str(ROOT / "scripts" / "cli_docs.py"))["page"]()
    assert CLI.read_text() == printed, "Run python scripts/cli_docs.py."


def test_every_command_and_option_is_on_the_cli_page() -> None:
    sections = dict(re.findall(r"^## (registry [^\n]+)\n(.*?)(?=^## |\Z)", CLI.read_text(), re.M | re.S))
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"][GROUP]
    assert declared.keys() <= entry_points(GROUP).keys(), "Run make install."
    for name in declared:
        for path, command in _leaves(registry, name):
            missing = [option for option in _spellings(command) if option not in sections[path]]
            assert not missing, f"{path} {missing}"


def test_every_command_line_in_the_documents_exists() -> None:
    for page in PAGES:
        for words in _command_lines(page):
            command, options = _resolved(words)
            unknown = [option for option in options if option not in _spellings(command)]
            assert not unknown, f"{page.name}: {' '.join(words)}"


def test_every_variable_that_the_code_reads_is_explained() -> None:
    sources = [path.read_text() for part in ("registry", "client", "server") for path in (ROOT / part).rglob("*.py")]
    read = set(re.findall(r"REGISTRY_[A-Z_]+[A-Z]", "\n".join(sources)))
    explained = README.read_text() + OPERATIONS.read_text()
    assert sorted(name for name in read if name not in explained) == []
    assert read, "The search itself found nothing."


def test_the_api_page_has_the_routes_that_are_served_and_no_others(app: Flask) -> None:
    served = {
        (method, _as_documented(rule)) for rule in _api_rules(app) for method in rule.methods or () if _counts(method)
    }
    assert _documented_routes() == served | {("GET", "/healthz")}


def test_openapi_has_the_routes_of_our_own_api_and_no_others(app: Flask) -> None:
    served = {
        (method, _as_documented(rule))
        for rule in _api_rules(app)
        if rule.rule.startswith("/api/registry/")
        for method in rule.methods or ()
        if _counts(method)
    }
    described = {(method.upper(), path) for path, methods in document()["paths"].items() for method in methods}
    assert described == served


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.M | re.S)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if target.startswith(("http://", "https://")):
            continue
        path, _, fragment = target.partition("#")
        found = (page.parent / path).resolve() if path else page
        assert found.exists(), target
        assert not fragment or fragment in _anchors(found), target


def test_every_decision_is_in_the_index() -> None:
    folder = ROOT / "docs" / "adr"
    index = (folder / "README.md").read_text()
    for number, page in enumerate(sorted(folder.glob("[0-9]*.md")), start=1):
        title = page.read_text().splitlines()[0].removeprefix(f"# {number}. ")
        assert f"{number}. [{title}]({page.name})" in index
        assert page.name.startswith(f"{number:04d}-")


# -- reading the documents


def blocks(page: Path, language: str, mark: str) -> list[str]:
    """The fenced blocks of a page that begin with, for example, three backticks and `sh tour`."""
    return re.findall(rf"^```{language} {mark}\n(.*?)^```$", page.read_text(), re.M | re.S)


def _tour_files() -> Iterator[tuple[str, str]]:
    """The programs of the tour; the first line of each says its name."""
    for text in blocks(README, "python", "tour"):
        name = re.match(r"# (\w+\.py)", text)
        assert name is not None
        yield name[1], text


def _command_lines(page: Path) -> Iterator[list[str]]:
    text = page.read_text().replace("\\\n", " ")
    lines = re.findall(r"^(?: {4})?(registry [a-z][^\n]*)$", text, re.M)
    spans = re.findall(r"`(registry [a-z]+ [^`\n]+)`", text)
    for line in [*lines, *spans]:
        command = re.split(r" {3,}| +#| &$", line)[0]  # without what explains it
        if not re.search(r"[…\[\]]|\.\.\.", command):
            yield shlex.split(command)


def _documented_routes() -> set[tuple[str, str]]:
    found = re.findall(r"`([A-Z]+(?:, [A-Z]+)*) (/[^`\s]*)`", API.read_text())
    return {(method, path) for methods, path in found for method in methods.split(", ")}


def _anchors(page: Path) -> set[str]:
    """The fragments under which a page's headings are found."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


# -- looking at the program


def _leaves(group: click.Group, name: str, above: str = "registry") -> Iterator[tuple[str, click.Command]]:
    """A command, or those of a group, each with the words that call it."""
    command = group.get_command(click.Context(group), name)
    assert command is not None
    path = f"{above} {name}"
    if isinstance(command, click.Group):
        for below in command.list_commands(click.Context(command)):
            yield from _leaves(command, below, path)
    else:
        yield path, command


def _spellings(command: click.Command) -> set[str]:
    options = [option for option in command.params if isinstance(option, click.Option)]
    return {spelling for option in options for spelling in [*option.opts, *option.secondary_opts]}


def _resolved(words: list[str]) -> tuple[click.Command, list[str]]:
    """The command that these words call, and the options they give it."""
    command: click.Command = registry
    rest = words[1:]
    while isinstance(command, click.Group) and rest and not rest[0].startswith("-"):
        below = command.get_command(click.Context(command), rest[0])
        assert below is not None, words
        command, rest = below, rest[1:]
    own = rest[: rest.index("--")] if "--" in rest else rest
    return command, [word.partition("=")[0] for word in own if word.startswith("--")]


def _api_rules(app: Flask) -> Iterator[Rule]:
    """All routes but the pages for people."""
    for rule in app.url_map.iter_rules():
        if rule.endpoint != "static" and not rule.endpoint.startswith("web."):
            yield rule


def _as_documented(rule: Rule) -> str:
    fixed = re.sub(r"<any\((\w+)\):\w+>", r"\1", rule.rule)
    return re.sub(r"<(?:\w+(?:\([^)]*\))?:)?(\w+)>", r"{\1}", fixed)


def _counts(method: str) -> bool:
    return method not in ("HEAD", "OPTIONS")


# -- running what they say


class _Group:
    """Shell scripts in one process group, so that a server that one of them left behind ends with it."""

    def __init__(self) -> None:
        self._leaders: list[int] = []

    def run(self, script: str, folder: Path, environment: dict[str, str]) -> str:
        """What the script said. It may leave processes behind, which is why its output goes to a file."""
        log = folder / f"{len(self._leaders)}.log"
        command = ["bash", "-euo", "pipefail", "-c", script]
        with log.open("w") as output:
            process = subprocess.Popen(
                command, cwd=folder, env=environment, stdout=output, stderr=output, start_new_session=True
            )
        self._leaders.append(process.pid)
        assert process.wait(240) == 0, f"{script}\n{log.read_text()}"
        return log.read_text()

    def __enter__(self) -> _Group:
        return self

    def __exit__(self, *_: object) -> None:
        for leader in self._leaders:
            try:
                os.killpg(leader, signal.SIGTERM)
            except ProcessLookupError:
                continue


def _visitor(folder: Path) -> dict[str, str]:
    """The environment of somebody who has just installed the project."""
    return {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(folder),
        "XDG_CONFIG_HOME": str(folder / "config"),
        "HF_HOME": str(folder / "huggingface"),
        "NO_COLOR": "1",
    }


def _at(port: int, text: str) -> str:
    """The text for a server on another port than 8000, which may be taken here."""
    return text.replace("serve --data ./data", f"serve --data ./data --port {port}").replace(":8000", f":{port}")


def _check_backup(folder: Path, environment: dict[str, str]) -> None:
    """The kept folder alone serves the model again."""
    (folder / "data").rename(folder / "gone")
    port = _free_port()
    script = (
        f"registry serve --data kept --port {port} &\n"
        f"until curl --fail --silent --output /dev/null http://127.0.0.1:{port}/healthz; do sleep 0.1; done\n"
        f"registry pull alice/digits --to restored --endpoint http://127.0.0.1:{port}\n"
        "cmp digits/model.safetensors restored/model.safetensors"
    )
    with _Group() as group:
        group.run(script, folder, environment)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
