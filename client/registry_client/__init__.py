"""The library and the `registry` command.

    from registry_client import find, pull

    best = find(task="text-classification", where="accuracy >= 0.9", sort="energy").items[0]
    folder = pull(best.id).path

Each name is imported when it is first used, so that `import registry_client` costs nothing.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from registry_client.check import check
    from registry_client.find import find
    from registry_client.pareto import pareto
    from registry_client.publish import publish
    from registry_client.pull import pull
    from registry_client.push import push
    from registry_client.rerun import load, rerun
    from registry_client.show import show
    from registry_client.tracking import track

__all__ = ["check", "find", "load", "pareto", "publish", "pull", "push", "rerun", "show", "track"]

_HOMES = {
    **{verb: f"registry_client.{verb}" for verb in ("check", "find", "pareto", "publish", "pull", "push", "show")},
    "rerun": "registry_client.rerun",
    "load": "registry_client.rerun",
    "track": "registry_client.tracking",
}


class _Library(ModuleType):
    """This package. A verb and the module it lives in share a name; here the name means the verb."""

    def __getattr__(self, name: str) -> Any:
        if name not in _HOMES:
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        found = getattr(import_module(_HOMES[name]), name)
        super().__setattr__(name, found)
        return found

    def __setattr__(self, name: str, value: Any) -> None:
        # Python binds a module to its name in the package as soon as anybody imports it. Left unbound, the name is
        # looked up when it is asked for: to bind the verb here would import torch for whoever only touches `rerun`.
        if not (isinstance(value, ModuleType) and _HOMES.get(name) == value.__name__):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Library
