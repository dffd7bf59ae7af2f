"""Measuring what a training costs.

    tracker = track(task="image-classification", license="Apache-2.0", country="FRA")
    with tracker as run: ...

`track` starts to look for sensors when it is called, which takes a second or two on a thread of its own. Called
before the data are loaded, it has seen them all when the training begins.
"""

from registry_client.tracking.fragments import MergeSummary, merge_fragments
from registry_client.tracking.run import Run, RunSummary
from registry_client.tracking.tracker import Tracker, track

__all__ = ["MergeSummary", "Run", "RunSummary", "Tracker", "merge_fragments", "track"]
