"""Who and where, kept out of what is published.

Where someone sits, on which host and under which name is nobody's business. Evidence files lose such values,
and name what they lost; hosts and devices appear under salted hashes, which tell them apart and nothing else.
"""

from __future__ import annotations

import contextlib
import getpass
import hashlib
import re
import secrets
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_PLACES = frozenset({"longitude", "latitude"})
_NAMES = frozenset("host hostname host_name nodename node_name fqdn user username login home".split())
_ENVIRONMENTS = frozenset({"env", "environ", "environment", "environment_variables"})
KNOWN_VARIABLES = frozenset(
    """
    CUDA_VISIBLE_DEVICES ROCR_VISIBLE_DEVICES OMP_NUM_THREADS RANK LOCAL_RANK WORLD_SIZE LOCAL_WORLD_SIZE
    SLURM_JOB_NUM_NODES SLURM_NTASKS REGISTRY_COUNTRY
    """.split()
)
"""Environment variables whose values tell about the measurement and not about a person."""
_KNOWN_SETTINGS = frozenset({"gpu_ids", "country_iso_code"})

_HOMES = r"(?:/home/|/Users/|[A-Za-z]:\\+Users\\+)[^/\\\s:\"',]+|/root(?![A-Za-z0-9])"
_DEVICE_IDS = r"(?:GPU|MIG)-[0-9a-f]{8}-[0-9a-f-]{20,}"


@dataclass(frozen=True)
class Pseudonyms:
    """Names for hosts and devices that cannot be traced back without the salt, which is never published."""

    salt: str = field(default_factory=lambda: secrets.token_hex(16), repr=False)

    @property
    def host(self) -> str:
        """This computer; all containers on it count as the same."""
        return self._hash(_host_key())

    def device(self, part: str, name: str) -> str:
        """A device of this computer, with its kind in front: `gpu-3f2a…`."""
        return f"{part}-{self._hash(_host_key(), name)}"

    def _hash(self, *names: str) -> str:
        return hashlib.sha256("\0".join((self.salt, *names)).encode()).hexdigest()[:16]


def _host_key() -> str:
    try:
        return _BOOT_ID.read_text().strip()
    except OSError:
        return socket.gethostname()


class Private:
    """Finds texts that tell who and where: names of this host and its user, any home folder, ids of devices."""

    def __init__(self, names: Iterable[str] | None = None) -> None:
        words = "|".join(re.escape(name) for name in sorted(own_names() if names is None else names))
        named = rf"(?<![A-Za-z0-9])(?:{words})(?![A-Za-z0-9])|" if words else ""
        self.pattern = re.compile(f"{named}{_HOMES}|{_DEVICE_IDS}")

    def removed_from(self, document: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
        """The document without what is private, and the places of what was taken out, such as `row.longitude`."""
        removed: list[str] = []
        return self._mapping(document, "", removed), sorted(removed)

    def _mapping(self, values: Mapping[str, Any], place: str, removed: list[str]) -> dict[str, Any]:
        kept = {}
        for key, value in values.items():
            here = f"{place}.{key}".removeprefix(".")
            if self._tells(key, value, place):
                removed.append(here)
            else:
                kept[key] = self._value(value, here, removed)
        return kept

    def _value(self, value: Any, place: str, removed: list[str]) -> Any:
        if isinstance(value, Mapping):
            is_unknown = value.get("layer") == "environment" and place.rpartition(".")[2] not in _KNOWN_SETTINGS
            if is_unknown and "value" in value:
                removed.append(f"{place}.value")
                value = {key: kept for key, kept in value.items() if key != "value"}
            return self._mapping(value, place, removed)
        if isinstance(value, list):
            items = [(item, f"{place}[{number}]") for number, item in enumerate(value)]
            removed += [here for item, here in items if self._is_private(item)]
            return [self._value(item, here, removed) for item, here in items if not self._is_private(item)]
        return value

    def _tells(self, key: str, value: Any, place: str) -> bool:
        in_environment = place.rpartition(".")[2].lower() in _ENVIRONMENTS and key.isupper()
        is_named = key.lower() in _PLACES or (key.lower() in _NAMES and isinstance(value, str))
        return is_named or (in_environment and key not in KNOWN_VARIABLES) or self._is_private(value)

    def _is_private(self, value: Any) -> bool:
        return isinstance(value, str) and self.pattern.search(value) is not None


def is_private_column(name: str) -> bool:
    """Whether a column of this name holds places or names of people or hosts."""
    return name.strip().lower() in _PLACES | _NAMES


def own_names() -> set[str]:
    """This host's name, the user's name and home folder."""
    names = {socket.gethostname(), str(Path.home())}
    with contextlib.suppress(OSError, KeyError):  # a container's user id may have no name
        names.add(getpass.getuser())
    return {name for name in names if len(name) > 1}
