"""Measuring what a training costs.

    tracker = track(task="image-classification", license="Apache-2.0", country="FRA")
    with tracker as run: ...

`track` starts to look for sensors when it is called, which takes a second or two. Called before the data
are loaded, it costs the training no time at all.
"""

from registry_client.tracking.run import Run, RunSummary
from registry_client.tracking.tracker import Tracker, track

__all__ = ["Run", "RunSummary", "Tracker", "track"]
