"""One plain sentence about a number of a card: how it is known, by what, when, of what, how well."""

from __future__ import annotations

from registry_core.backing import given_parts
from registry_core.card import Card
from registry_core.footprint import phase_footprint
from registry_core.phase import Phase
from registry_core.quantity import Amount

_TOOLS = {"codecarbon": "CodeCarbon", "zeus": "Zeus", "ptdaemon": "PTDaemon", "none": "hand", "by hand": "hand"}
_METHODS = {
    "wattmeter": "wattmeter",
    "pdu": "PDU",
    "psu": "power supply",
    "nvml_counter": "NVML counter",
    "amdsmi_counter": "AMD SMI counter",
    "nvml_power_polled": "NVML power, polled",
    "rapl_package": "RAPL",
    "cpu_load_model": "a model of the processor's load",
    "tdp_constant": "a constant share of TDP",
    "ram_dimm_model": "a model of the memory modules",
    "device_hours_tdp": "device hours x TDP",
    "host_share": "a typical share of the hosts",
    "flop_model": "a count of operations",
    "unknown": "unknown method",
}
_WHOLE = {"node_psu": "whole nodes", "rack_pdu": "whole racks", "facility": "the whole facility"}


def sentence(card: Card, phase_index: int) -> str:
    """About the energy of a phase: `measured by CodeCarbon 3.3.2 (NVML counter) on 2026-11-02, GPU only, ±10 %`."""
    phase = card.phases[phase_index]
    energy = phase_footprint(phase).energy_it_kwh
    if energy is None:
        return f"not known: nothing was measured on {phase.started_at[:10]}"
    said = f"{energy.source} by {_tool(card)}{_methods(phase)} on {phase.started_at[:10]}"
    return ", ".join(part for part in (said, _covered(phase), _interval(energy)) if part)


def _tool(card: Card) -> str:
    stated = card.evidence
    name = _TOOLS.get(stated.tool.strip().lower(), stated.tool[:60])
    return f"{name} {stated.tool_version[:40]}" if stated.tool_version else name


def _methods(phase: Phase) -> str:
    """The methods of the parts, the largest part first."""
    parts = sorted(given_parts(phase).values(), key=lambda part: -part.value)
    names = dict.fromkeys(_METHODS.get(part.method, part.method[:40]) for part in parts if part.method)
    return f" ({', '.join(names)})" if names else ""


def _covered(phase: Phase) -> str:
    if phase.scope in _WHOLE:
        return _WHOLE[phase.scope]
    seen = phase.coverage
    names = [name for name, covered in (("GPU", seen.gpu), ("CPU", seen.cpu), ("memory", seen.ram)) if covered]
    if len(names) == 1:
        return f"{names[0]} only"
    return f"{', '.join(names[:-1])} and {names[-1]}" if names else ""


def _interval(energy: Amount) -> str:
    """`±10 %`, `-10 % to +15 %`; nothing where no interval is known."""
    if energy.value <= 0 or energy.low == energy.high:
        return ""
    down, up = (energy.value - energy.low) / energy.value, (energy.high - energy.value) / energy.value
    return f"±{up:.0%}".replace("%", " %") if round(down, 2) == round(up, 2) else _percent(down, up)


def _percent(down: float, up: float) -> str:
    return f"-{down * 100:.0f} % to +{up * 100:.0f} %"
