"""The formulas of the footprint, on plain numbers whose names say their units.

The three cost models take T, the wall time, times a rate, times a factor: compute (money), energy,
environment.
"""

from __future__ import annotations

from registry_core.errors import Invalid
from registry_core.units import GRAMS_PER_KG, WATTS_PER_KILOWATT


def compute_cost(wall_time_hours: float, price_per_device_hour: float, devices: int) -> float:
    """C_compute = T x C_time x C_resource, in the currency of the price.

    h x currency / (device h) x device = currency.
    """
    return wall_time_hours * price_per_device_hour * devices


def energy(wall_time_hours: float, it_power_watts: float, pue: float) -> float:
    """C_energy = T x C_power x C_efficiency, the energy of the facility in kWh.

    `it_power_watts` is the mean of all devices and hosts together. h x W x 1 = Wh; / 1000 = kWh.
    """
    return wall_time_hours * it_power_watts * pue / WATTS_PER_KILOWATT


def environment(wall_time_hours: float, emission_rate_kg_per_hour: float, impact: float = 1.0) -> float:
    """C_environment = T x C_emission x C_impact, in kgCO2e.

    `impact` is a characterisation factor: 1 for CO2e, whose gases are characterised by GWP100 already, and
    never a place for offsets. h x kgCO2e / h x 1 = kgCO2e.
    """
    return wall_time_hours * emission_rate_kg_per_hour * impact


def emission_rate(it_power_watts: float, pue: float, intensity_g_per_kwh: float) -> float:
    """The rate of `environment`, in kgCO2e / h. W / 1000 = kW; kW x 1 x g / kWh = g / h; / 1000 = kg / h."""
    return it_power_watts / WATTS_PER_KILOWATT * pue * intensity_g_per_kwh / GRAMS_PER_KG


def water(energy_it_kwh: float, pue: float, wue_on_litres_per_kwh: float, wue_off_litres_per_kwh: float) -> float:
    """W = energy_it x (WUE_on + PUE x WUE_off), in litres.

    WUE_on counts per kWh of IT energy, WUE_off per kWh of electricity generated. kWh x L / kWh = L.
    """
    return energy_it_kwh * (wue_on_litres_per_kwh + pue * wue_off_litres_per_kwh)


def embodied(factor_kg: float, device_hours: float, lifetime_hours: float, utilisation: float) -> float:
    """M = factor x device hours / (lifetime x utilisation) of one group of hardware, in kgCO2e.

    ISO/IEC 21031 (SCI) shares the mass of a device by time; a utilisation below 1 charges its idle life to
    its busy hours. kgCO2e x h / (h x 1) = kgCO2e.
    """
    return factor_kg * device_hours / _positive(lifetime_hours * utilisation, "lifetime x utilisation")


def efficiency_raw(score: float, energy_facility_kwh: float) -> float:
    """Efficiency = accuracy / resource, per kWh. Not to rank by: it rewards training for a second."""
    return score / _positive(energy_facility_kwh, "energy")


def gain_per_energy(
    score: float, baseline: float, energy_facility_kwh: float, *, higher_is_better: bool
) -> float | None:
    """What a score is better than its group's baseline, per kWh; None when it is not better."""
    gain = score - baseline if higher_is_better else baseline - score
    return gain / _positive(energy_facility_kwh, "energy") if gain > 0 else None


def rate_bytes(original_bytes: int, compressed_bytes: int) -> float:
    """CompressionRate = OriginalSize / CompressedSize, of the weights in bytes."""
    return original_bytes / _positive(compressed_bytes, "compressed size")


def rate_params(original_parameters: int, compressed_parameters: int) -> float:
    """CompressionRate of the number of parameters."""
    return original_parameters / _positive(compressed_parameters, "number of parameters")


def bits_per_parameter(size_bytes: int, parameters: int) -> float:
    """8 x bytes / parameters: quantisation changes it, pruning to dense does not."""
    return 8 * size_bytes / _positive(parameters, "number of parameters")


def size_reduction(rate: float) -> float:
    """1 - 1 / rate: a rate of 1.667 is a reduction of 0.40, "40 % smaller"."""
    return 1 - 1 / _positive(rate, "rate")


def score_retention(compressed_score: float, original_score: float) -> float:
    """Score of the compressed model / score of its parent, in one comparison group."""
    return compressed_score / _positive(original_score, "original score")


def energy_ratio(compressed_kwh_per_unit: float, original_kwh_per_unit: float) -> float:
    """Use-phase energy of the compressed model / that of its parent, on the same hardware."""
    return compressed_kwh_per_unit / _positive(original_kwh_per_unit, "original energy")


def _positive(number: float, what: str) -> float:
    if number <= 0:
        raise Invalid(f"The {what} is {number:g}; nothing can be divided by it.", hint="Give a positive number.")
    return number
