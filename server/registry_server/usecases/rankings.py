"""Rankings of comparison groups, remembered for strangers for as long as the index stays as it is."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from registry_core.comparisons import Layers
    from registry_core.groups import GroupKey

_MOST = 32


class Rankings:
    """The last rankings, by group, each true of one version of the index."""

    def __init__(self) -> None:
        self._found: OrderedDict[GroupKey, tuple[int, Layers]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, group: GroupKey, version: int) -> Layers | None:
        """The ranking of a group, if it was ranked at that version."""
        with self._lock:
            known, found = self._found.get(group, (None, None))
        return found if known == version else None

    def put(self, version: int, found: Layers) -> None:
        """Remember a ranking, and forget the one that was made longest ago."""
        with self._lock:
            self._found[found.group] = (version, found)
            self._found.move_to_end(found.group)
            while len(self._found) > _MOST:
                self._found.popitem(last=False)
