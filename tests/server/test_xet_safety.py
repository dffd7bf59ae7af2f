"""What nobody gets out of the Xet store: foreign chunks, the hashes that lead to them, and bytes for a SHA-256."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from flask.testing import FlaskClient
from tests.client.models import safetensors_bytes
from tests.server.pushing import push
from tests.server.wire import batch, commit, create, large
from tests.server.xet.objects import encode_shard, file_of, listing_of, store_of, term_of
from tests.server.xet_wire import Machine, Made, count, last_line, made, made_of, noise, xet_push

from registry_core.ids import Digest
from registry_server.app import app_of
from registry_server.usecases import accounts
from registry_server.usecases.context import Registry
from registry_server.usecases.xet_checking import check_all
from registry_server.xet.hashing import XetHash, chunk_hash, file_hash, keyed_hash, verification_hash
from registry_server.xet.shard import Shard, ShardFile, ShardXorb, Term

pytestmark = pytest.mark.usefixtures("run_checks")

Token = Callable[[str], dict[str, str]]
Headers = dict[str, str]

SECRET = made(noise(1, [3000, 1200, 4096, 500, 800, 700]), noise(2, [2000, 700]))
FIRST = SECRET.xorbs[0]
FIRST_CHUNK = XetHash(FIRST.chunk_hashes[:32])
NOWHERE = XetHash(bytes([7] * 32))


@pytest.fixture
def mallory(token: Token) -> Headers:
    return token("mallory")


@pytest.fixture
def thief(client: FlaskClient, mallory: Headers) -> Machine:
    create(client, mallory, "mallory/m")
    return Machine(client, mallory, "mallory/m")


def asked(machine: Machine, chunk: bytes = FIRST_CHUNK) -> bytes | None:
    answer = machine.get(f"v1/chunks/default/{XetHash(chunk)}")
    assert answer.status_code in (200, 404), answer.text
    return answer.data if answer.status_code == 200 else None


class Answer:
    """A deduplication answer, taken apart by the description of the format."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        footer = struct.unpack("<9Q32sQQ48x4Q", data[-200:])
        self.key, self.created_at, self.expires_at = footer[9], footer[10], footer[11]
        self.xorbs: dict[bytes, list[bytes]] = {}
        at = footer[2]
        while data[at : at + 32] != b"\xff" * 32:
            name, (chunks,) = data[at : at + 32], struct.unpack_from("<I", data, at + 36)
            self.xorbs[name] = [data[at + 48 * n : at + 48 * n + 32] for n in range(1, chunks + 1)]
            at += 48 * (chunks + 1)

    def place_of(self, chunk: bytes) -> tuple[bytes, int] | None:
        """Where a client that has the chunk finds it."""
        wanted = keyed_hash(self.key, chunk)
        return next(((name, keyed.index(wanted)) for name, keyed in self.xorbs.items() if wanted in keyed), None)


def hashes_of(*files: Made) -> set[bytes]:
    return {leaf for file in files for index in file.xorbs for leaf, _ in index.leaves(0, index.chunks)}


# What an answer says


def test_an_answer_names_chunks_by_a_key_only(client: FlaskClient, alice: Headers) -> None:
    owner = xet_push(client, alice, "alice/m", {"w": SECRET})
    answer = Answer(asked(owner) or b"")
    assert any(answer.key)
    assert set(answer.xorbs) == {index.hash for index in SECRET.xorbs}, "all xorbs of the file, not only the first"
    for chunk in hashes_of(SECRET):
        assert chunk not in answer.data
        assert str(XetHash(chunk)).encode() not in answer.data
        assert answer.place_of(chunk) is not None
    assert answer.place_of(FIRST_CHUNK) == (FIRST.hash, 0)
    assert answer.place_of(NOWHERE) is None


def test_an_answer_is_the_same_all_day_and_is_forgotten_after_a_week(
    registry: Registry, client: FlaskClient, alice: Headers
) -> None:
    xet_push(client, alice, "alice/m", {"w": SECRET})
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)

    def answer_at(hours: float) -> bytes:
        at = midnight + timedelta(hours=hours)
        there = app_of(replace(registry, now=lambda: at)).test_client()
        return asked(Machine(there, alice, "alice/m", scope="read")) or b""

    assert answer_at(0) == answer_at(12) == answer_at(23.99)
    today, tomorrow = Answer(answer_at(1)), Answer(answer_at(25))
    assert today.key != tomorrow.key
    assert today.created_at == midnight.timestamp()
    assert today.expires_at - today.created_at == 7 * 24 * 3600
    assert tomorrow.expires_at - today.expires_at == 24 * 3600


def test_callers_and_repos_get_other_keys(
    registry: Registry, client: FlaskClient, alice: Headers, mallory: Headers
) -> None:
    xet_push(client, alice, "alice/a", {"w": SECRET})
    xet_push(client, alice, "alice/b", {"w": SECRET})
    answers = [
        asked(Machine(client, who, repo, scope="read")) or b""
        for who, repo in ((alice, "alice/a"), (alice, "alice/b"), (mallory, "alice/a"), ({}, "alice/a"))
    ]
    keys = {Answer(answer).key for answer in answers}
    assert len(keys) == 4


def test_a_changed_first_chunk_still_finds_the_rest_of_the_file(client: FlaskClient, alice: Headers) -> None:
    owner = xet_push(client, alice, "alice/m", {"w": SECRET})
    answer = Answer(asked(owner, NOWHERE) or b"")
    assert set(answer.xorbs) == {index.hash for index in SECRET.xorbs}


def test_an_empty_registry_has_no_answer(thief: Machine) -> None:
    assert asked(thief) is None
    assert asked(thief, NOWHERE) is None


def test_anybody_builds_on_an_open_repo(client: FlaskClient, alice: Headers, thief: Machine) -> None:
    xet_push(client, alice, "alice/open", {"w": SECRET})
    answer = Answer(asked(thief) or b"")
    assert set(answer.xorbs) == {index.hash for index in SECRET.xorbs}
    assert asked(thief, NOWHERE) is None, "only who has a chunk of it"


# What an answer hides


def test_an_answer_about_a_hidden_chunk_is_that_about_no_chunk(
    client: FlaskClient, alice: Headers, thief: Machine
) -> None:
    xet_push(client, alice, "alice/secret", {"w": SECRET}, private=True)
    for chunk in hashes_of(SECRET):
        assert asked(thief, chunk) is None
    # The same where there is something else to tell of.
    own = made(noise(3, [500, 600]))
    thief.upload(own)
    thief.commit({"w": own})
    for chunk in hashes_of(SECRET):
        assert asked(thief, chunk) == asked(thief, NOWHERE)
    anonymous = Machine(client, {}, "mallory/m", scope="read")
    assert asked(anonymous) == asked(anonymous, NOWHERE)


def test_a_hidden_file_that_shares_a_xorb_with_an_open_one_leaves_no_trace(
    client: FlaskClient, alice: Headers, thief: Machine
) -> None:
    """Else the open xorbs in an answer would tell that a hidden file is made of them and of the chunk asked about."""
    store = store_of(noise(4, [900, 800]), noise(5, [700, 600]), noise(6, [500, 400]))
    shared, other, hidden = store.indexes.values()
    one = made_of(store, [term_of(shared, 0, 2)])
    two = made_of(store, [term_of(other, 0, 2)])
    secret = made_of(store, [term_of(hidden, 0, 2), term_of(shared, 0, 2), term_of(other, 0, 2)])
    owner = xet_push(client, alice, "alice/one", {"w": replace(one, store=store)})
    xet_push(client, alice, "alice/two", {"w": replace(two, store=store)})
    probes = [hidden.chunk_hashes[:32], shared.chunk_hashes[:32], other.chunk_hashes[:32], NOWHERE]
    before = [asked(thief, chunk) for chunk in probes]
    assert [answer is None for answer in before] == [True, False, False, True]
    create(client, alice, "alice/secret", private=True)
    keeper = Machine(client, alice, "alice/secret")
    keeper.register(secret.shard)
    assert keeper.commit({"w": secret}).status_code == 200
    assert [asked(thief, chunk) for chunk in probes] == before
    assert set(Answer(asked(owner, hidden.chunk_hashes[:32]) or b"").xorbs) >= {hidden.hash, shared.hash, other.hash}


def test_what_was_hidden_meanwhile_is_not_told_of_any_more(client: FlaskClient, alice: Headers, thief: Machine) -> None:
    xet_push(client, alice, "alice/open", {"w": SECRET})
    assert asked(thief) is not None
    client.put("/api/models/alice/open/settings", json={"private": True}, headers=alice)
    assert asked(thief) is None
    assert last_line(thief.send_shard(Shard((SECRET.file,), ())))["type"] == "error"


def test_members_of_an_organisation_build_on_its_hidden_repos(
    registry: Registry, client: FlaskClient, token: Token, thief: Machine
) -> None:
    boss, reader = token("boss"), token("reader")
    accounts.add_organisation(registry, "team", [("boss", "admin"), ("reader", "read")])
    xet_push(client, boss, "team/hidden", {"w": SECRET}, private=True)
    create(client, reader, "reader/m")
    assert asked(Machine(client, reader, "reader/m")) is not None
    assert asked(thief) is None


# The attack: who knows one chunk of a hidden file wants the rest


def stolen(thief: Machine, path: str = "stolen") -> bytes:
    return thief.resolve(path).data


def attempts(names: list[bytes], chunks: dict[bytes, list[bytes]], sizes: dict[bytes, list[int]]) -> list[Shard]:
    """Shards over the chunks as somebody would list them who takes what an answer holds for their hashes."""
    digest = Digest(SECRET.digest)
    shards = []
    listings = tuple(_listing(name, chunks[name], sizes[name]) for name in names)
    everything = [(chunk, size) for name in names for chunk, size in zip(chunks[name], sizes[name], strict=True)]
    terms = tuple(Term(XetHash(name), sum(sizes[name]), 0, len(sizes[name])) for name in names)
    proofs = tuple(verification_hash(b"".join(chunks[name])) for name in names)
    guessed = ShardFile(file_hash(everything), terms, proofs, digest)
    for file in (guessed, replace(guessed, hash=SECRET.file.hash), SECRET.file):
        shards += [Shard((file,), listings), Shard((file,), ())]
    return shards


def _listing(name: bytes, chunks: list[bytes], sizes: list[int]) -> ShardXorb:
    ends = [sum(sizes[: number + 1]) for number in range(len(sizes))]
    return ShardXorb(XetHash(name), b"".join(chunks), tuple(ends))


SIZES = {index.hash: [size for _, size in index.leaves(0, index.chunks)] for index in SECRET.xorbs}


def test_knowing_the_first_chunk_of_a_hidden_file_does_not_give_the_file(
    client: FlaskClient, alice: Headers, thief: Machine
) -> None:
    xet_push(client, alice, "alice/secret", {"w": SECRET}, private=True)
    answer = asked(thief)
    assert answer is None
    # Even with everything else guessed right: names and chunks of the xorbs, the file's hash, its SHA-256.
    raw = {index.hash: [leaf for leaf, _ in index.leaves(0, index.chunks)] for index in SECRET.xorbs}
    for shard in attempts(list(raw), raw, SIZES):
        for version in (1, 2):
            told = thief.send_shard(shard, version=version)
            assert (told.status_code == 400) if version == 1 else (last_line(told)["type"] == "error")
    assert thief.commit({"stolen": SECRET}).status_code == 400
    assert thief.reconstruct(SECRET.file.hash).status_code == 404
    assert stolen(thief)[:9] != SECRET.content[:9]


def test_an_answer_alone_does_not_give_the_file(
    registry: Registry, client: FlaskClient, alice: Headers, thief: Machine
) -> None:
    """The thief may build on the xorbs, but lacks most of their chunks, and the answer does not help with these."""
    xet_push(client, alice, "alice/open", {"w": SECRET})
    answer = Answer(asked(thief) or b"")
    files = count(registry, "xet_files")
    for shard in attempts(list(answer.xorbs), answer.xorbs, SIZES):
        if shard.files[0] != SECRET.file:
            assert last_line(thief.send_shard(shard))["type"] == "error"
    # The chunk that is known can be named, and only that one.
    known = ShardFile(
        file_hash([(FIRST_CHUNK, 3000)]),
        (Term(FIRST.hash, 3000, 0, 1),),
        (verification_hash(FIRST_CHUNK),),
        Digest(hashlib.sha256(SECRET.content[:3000]).hexdigest()),
    )
    beyond = replace(known, terms=(Term(FIRST.hash, 4200, 0, 2),))
    assert last_line(thief.send_shard(Shard((beyond,), ())))["type"] == "error"
    assert count(registry, "xet_files") == files
    assert last_line(thief.send_shard(Shard((known,), ())))["type"] == "result"


def test_a_hidden_part_of_an_open_xorb_stays_hidden(client: FlaskClient, alice: Headers, thief: Machine) -> None:
    """One xorb may hold chunks of an open and of a hidden file."""
    store = store_of(noise(7, [1000] * 6))
    (xorb,) = store.indexes.values()
    shown, hidden = made_of(store, [term_of(xorb, 0, 2)]), made_of(store, [term_of(xorb, 2, 6)])
    xet_push(client, alice, "alice/open", {"w": shown})
    xet_push(client, alice, "alice/secret", {"w": hidden}, private=True)
    answer = Answer(asked(thief, xorb.chunk_hashes[:32]) or b"")
    keyed = b"".join(answer.xorbs[xorb.hash][2:])
    file = ShardFile(
        file_hash([(keyed[at : at + 32], 1000) for at in range(0, len(keyed), 32)]),
        (Term(xorb.hash, 4000, 2, 6),),
        (verification_hash(keyed),),
        Digest(hidden.digest),
    )
    for guess in (file, replace(file, hash=hidden.file.hash)):
        assert last_line(thief.send_shard(Shard((guess,), ())))["type"] == "error"
    reader = Machine(client, thief.headers, "alice/open", scope="read")
    plan = reader.reconstruct(shown.file.hash).json
    ((part,),) = plan["xorbs"].values()
    first_hidden = xorb.span(2, 3)[0]
    assert part["ranges"][0]["bytes"]["end"] == first_hidden - 1
    beyond = client.get(part["url"], headers={"Range": f"bytes={first_hidden}-{first_hidden}"})
    assert beyond.status_code == 403
    assert reader.reconstruct(hidden.file.hash).status_code == 404


# A SHA-256 is no key either

VICTIM = safetensors_bytes([0.25] * 400, name="secret.weight")
VICTIM_DIGEST = hashlib.sha256(VICTIM).hexdigest()
BAIT = made([safetensors_bytes([9.0] * 400, name="poison")]).claiming(VICTIM_DIGEST)


def test_claiming_a_sha256_does_not_open_the_bytes_behind_it(
    registry: Registry, client: FlaskClient, alice: Headers, thief: Machine
) -> None:
    """A repo that holds a false claim must not count as one that holds the file, before the check and after it."""
    push(client, alice, "alice/secret", {"w.safetensors": VICTIM}, private=True)
    thief.upload(BAIT)
    assert thief.commit({"bait.safetensors": BAIT}).status_code == 200
    create(client, thief.headers, "mallory/second")
    for checked in (False, True):
        if checked:
            check_all(registry)
        for repo in ("mallory/m", "mallory/second"):
            answer = batch(client, thief.headers, repo, VICTIM_DIGEST, len(VICTIM))
            (item,) = answer.get_json(force=True)["objects"]
            assert "upload" in item["actions"], (checked, repo)
            for size in (len(VICTIM), None):
                commit(client, thief.headers, repo, [large("stolen.safetensors", VICTIM_DIGEST, size)])
                for path in ("stolen.safetensors", "bait.safetensors"):
                    assert client.get(f"/{repo}/resolve/main/{path}", headers=thief.headers).data != VICTIM
            (item,) = batch(client, thief.headers, repo, VICTIM_DIGEST, 1, "download").get_json(force=True)["objects"]
            if "actions" in item:
                assert client.get(item["actions"]["download"]["href"]).data != VICTIM


def test_the_file_that_comes_later_does_not_go_to_who_claimed_its_sha256(
    registry: Registry, client: FlaskClient, alice: Headers, thief: Machine
) -> None:
    thief.upload(BAIT)
    thief.commit({"bait.safetensors": BAIT})
    check_all(registry)
    secret = made([VICTIM[:700], VICTIM[700:]])
    assert secret.digest == VICTIM_DIGEST
    owner = xet_push(client, alice, "alice/secret", {"w.safetensors": secret}, private=True)
    check_all(registry)
    assert owner.resolve("w.safetensors").data == VICTIM
    assert thief.resolve("bait.safetensors").status_code == 409
    assert commit(client, thief.headers, "mallory/m", [large("again", VICTIM_DIGEST)]).status_code == 400
    thief.commit({"bait.safetensors": BAIT})
    assert thief.resolve("bait.safetensors").status_code == 409


@pytest.mark.parametrize("by_xet", [False, True])
@pytest.mark.parametrize("poison_first", [False, True])
def test_a_false_sha256_puts_no_tensors_into_anybodys_model(
    registry: Registry, client: FlaskClient, alice: Headers, thief: Machine, by_xet: bool, poison_first: bool
) -> None:
    """What is read of a header is kept by content: whoever pushes the file again finds it read."""

    def poison() -> None:
        thief.upload(BAIT)
        assert thief.commit({"model.safetensors": BAIT}).status_code == 200

    if poison_first:
        poison()
        check_all(registry)
    if by_xet:
        xet_push(client, alice, "alice/m", {"model.safetensors": made([VICTIM[:700], VICTIM[700:]])}, private=True)
    else:
        push(client, alice, "alice/m", {"model.safetensors": VICTIM}, private=True)
    if not poison_first:
        poison()
    check_all(registry)
    push(client, alice, "alice/m", {"README.md": b"# Mine\n"})
    push(client, alice, "alice/copy", {"model.safetensors": VICTIM})
    for repo in ("alice/m", "alice/copy"):
        call = f"/api/registry/v1/repos/models/{repo}/tensors/main/model.safetensors"
        assert [tensor["name"] for tensor in client.get(call, headers=alice).json] == ["secret.weight"]


def test_a_shard_of_open_chunks_under_a_foreign_sha256_names_nothing_of_others(
    registry: Registry, client: FlaskClient, alice: Headers, thief: Machine
) -> None:
    """A claim on open chunks needs no upload at all."""
    xet_push(client, alice, "alice/open", {"w": SECRET})
    push(client, alice, "alice/secret", {"w.safetensors": VICTIM}, private=True)
    check_all(registry)
    claim = SECRET.claiming(VICTIM_DIGEST)
    thief.register(Shard((claim.file,), ()))
    assert thief.commit({"w": claim}).status_code == 200
    check_all(registry)
    assert thief.resolve("w").status_code == 409
    assert client.get("/alice/open/resolve/main/w").data == SECRET.content
    assert client.get("/alice/secret/resolve/main/w.safetensors", headers=alice).data == VICTIM


def test_nothing_that_hides_comes_back_in_an_error(client: FlaskClient, alice: Headers, thief: Machine) -> None:
    xet_push(client, alice, "alice/secret", {"w": SECRET}, private=True)
    guess = file_of(SECRET.store, [term_of(FIRST, 0, 1)], Digest(SECRET.digest))
    told = [
        thief.send_shard(encode_shard(Shard((guess,), (listing_of(FIRST),)))).text,
        thief.reconstruct(SECRET.file.hash).text,
        thief.get(f"v1/chunks/default/{FIRST_CHUNK}").text,
        thief.commit({"w": SECRET}).text,
    ]
    assert not [text for text in told if "alice" in text or "secret" in text.lower()]
    assert chunk_hash(SECRET.store.raw[FIRST.hash][0]) == FIRST_CHUNK
