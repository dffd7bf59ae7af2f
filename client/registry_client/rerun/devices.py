"""Where a model runs: the best device here, or the one that was asked for."""

from __future__ import annotations

import platform

import torch

from registry_core.errors import Invalid

DEVICES = ("auto", "cpu", "cuda", "mps")


def choose(wanted: str = "auto") -> torch.device:
    """The device `wanted`; for `auto` CUDA before Apple's GPU before the processor.

    Raises Invalid when the device that was asked for is not there.
    """
    if wanted == "auto":
        return torch.device(next(name for name in ("cuda", "mps", "cpu") if is_available(name)))
    if wanted not in DEVICES:
        raise Invalid(f"There is no device {wanted!r}.", hint=f"Devices are {', '.join(DEVICES)}.")
    if not is_available(wanted):
        raise Invalid(f"There is no {wanted} device here.", hint="Use --device auto to take the best one there is.")
    return torch.device(wanted)


def is_available(name: str) -> bool:
    """Whether torch can compute there."""
    if name == "cuda":
        return bool(torch.cuda.is_available())
    return name == "cpu" or bool(torch.backends.mps.is_available())


def device_name(device: torch.device) -> str:
    """The device as its maker calls it."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return platform.processor() or platform.machine()


def finish(device: torch.device) -> None:
    """Wait for what was asked of the device: it works on while Python is already elsewhere."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()
