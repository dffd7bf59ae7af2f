"""Physical numbers that cannot lose their unit or their origin, and the arithmetic of their intervals.

A `Quantity` is how a card writes a number: an object with value, unit, source, method and a 95 % interval.
There is one class for each unit, because the unit is fixed by the field. An `Amount` is what the calculator
works with: the same number with its interval filled in, its unit said by the name of whatever holds it.

Intervals are conservative: products multiply lows with lows and highs with highs, sums add lows and add
highs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from registry_core.errors import Invalid
from registry_core.strict import Number, Strict, Text

GivenSource = Literal["measured", "estimated", "declared"]
"""An instrument observed it; a stated formula on stated inputs gave it; somebody says so."""
Source = Literal["measured", "estimated", "declared", "derived"]
"""Also derived: arithmetic on the others, which the server repeats."""

SHORT_WINDOW_SECONDS = 60.0
NEGLIGIBLE_SHARE = 0.02


class Quantity(Strict):
    """A finite, non-negative number with unit, source and, where known, method and 95 % interval."""

    value: Number
    unit: str
    source: Source
    method: Text | None = None
    low: Number | None = None
    high: Number | None = None

    @field_validator("low")
    @classmethod
    def _low_is_not_above_value(cls, low: float | None, info: ValidationInfo) -> float | None:
        if low is not None and low > info.data.get("value", math.inf):
            raise ValueError(f"is {low}, above the value {info.data['value']}")
        return low

    @field_validator("high")
    @classmethod
    def _high_is_not_below_value(cls, high: float | None, info: ValidationInfo) -> float | None:
        if high is not None and high < info.data.get("value", -math.inf):
            raise ValueError(f"is {high}, below the value {info.data['value']}")
        return high


class Given(Quantity):
    """A quantity that is not arithmetic on other fields of the card."""

    source: GivenSource


class Energy(Given):
    unit: Literal["kWh"]


class DerivableEnergy(Quantity):
    unit: Literal["kWh"]


class EnergyPerUnit(Given):
    unit: Literal["kWh per unit"]


class Mass(Given):
    unit: Literal["kgCO2e"]


class DerivableMass(Quantity):
    unit: Literal["kgCO2e"]


class CarbonIntensity(Given):
    unit: Literal["gCO2e/kWh"]


class Duration(Given):
    unit: Literal["s"]


class DeviceTime(Given):
    unit: Literal["device_hour"]


class Ratio(Given):
    unit: Literal["1"]


class Share(Ratio):
    """A ratio between 0 and 1."""

    value: Annotated[Number, Field(le=1)]


class Volume(Given):
    unit: Literal["L"]


class WaterPerEnergy(Given):
    unit: Literal["L/kWh"]


class Operations(Given):
    unit: Literal["FLOP"]


class Tokens(Given):
    unit: Literal["token"]


class Money(Given):
    """An amount of money; the unit is the ISO 4217 code of the currency."""

    unit: Annotated[str, Field(pattern="^[A-Z]{3}$")]


class MoneyPerEnergy(Given):
    """A price, for example in `EUR/kWh`."""

    unit: Annotated[str, Field(pattern="^[A-Z]{3}/kWh$")]


@dataclass(frozen=True)
class Amount:
    """A number with its 95 % interval and the weakest source it rests on; low <= value <= high."""

    value: float
    low: float
    high: float
    source: GivenSource


_FACTORS: dict[str, tuple[float, float]] = {
    "wattmeter": (0.95, 1.05),
    "pdu": (0.95, 1.05),
    "psu": (0.95, 1.05),
    "nvml_counter": (0.90, 1.10),
    "amdsmi_counter": (0.90, 1.10),
    "nvml_power_polled": (0.65, 1.35),
    "rapl_package": (0.90, 1.15),
    "cpu_load_model": (0.33, 3.0),
    "tdp_constant": (0.33, 3.0),
    "ram_dimm_model": (0.3, 2.0),
    "device_hours_tdp": (0.25 / 0.70, 1.15 / 0.70),  # the value is the centre, a load of 0.70 of TDP
    "host_share": (1.1 / 1.4, 1.9 / 1.4),  # the value is the centre, device energy x 1.4
    "flop_model": (0.33, 3.0),
    "pue_measured": (0.97, 1.03),
    "intensity_hourly": (0.9, 1.1),
    "intensity_annual": (0.7, 1.3),
    "intensity_world_default": (0.1, 2.0),
    "embodied_factor": (0.5, 3.5),
    "unknown": (0.33, 3.0),  # a tool that could not name its method is trusted like its widest one
}
_SHORT_WINDOW = {"nvml_counter": (0.60, 1.50), "amdsmi_counter": (0.60, 1.50)}
_ABSOLUTE = {"pue_default": (1.1, 2.0)}


def default_interval(value: float, method: str | None, *, window_seconds: float | None = None) -> tuple[float, float]:
    """The 95 % interval (low, high) that `method` deserves, in the unit of `value`.

    Energy counters of accelerators are less sure over a window shorter than 60 s. A method that is not in the
    table says nothing about its errors, so no interval is invented: low and high are the value.
    """
    if method in _ABSOLUTE:
        low, high = _ABSOLUTE[method]
        return min(low, value), max(high, value)
    is_short = window_seconds is not None and window_seconds < SHORT_WINDOW_SECONDS
    factors = _SHORT_WINDOW if is_short and method in _SHORT_WINDOW else _FACTORS
    low_factor, high_factor = factors.get(method or "", (1.0, 1.0))
    return value * low_factor, value * high_factor


def amount(quantity: Quantity, *, method: str | None = None, window_seconds: float | None = None) -> Amount:
    """`quantity` with its own bounds, or the default ones of its method (else of `method`).

    `derived` becomes `estimated`: whoever knows the parts sums the parts instead.
    """
    low, high = default_interval(quantity.value, quantity.method or method, window_seconds=window_seconds)
    return Amount(
        value=quantity.value,
        low=low if quantity.low is None else quantity.low,
        high=high if quantity.high is None else quantity.high,
        source="estimated" if quantity.source == "derived" else quantity.source,
    )


def exact(value: float, source: GivenSource = "measured") -> Amount:
    """A number without doubt, such as a conversion factor."""
    return Amount(value, value, value, source)


def product(*factors: Amount) -> Amount:
    """The conservative product; its source is the weakest of its factors."""
    return Amount(
        value=math.prod(factor.value for factor in factors),
        low=math.prod(factor.low for factor in factors),
        high=math.prod(factor.high for factor in factors),
        source=_weakest(factors),
    )


def total(parts: Sequence[Amount]) -> Amount:
    """The sum of at least one part; its source is the weakest of the parts that are 2 % of it or more."""
    value = math.fsum(part.value for part in parts)
    weighty = [part for part in parts if part.value >= NEGLIGIBLE_SHARE * value]
    return Amount(
        value=value,
        low=math.fsum(part.low for part in parts),
        high=math.fsum(part.high for part in parts),
        source=_weakest(weighty or parts),
    )


def quotient(dividend: Amount, divisor: Amount) -> Amount:
    """The conservative quotient; its source is the weaker of the two. Raises Invalid when `divisor` may be zero."""
    if divisor.low <= 0:
        raise Invalid(
            "The divisor may be zero, so its quotient has no upper end.",
            hint="Give a number whose interval is above zero.",
        )
    return Amount(
        value=dividend.value / divisor.value,
        low=dividend.low / divisor.high,
        high=dividend.high / divisor.low,
        source=_weakest([dividend, divisor]),
    )


def surplus(whole: Amount, less: Amount) -> Amount:
    """What of `whole` is left without `less`, zero at least: the low end takes the high end of `less` away."""
    return Amount(
        value=max(0.0, whole.value - less.value),
        low=max(0.0, whole.low - less.high),
        high=max(0.0, whole.high - less.low),
        source=_weakest([whole, less]),
    )


_STRENGTH: dict[GivenSource, int] = {"declared": 0, "estimated": 1, "measured": 2}


def _weakest(amounts: Sequence[Amount]) -> GivenSource:
    return min((found.source for found in amounts), key=_STRENGTH.__getitem__)
