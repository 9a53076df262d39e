"""The kernel through an executor: batches, isolation, read sets, restarts, cache coherence."""

import json
import random
from collections.abc import Iterator, Sequence

import pytest

from chassis.errors import RemoteError
from state_service.errors import VersionUnavailableError
from tests.support.kernel_world import KernelWorld, sends
from tests.support.memory_state import MemoryState
from vm_service.model import Batch, BlockContext, Mode, Result, View
from vm_service.state_keys import StoredValue, contract_key, field_key, plain_key
from vm_service.worker import executor
from vm_service.worker.executor import Executor
from vm_service.worker.state_reader import CommitRequest, Entry

BOX = """
class Box {
  init() {}
  put(key, value) { storage.put(key, value); return 'put'; }
  one(pair) { if (pair[1] === '') storage.del(pair[0]); else storage.put(pair[0], pair[1]); }
  many(pairs) { for (const pair of pairs) this.one(pair); }
  fail(pairs) { this.many(pairs); throw new Error('undone'); }
  get(key) { return storage.get(key); }
  spin() { while (true) {} }
  tell(text, count) {
    console._format = () => ({ length: -text.length, toString() { return text; } });
    for (let i = 0; i < count; i++) console.log('line');
    return new Console()._format('%v', text.length);
  }
}
module.exports = Box;
"""
BOX_METHODS = {
    "put": ["string", "string"],
    "many": ["json"],
    "fail": ["json"],
    "get": ["string"],
    "spin": [],
    "tell": ["string", "number"],
}
PAYER = """
class Payer {
  init() {}
  pay(first, count) {
    for (let i = first; i < first + count; i++) {
      const to = 'Contract' + i.toString() + 'x';
      blockchain.callWithAuth('token.iost', 'transfer', ['iost', 'ContractPayer', to, '0.01', '']);
    }
  }
}
module.exports = Payer;
"""
TB_ALICE = field_key("token.iost", "TBalice", "iost")


@pytest.fixture
def world() -> Iterator[KernelWorld]:
    with KernelWorld(contracts={"ContractBox": (BOX, BOX_METHODS)}) as made:
        yield made


def test_transactions_of_a_batch_see_the_effects_of_those_before(world: KernelWorld) -> None:
    result = world.run([sends("alice", "bob", "900"), sends("bob", "carol", "1800"), sends("alice", "bob", "200")])

    assert [item.status.code for item in result.results if item.status] == [0, 0, 4]
    world.commit(result)
    assert world.balances() == {"alice": 100, "bob": 100, "carol": 2800}


def test_a_failed_transaction_leaves_reads_but_no_writes_beside_its_settlement(world: KernelWorld) -> None:
    result = world.run([sends("alice", "bob", "5000")])

    assert TB_ALICE in result.reads
    settled = [plain_key("gas.iost", "alicegs"), plain_key("gas.iost", "alicegu"), plain_key("ram.iost", "URalice")]
    assert sorted(result.writes) == settled


def test_cells_of_ram_that_stay_as_they_are_make_no_conflicts(world: KernelWorld) -> None:
    world.commit(world.run([sends("alice", "bob", "1")]))

    again = world.run([sends("alice", "bob", "1")])

    assert plain_key("ram.iost", "URalice") in again.reads
    assert plain_key("ram.iost", "URalice") not in again.writes


def test_validation_judges_each_transaction_alone_and_keeps_nothing(world: KernelWorld) -> None:
    result = world.run([sends("alice", "bob", "900"), sends("alice", "bob", "900")], Mode.VALIDATE)

    assert [item.status.code for item in result.results if item.status] == [0, 0]
    assert not result.writes


def test_calls_answer_and_keep_nothing(world: KernelWorld) -> None:
    calls = [
        {"contract": "ContractBox", "action": "put", "data": '["k","v"]', "publisher": "alice", "gas_limit": 10**7},
        {"contract": "ContractBox", "action": "get", "data": '["k"]', "publisher": "alice", "gas_limit": 10**7},
        {"contract": "ContractBox", "action": "spin", "data": "[]", "publisher": "alice", "gas_limit": 10**7},
    ]

    result = world.call(calls)

    assert [item.returns for item in result.results] == [['["put"]'], ['["null"]'], []]
    assert result.results[2].status is not None
    assert result.results[2].status.message == "out of gas"
    assert not result.writes


def test_lines_of_the_console_are_bounded_whatever_a_contract_makes_of_it(world: KernelWorld) -> None:
    call = {"contract": "ContractBox", "action": "tell", "publisher": "alice", "gas_limit": 10**7}
    large, many = world.call([{**call, "data": '["%s",9]' % ("x" * 10_000)}, {**call, "data": '["",300]'}]).results

    assert (large.returns, len("".join(large.console))) == (['["10000"]'], 6 * len("info: " + "x" * 10_000))
    assert many.console == ["info: "] * 256


def test_a_missing_image_restarts_only_the_transaction_that_needs_it(world: KernelWorld) -> None:
    put = ("ContractBox", "put", '["k","v"]')
    result = world.run([sends("alice", "bob", "1"), ("alice", [put]), sends("alice", "bob", "1")])

    assert [item.status.code for item in result.results if item.status] == [0, 0, 0]
    world.commit(result)
    assert world.balances()["bob"] == 1002
    assert world.state.entry(plain_key("ContractBox", "k"))[0] == "sv@ContractBox"


def test_the_same_batch_gives_the_same_bytes_cold_and_hot(world: KernelWorld) -> None:
    batch = [sends("alice", "bob", "1.5"), ("bob", [("ContractBox", "many", '[[["a","1"],["b",""]]]')])]

    first = world.run(batch)
    world.drop(first)
    second = world.run(batch)

    assert (first.results, first.reads, first.writes) == (second.results, second.reads, second.writes)


def test_what_others_commit_is_seen_by_the_next_batch(world: KernelWorld) -> None:
    world.commit(world.run([sends("alice", "bob", "1")]))
    world.state.commit(CommitRequest(b"other", b"", {}, {TB_ALICE: "i700000000@token.iost"}))

    result = world.run([sends("alice", "bob", "8")])

    assert result.results[0].status is not None
    assert "balance not enough 7 < 8" in result.results[0].status.message


def test_a_batch_at_an_older_view_sees_the_older_state(world: KernelWorld) -> None:
    before = world.state.version
    world.commit(world.run([sends("alice", "bob", "400")]))

    result = world.run([sends("alice", "bob", "700")], at=View(before))

    assert result.results[0].status is not None
    assert result.results[0].status.code == 0


def test_a_dropped_batch_leaves_nothing_behind(world: KernelWorld) -> None:
    world.drop(world.run([sends("alice", "bob", "400")]))

    result = world.run([sends("alice", "bob", "1000")])

    assert result.results[0].status is not None
    assert result.results[0].status.code == 0


def test_keys_are_told_on_request_only(world: KernelWorld) -> None:
    quiet = world.run([sends("alice", "bob", "1")])
    world.drop(quiet)
    traced = world.run([sends("alice", "bob", "1")], trace=True)

    assert quiet.results[0].keys == []
    assert TB_ALICE in traced.results[0].keys
    assert set(traced.results[0].keys) <= set(traced.reads)


def test_only_a_marked_base_transaction_goes_unsigned(world: KernelWorld) -> None:
    action = ("ContractBox", "put", '["k","v"]')

    unsigned = world.run([("base.iost", [action])], keys=[])
    world.drop(unsigned)
    marked = world.run([("base.iost", [action])], keys=[], base=True)

    assert unsigned.results[0].refused is not None
    assert marked.results[0].status is not None
    assert marked.results[0].status.code == 0


def test_an_expired_transaction_and_one_of_the_future_are_refused(world: KernelWorld) -> None:
    late = world.run([sends("alice", "bob", "1")], shift_ns=-91 * 10**9)
    world.drop(late)
    early = world.run([sends("alice", "bob", "1")], shift_ns=1)

    assert late.results[0].refused is not None
    assert early.results[0].refused is not None
    assert not early.writes


def test_deeply_nested_arguments_are_refused_before_anything_recurses(world: KernelWorld) -> None:
    nested = "[" * 20_000 + "]" * 20_000

    result = world.run([("alice", [("ContractBox", "many", nested)])])

    assert result.results[0].status is not None
    assert "nested too deep" in result.results[0].status.message


LONE = "\ud800"
INFO = {"lang": "javascript", "version": "1", "abi": []}


def _published(world: KernelWorld, contract: dict[str, object] | str) -> Result:
    text = contract if isinstance(contract, str) else json.dumps(contract)
    return world.run([("alice", [("system.iost", "setCode", json.dumps([text]))])]).results[0]


@pytest.mark.parametrize(
    "contract",
    [
        '{"info":{"lang":' + "[" * 20_000 + "]" * 20_000 + '},"code":""}',
        {"info": {"lang": {"toString": 5}}, "code": ""},
        {"info": INFO, "code": 5},
        {"info": [INFO], "code": ""},
        {"info": {**INFO, "abi": {"name": "m"}}, "code": ""},
        {"info": {**INFO, "abi": [None]}, "code": ""},
        {"info": {**INFO, "abi": [{"name": "m", "args": "string"}]}, "code": ""},
    ],
)
def test_a_contract_of_other_types_is_no_contract(world: KernelWorld, contract: dict[str, object] | str) -> None:
    status = _published(world, contract).status

    assert status is not None
    assert "illegal json data" in status.message


def test_half_a_character_in_a_contract_is_read_as_the_replacement_character(world: KernelWorld) -> None:
    def contract(half: str) -> dict[str, object]:
        abi = [{"name": "m", "args": [], "amountLimit": []}]
        code = "class A { init() {} m() { return '" + half + "'; } } module.exports = A;"
        return {"ID": half, "info": {**INFO, "version": half, "abi": abi}, "code": code}

    records = []
    for half in (LONE, "\ufffd"):
        call = ("system.iost", "setCode", json.dumps([json.dumps(contract(half))]))
        result = world.run([("alice", [call]), ("alice", [(f"Contract{'1' * 32}", "m", "[]")])])
        world.drop(result)
        records.append((result.results[1].returns, result.writes[contract_key(f"Contract{'1' * 32}")]))

    assert records[0] == records[1]
    assert records[0][0] == ['["\ufffd"]']


def _with_settings(world: KernelWorld, settings: str) -> None:
    world.commit(world.run([("admin", [("system.iost", "hostSettings", json.dumps([settings]))])]))


@pytest.mark.parametrize(
    "settings",
    ["null", "5", "[]", '{"Costs":null}', '{"Costs":"abc"}', '{"Costs":{"PutCost":null}}', '{"Costs":{"PutCost":"x"}}',
     '{"Costs":{"PutCost":{"CPU":[[5]]}}}', '{"Costs":{"PutCost":{"CPU":"5"}}}', '{"Costs":{"__proto__":{"CPU":5}}}'],
)  # fmt: skip
def test_settings_that_are_no_prices_change_none(world: KernelWorld, settings: str) -> None:
    put = ("alice", [("ContractBox", "put", '["k","v"]')])
    before = world.run([put])
    world.drop(before)
    _with_settings(world, settings)

    assert world.run([put]).results == before.results


def test_prices_beyond_all_measure_use_up_all_gas(world: KernelWorld) -> None:
    _with_settings(world, '{"Costs":{"OpPrice":{"CPU":1000000000000}}}')

    status = world.run([sends("alice", "bob", "1")]).results[0].status

    assert status is not None
    assert status.message == "out of gas"


def test_a_web_of_accounts_is_asked_up_to_an_end(world: KernelWorld) -> None:
    def account(names: Sequence[str]) -> str:
        items = [{"id": name, "permission": "active", "weight": 1} for name in names]
        permissions = {"active": {"items": items, "threshold": 10**9}}
        return StoredValue("j", json.dumps({"permissions": permissions})).encode()

    friends = [f"friend{i}x" for i in range(10)]
    cells = {field_key("auth.iost", "auth", "mallory"): account(friends)}
    for friend in friends:
        cells[field_key("auth.iost", "auth", friend)] = account([f"{friend}{j}y" for j in range(1_000)])
    for suffix in ("gs", "gl"):
        cells[plain_key("gas.iost", f"mallory{suffix}")] = StoredValue("f", "9000000.00").encode()
    world.state.commit(CommitRequest(b"web", b"", {}, cells))

    result = world.run([("mallory", [("ContractBox", "get", '["k"]')]), sends("alice", "bob", "1")])

    assert result.results[0].refused is not None
    assert "too many accounts" in result.results[0].refused
    assert world.state.reads < 2_000
    assert result.results[1].status is not None
    assert result.results[1].status.code == 0


def test_calls_are_priced_by_the_state_and_not_by_what_the_worker_ran_before(world: KernelWorld) -> None:
    call = {"contract": "ContractBox", "action": "get", "data": '["k"]', "publisher": "alice", "gas_limit": 10**7}
    before = world.call([call]).results[0].gas_usage
    _with_settings(world, '{"Costs":{"GetCost":{"CPU":1000}}}')
    old = world.call([call]).results[0].gas_usage
    with Executor(world.state) as fresh:
        batch = Batch(Mode.CALL, lambda *_: BlockContext(1, bytes(32), "witness", 0), calls=[call])
        new = fresh.run(batch).results[0].gas_usage

    assert old == new == before + 70_000


def test_many_amount_limits_are_looked_up_in_one_trip(world: KernelWorld) -> None:
    cells = {}
    for i in range(1_500):
        token = f"TItk{i}"
        cells[field_key("token.iost", token, "issuer")] = StoredValue("s", "alice").encode()
        cells[field_key("token.iost", token, "decimal")] = StoredValue("i", "2").encode()
    world.state.commit(CommitRequest(b"tokens", b"", {}, cells))
    limits = [{"token": f"tk{i}", "val": "1"} for i in range(1_500)]
    abi = [{"name": "m", "args": [], "amountLimit": [*limits, {"token": "none", "val": "1"}]}]
    contract = {"info": {**INFO, "abi": abi}, "code": "class A { init() {} m() {} } module.exports = A;"}

    status = _published(world, contract).status

    assert status is not None
    assert "token not exists in amountLimit" in status.message
    assert world.state.reads < 20


@pytest.mark.parametrize("seed", range(5))
def test_storage_behaves_like_a_dictionary_with_rollback(world: KernelWorld, seed: int) -> None:
    rng = random.Random(seed)
    model: dict[str, str] = {}
    for _ in range(6):
        batch, batch_model = [], dict(model)
        for _ in range(rng.randint(1, 12)):
            pairs = _random_pairs(rng)
            method = rng.choice(["many", "many", "fail"])
            batch.append(("alice", [("ContractBox", method, f"[{_json(pairs)}]")]))
            if method == "many":
                _apply(batch_model, pairs)
        result = world.run(batch)
        if rng.random() < 0.7:
            world.commit(result)
            model = batch_model
        else:
            world.drop(result)
    stored = {key: value for key, value in world.plain("ContractBox").items() if key.startswith("k")}

    assert stored == model


def test_a_payout_to_many_takes_one_trip_and_counts_one_key_for_each() -> None:
    with KernelWorld(contracts={"ContractPayer": (PAYER, {"pay": ["number", "number"]})}) as world:
        world.commit(world.run([sends("alice", "ContractPayer", "100")]))
        gas, trips = [], []
        for first, count in ((1000, 100), (2000, 200), (3000, 700)):
            before = world.state.reads
            result = world.run([("alice", [("ContractPayer", "pay", f"[{first},{count}]")])], gas_limit=400_000_000)
            status = result.results[0].status
            assert status is not None
            assert status.code == 0, status.message
            gas.append(result.results[0].gas_usage)
            trips.append(world.state.reads - before)
            world.commit(result)

    each = (gas[1] - gas[0]) / 100
    assert gas[2] - gas[1] == 500 * each
    assert trips[2] <= 710


BULK = """
class Bulk {
  init() {}
  fill(first, count, step) {
    for (let i = first; i < first + count * step; i += step) storage.put('item' + i.toString(), 'x');
  }
}
module.exports = Bulk;
"""


BULK_CONTRACT = {"ContractBulk": (BULK, {"fill": ["number", "number", "number"]})}


def fill(world: KernelWorld, first: int, count: int, step: int) -> tuple[int, int, int]:
    """Writes keys that count up; returns status code, gas used and trips to the store."""
    before = world.state.reads
    call = ("ContractBulk", "fill", f"[{first},{count},{step}]")
    result = world.run([("alice", [call])], gas_limit=400_000_000)
    world.drop(result)
    status = result.results[0].status
    assert status is not None
    return status.code, result.results[0].gas_usage, world.state.reads - before


def test_keys_that_count_up_take_few_trips_and_count_as_one() -> None:
    with KernelWorld(contracts=BULK_CONTRACT) as world:
        base, one = fill(world, 10_000, 100, 1), fill(world, 20_000, 200, 1)
        many = fill(world, 30_000, 4_000, 1)
        scattered = fill(world, 40_000, 2_500, 2)

    each = (one[1] - base[1]) / 100
    assert many == (0, base[1] + 3_900 * each, many[2])
    assert many[2] < 30
    assert scattered[0] == 4


class ForgetfulState(MemoryState):
    """A store that forgets a view after some reads, while others commit."""

    patience = 3

    def get_many(self, keys: Sequence[str], view: View) -> Sequence[Entry]:
        self.patience -= 1
        if self.patience == 0:
            self.commit(CommitRequest(b"other", b"", {}, {plain_key("ContractBox", "k0"): "snew@ContractBox"}))
            gone = VersionUnavailableError(view.version, view.version + 1, view.version + 2)
            raise RemoteError(gone.to_status(), gone.code)
        return super().get_many(keys, view)


def test_a_batch_whose_view_is_forgotten_starts_anew_with_the_keys_it_asked_for(world: KernelWorld) -> None:
    state = ForgetfulState(world.state.dump())
    world.executor.close()
    world.state, world.executor = state, Executor(state)
    pairs = [["k1", "a"], ["k2", "b"], ["k3", "c"], ["k4", "d"]]
    calls = [("ContractBox", "many", json.dumps([pairs])), ("ContractBox", "get", '["k0"]')]

    result = world.run([("alice", calls)])

    assert result.results[0].returns == ['[""]', '["new"]']
    assert result.view.version == state.version
    assert state.patience < 0


def test_a_run_of_which_every_other_key_is_known_already_takes_few_trips() -> None:
    with KernelWorld(contracts=BULK_CONTRACT) as world:
        every_other, all_of_them = fill(world, 10_001, 1_000, 2), fill(world, 10_000, 2_000, 1)

    assert (every_other[0], all_of_them[0]) == (0, 0)
    assert all_of_them[2] < 30


def test_what_the_kernel_was_told_is_not_remembered_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executor, "MAX_CACHED", 50)
    with KernelWorld(contracts=BULK_CONTRACT) as world:
        for first in range(100, 1_000, 100):
            world.drop(world.run([("alice", [("ContractBulk", "fill", f"[{first},20,1]")])]))

        assert len(world.executor._cached) < 150


CALLER = """
class Caller {
  init() {}
  call(unit, times, count) {
    const data = '[[' + unit.repeat(times) + '0]]';
    for (let i = 0; i < count; i++) blockchain.call('ContractCallee', 'take', data);
  }
}
module.exports = Caller;
"""
CALLEE = "class Callee { init() {} take(list) {} } module.exports = Callee;"


def test_json_arguments_of_calls_between_contracts_are_work_beyond_ordinary_sizes() -> None:
    contracts = {
        "ContractCaller": (CALLER, {"call": ["string", "number", "number"]}),
        "ContractCallee": (CALLEE, {"take": ["json"]}),
    }
    with KernelWorld(contracts=contracts) as world:

        def call(unit: str, times: int, count: int) -> Result:
            data = json.dumps([unit, times, count])
            result = world.run([("alice", [("ContractCaller", "call", data)])], gas_limit=400_000_000)
            world.drop(result)
            return result.results[0]

        ordinary = [call("1,", 100, count).gas_usage for count in (10, 20, 40)]
        refused = [call(unit, 20_000, 100).status for unit in ("1,", "{},")]

    assert ordinary[2] - ordinary[1] == 2 * (ordinary[1] - ordinary[0])
    assert [status.message for status in refused if status] == ["out of gas"] * 2


ASKER = """
class Asker {
  init() {}
  ask(_, count) { let x = 0; for (let i = 0; i < count; i++) x += blockchain.txInfo().charCodeAt(5); return x; }
}
module.exports = Asker;
"""


def test_a_transaction_with_long_arguments_is_paid_by_its_length_when_it_is_shown() -> None:
    with KernelWorld(contracts={"ContractAsker": (ASKER, {"ask": ["string", "number"]})}) as world:

        def gas(units: int, count: int) -> int:
            data = json.dumps(["x" * units, count])
            result = world.run([("alice", [("ContractAsker", "ask", data)])], gas_limit=400_000_000)
            world.drop(result)
            assert result.results[0].status is None or not result.results[0].status.message
            return result.results[0].gas_usage

        ordinary = [gas(100, count) for count in (100, 200, 300)]
        long = gas(50_000, 400) - gas(50_000, 0)

    assert ordinary[2] - ordinary[1] == ordinary[1] - ordinary[0]
    assert long > 100 * (400 * 50_000 // 8 - 500_000) // 2


def _random_pairs(rng: random.Random) -> list[tuple[str, str]]:
    return [(f"k{rng.randint(0, 5)}", rng.choice(["", "x", "yy", "zzz"])) for _ in range(rng.randint(1, 5))]


def _json(pairs: Sequence[tuple[str, str]]) -> str:
    return "[" + ",".join(f'["{key}","{value}"]' for key, value in pairs) + "]"


def _apply(model: dict[str, str], pairs: Sequence[tuple[str, str]]) -> None:
    for key, value in pairs:
        if value:
            model[key] = value
        else:
            model.pop(key, None)
