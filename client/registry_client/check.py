"""Find before you train: ask the registry what could be reused, and write down what was decided.

found = check("image-classification", at_least="accuracy=0.95", estimate_kwh=2.0)
decided(found, train_anyway="none reads handwriting in Arabic").save("model/reuse-check.json")
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from registry_client.config import connection
from registry_client.remote import Remote
from registry_client.reuse_check import ReuseCheck
from registry_client.spec import parse_spec
from registry_core.errors import Invalid, Unavailable
from registry_core.reaching import parse_at_least

logger = logging.getLogger(__name__)


def check(
    task: str,
    *,
    at_least: Sequence[str] | str = (),
    estimate_kwh: float | None = None,
    endpoint: str | None = None,
    token: str | None = None,
) -> ReuseCheck:
    """What could be reused for `task` instead of training, with the saving to expect, cheapest first.

    `at_least` are scores such as `accuracy=0.95` that a model must reach with one standard error to spare;
    `estimate_kwh` is what the training is expected to take, else the median of the group stands for it. Raises
    InvalidWhere before anything is sent.
    """
    conditions = [at_least] if isinstance(at_least, str) else list(at_least)
    wanted = _wanted(conditions)
    to = connection(endpoint, token)
    with Remote(to.endpoint, to.token) as remote:
        found = remote.candidates(task, at_least=conditions, estimate_kwh=estimate_kwh)
    return ReuseCheck(_now(), task, wanted, estimate_kwh, tuple(found.candidates))


def check_if_reachable(
    task: str,
    *,
    at_least: Sequence[str] | str = (),
    estimate_kwh: float | None = None,
    endpoint: str | None = None,
    token: str | None = None,
) -> ReuseCheck:
    """The same; where the registry cannot be asked, nothing was found and `note` says why."""
    try:
        return check(task, at_least=at_least, estimate_kwh=estimate_kwh, endpoint=endpoint, token=token)
    except Unavailable as error:
        logger.warning("%s", error.message)  # which names the address of the server; the note is there to be shown
        wanted = _wanted([at_least] if isinstance(at_least, str) else at_least)
        return ReuseCheck(_now(), task, wanted, estimate_kwh, (), note="The registry could not be asked.")


def decided(found: ReuseCheck, *, reuse: str | None = None, train_anyway: str | None = None) -> ReuseCheck:
    """What was found, with the decision: the model that is reused, or the reason to train. One of the two is given."""
    if (reuse is None) == (train_anyway is None):
        raise Invalid("A decision is either to reuse a model or to train.", hint="Give one of reuse and train_anyway.")
    if reuse is not None:
        parse_spec(reuse)
        return replace(found, decision="reuse", reuse=reuse)
    if not train_anyway or not train_anyway.strip():
        raise Invalid("Why a model is trained anyway is not said.", hint="Give the reason in a sentence.")
    return replace(found, decision="train", reason=train_anyway.strip())


def _wanted(conditions: Sequence[str]) -> dict[str, float]:
    return {each.metric: each.score for each in map(parse_at_least, conditions)}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
