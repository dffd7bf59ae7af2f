"""The command as such: its help, its subcommands, its exit codes, and what it does not import."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from registry_client import cli, output
from registry_client.cli import run
from registry_client.entry_points import entry_points
from registry_core import errors
from registry_core.records import Publication

HEAVY = {
    "torch",
    "flask",
    "boto3",
    "codecarbon",
    "transformers",
    "huggingface_hub",
    "pydantic",
    "rich",
    "httpx2",
    "importlib.metadata",
    "subprocess",
}


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> click.Command:
    """The only subcommand, `act`, whose body a test replaces."""
    act = click.Command("act", callback=lambda: None)
    monkeypatch.setattr(cli.registry, "targets", {"act": "anywhere:act"})
    monkeypatch.setattr(cli, "import_module", lambda _: type("Module", (), {"act": act}))
    return act


def raising(error: BaseException) -> Callable[[], None]:
    def body() -> None:
        raise error

    return body


def distribution(folder: Path, name: str, text: str) -> None:
    (folder / f"{name}-1.0.dist-info").mkdir(parents=True)
    (folder / f"{name}-1.0.dist-info" / "entry_points.txt").write_text(text)


def test_help_lists_the_commands_with_their_first_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--help"]) == 0
    help_text = capsys.readouterr().out
    for line in (
        "push     Send FOLDER to OWNER/NAME",
        "find     List the models that fit",
        "login ",
        "publish ",
    ):
        assert line in help_text


def test_help_imports_nothing_heavy() -> None:
    program = (
        "import sys; from registry_client.cli import run; run(['--help']);"
        f"print(sorted({HEAVY!r} & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"


def test_importing_the_library_imports_nothing_heavy() -> None:
    program = f"import sys, registry_client; print(sorted({HEAVY!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_help_has_an_example_that_starts_with_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("login", "push", "pull", "find", "show", "publish", "rerun", "track"):
        assert run([name, "--help"]) == 0
        assert f"\n    registry {name} " in capsys.readouterr().out


def test_module_and_console_script_are_the_same_command() -> None:
    by_module = subprocess.run(
        [sys.executable, "-m", "registry_client", "--version"], capture_output=True, text=True, check=True
    )
    assert by_module.stdout.startswith("registry 0.")


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out.startswith("registry ")


def test_wrong_usage_exits_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["nonsense"]) == 2
    assert run(["push"]) == 2
    assert run(["find", "--limit", "none"]) == 2
    assert run(["publish", "demo/digits"]) == 2
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.InvalidName("x"), 2),
        (errors.InvalidCard("x"), 1),
        (errors.RepoNotFound("x"), 3),
        (errors.Unauthenticated("x"), 4),
        (errors.StaleParent("x"), 1),
        (errors.RemoteFailed("x"), 5),
    ],
)
def test_errors_choose_the_exit_code(command: click.Command, error: errors.RegistryError, code: int) -> None:
    command.callback = raising(error)
    assert run(["act"]) == code


def test_error_is_told_on_stderr_with_faults_and_hint(
    command: click.Command, capsys: pytest.CaptureFixture[str]
) -> None:
    error = errors.InvalidCard("The card is faulty.", hint="Mend it.", faults=["a: is missing", "b: is odd"])
    command.callback = raising(error)
    run(["act"])
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == "Error: The card is faulty.\n  - a: is missing\n  - b: is odd\nHint: Mend it.\n"


def test_hostile_text_cannot_steer_the_terminal(command: click.Command, capsys: pytest.CaptureFixture[str]) -> None:
    command.callback = raising(errors.NotFound("\x1b]0;gone\x07 \x9b2J"))
    run(["act"])
    assert not {"\x1b", "\x07", "\x9b"} & set(capsys.readouterr().err)


def test_unexpected_exception_is_one_line_and_a_hint(
    command: click.Command, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REGISTRY_DEBUG", raising=False)
    command.callback = raising(KeyError("oops"))
    assert run(["act"]) == 5
    said = capsys.readouterr().err
    assert said.startswith("Error: KeyError: 'oops'\n")
    assert "REGISTRY_DEBUG=1" in said
    assert "Traceback" not in said


def test_debugging_shows_the_traceback(
    command: click.Command, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REGISTRY_DEBUG", "1")
    command.callback = raising(KeyError("oops"))
    assert run(["act"]) == 5
    assert "Traceback" in capsys.readouterr().err


def test_interrupt_exits_130(command: click.Command) -> None:
    command.callback = raising(KeyboardInterrupt())
    assert run(["act"]) == 130


def test_command_may_choose_its_exit_code(command: click.Command) -> None:
    command.callback = raising(click.exceptions.Exit(1))
    assert run(["act"]) == 1


def test_closed_pipe_is_quiet() -> None:
    program = (
        "import sys; from registry_client import cli, output; from registry_client.cli import *;"
        "cli.registry.targets = {'act': 'm:act'};"
        "act = click.Command('act', callback=lambda: [print('x' * 1000) for _ in range(10000)] and None);"
        "cli.import_module = lambda _: type('M', (), {'act': act});"
        "sys.exit(cli.run(['act']))"
    )
    reader, writer = os.pipe()
    running = subprocess.Popen([sys.executable, "-c", program], stdout=writer, stderr=subprocess.PIPE, text=True)
    os.close(writer)
    os.close(reader)
    _, said = running.communicate(timeout=30)
    assert said == ""
    assert running.returncode == 1


def test_command_that_cannot_be_imported_is_listed_and_exits_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cli.registry, "targets", {"serve": "not_installed.at_all:serve"})
    assert run(["--help"]) == 0
    assert "Not available here" in capsys.readouterr().out
    assert run(["serve", "--data", "x"]) == 2
    assert "model-commons[server]" in capsys.readouterr().err


def test_entry_points_are_read_from_dist_info(tmp_path: Path) -> None:
    distribution(tmp_path / "a", "first", "[other]\nx = y:z\n\n[registry.commands]\n# note\none = a.b:c\n")
    distribution(tmp_path / "b", "second", "[registry.commands]\none=taken:already\ntwo = d:e [extra]\n")
    path = [str(tmp_path / "a"), str(tmp_path / "missing"), str(tmp_path / "b"), str(tmp_path / "a")]
    assert entry_points("registry.commands", path) == {"one": "a.b:c", "two": "d:e"}


def test_entry_points_agree_with_importlib_metadata() -> None:
    from importlib import metadata

    expected = {point.name: point.value for point in metadata.entry_points(group="registry.commands")}
    assert entry_points("registry.commands") == expected


def test_names_of_the_library_are_functions_however_they_were_imported() -> None:
    import registry_client
    import registry_client.push
    from registry_client.pull import pull

    assert callable(registry_client.push)
    assert registry_client.pull is pull
    assert callable(registry_client.find)
    with pytest.raises(AttributeError):
        _ = registry_client.nothing_like_it  # type: ignore[attr-defined]


def test_json_is_one_document_of_exactly_the_record(capsys: pytest.CaptureFixture[str]) -> None:
    published = Publication("demo/dígits", "a" * 40, "alice", "2026-01-01T00:00:00Z")
    output.emit(published, True, str)
    assert json.loads(capsys.readouterr().out) == {
        "id": "demo/dígits",
        "commit_id": "a" * 40,
        "account": "alice",
        "published_at": "2026-01-01T00:00:00Z",
    }


def test_notes_of_the_library_reach_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    import logging

    output.forward_notes()
    logging.getLogger("registry_client.push").info("Completed it.")
    logging.getLogger("registry_client.push").warning("Mind the pickle.")
    assert capsys.readouterr().err == "Completed it.\nWarning: Mind the pickle.\n"


def test_a_push_is_not_slowed_by_what_only_a_rerun_needs() -> None:
    script = "import sys, registry_client.push, registry_client.drafting; print(*sorted(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    assert not {"torch", "sklearn", "codecarbon", "transformers"} & set(loaded)
