"""What the tests share: a registry inside the process, and a real server process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest
from flask import Flask
from flask.testing import FlaskClient

from registry_server.app import app_of, open_registry
from registry_server.settings import Settings
from registry_server.usecases import accounts
from registry_server.usecases.context import Registry

REGISTRY = Path(sys.executable).with_name("registry")


@pytest.fixture(autouse=True, scope="session")
def own_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test reads or changes the settings and the cache of whoever runs it, or calls out."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(("REGISTRY_", "HF_", "CODECARBON_"))]:
            patch.delenv(name)
        patch.setenv("HOME", str(home))
        patch.setenv("XDG_CONFIG_HOME", str(home / "config"))
        patch.setenv("HF_HOME", str(home / "huggingface"))
        patch.setenv("HF_HUB_DISABLE_TELEMETRY", "1")
        patch.setenv("HF_HUB_DISABLE_UPDATE_CHECK", "1")
        yield


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    """A registry on an empty folder, without a server."""
    opened = open_registry(Settings(data=tmp_path / "data", secret_key="secret"))
    yield opened
    opened.engine.close()


@pytest.fixture
def app(registry: Registry) -> Flask:
    return app_of(registry)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def token(registry: Registry) -> Callable[[str], dict[str, str]]:
    """Headers that show a token of the named user, who is made when needed."""

    def headers(name: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {accounts.add_user(registry, name)}"}

    return headers


@dataclass
class Server:
    """A real server process on a free port."""

    data: Path
    endpoint: str
    process: subprocess.Popen[str]
    token: str = ""  # of the user alice

    def add_user(self, name: str) -> str:
        """A token of the user `name`."""
        command = [REGISTRY, "admin", "user", "add", name, "--data", self.data]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    def kill(self) -> None:
        """SIGKILL to every process of the server, as a crash would."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self._wait(10)

    def stop(self) -> int:
        """SIGTERM, and the exit code."""
        self.process.terminate()
        return self._wait(40)

    def _wait(self, seconds: float) -> int:
        code = self.process.wait(seconds)
        if self.process.stdout is not None:
            self.process.stdout.close()
        return code


def start_server(data: Path, *, port: int = 0) -> Server:
    """`registry serve` on `data`, once it answers."""
    log_path = data.with_suffix(".log")
    with log_path.open("a") as log:
        process = subprocess.Popen(
            [REGISTRY, "serve", "--data", data, "--port", str(port)],
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            start_new_session=True,
        )
    assert process.stdout is not None
    line = process.stdout.readline()
    assert " at http://" in line, log_path.read_text()
    server = Server(data, line.rsplit(" at ", 1)[1].strip(), process)
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            if httpx2.get(f"{server.endpoint}/healthz").status_code == 200:
                return server
        except httpx2.HTTPError:
            time.sleep(0.02)
    raise AssertionError(log_path.read_text())


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for all tests of this worker; take a repo name of your own from `repo_id`."""
    started = start_server(tmp_path_factory.mktemp("server") / "data")
    started.token = started.add_user("alice")
    yield started
    started.stop()


@pytest.fixture
def repo_id() -> str:
    """A repo id of alice's that nobody else uses."""
    return f"alice/m-{uuid.uuid4().hex[:12]}"
