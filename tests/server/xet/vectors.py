"""What the real client (hf_xet 1.8.0) makes of inputs that anybody can make again."""

from __future__ import annotations

from dataclasses import dataclass

from tests.server.xet.objects import counted, cut, floats


@dataclass(frozen=True)
class Vector:
    """An input in the client's chunks. `terms` is how often the file names all chunks of its one xorb."""

    name: str
    chunks: list[bytes]
    sha256_ends: tuple[str, str]
    file: str
    xorb: str
    verification: str
    scheme: int
    terms: int = 1

    @property
    def content(self) -> bytes:
        return b"".join(self.chunks) * self.terms


_HELLO = b"Hello World!"
_FOX = (b"The quick brown fox jumps over the lazy dog. " * 15556)[:700_001]
_RAMP = [131072, 48275, 131072, 131072, 8335, 12438, 131072, 107009, 13646, 104144, 15536, 59387, 106942]
_MILLION = [58255, 131072, 51681, 48918, 112016, 131072, 131072, 131072, 9090, 49808, 95049, 46725, 4173]

VECTORS = [
    Vector(
        "hello",
        [_HELLO],
        ("7f83b165", "126d9069"),
        "a9dae0ad88b060bdd7e7c87abdcf95b132c95a0414b06d4f6beb68d287b87165",
        "d8d408e608fb9ca213b9909a65d86d725f2de4d8d540324be8a363e7a6e228cb",
        "89cb63458e98cb4c75be6b50a5a7b7234b82f05d5348e6925fb71aaf5dc3862b",
        scheme=0,
    ),
    Vector(
        "zeros",
        [bytes(131072)],
        ("30e14955", "909fcb58"),
        "1e671fe124cea35586b1d1c30b9d4fc6b4e05ee60c93406986444f7c23d54056",
        "2e39f13c248013b27e22913ba2893a654120ed0ad8eb7ecbf3f05b9d708634fc",
        "14c0d0abd6d31b93186f33741159e5c82fc804f6384a98b090b099796897e601",
        scheme=1,
        terms=8,
    ),
    Vector(
        "one short chunk",
        [counted(8191)],
        ("a77ed12e", "86d65050"),
        "885b01d006b5777665f66a5c626431e8ae8abeab8074691041f38b68b15246b8",
        "5e15093a2025293842524f43b88b1ac3d53fcbce091484575be62ca509e7077a",
        "5997891c33019f38fa464c3063422fbb6af255f7a5f2476174f45f32bc0427ec",
        scheme=0,
    ),
    Vector(
        "two chunks",
        cut(counted(131073), [58255, 72818]),
        ("53f96410", "cbda8374"),
        "92602f676e9435926a736345d09e6696ff9fc99d0b7c715335b19e85b45d246a",
        "545b37a79e16901995429dd0c07d6a5d7b2d89df8405bd28a9bc9b0e0effb0d0",
        "0e75ca1edf18d864d762d9ce79e4a6f763f354146590ff157c30f7c0d7a4bc07",
        scheme=0,
    ),
    Vector(
        "five chunks",
        cut(counted(300_000), [58255, 131072, 51681, 48918, 10074]),
        ("376ecf67", "f235aeb9"),
        "857ca1e594c4cdbd610202f8ea8dca94a97d66459d24f26607bf3a216c0c0f26",
        "70494dc25ffb93515e9a8cc778a4079a00411604d44575c048cb875d76855a31",
        "ea060ccd46c574a3dd4c77d13df0d726a234868a30e572b709add08d2bc6cbb0",
        scheme=0,
    ),
    Vector(
        "thirteen chunks",
        cut(counted(1_000_003), _MILLION),
        ("c7bf1c27", "3ff4e296"),
        "8b006721b08b2fb7e537b3ac26f090de86d07d05f4a93ec414e1ee9a074d7943",
        "417f0e62ae264afd281af0b531e934b0851b4a28ca8381f92800ffc1190073e9",
        "d4477d8c5e51365448969177a1f8f3e94f7af84d6836f46c897d8d2336ab439a",
        scheme=0,
    ),
    Vector(
        "floats",
        cut(floats(250_000), _RAMP),
        ("61dc863d", "0bf55d6f"),
        "624c1c482d658430c351cf6b1fa9dccfb1dd3d6d1f6157d9bf996d48c1a36637",
        "a67b78b1b2f39ed887529286ff54fcd9ffb39fc6dc797b54356080278faaddbc",
        "59f52d3a5e413f11404bbeebe7cf71112d4c336e72e742e7b29aeccc5617920f",
        scheme=2,
    ),
    Vector(
        "text",
        cut(_FOX, [131072] * 5 + [44641]),
        ("a3f046f9", "757eb70e"),
        "070ee929ae875cc02d9c31145206e56b48b6674ba978d0ec82806b28bd316529",
        "d4094d55f9a3206274b0b7fbb4f425b171f05173ad59f6e316a04991a1abd403",
        "7ea6f501714b392da17ea436bf094e3ae6d9af74ac8f4ec60f52ceae53c5fd75",
        scheme=1,
    ),
]
