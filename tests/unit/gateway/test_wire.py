"""Splitting and joining serialized messages agrees with protobuf itself."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import wire
from iost.chain.v1.block_pb2 import BlockHeader
from iost.chain.v1.transaction_pb2 import Action, Transaction
from iost.gateway.v1.outcome_pb2 import TransactionOutcome
from iost.gateway.v1.transaction_service_pb2 import ExecuteTransactionsRequest, ExecuteTransactionsResponse

texts = st.text(max_size=200)


def transaction(publisher: str, contract: str = "token.iost") -> Transaction:
    return Transaction(publisher=publisher, actions=[Action(contract=contract, action_name="m", data="[]")])


@given(st.lists(texts, max_size=8))
def test_requests_written_one_after_the_other_are_one_request(publishers: list[str]) -> None:
    alone = [ExecuteTransactionsRequest(transactions=[transaction(name)]).SerializeToString() for name in publishers]
    joined = ExecuteTransactionsRequest.FromString(b"".join(alone))
    assert [item.publisher for item in joined.transactions] == publishers


@given(st.lists(texts, max_size=8), st.integers(0, 2**63 - 1), texts)
def test_each_part_of_a_split_response_keeps_what_all_share(messages: list[str], version: int, build: str) -> None:
    response = ExecuteTransactionsResponse(
        outcomes=[TransactionOutcome(message=text) for text in messages], version=version, build_id=build
    )
    outcomes, rest = wire.split(response.SerializeToString(), 1)
    parts = [ExecuteTransactionsResponse.FromString(outcome + rest) for outcome in outcomes]
    assert [part.outcomes[0].message for part in parts] == messages
    assert all((part.version, part.build_id, len(part.outcomes)) == (version, build, 1) for part in parts)


def test_only_one_transaction_without_options_counts_as_single() -> None:
    one = ExecuteTransactionsRequest(transactions=[transaction("alice")])
    two = ExecuteTransactionsRequest(transactions=[transaction("alice"), transaction("bob")])
    dry = ExecuteTransactionsRequest(transactions=[transaction("alice")], dry_run=True)
    placed = ExecuteTransactionsRequest(transactions=[transaction("alice")], header=BlockHeader(number=3))
    assert wire.single(one.SerializeToString(), 1)
    assert not any(wire.single(item.SerializeToString(), 1) for item in (two, dry, placed))
    assert not any(wire.single(raw, 1) for raw in (b"", b"\x0a", b"\x0a\x80", b"\x0a\x05abc", b"\x08\x01"))


def test_peeking_finds_the_first_contract() -> None:
    request = ExecuteTransactionsRequest(
        transactions=[transaction("alice", "A"), transaction("bob", "B")], dry_run=True
    )
    assert wire.first(request.SerializeToString(), 1, 8, 1) == b"A"
    assert wire.first(b"", 1, 8, 1) == b""


@given(st.binary(max_size=60))
def test_any_bytes_are_walked_or_refused_but_never_break(raw: bytes) -> None:
    try:
        ends = [end for _, _, _, end in wire.fields(raw)]
    except wire.WireError:
        return
    assert not raw or ends[-1] == len(raw)


@pytest.mark.parametrize("raw", [b"\x0a\x05ab", b"\xff" * 12, b"\x0d\x00", b"\x09\x00", b"\x0b", b"\x0a"])
def test_damaged_messages_are_refused(raw: bytes) -> None:
    with pytest.raises(wire.WireError):
        list(wire.fields(raw))
