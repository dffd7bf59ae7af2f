"""A phase of a footprint card: one stretch of work, when, where, on what hardware, and what it took.

All rules across the fields of a phase are here as validators, each at the field that it complains about.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationInfo, field_validator

from registry_core import card_rules as rules
from registry_core import quantity as q
from registry_core.card_rules import Country, Currency, Moment, Subdivision
from registry_core.strict import Count, Items, Number, Strict, Text

Stage = Literal["development", "pretraining", "finetuning", "rl", "distillation", "compression", "evaluation"]
Scope = Literal["device", "process", "machine", "node_psu", "rack_pdu", "facility"]
Gases = Literal["co2e", "co2_only"]


class Group(Strict):
    """Equal devices that worked the same hours; `factor_kg` is the embodied kgCO2e of one of them."""

    device_kind: Text
    device_model: Text
    device_count: Annotated[Count, Field(ge=1)]
    hours: Number
    hosts: Count | None = None
    tdp_w: Number | None = None
    factor_kg: Number | None = None
    lifetime_h: Annotated[Number, Field(ge=1)] | None = None
    utilisation: Annotated[float, Field(ge=0.001, le=1)] | None = None


class Coverage(Strict):
    """What the phase's energy includes, and how many of its hosts were seen."""

    gpu: bool
    cpu: bool
    ram: bool
    host_rest: bool
    network: bool
    hosts_total: Count
    hosts_measured: Count

    @field_validator("hosts_measured")
    @classmethod
    def _not_more_than_all(cls, hosts_measured: int, info: ValidationInfo) -> int:
        hosts_total = info.data.get("hosts_total", hosts_measured)
        if hosts_measured > hosts_total:
            raise ValueError(f"is {hosts_measured}, more than hosts_total {hosts_total}")
        return hosts_measured


class Site(Strict):
    country: Country
    subdivision: Subdivision | None = None
    cloud_provider: Text | None = None
    cloud_region: Text | None = None


class IntensityMeta(Strict):
    """Where an intensity comes from."""

    dataset: Text
    year: Annotated[Count, Field(ge=1990, le=2200)]
    zone: Text
    resolution: Literal["annual", "monthly", "hourly"]
    basis: Literal["location", "market"]
    kind: Literal["average", "marginal"]
    gases: Gases
    version: Text | None = None
    lifecycle: Literal["direct", "lifecycle"] | None = None


class Cost(Strict):
    currency: Currency
    basis: Literal["billed", "list_price", "imputed"]
    amount: q.Money

    @field_validator("amount")
    @classmethod
    def _in_the_currency(cls, amount: q.Money, info: ValidationInfo) -> q.Money:
        currency = info.data.get("currency", amount.unit)
        if amount.unit != currency:
            raise ValueError(f"expected unit {currency!r}, got {amount.unit!r}")
        return amount


class Scheduler(Strict):
    kind: Text
    job_id: Text | None = None
    ranks: Count | None = None


_PARTS = ("energy_gpu", "energy_cpu", "energy_ram", "energy_other")


class Phase(Strict):
    """One stretch of work: when, where, on what, and what it took. Energies are at the device, before PUE."""

    # The order matters: a rule of a field sees the fields above it.
    stage: Stage
    included_runs: Count | None = None
    failed_runs_included: bool | None = None
    started_at: Moment
    ended_at: Moment
    wall_time: q.Duration
    device_time: q.DeviceTime
    groups: Items[Group] = Field(min_length=1)
    scope: Scope
    energy_gpu: q.Energy | None = None
    energy_cpu: q.Energy | None = None
    energy_ram: q.Energy | None = None
    energy_other: q.Energy | None = None
    energy_it: q.DerivableEnergy | None = None
    coverage: Coverage
    utilisation_gpu: q.Share | None = None
    utilisation_cpu: q.Share | None = None
    compute_flop: q.Operations | None = None
    compute_flop_kind: Literal["gross", "effective"] | None = None
    tokens: q.Tokens | None = None
    site: Site
    pue: q.Ratio | None = None
    pue_origin: Literal["operator_report", "regulation_database", "default"] | None = None
    intensity: q.CarbonIntensity | None = None
    intensity_meta: IntensityMeta | None = Field(default=None, validate_default=True)
    co2e_location: q.DerivableMass | None = None
    co2e_market: q.Mass | None = None
    co2e_market_instrument: Text | None = Field(default=None, validate_default=True)
    co2e_embodied: q.Mass | None = None
    water_onsite: q.Volume | None = None
    water_offsite: q.Volume | None = None
    wue_on: q.WaterPerEnergy | None = None
    wue_off: q.WaterPerEnergy | None = None
    cost: Cost | None = None
    electricity_price: q.MoneyPerEnergy | None = None
    scheduler: Scheduler | None = None

    @property
    def energy_parts(self) -> list[q.Energy]:
        """The parts of `energy_it` that are given."""
        return [part for part in (getattr(self, name) for name in _PARTS) if part is not None]

    @field_validator("ended_at")
    @classmethod
    def _ends_after_start(cls, ended_at: str, info: ValidationInfo) -> str:
        rules.check_order(info.data.get("started_at", ended_at), ended_at)
        return ended_at

    @field_validator("energy_it")
    @classmethod
    def _is_sum_of_parts(cls, energy: q.Quantity | None, info: ValidationInfo) -> q.Quantity | None:
        if energy is not None and energy.source == "derived" and all(name in info.data for name in _PARTS):
            parts = [info.data[name].value for name in _PARTS if info.data[name] is not None]
            rules.check_sum(energy.value, parts)
        return energy

    @field_validator("coverage")
    @classmethod
    def _covers_nothing_without_energy(cls, coverage: Coverage, info: ValidationInfo) -> Coverage:
        energies = (*_PARTS, "energy_it")
        has_none = all(name in info.data and info.data[name] is None for name in energies)
        if has_none and (coverage.gpu or coverage.cpu or coverage.ram or coverage.host_rest or coverage.network):
            raise ValueError("says that energy was covered, and no energy is given; without energy all five are false")
        return coverage

    @field_validator("intensity_meta")
    @classmethod
    def _says_where_intensity_is_from(cls, meta: IntensityMeta | None, info: ValidationInfo) -> IntensityMeta | None:
        if meta is None and info.data.get("intensity") is not None:
            raise ValueError("is required with intensity")
        return meta

    @field_validator("co2e_location")
    @classmethod
    def _is_recomputable(cls, co2e: q.Quantity | None, info: ValidationInfo) -> q.Quantity | None:
        if co2e is not None:
            _check_co2e_location(co2e, info.data)
        return co2e

    @field_validator("co2e_market_instrument")
    @classmethod
    def _names_the_instrument(cls, instrument: str | None, info: ValidationInfo) -> str | None:
        if instrument is None and info.data.get("co2e_market") is not None:
            raise ValueError("is required with co2e_market")
        return instrument


def _check_co2e_location(co2e: q.Quantity, phase: Mapping[str, Any]) -> None:
    inputs = ("energy_it", "pue", "intensity", "intensity_meta", "scope")
    if not all(name in phase for name in inputs):
        return  # an input is faulty, and has been named
    energy, pue, intensity, meta, scope = (phase[name] for name in inputs)
    # Energy of a whole facility has its PUE in it.
    factor = pue.value if pue is not None else 1.0 if scope == "facility" else None
    is_location = meta is not None and meta.basis == "location"
    if energy is not None and intensity is not None and factor is not None and is_location:
        rules.check_co2e(co2e.value, energy.value, factor, intensity.value)
    elif co2e.source == "derived":
        raise ValueError("is derived, which needs energy_it, pue, and an intensity whose basis is location")
