"""What packages that may not import each other must do alike: canonical bytes, base58, keys, signatures, trust."""

from hypothesis import given
from hypothesis import strategies as st

from gateway import company, state_names, state_values
from gateway.client import base58, canonical
from gateway.client.key_files import Account
from gateway.client.keys import ALGORITHMS, KeyPair
from gateway.client.transactions import CHAIN_ID, build, sign
from iost.chain.v1.transaction_pb2 import Action, AmountLimit, Signature, Transaction
from iost.gateway.v1 import inspection_service_pb2 as inspection
from vm_service import base58 as vm_base58
from vm_service import company as vm_company
from vm_service import state_keys, transactions
from vm_service.manager import pace

texts = st.text(max_size=30)
numbers = st.integers(-(2**63), 2**63 - 1)
signatures = st.builds(
    Signature, algorithm=st.integers(0, 2), signature=st.binary(max_size=70), public_key=st.binary(max_size=70)
)
random_transactions = st.builds(
    Transaction,
    time_ns=numbers,
    expiration_ns=numbers,
    gas_ratio=numbers,
    gas_limit=numbers,
    delay_ns=numbers,
    chain_id=st.integers(-(2**31), 2**31 - 1),
    signers=st.lists(texts, max_size=3),
    actions=st.lists(st.builds(Action, contract=texts, action_name=texts, data=texts), max_size=3),
    amount_limits=st.lists(st.builds(AmountLimit, token=texts, value=texts), max_size=3),
    signatures=st.lists(signatures, max_size=2),
    publisher=texts,
    publisher_signatures=st.lists(signatures, max_size=2),
    reserved=st.binary(max_size=10),
    referred_tx=st.binary(max_size=10),
)
names = st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="-@"), min_size=1, max_size=20)

contracts = texts | st.sampled_from(
    ["token.iost", "auth.iost", "system.iost", "ContractA", "ContractB", "iost", ".iost", "x.iost ", "SYSTEM.IOST"]
)
called = st.lists(contracts, max_size=4)
Called = list[str]


@given(random_transactions)
def test_client_and_vm_service_write_the_same_canonical_bytes(transaction: Transaction) -> None:
    forms = transactions.canonical_forms(transaction)
    assert canonical.base_form(transaction) == forms.base
    assert canonical.publish_form(transaction) == forms.publish
    assert canonical.full_form(transaction) == forms.full
    assert canonical.contract_id(transaction) == transactions.contract_id(canonical.transaction_hash(transaction))


@given(st.binary(max_size=80))
def test_both_write_the_same_base58(raw: bytes) -> None:
    assert base58.encode(raw) == vm_base58.encode(raw)
    assert base58.decode(base58.encode(raw)) == raw


@given(names, names, names)
def test_both_build_the_same_stored_keys(contract: str, key: str, field: str) -> None:
    kind = state_names.Kind
    assert state_names.join(kind.BASIC, contract, key).decode() == state_keys.plain_key(contract, key)
    assert state_names.join(kind.FIELD, contract, key, field).decode() == state_keys.field_key(contract, key, field)
    assert state_names.join(kind.LISTING, contract, key).decode() == state_keys.listing_key(contract, key)
    assert state_names.join(kind.CONTRACT, contract).decode() == state_keys.contract_key(contract)


@given(contracts)
def test_both_trust_the_same_contracts(contract: str) -> None:
    assert company.is_trusted(contract) == vm_company.is_trusted(contract)
    assert company.PUBLISHER == vm_company.PUBLISHER


@given(called, called, st.lists(called))
def test_transactions_that_the_gateway_gathers_are_judged_alike(one: Called, other: Called, ran: list[Called]) -> None:
    """Whatever the VM service knows of companies, and whether it looks at the whole batch or at one of its items."""
    known = pace.Pace()
    quick = [vm_company.of(names) for names in (*ran, [])]
    known.learn(quick, 0.0, used=frozenset().union(*quick), slow=())
    gathered = [company.of(Transaction(actions=[Action(contract=name) for name in names])) for names in (one, other)]
    judged = [vm_company.of(names) for names in (one, other)]
    if gathered[0] is None:
        assert not known.is_quick(judged[:1])
    elif gathered[0] == gathered[1]:
        assert known.is_quick(judged[:1]) == known.is_quick(judged[1:]) == known.is_quick(judged)


@given(st.sampled_from("sijf"), texts, names)
def test_inspection_reads_what_the_kernel_writes(letter: str, data: str, payer: str) -> None:
    stored = state_keys.StoredValue(letter, data, payer)
    shown = state_values.to_value(state_keys.plain_key("c", "k").encode(), stored.encode().encode())
    assert (shown.text, shown.payer) == (data, payer)
    assert shown.type != inspection.VALUE_TYPE_UNSPECIFIED


def test_signatures_of_the_client_are_accepted() -> None:
    for algorithm in ALGORITHMS:
        publisher, signer = (Account(name, KeyPair.generate(algorithm)) for name in ("alice", "bob"))
        transaction = build("alice", [Action(contract="c", action_name="m", data="[]")], signers=["bob@active"])
        admitted = transactions.admit(sign(transaction, publisher, signer), CHAIN_ID)
        assert admitted.tx_hash == canonical.transaction_hash(transaction)
