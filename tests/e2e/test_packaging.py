"""What strangers can install: the wheel, the bare client, and the server as the Dockerfile installs it."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
MOST_SERVER_BYTES = 125 * 10**6
"""Without numpy, which only Xet needs. The language of policies takes 18 MB, half of them for a shell of its own."""

MOST_SERVER_BYTES_WITH_NUMPY = 200 * 10**6
NOT_FOR_A_SERVER = (
    "torch",
    "codecarbon",
    "scipy",
    "pandas",
    "scikit_learn",
    "safetensors",
    "boto3",
    "psycopg",
    "cryptography",
)

# As it was before the tests got a home of their own: pip finds its settings and its cache there.
PIP_ENVIRONMENT = {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built as an installer builds it."""
    folder = tmp_path_factory.mktemp("wheel")
    pip("wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder), str(ROOT))
    (built,) = folder.glob("*.whl")
    return built


def test_the_wheel_holds_the_packages_and_what_they_need(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.partition("/")[0] for name in names if ".dist-info/" not in name} == {
        "registry_core",
        "registry_client",
        "registry_server",
    }
    for package in ("registry_core", "registry_client", "registry_server"):
        assert f"{package}/py.typed" in names
    assert any(re.fullmatch(r"registry_core/data/.+\.csv", name) for name in names)
    assert any(re.fullmatch(r"registry_server/templates/.+\.html", name) for name in names)
    assert any(name.startswith("registry_server/static/") for name in names)
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)
    assert not [name for name in names if "test" in Path(name).name.lower() or name.endswith(".pyc")]


def test_the_bare_install_names_the_extra_that_is_missing(wheel: Path, tmp_path: Path) -> None:
    bin_folder = install(tmp_path, "--constraint", str(ROOT / "constraints.txt"), str(wheel))
    assert "find" in run(bin_folder, "--help").stdout
    missing = {
        "server": ["serve", "--data", str(tmp_path / "data")],
        "track": ["track", "--task", "other", "--license", "MIT", "--country", "FRA", "--", "true"],
        "rerun": ["rerun", "alice/digits"],
        "sign": ["keys", "new", "--name", "of-a-bare-install"],
    }
    for extra, words in missing.items():
        answer = run(bin_folder, *words)
        assert answer.returncode == 2, answer.stderr
        assert f"model-commons[{extra}]" in answer.stderr


def test_the_server_runs_as_the_dockerfile_installs_it(tmp_path: Path) -> None:
    bin_folder = install(tmp_path, *dockerfile_pip_arguments(), source=dockerfile_source(tmp_path / "source"))
    site_packages = next((bin_folder.parent / "lib").glob("python*/site-packages"))
    installed = {path.name.partition("-")[0].lower() for path in site_packages.glob("*.dist-info")}
    assert not installed & set(NOT_FOR_A_SERVER)
    numpy_bytes = sum(size_bytes(folder) for folder in site_packages.glob("numpy*"))
    assert size_bytes(site_packages) - numpy_bytes <= MOST_SERVER_BYTES
    assert size_bytes(site_packages) <= MOST_SERVER_BYTES_WITH_NUMPY
    assert "serve" in run(bin_folder, "--help").stdout
    with serving(bin_folder, tmp_path / "data") as address:
        check = healthcheck().replace("127.0.0.1:8000", address.removeprefix("http://"))
        subprocess.run([bin_folder / "python", "-c", check], check=True)


def test_the_image_is_built_from_files_that_docker_gets_to_see() -> None:
    seen = set(re.findall(r"^!(.+)$", (ROOT / ".dockerignore").read_text(), re.M))
    assert set(dockerfile_copies()) == seen
    for name in seen:
        assert (ROOT / name).exists()


# -- the Dockerfile


def dockerfile_pip_arguments() -> list[str]:
    """What its one pip line installs."""
    (line,) = re.findall(r"^RUN \S*/pip install (.+)$", DOCKERFILE, re.M)
    return shlex.split(line)


def dockerfile_copies() -> list[str]:
    """What it takes from the clone."""
    lines = re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE, re.M)
    return [name for line in lines for name in line.split()[:-1]]


def dockerfile_source(folder: Path) -> Path:
    """A folder with what the Dockerfile copies, and nothing else."""
    folder.mkdir()
    for name in dockerfile_copies():
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, folder / name)
    return folder


def healthcheck() -> str:
    """The program that Docker asks for the server's health."""
    (text,) = re.findall(r'CMD \["python", "-c", "(.+)"\]', DOCKERFILE)
    return str(text)


# -- installing and running


def install(folder: Path, *arguments: str, source: Path = ROOT) -> Path:
    """The folder of programs of a new environment, which has no pip of its own, after `pip install ARGUMENTS`."""
    environment = folder / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    pip("--python", str(environment / "bin" / "python"), "install", "--quiet", *arguments, folder=source)
    return environment / "bin"


def pip(*arguments: str, folder: Path = ROOT) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pip", *arguments], cwd=folder, env=PIP_ENVIRONMENT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def run(bin_folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([bin_folder / "registry", *words], capture_output=True, text=True, cwd=bin_folder.parent)


@contextmanager
def serving(bin_folder: Path, data: Path) -> Iterator[str]:
    """The address of a server of that environment."""
    command = [bin_folder / "registry", "serve", "--data", data, "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().rsplit(" at ", 1)[1].strip()
        finally:
            process.terminate()


def size_bytes(folder: Path) -> int:
    """What the files of a folder hold; on a disk with blocks of 4 KiB they take a tenth more."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
