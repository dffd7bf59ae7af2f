"""`track()`: a training under a meter, as a `with` block or as a decorator."""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import ParamSpec, TypeVar

from registry_client.tracking.codecarbon_meter import CodeCarbonMeter, require_codecarbon
from registry_client.tracking.document import Declared, Named, card_of
from registry_client.tracking.measurement import Measurement, Span
from registry_client.tracking.meter import Meter, Scope
from registry_client.tracking.run import Run, check_draft
from registry_core.errors import Invalid
from registry_core.intensity import intensity

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

SAMPLE_SECONDS = 1.0  # costs 1.5 ms of CPU a second; runs of hours do as well with 15


def track(
    *,
    task: str,
    license: str,
    country: str | None = None,
    subdivision: str | None = None,
    stage: str = "pretraining",
    tags: Sequence[str] = (),
    base_models: Sequence[Named] = (),
    data_sources: Sequence[Named] = (),
    personal_data: str | None = None,
    scope: Scope = "machine",
    pue: float | None = None,
    pue_origin: str | None = None,
    measure_seconds: float | None = None,
    patience_seconds: float | None = None,
    output: str | Path | None = None,
    environ: Mapping[str, str] | None = None,
    meter: Meter | None = None,
) -> Tracker:
    """Measure a training: `with track(...) as run:`, or `@track(...)` above a function, which may take `run`.

    `country` (ISO 3166-1 alpha-3, else the environment variable REGISTRY_COUNTRY) is where the computer
    stands; nobody guesses it. `base_models` is what the training starts from, `owner/name@revision` each;
    empty means from scratch. `scope` machine counts everything this computer does meanwhile, process this
    process and its children. `pue` is the facility's energy over that of its devices, known by `pue_origin`:
    operator_report, regulation_database or default. `measure_seconds` lie between two samples. The block
    starts with the first sample; `patience_seconds` limits the wait for it, and what then passes before it is
    uncovered. With `output` the card is written when the block ends; `run.save(folder)` writes it whenever
    the weights are there.

    Raises Invalid or InvalidCard, before anything is trained, when what is declared could not stand in a
    card, and Invalid when codecarbon is not installed.
    """
    found_country = known_country(country, os.environ if environ is None else environ)
    _check_pue(pue, pue_origin)
    declared = Declared(
        task=task,
        license=license,
        country=found_country,
        intensity=intensity(found_country),
        subdivision=subdivision,
        stage=stage,
        scope=scope,
        tags=tags,
        base_models=base_models,
        data_sources=data_sources,
        personal_data=personal_data,
        pue=pue,
        pue_origin=pue_origin,
    )
    check_draft(card_of(declared, Span.empty(), []))
    if meter is None:
        require_codecarbon()

    def new_meter() -> Meter:
        sample_seconds = measure_seconds or SAMPLE_SECONDS
        return meter or CodeCarbonMeter(declared.country, scope=scope, sample_seconds=sample_seconds)

    return Tracker(declared, new_meter, None if output is None else Path(output), patience_seconds)


def known_country(country: str | None, environ: Mapping[str, str]) -> str:
    """The country as given, else as REGISTRY_COUNTRY says. Raises Invalid when neither does."""
    found = country or environ.get("REGISTRY_COUNTRY")
    if not found:
        raise Invalid(
            "The country where the computer stands is not known.",
            hint="Give country='FRA' (--country FRA), or set REGISTRY_COUNTRY.",
        )
    return found.upper()


def _check_pue(pue: float | None, origin: str | None) -> None:
    if pue is None and origin is not None:
        raise Invalid("pue_origin says how a pue is known, and there is none.", hint="Give both (--pue, --pue-origin).")
    if pue is not None and not pue >= 1:
        raise Invalid(
            f"A pue of {pue:g} cannot be: a facility uses at least what its devices do.",
            hint="It is the facility's energy over that of the devices, 1.2 for example.",
        )


class Tracker:
    """What `track()` returns: enter it, or decorate a function with it."""

    def __init__(
        self,
        declared: Declared,
        new_meter: Callable[[], Meter],
        output: Path | None,
        patience_seconds: float | None,
    ) -> None:
        self._declared = declared
        self._new_meter = new_meter
        self._output = output
        self._patience_seconds = patience_seconds
        self._current: tuple[Measurement, Run] | None = None
        self._next: Measurement | None = self._prepared()

    def __enter__(self) -> Run:
        if self._current is not None:
            raise Invalid("This run is being measured already.", hint="Call track() again for another one.")
        measurement = self._next or self._prepared()
        self._current, self._next = (measurement, Run(self._declared)), None
        measurement.start(patience_seconds=self._patience_seconds)
        return self._current[1]

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._current is not None
        (measurement, run), self._current = self._current, None
        run.span = measurement.stop()
        if kind is None and self._output is not None:
            run.write(self._output)

    def __call__(self, function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
        """`function`, measured each time it is called. A parameter named `run` receives the run."""
        takes_run = "run" in inspect.signature(function).parameters
        output = self._output or Path("footprint.json")

        @functools.wraps(function)
        def measured(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
            with self as run:
                if takes_run:
                    kwargs.setdefault("run", run)
                result = function(*args, **kwargs)
            if self._output is None:
                run.write(output)
            return result

        return measured

    def _prepared(self) -> Measurement:
        measurement = Measurement(self._new_meter())
        measurement.prepare()
        return measurement
