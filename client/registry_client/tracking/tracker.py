"""`track()`: a training under a meter, as a `with` block or as a decorator."""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, ParamSpec, TypeVar

from registry_client.privacy import Pseudonyms
from registry_client.tracking import zeus_meter
from registry_client.tracking.codecarbon_meter import CodeCarbonMeter, require_codecarbon
from registry_client.tracking.document import Declared, Named, card_of
from registry_client.tracking.fragments import FragmentFiles, FragmentFolder
from registry_client.tracking.launch import Launch, launch_of
from registry_client.tracking.measurement import Measurement, Span
from registry_client.tracking.meter import Meter, Scope
from registry_client.tracking.run import Run
from registry_client.tracking.sampler import Sampler
from registry_client.tracking.saving import card_before, check_draft
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
    patience_seconds: float | None = 0.0,
    output: str | Path | None = None,
    append: bool = False,
    fragments: str | Path | None = None,
    environ: Mapping[str, str] | None = None,
    meter: Meter | None = None,
) -> Tracker:
    """Measure a training: `with track(...) as run:`, or `@track(...)` above a function, which may take `run`.

    `country` (ISO 3166-1 alpha-3, else the environment variable REGISTRY_COUNTRY) is where the computer
    stands; nobody guesses it. `base_models` is what the training starts from, `owner/name@revision` each;
    empty means from scratch. `scope` machine counts everything this computer does meanwhile, process this
    process and its children. `pue` is the facility's energy over that of its devices, known by `pue_origin`:
    operator_report, regulation_database or default. `measure_seconds` lie between two samples.

    The block starts at once, and what passes before the first sample is uncovered: nothing when `track` was
    called 2 s before. With `patience_seconds` the block waits that long for the first sample, with None until
    it is there; a training of seconds is worth that.

    With `output` the card is written when the block ends, with `append` as one phase more of the card there;
    `run.save(folder)` writes it whenever the weights are there. With `fragments`, a folder that all processes of a
    distributed run share, each leaves there what it saw, and `merge_fragments` makes the card.

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
    path = None if output is None else Path(output)
    _check(declared, card_before(path) if path and append else None)
    if meter is None:
        require_codecarbon()
    found_environ = os.environ if environ is None else environ
    setup = _Setup(
        declared,
        sample_seconds=measure_seconds or SAMPLE_SECONDS,
        patience_seconds=patience_seconds,
        output=path,
        append=append,
        launch=launch_of(found_environ),
        fragments=None if fragments is None else FragmentFolder(Path(fragments)),
        meter=meter,
    )
    return Tracker(setup)


def _check(declared: Declared, before: Mapping[str, Any] | None) -> None:
    run = Run(declared)
    run.end(Span.empty("Nothing was measured."))
    check_draft(card_of(run.recorded(), before))


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


@dataclass(frozen=True)
class _Setup:
    """How a tracker measures, and where it writes."""

    declared: Declared
    sample_seconds: float
    patience_seconds: float | None
    output: Path | None
    append: bool
    launch: Launch
    fragments: FragmentFolder | None
    meter: Meter | None

    def prepared(self) -> _Prepared:
        """One span of work, whose meter looks for its sensors from now on."""
        pseudonyms = self.fragments.pseudonyms if self.fragments else Pseudonyms()
        files = self.fragments.begin() if self.fragments else None
        sampler = Sampler(pseudonyms, seconds=self.sample_seconds, path=files.samples if files else None)
        measurement = Measurement(self.meter or self._new_meter(sampler))
        measurement.prepare()
        # Alone, this process stands for the whole run, whatever the launcher started beside it.
        launch = self.launch if files else replace(self.launch, hosts_total=None)
        return _Prepared(measurement, sampler, Run(self.declared, pseudonyms, launch), files)

    def _new_meter(self, sampler: Sampler) -> Meter:
        meter = CodeCarbonMeter(
            self.declared.country,
            scope=self.declared.scope,
            sample_seconds=self.sample_seconds,
            sampler=sampler,
            is_alone=self.fragments is None,
        )
        return zeus_meter.ZeusMeter(meter) if zeus_meter.is_installed() else meter


@dataclass(frozen=True)
class _Prepared:
    """One span of work under a meter, and what is written about it."""

    measurement: Measurement
    sampler: Sampler
    run: Run
    files: FragmentFiles | None

    def start(self, patience_seconds: float | None) -> None:
        if self.files:  # whoever is killed leaves at least this
            self.run.end(Span.empty("The process ended without a word."))
            self.files.write(self.run, "running")
            self.run.span = None
        self.measurement.start(patience_seconds=patience_seconds)

    def stop(self, *, is_done: bool) -> None:
        span = self.measurement.stop()
        self.run.end(span, self.sampler.close())
        if self.files:
            self.files.write(self.run, "done" if is_done else "failed")


class Tracker:
    """What `track()` returns: enter it, or decorate a function with it."""

    def __init__(self, setup: _Setup) -> None:
        self._setup = setup
        self._current: _Prepared | None = None
        self._next: _Prepared | None = setup.prepared()

    @property
    def leaves_fragments(self) -> bool:
        """Whether every process of a distributed run is to be measured, and not the first alone."""
        return self._setup.fragments is not None

    def __enter__(self) -> Run:
        if self._current is not None:
            raise Invalid("This run is being measured already.", hint="Call track() again for another one.")
        self._current, self._next = self._next or self._setup.prepared(), None
        self._current.start(self._setup.patience_seconds)
        return self._current.run

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._current is not None
        ended, self._current = self._current, None
        ended.stop(is_done=kind is None)
        if kind is None and self._setup.output is not None and ended.files is None:
            ended.run.write(self._setup.output, append=self._setup.append)

    def __call__(self, function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
        """`function`, measured each time it is called. A parameter named `run` receives the run."""
        takes_run = "run" in inspect.signature(function).parameters

        @functools.wraps(function)
        def measured(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
            with self as run:
                if takes_run:
                    kwargs.setdefault("run", run)
                result = function(*args, **kwargs)
            if run.path is None:
                run.write("footprint.json", append=self._setup.append)
            return result

        return measured
