"""What the server reads and makes at its start."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from registry_core.errors import Invalid
from registry_server.settings import from_environment


def test_all_who_start_at_once_on_an_empty_folder_share_one_secret(tmp_path: Path) -> None:
    for turn in range(20):
        data = tmp_path / str(turn)
        data.mkdir()
        with ThreadPoolExecutor(4) as pool:
            secrets = set(pool.map(lambda _, data=data: from_environment(data, {}).secret_key, range(4)))
        assert secrets == {(data / "secret-key").read_text().strip()}
        assert [path.name for path in data.iterdir()] == ["secret-key"]


def test_only_its_owner_reads_the_secret(tmp_path: Path) -> None:
    from_environment(tmp_path, {})
    assert (tmp_path / "secret-key").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("name", ["REGISTRY_TRUSTED_PROXIES", "REGISTRY_THREADS", "REGISTRY_PUBLIC_URL"])
def test_a_setting_that_makes_no_sense_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(Invalid, match=name):
        from_environment(tmp_path, {name: "nonsense"})
