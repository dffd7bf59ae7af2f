"""What the tests of the server share beside `tests/conftest.py`."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from registry_server.usecases import xet_checking
from registry_server.usecases.context import Registry

Headers = dict[str, str]


@pytest.fixture
def alice(token: Callable[[str], Headers]) -> Headers:
    return token("alice")


@pytest.fixture
def bob(token: Callable[[str], Headers]) -> Headers:
    return token("bob")


@pytest.fixture
def run_checks(monkeypatch: pytest.MonkeyPatch) -> Callable[[Registry], None]:
    """Xet files stay unchecked until the test calls this; else a thread beside the test would check them."""
    monkeypatch.setattr(xet_checking, "check_soon", lambda _: None)
    return xet_checking.check_all
