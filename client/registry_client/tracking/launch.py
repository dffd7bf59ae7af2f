"""Which process of a distributed run this is, as its launcher says: SLURM, torchrun, or RANK and WORLD_SIZE alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

_SLURM_HOSTS = ("SLURM_STEP_NUM_NODES", "SLURM_JOB_NUM_NODES", "SLURM_NNODES")  # a step may use a part of its job


@dataclass(frozen=True)
class Launch:
    """A process among others. `hosts_total` is None when the launcher does not say on how many hosts they run."""

    kind: str | None = None
    job_id: str | None = None
    rank: int | None = None
    world_size: int | None = None
    hosts_total: int | None = None


def launch_of(environ: Mapping[str, str]) -> Launch:
    """What the launcher wrote into the environment; a run of one process alone says nothing."""
    numbers = {name: int(text) for name, text in environ.items() if text.isdecimal() and text.isascii()}
    if "SLURM_JOB_ID" in environ:
        return Launch(
            kind="slurm",
            job_id=environ["SLURM_JOB_ID"],
            rank=numbers.get("RANK", numbers.get("SLURM_PROCID")),
            world_size=numbers.get("WORLD_SIZE", numbers.get("SLURM_NTASKS")),
            hosts_total=next((numbers[name] for name in _SLURM_HOSTS if name in numbers), None),
        )
    if "RANK" not in numbers or "WORLD_SIZE" not in numbers:
        return Launch()
    run_id = environ.get("TORCHELASTIC_RUN_ID")
    return Launch(
        kind="launcher" if run_id is None else "torchrun",
        job_id=None if run_id == "none" else run_id,  # "none" is torchrun's word for a run without an id
        rank=numbers["RANK"],
        world_size=numbers["WORLD_SIZE"],
        hosts_total=_hosts(numbers),
    )


def _hosts(numbers: Mapping[str, int]) -> int | None:
    if "GROUP_WORLD_SIZE" in numbers:  # torchrun's agents, one a host
        return numbers["GROUP_WORLD_SIZE"]
    local = numbers.get("LOCAL_WORLD_SIZE", 0)
    return -(-numbers["WORLD_SIZE"] // local) if local else None
