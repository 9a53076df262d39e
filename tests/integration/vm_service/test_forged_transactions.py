"""What others can make of a signed transaction without its keys: never a second execution, never a blamed original."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import grpc
import pytest

from chassis.errors import from_rpc_error
from gateway import wire
from iost.chain.v1.transaction_pb2 import Action, AmountLimit, Signature, Transaction
from iost.vm.v1 import execution_service_pb2 as pb
from tests.support.forging import (
    ORDER,
    EdKey,
    Key,
    SecpKey,
    first_version,
    publish_signature,
    sign_again,
)
from tests.support.gateway_process import EXECUTE, in_front_of
from tests.support.vm_world import IOST, VmWorld, commit_first_version, running
from vm_service.transactions import canonical_forms, digest

pytestmark = pytest.mark.timeout(120)

ED, SECP, JOINT, BOB, STRANGER = EdKey(10), SecpKey(11), (EdKey(12), SecpKey(13)), EdKey(14), EdKey(15)
OWNERS: Mapping[str, Sequence[Key]] = {
    "alice": (ED,),
    "agnes": (SECP,),
    "joint": JOINT,
    "bobby": (BOB,),
    "mallory": (STRANGER,),
    "alicia": (ED,),
}
"""`alicia` shares the key of `alice`, `joint` needs both of its keys."""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VmWorld]:
    """A VM service behind a gateway."""
    folder: Path = tmp_path_factory.mktemp("forged")
    with running(folder, list(OWNERS), with_genesis=False, worker_count_min=1, worker_count_max=1) as made:
        commit_first_version(made.state.address, first_version(OWNERS))
        with in_front_of(made, folder) as gateway:
            made.gateway = gateway  # type: ignore[attr-defined]
            yield made


def payment(world: VmWorld, payer: str, **fields: object) -> Transaction:
    """Pays bobby one iost."""
    return sign_again(world.signer.transfer(payer, "bobby", **fields), *OWNERS[payer])


def copy(original: Transaction) -> Transaction:
    made = Transaction()
    made.CopyFrom(original)
    return made


Forge = Callable[[Transaction], None]
"""Changes a copy of a signed transaction."""


def _set(**fields: object) -> Forge:
    def forge(made: Transaction) -> None:
        for name, value in fields.items():
            setattr(made, name, value)

    return forge


def _algorithm(change: int) -> Forge:
    def forge(made: Transaction) -> None:
        made.publisher_signatures[-1].algorithm += change  # type: ignore[assignment]

    return forge


def _repeat_signature(made: Transaction) -> None:
    made.publisher_signatures.append(made.publisher_signatures[0])


def _add_stranger(made: Transaction) -> None:
    made.publisher_signatures.append(publish_signature(made, STRANGER))


def _put_stranger_first(made: Transaction) -> None:
    signatures = [publish_signature(made, STRANGER), *made.publisher_signatures]
    del made.publisher_signatures[:]
    made.publisher_signatures.extend(signatures)


def _turn_signatures_round(made: Transaction) -> None:
    signatures = list(made.publisher_signatures)[::-1]
    del made.publisher_signatures[:]
    made.publisher_signatures.extend(signatures)


def _larger_s(made: Transaction) -> None:
    signature = made.publisher_signatures[-1]
    s = int.from_bytes(signature.signature[32:])
    signature.signature = signature.signature[:32] + (ORDER - s).to_bytes(32)


def _s_beyond_the_order(made: Transaction) -> None:
    order = 2**252 + 27742317777372353535851937790883648493
    signature = made.publisher_signatures[0]
    s = int.from_bytes(signature.signature[32:], "little")
    signature.signature = signature.signature[:32] + (s + order).to_bytes(32, "little")


def _r_beyond_the_order(made: Transaction) -> None:
    signature = made.publisher_signatures[-1]
    r = int.from_bytes(signature.signature[:32])
    signature.signature = ((r + ORDER) % 2**256).to_bytes(32) + signature.signature[32:]


def _other_form_of_key(first: int | None = None) -> Forge:
    def forge(made: Transaction) -> None:
        raw = SECP.uncompressed
        made.publisher_signatures[-1].public_key = raw if first is None else bytes([first]) + raw[1:]

    return forge


def _both_forms_of_key(made: Transaction) -> None:
    made.publisher_signatures.append(made.publisher_signatures[0])
    made.publisher_signatures[1].public_key = SECP.uncompressed


def _moved_to_signatures(made: Transaction) -> None:
    made.signatures.extend(made.publisher_signatures)


def _longer(name: str) -> Forge:
    def forge(made: Transaction) -> None:
        signature = made.publisher_signatures[0]
        setattr(signature, name, getattr(signature, name) + b"\0")

    return forge


def _signature(raw: bytes, key: bytes = EdKey(10).public, algorithm: int = 2) -> Forge:
    def forge(made: Transaction) -> None:
        del made.publisher_signatures[:]
        made.publisher_signatures.append(Signature(algorithm=algorithm, signature=raw, public_key=key))  # type: ignore[arg-type]

    return forge


NEUTRAL = bytes([1]) + bytes(31)
"""The neutral point of ed25519, of small order: with it as key and as R, s = 0 is right for every message."""

ANY: Mapping[str, Forge] = {
    "a referred transaction": _set(referred_tx=b"\1"),
    "a signature twice": _repeat_signature,
    "a stranger's signature behind": _add_stranger,
    "a stranger's signature before": _put_stranger_first,
}
"""Changes of what nobody signs."""
COMMON: Mapping[str, Forge] = {
    "an algorithm of two bytes": _algorithm(256),
    "a negative algorithm": _algorithm(-256),
    "no algorithm": _algorithm(-1),
    "the other algorithm": _algorithm(1),
    "a longer signature": _longer("signature"),
    "a longer key": _longer("public_key"),
    "another publisher": _set(publisher="mallory"),
    "a publisher with a permission": _set(publisher="alice@active"),
    "no publisher": _set(publisher=""),
    "the base contract as publisher": _set(publisher="base.iost"),
    "another chain": _set(chain_id=1025),
    "another time": _set(time_ns=1),
    "an endless life": _set(expiration_ns=2**63 - 1),
    "no life": _set(expiration_ns=-(2**63)),
    "a delay": _set(delay_ns=1),
    "a later limit": _set(gas_limit=399_999_999),
    "reserved bytes": _set(reserved=b"\0"),
    "a signer": lambda made: made.signers.append("alice@active"),
    "a signer without permission": lambda made: made.signers.append("alice"),
    "a signer with two permissions": lambda made: made.signers.append("alice@active@active"),
    "an empty signer": lambda made: made.signers.append("@"),
    "an action twice": lambda made: made.actions.append(made.actions[0]),
    "an empty action": lambda made: made.actions.append(Action()),
    "a limit twice": lambda made: made.amount_limits.append(made.amount_limits[0]),
    "a further limit": lambda made: made.amount_limits.append(AmountLimit(token="iost", value="0")),
    "its signature among those of signers": _moved_to_signatures,
    "no signature": lambda made: made.ClearField("publisher_signatures"),
    "a signature of zeros": _signature(bytes(64)),
    "a key of small order": _signature(NEUTRAL + bytes(32), NEUTRAL),
    "a key of small order, written in another way": _signature(
        NEUTRAL + bytes(32), bytes([0xEE]) + b"\xff" * 30 + b"\x7f"
    ),
    "a signature of zeros of secp256k1": _signature(bytes(64), SECP.public, 1),
}
OF_SCHEME: Mapping[str, Mapping[str, Forge]] = {
    "alice": {
        **COMMON,
        "an s beyond the order": _s_beyond_the_order,
        "a publisher of the same key": _set(publisher="alicia"),
    },
    "agnes": {
        "the larger s": _larger_s,
        "an r beyond the order": _r_beyond_the_order,
        "the other form of the key": _other_form_of_key(),
        "a hybrid form of the key": _other_form_of_key(6),
        "another hybrid form of the key": _other_form_of_key(7),
        "both forms of the key": _both_forms_of_key,
    },
    "joint": {
        "signatures the other way round": _turn_signatures_round,
        "the first signature only": lambda made: made.publisher_signatures.pop(),
        "the second signature only": lambda made: made.publisher_signatures.pop(0),
    },
}
FORGERIES = [
    pytest.param(payer, forge, id=f"{payer}: {name}")
    for payer, special in OF_SCHEME.items()
    for name, forge in {**ANY, **special}.items()
]


@pytest.mark.parametrize(("payer", "forge"), FORGERIES)
def test_a_forged_copy_neither_pays_again_nor_spoils_its_original(world: VmWorld, payer: str, forge: Forge) -> None:
    original = payment(world, payer)
    forged = copy(original)
    forge(forged)
    before = {name: world.balance(name) for name in ("alice", "agnes", "joint")}

    outcomes = world.execute(forged, original, forged).outcomes
    again = world.execute(forged).outcomes[0]

    assert outcomes[1].verdict == pb.VERDICT_EXECUTED, outcomes[1]
    assert outcomes[1].receipt.status.code == 1
    assert outcomes[1].receipt.tx_hash == outcomes[1].tx_hash == digest(canonical_forms(original).full)
    for outcome in (outcomes[0], outcomes[2], again):
        assert outcome.tx_hash != outcomes[1].tx_hash
        assert outcome.verdict == pb.VERDICT_REFUSED or outcome.receipt.status.code != 1, outcome
    before[payer] -= IOST
    assert {name: world.balance(name) for name in before} == before


def _tag(number: int, kind: int) -> bytes:
    return bytes([number << 3 | kind])


def _sized(raw: bytes, length_bytes: int = 0) -> bytes:
    """Puts the length in front, in so many bytes: as few as it takes, or more."""
    length, groups = len(raw), []
    while length or len(groups) < length_bytes or not groups:
        groups.append(length & 0x7F)
        length >>= 7
    return bytes([*(group | 0x80 for group in groups[:-1]), groups[-1]]) + raw


def _fields(raw: bytes) -> list[bytes]:
    return [raw[start:end] for _, start, _, end in wire.fields(raw)]


Encode = Callable[[bytes], bytes]
"""Writes a serialized transaction in another way."""

SAME: Mapping[str, Encode] = {
    "as it is": lambda raw: raw,
    "an unknown number": lambda raw: raw + b"\xf8\x7f\x01",
    "an unknown text": lambda raw: raw + b"\xfa\x7f" + _sized(b"\xff\xfe"),
    "an unknown group": lambda raw: raw + b"\xfb\x7f\x08\x01\xfc\x7f",
    "fields the other way round": lambda raw: b"".join(_fields(raw)[::-1]),
    "an earlier publisher": lambda raw: _tag(11, 2) + _sized(b"mallory") + raw,
    "an earlier chain": lambda raw: _tag(6, 0) + b"\x01" + raw,
    "a chain of 64 bits": lambda raw: raw + _tag(6, 0) + b"\x80\x88\x80\x80\x80\x80\x80\x80\x80\x01",
    "a number in ten bytes": lambda raw: raw + _tag(5, 0) + b"\x80" * 9 + b"\x00",
    "a zero that is not left out": lambda raw: raw + _tag(5, 0) + b"\x00",
    "an empty reserved": lambda raw: raw + _tag(13, 2) + b"\x00",
}
"""Other bytes for the same transaction: as many answers, one execution."""

NONE: Mapping[str, Encode] = {
    "half a transaction": lambda raw: raw[: len(raw) // 2],
    "a length beyond the end": lambda raw: raw + _tag(11, 2) + b"\x7fx",
    "a length of 2^32": lambda raw: raw + _tag(11, 2) + b"\x80\x80\x80\x80\x10",
    "a negative length": lambda raw: raw + _tag(11, 2) + b"\xff" * 9 + b"\x01",
    "a number of eleven bytes": lambda raw: raw + _tag(5, 0) + b"\x80" * 10 + b"\x00",
    "half a surrogate pair": lambda raw: raw + _tag(11, 2) + _sized(b"\xed\xa0\x80"),
    "no UTF-8": lambda raw: raw + _tag(7, 2) + _sized(b"\xff"),
    "an overlong character": lambda raw: raw + _tag(7, 2) + _sized(b"\xc0\x80"),
    "an end of no group": lambda raw: raw + b"\xfc\x7f",
    "a group without an end": lambda raw: raw + b"\xfb\x7f",
    "an unknown kind": lambda raw: raw + b"\x0f",
    "field number 0": lambda raw: raw + b"\x00\x00",
}
"""Bytes that are no transaction."""


def _ask(world: VmWorld, through: str, raw: bytes) -> pb.ExecuteTransactionsResponse:
    channel = world.gateway if through == "gateway" else world.channel  # type: ignore[attr-defined]
    method = EXECUTE if through == "gateway" else "/iost.vm.v1.ExecutionService/ExecuteTransactions"
    assert channel is not None
    return channel.unary_unary(method, None, pb.ExecuteTransactionsResponse.FromString)(raw, timeout=10)


@pytest.mark.parametrize("through", ["gateway", "vm"])
@pytest.mark.parametrize("encode", SAME.values(), ids=SAME)
def test_a_transaction_in_other_bytes_is_the_same_transaction(world: VmWorld, encode: Encode, through: str) -> None:
    original = payment(world, "alice")
    raw = encode(original.SerializeToString())
    before = world.balance("alice")

    first = _ask(world, through, _tag(1, 2) + _sized(raw, length_bytes=4)).outcomes[0]
    again = world.execute(original).outcomes[0]

    assert (first.verdict, again.verdict) == (pb.VERDICT_EXECUTED, pb.VERDICT_DUPLICATE)
    assert first.tx_hash == again.tx_hash == again.receipt.tx_hash == digest(canonical_forms(original).full)
    assert world.balance("alice") == before - IOST


@pytest.mark.parametrize("through", ["gateway", "vm"])
@pytest.mark.parametrize("encode", NONE.values(), ids=NONE)
def test_bytes_that_are_no_transaction_are_malformed(world: VmWorld, encode: Encode, through: str) -> None:
    raw = encode(payment(world, "alice").SerializeToString())
    before = world.balance("alice")

    with pytest.raises(grpc.RpcError) as caught:
        _ask(world, through, _tag(1, 2) + _sized(raw))

    assert from_rpc_error(caught.value).reason == "MALFORMED_REQUEST"
    assert world.balance("alice") == before
