"""numpy, once something needs it.

Importing it takes 0.1 s and 15 MB, and a server that nobody sends Xet uploads to never needs it. The first use may come
from many threads at once; Python's import lock lets one of them do the work.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
else:

    class _Numpy:
        def __getattr__(self, name: str) -> Any:
            import numpy

            return getattr(numpy, name)

    np = _Numpy()

__all__ = ["np"]
