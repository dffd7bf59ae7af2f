"""What can be wrong with the objects of the Xet protocol.

Invalid ◄── InvalidXet ◄── UnknownXorb     what a client sent
Unavailable ◄── DamagedXorb                what we stored
"""

from __future__ import annotations

from registry_core.errors import Invalid, Unavailable


class InvalidXet(Invalid):
    """A hash, xorb or shard that breaks the rules of the Xet protocol."""

    code = "invalid_xet"


class UnknownXorb(InvalidXet):
    """A shard names a xorb that is not stored here; `name` is its hash in text form.

    Clients remember for weeks what they uploaded, so this also tells that the store lost something.
    """

    code = "unknown_xorb"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"The xorb {name} is not stored here.",
            hint="The client took it for uploaded. Upload again; if that fails, empty the client's Xet cache.",
        )
        self.name = name


class DamagedXorb(Unavailable):
    """Stored bytes are not those that were verified when they came."""

    code = "damaged_xorb"
