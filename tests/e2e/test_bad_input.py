"""Bad input: each kind gets a clear typed answer, nothing is stored, and the node stays healthy."""

import json
import time
from collections.abc import Callable, Iterator

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from chassis.channels import sync_channel
from chassis.errors import from_rpc_error
from gateway.client import CompileError, RemoteError, TransactionError, action, build, sign, signed
from gateway.client.transactions import CHAIN_ID, PUBLISH_GAS_LIMIT, publish_action
from iost.chain.v1.receipt_pb2 import STATUS_CODE_RUNTIME_ERROR
from iost.chain.v1.transaction_pb2 import Action, Transaction
from iost.gateway.v1.outcome_pb2 import VERDICT_REFUSED, TransactionOutcome
from tests.support.node import Node

pytestmark = pytest.mark.timeout(120)

EMPTY_ABI = {"lang": "javascript", "version": "1.0.0", "abi": []}


@pytest.fixture(autouse=True)
def unharmed(node: Node, counter: str) -> Iterator[None]:
    """After every test: the counter as it was, all services serving, and a good transaction succeeds."""
    before = node.client.call(counter, "get").returns
    yield
    assert node.client.call(counter, "get").returns == before
    for program in node.programs:
        with sync_channel(program.address) as channel:
            answer = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=10)
            assert answer.status == health_pb2.HealthCheckResponse.SERVING
    node.client.send(node.accounts["alice"], action(counter, "add", 1))


def execute(node: Node, transaction: Transaction) -> TransactionOutcome:
    return node.client.execute([transaction]).outcomes[0]


@pytest.mark.parametrize("service", ["gateway", "vm"])
@pytest.mark.parametrize("raw", [b"\xff\xff\xff", b"\x0a\x09abc", b"\x0a\x02\x08", b"\x0a\x04\x52\x02\xff\xff"])
def test_bytes_that_are_no_request(node: Node, service: str, raw: bytes) -> None:
    package = {"gateway": "iost.gateway.v1.TransactionService", "vm": "iost.vm.v1.ExecutionService"}[service]
    with sync_channel(getattr(node, service).address) as channel, pytest.raises(grpc.RpcError) as raised:
        channel.unary_unary(f"/{package}/ExecuteTransactions", None, None)(raw, timeout=10)
    error = from_rpc_error(raised.value)
    assert (error.code, error.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "MALFORMED_REQUEST")


def test_too_many_transactions(node: Node) -> None:
    with pytest.raises(RemoteError) as raised:
        node.client.execute([Transaction()] * 10_001)
    assert (raised.value.code, raised.value.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "MALFORMED_REQUEST")
    assert raised.value.metadata["field"] == "transactions"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda c: action("ContractUnknown", "add", 1), "contract ContractUnknown not found"),
        (lambda c: action("nothing.iost", "add", 1), "not found"),
        (lambda c: action(c, "nothing", 1), "abi nothing not found"),
        (lambda c: action(c, "init"), "cannot call 'init' manually"),
        (lambda c: action(c, "add"), "args length unmatched to abi add. need 1, got 0"),
        (lambda c: action(c, "add", 1, 2), "args length unmatched to abi add. need 1, got 2"),
        (lambda c: action(c, "add", "1"), "error parse number arg"),
        (lambda c: action(c, "add", 1.5), "error parse number arg"),
        (lambda c: action(c, "add", None), "error parse number arg"),
        (lambda c: Action(contract=c, action_name="add", data="not json"), "error in data"),
        (lambda c: Action(contract=c, action_name="add", data='{"a":1}'), "error args should be array"),
        (lambda c: Action(contract=c, action_name="add", data="[" * 20_000), "error in data"),
        (lambda c: action("token.iost", "transfer", "iost", "alice", "bobby", "-1", ""), "invalid amount"),
        (lambda c: action("token.iost", "transfer", "iost", "alice", "bobby", "1e5", ""), "invalid amount"),
        (lambda c: action("token.iost", "transfer", "gold", "alice", "bobby", "1", ""), "token not exists"),
    ],
)
def test_calls_that_cannot_be_made_fail_with_a_receipt(
    node: Node, counter: str, make: Callable[[str], Action], message: str
) -> None:
    outcome = execute(node, signed(node.accounts["alice"], action(counter, "add", 5), make(counter)))
    assert outcome.receipt.status.code == STATUS_CODE_RUNTIME_ERROR
    assert message in outcome.receipt.status.message
    assert outcome.receipt.gas_usage > 0
    (stored,) = node.client.receipts([outcome.tx_hash])
    assert stored.receipt == outcome.receipt


def spoilt(change: Callable[[Transaction], object]) -> Callable[[Node, str], Transaction]:
    def make(node: Node, counter: str) -> Transaction:
        transaction = build("alice", [action(counter, "add", 1)])
        change(transaction)
        return sign(transaction, node.accounts["alice"])

    return make


def shift(transaction: Transaction, time_s: int, expiration_s: int) -> None:
    """Sets time and expiration, seconds from now."""
    now = time.time_ns()
    transaction.time_ns, transaction.expiration_ns = now + time_s * 10**9, now + expiration_s * 10**9


def unsigned(node: Node, counter: str) -> Transaction:
    return build("alice", [action(counter, "add", 1)])


def forged(node: Node, counter: str) -> Transaction:
    transaction = signed(node.accounts["alice"], action(counter, "add", 1))
    transaction.actions[0].data = "[1000]"
    return transaction


def foreign(node: Node, counter: str) -> Transaction:
    return sign(build("alice", [action(counter, "add", 1)]), node.accounts["bobby"])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (unsigned, "publisher"),
        (forged, "publisher error"),
        (foreign, "unauthorized publisher: alice"),
        (spoilt(lambda t: t.ClearField("publisher")), "publisher"),
        (spoilt(lambda t: setattr(t, "chain_id", CHAIN_ID + 1)), "invalid chain_id"),
        (spoilt(lambda t: setattr(t, "expiration_ns", t.time_ns)), "invalid time and expiration"),
        (spoilt(lambda t: setattr(t, "time_ns", time.time_ns() - 10**12)), "too old"),
        (spoilt(lambda t: shift(t, -20, -10)), "expired"),
        (spoilt(lambda t: shift(t, 3600, 3660)), "too far ahead"),
        (spoilt(lambda t: setattr(t, "delay_ns", 1)), "invalid delay time"),
        (spoilt(lambda t: setattr(t, "gas_ratio", 99)), "gas ratio illegal"),
        (spoilt(lambda t: setattr(t, "gas_limit", 599_999)), "gas limit illegal"),
        (spoilt(lambda t: setattr(t, "gas_limit", 400_000_001)), "gas limit illegal"),
        (spoilt(lambda t: t.signers.append("nobody")), "illegal signer"),
        (spoilt(lambda t: t.signers.append("bobby@active")), "unauthorized signer"),
        (spoilt(lambda t: t.actions[0].MergeFrom(Action(data=json.dumps(["x" * 70_000])))), "tx size illegal"),
        (spoilt(lambda t: t.amount_limits.extend(list(t.amount_limits))), "duplicated token in amountLimit"),
    ],
)
def test_transactions_that_are_not_acceptable_are_refused_without_receipt(
    node: Node, counter: str, make: Callable[[Node, str], Transaction], message: str
) -> None:
    transaction = make(node, counter)
    for outcome in (execute(node, transaction), node.client.validate([transaction]).outcomes[0]):
        assert outcome.verdict == VERDICT_REFUSED
        assert message in outcome.message
        assert not outcome.HasField("receipt")


def test_good_company_of_a_refused_transaction_succeeds(node: Node, counter: str) -> None:
    batch = [forged(node, counter), signed(node.accounts["alice"], action(counter, "get"))]
    refused, fine = node.client.execute(batch).outcomes
    assert refused.verdict == VERDICT_REFUSED
    assert fine.receipt.returns


@pytest.mark.parametrize(
    ("source", "abi", "message"),
    [
        ("class A { init( {} } module.exports = A;", EMPTY_ABI, "Unexpected token"),
        ("", EMPTY_ABI, "empty source code."),
        ("class A { init() {} } module.exports = 5;", EMPTY_ABI, "last expression must be"),
        ("class A { go() {} } module.exports = A;", EMPTY_ABI, "init not found!"),
        ("class A { init() { try { x(); } catch (e) {} } } module.exports = A;", EMPTY_ABI, "try catch"),
        ("class A { init() { throw new Error('no'); } } module.exports = A;", EMPTY_ABI, "Error: no"),
        (
            "class A { init() {} } module.exports = A;",
            {**EMPTY_ABI, "abi": [{"name": "b", "args": []}]},
            "abi not defined",
        ),
        ("class A { init() {} } module.exports = A;", {**EMPTY_ABI, "lang": "cobol"}, "vm unsupported"),
        (f"class A {{ init() {{}} }} // {'x' * 50_000}\nmodule.exports = A;", EMPTY_ABI, "out of gas"),
    ],
)
def test_sources_that_are_no_contracts_are_not_published(
    node: Node, source: str, abi: dict[str, object], message: str
) -> None:
    transaction = signed(node.accounts["alice"], publish_action(source, abi), gas_limit=PUBLISH_GAS_LIMIT)
    outcome = execute(node, transaction)
    assert outcome.receipt.status.code == STATUS_CODE_RUNTIME_ERROR
    assert message in outcome.receipt.status.message
    with pytest.raises(RemoteError) as raised:
        node.client.contracts([f"Contract{outcome.tx_hash.hex()}"])
    assert raised.value.reason == "CONTRACT_NOT_FOUND"


def test_publishing_what_is_no_contract_at_all(node: Node) -> None:
    for argument in ("", "{", "{}", "[]", "AAAA", '{"ID":"","info":5,"code":""}'):
        transaction = signed(node.accounts["alice"], action("system.iost", "setCode", argument))
        outcome = execute(node, transaction)
        assert outcome.receipt.status.code == STATUS_CODE_RUNTIME_ERROR, argument


def test_compiling_says_why(node: Node) -> None:
    with pytest.raises(CompileError, match="Unexpected token"):
        node.client.compile("class A { init( {} } module.exports = A;")


@pytest.mark.parametrize(
    ("ask", "code", "reason"),
    [
        (lambda c: c.contracts(["ContractUnknown"]), "NOT_FOUND", "CONTRACT_NOT_FOUND"),
        (lambda c: c.balances([("alice", "gold")]), "NOT_FOUND", "TOKEN_NOT_FOUND"),
        (lambda c: c.state(["nonsense"]), "INVALID_ARGUMENT", "MALFORMED_REQUEST"),
        (lambda c: c.state(["b-c-k"], version=-1), "INVALID_ARGUMENT", None),
        (lambda c: c.state(["b-c-k"], version=10**9), None, None),
        (lambda c: c.receipts([b"short"] * 1001), "INVALID_ARGUMENT", None),
        (lambda c: next(c.list_state("b-token.iost-", page_size=-1)), "INVALID_ARGUMENT", "MALFORMED_REQUEST"),
    ],
)
def test_inspection_of_what_is_not_there(node: Node, ask: Callable[[object], object], code: str, reason: str) -> None:
    with pytest.raises(RemoteError) as raised:
        ask(node.client)
    assert code is None or raised.value.code.name == code
    assert reason is None or raised.value.reason == reason
    assert raised.value.reason != "INTERNAL_BUG"


def test_calls_without_transaction_answer_failures_as_data(node: Node, counter: str) -> None:
    for contract, method, args in (("ContractUnknown", "m", ()), (counter, "nothing", ()), (counter, "add", ("x",))):
        with pytest.raises(TransactionError):
            node.client.call(contract, method, *args)
