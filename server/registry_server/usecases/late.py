"""Verbs whose modules bring a lot along, each imported when it is first used: a start should not wait for all of them.

Together they take a tenth of a second. The first use may come from many threads at once; Python's import lock lets one
of them do the work.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from registry_server.usecases import classing, comparing, governing, grading, relations, reporting, reuses
else:
    from importlib import import_module

    class _Late:
        def __init__(self, name: str) -> None:
            self._name = f"registry_server.usecases.{name}"

        def __getattr__(self, name: str) -> Any:
            return getattr(import_module(self._name), name)

    classing, comparing, governing = _Late("classing"), _Late("comparing"), _Late("governing")
    grading, relations = _Late("grading"), _Late("relations")
    reporting, reuses = _Late("reporting"), _Late("reuses")

__all__ = ["classing", "comparing", "governing", "grading", "relations", "reporting", "reuses"]
