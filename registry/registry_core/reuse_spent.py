"""What a reuse takes its reuser beside the adaptation: moving the model, and evaluating it."""

from __future__ import annotations

from registry_core.footprint import DEFAULT_PUE
from registry_core.quantity import Amount, GivenSource, default_interval, exact, product
from registry_core.records import RerunReport

_BYTES_PER_GB = 1e9

TRANSFER_KWH_PER_GB = Amount(value=0.06, low=0.06 / 2**4, high=0.06, source="estimated")
"""Fixed-line networks, core and access: 0.06 kWh/GB in 2015, half of it every two years.

Aslan, Mayers, Koomey, France: Electricity Intensity of Internet Data Transmission. Journal of Industrial Ecology 22(4),
2018, 785-798, doi:10.1111/jiec.12630. The number of 2015 is taken, since the avoided amount is to err low; the low
end goes on halving for eight years more.
"""
_PUE = Amount(DEFAULT_PUE, *default_interval(DEFAULT_PUE, "pue_default"), source="estimated")


def transfer_kwh(size_bytes: int) -> Amount:
    """Energy in kWh of moving that much over the Internet once."""
    return product(exact(size_bytes / _BYTES_PER_GB), TRANSFER_KWH_PER_GB)


def rerun_kwh(report: RerunReport) -> Amount | None:
    """Energy in kWh of a rerun at the facility; None when its author could not measure it.

    A report holds the energy at the device, so that the default PUE is put on it.
    """
    if report.energy_kwh is None:
        return None
    # The widest interval of the methods that the parts were found by.
    ends = [default_interval(report.energy_kwh, method) for method in report.energy_methods.values()]
    low, high = zip(*(ends or [default_interval(report.energy_kwh, "unknown")]), strict=True)
    source: GivenSource = "measured" if report.energy_source == "measured" else "estimated"
    return product(Amount(report.energy_kwh, min(low), max(high), source), _PUE)
