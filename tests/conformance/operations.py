"""What each operation of a scenario does. Operations that run code return an Outcome, the others None."""

import functools
import json
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from tests.conformance import contract_proto
from tests.conformance.go_json import account_json, compact, contract_json, marshal
from tests.conformance.signing import Signer
from tests.conformance.world import Outcome, Request, World
from vm_service import base58
from vm_service.sandbox.kernel_tables import kernel_tables
from vm_service.state_keys import StoredValue, contract_key

Step = Mapping[str, Any]
Operation = Callable[[World, Step], Outcome | None]

DEPLOY_GAS_LIMIT = 400_000_000
ADMIN = "admin"
ADMIN_RAM_BYTES = 1_000_000


# -- state -------------------------------------------------------------------------------------------------------------


def set_block(world: World, step: Step) -> None:
    block = world.block
    block.known = True
    block.number = int(step.get("number", block.number))
    block.time_ns = int(step.get("time", block.time_ns))
    block.witness = step.get("witness", block.witness)
    if "parent_hash" in step:
        block.parent_hash = base58.decode(step["parent_hash"])


def set_account(world: World, step: Step) -> None:
    record = account_json(step["id"], step["owner"], step["active"])
    world.ledger.map_put("auth.iost", "auth", step["id"], StoredValue("s", record))
    secret = step.get("seckey_b58")
    world.signers[step["id"]] = Signer.from_secret(secret) if secret else Signer.pretended(step["active"])


def set_account_json(world: World, step: Step) -> None:
    record = world.fill(step["json"] if isinstance(step["json"], str) else compact(step["json"]))
    world.ledger.map_put("auth.iost", "auth", step["id"], StoredValue("s", record))
    if "seckey_b58" in step:
        world.signers[step["id"]] = Signer.from_secret(step["seckey_b58"])


def set_gas(world: World, step: Step) -> None:
    world.ledger.set_gas(step["account"], int(step["gas"]))


def set_ram(world: World, step: Step) -> None:
    world.ledger.set_balance("ram", world.fill(step["account"]), int(step["bytes"]))


def set_balance(world: World, step: Step) -> None:
    token = step["token"]
    raw = step.get("raw")
    if raw is None:
        raw = int(Decimal(str(step["amount"])).scaleb(world.ledger.decimals(token)))
    world.ledger.set_balance(token, world.fill(step["account"]), int(raw))


def set_state(world: World, step: Step) -> None:
    contract, key, field = world.fill(step["map"]).split(":", 2)
    value = step["value"]
    text = world.fill(value if isinstance(value, str) else compact(value))
    world.ledger.map_put(world.contract(contract), key, field, StoredValue("s", text))


def default_gas_limit(world: World, step: Step) -> None:
    world.gas_limit = int(_only_value(step))


def set_publisher(world: World, step: Step) -> None:
    world.publisher = _only_value(step)


def _only_value(step: Step) -> Any:
    return next(value for name, value in step.items() if name not in ("op", "note", "expect"))


def cost_gas(world: World, step: Step) -> None:
    amount = step["gas"] if "gas" in step else step["amount"]
    world.ledger.cost_gas(step["account"], Decimal(str(amount)), world.block.time_ns)


def native(world: World, step: Step) -> None:
    info = {"lang": "native", "version": step["version"], "abi": []}
    record = compact({"id": step["contract"], "info": info})
    world.ledger.write({contract_key(step["contract"]): StoredValue("j", record).encode()})


def preset_contract(world: World, step: Step) -> None:
    alias = step["contract"]
    source = world.scenario.contracts[alias]
    contract_id = step.get("id") or source.id or alias
    world.ids[alias] = contract_id
    record = preset_record(contract_id, source.abi, world.fill(source.code))
    world.ledger.write({contract_key(contract_id): StoredValue("j", record).encode()})


def preset_record(contract_id: str, abi: Mapping[str, Any], code: str) -> str:
    """Returns the record of a contract that was never published: it runs as it is, without charges for its code."""
    methods = [
        {"name": m["name"], "args": m.get("args") or [], "amountLimit": m.get("amountLimit") or []}
        for m in abi.get("abi") or []
    ]
    info = {"lang": abi.get("lang") or "javascript", "version": abi.get("version") or "", "abi": methods}
    record = {"id": contract_id, "info": info, "code": code, "code_hash": "", "code_bytes": len(code), "raw": True}
    return compact(record)


# -- publishing --------------------------------------------------------------------------------------------------------


def deploy(world: World, step: Step) -> Outcome:
    alias = step["contract"]
    source = world.scenario.contracts[alias]
    data = marshal([contract_json("", source.abi, world.fill(source.code))])
    request = _request(world, step, [("system.iost", "setCode", data)], limit=DEPLOY_GAS_LIMIT, amount_limit=())
    outcome, tx_hash = world.transact(request)
    world.ids[alias] = "Contract" + tx_hash
    return outcome


def deploy_system(world: World, step: Step) -> Outcome:
    alias = step["contract"]
    source = world.scenario.contracts[alias]
    contract_id = step.get("id") or source.id or alias
    world.ids[alias] = contract_id
    world.ledger.set_balance("ram", ADMIN, ADMIN_RAM_BYTES)
    proto_id = contract_id if source.proto_id is None else source.proto_id
    encoded = contract_proto.encode(proto_id, source.abi, world.fill(source.code))
    number, world.block.number = world.block.number, 0
    data = compact([contract_id, encoded])
    step = {"publisher": ADMIN, **step}
    request = _request(world, step, [("system.iost", "initSetCode", data)], limit=DEPLOY_GAS_LIMIT, amount_limit=())
    try:
        return world.transact(request)[0]
    finally:
        world.block.number = number


def update(world: World, step: Step) -> Outcome:
    source = world.scenario.contracts[step["new_contract"]]
    contract_id = world.contract(step["contract"])
    text = contract_json(contract_id, source.abi, world.fill(source.code))
    data = marshal([text, step.get("update_data", "")])
    request = _request(world, step, [("system.iost", "updateCode", data)], limit=DEPLOY_GAS_LIMIT, amount_limit=())
    return world.transact(request)[0]


# -- calls -------------------------------------------------------------------------------------------------------------


def _request(
    world: World,
    step: Step,
    actions: list[tuple[str, str, str]],
    *,
    limit: int | None = None,
    amount_limit: object = ({"token": "*", "val": "unlimited"},),
) -> Request:
    return Request(
        publisher=step.get("publisher") or world.publisher or "",
        actions=actions,
        gas_limit=int(step.get("gas_limit") or limit or world.gas_limit),
        gas_ratio=int(step.get("gas_ratio") or 100),
        amount_limit=step.get("amount_limit", amount_limit) or (),
        signers=world.fill_all(step.get("signers") or []),
        sign_by=step.get("sign_by") or (),
    )


def call(world: World, step: Step) -> Outcome:
    if world.scenario.level == "tx":
        action = (world.contract(step["contract"]), step["api"], world.data(step))
        return world.transact(_request(world, step, [action]))[0]
    if world.scenario.level == "native":
        return _call_native(world, step)
    return _call_main(world, step)


def tx(world: World, step: Step) -> Outcome:
    actions = [(world.contract(item["contract"]), item["api"], world.data(item)) for item in step["actions"]]
    return world.transact(_request(world, step, actions))[0]


@functools.cache
def _number_arguments() -> Mapping[tuple[str, str], frozenset[int]]:
    """Returns the places of the numbers among the arguments of each native method."""
    return {
        (method.contract, method.name): frozenset(i for i, kind in enumerate(method.args) if kind == "number")
        for method in kernel_tables().methods
    }


def _with_numbers(step: Step) -> Step:
    """Returns the step with numbers where a scenario of native calls writes an int64 as its decimal text."""
    places = _number_arguments().get((step["contract"], step["api"]), frozenset())
    args = [
        int(value) if i in places and isinstance(value, str) and value.lstrip("-").isdecimal() else value
        for i, value in enumerate(step.get("args") or [])
    ]
    return {**step, "args": args}


def _call_native(world: World, step: Step) -> Outcome:
    if step.get("fresh_state"):
        fresh_state(world)
    return world.call_bare(
        {
            "contract": world.contract(step["contract"]),
            "action": step["api"],
            "data": world.data(_with_numbers(step)),
            "publisher": step.get("publisher", world.publisher),
            "signers": world.fill_all(step.get("signers") or []),
            "gas_limit": int(step.get("gas_limit") or world.scenario.initial.get("gas_limit") or 100_000_000),
        }
    )


def _call_main(world: World, step: Step, code: str | None = None) -> Outcome:
    initial = world.scenario.initial
    if step.get("fresh_state"):
        fresh_state(world)
    return world.call_bare(
        {
            "contract": initial.get("contract_name", "main"),
            "action": step["api"],
            "data": world.data(step),
            "publisher": step.get("publisher", world.publisher),
            "signers": world.fill_all(step.get("signers") or []),
            "gas_limit": int(step.get("gas_limit") or initial.get("gas_limit") or 100_000_000),
            "source": world.scenario.contracts["main"].code if code is None else code,
            "raw": initial.get("compile") is False,
        }
    )


def snippet(world: World, step: Step) -> Outcome:
    fresh_state(world)
    code = world.scenario.initial["snippet_template"].replace("BODY", step["body"])
    return _call_main(world, {"api": "m", **step}, code)


def compile_(world: World, step: Step) -> Outcome:
    return snippet(world, {"args": [], **step})


def fresh_state(world: World) -> None:
    """Empties the state but for contracts and puts the initial values of the scenario back."""
    contracts = contract_key("")
    cells: dict[str, str | None] = {key: None for key in world.ledger.state.dump() if not key.startswith(contracts)}
    if cells:
        world.ledger.write(cells)
    put_state(world)


def put_state(world: World) -> None:
    """Puts the initial values of the scenario in place."""
    for name, value in (world.scenario.initial.get("state") or {}).items():
        kind, contract, key, *field = name.split("-")
        stored = StoredValue("i" if str(value).lstrip("-").isdecimal() else "s", str(value))
        if kind == "b":
            world.ledger.put(contract, key, stored)
        else:
            world.ledger.map_put(contract, key, field[0], stored)


def check(world: World, step: Step) -> None:
    """Only expectations."""


OPERATIONS: Mapping[str, Operation] = {
    "set_block": set_block,
    "set_account": set_account,
    "set_account_json": set_account_json,
    "set_gas": set_gas,
    "set_ram": set_ram,
    "set_balance": set_balance,
    "set_state": set_state,
    "default_gas_limit": default_gas_limit,
    "set_publisher": set_publisher,
    "cost_gas": cost_gas,
    "native": native,
    "preset_contract": preset_contract,
    "deploy": deploy,
    "deploy_system": deploy_system,
    "update": update,
    "call": call,
    "tx": tx,
    "check": check,
    "snippet": snippet,
    "compile": compile_,
}


FIELDS: Mapping[str, frozenset[str]] = {
    name: frozenset(fields.split())
    for name, fields in {
        "set_block": "number time witness parent_hash",
        "set_account": "id owner active seckey_b58",
        "set_account_json": "id json seckey_b58",
        "set_gas": "account gas",
        "set_ram": "account bytes",
        "set_balance": "token account amount raw",
        "set_state": "map value",
        "cost_gas": "account gas amount",
        "native": "contract version",
        "preset_contract": "contract id",
        "deploy": "contract publisher gas_limit gas_ratio amount_limit signers sign_by api args source",
        "deploy_system": "contract id publisher gas_limit gas_ratio amount_limit signers sign_by",
        "update": "contract new_contract update_data publisher gas_limit gas_ratio amount_limit signers sign_by",
        "call": "contract api args args_json hash_arg fresh_state"
        " publisher gas_limit gas_ratio amount_limit signers sign_by",
        "tx": "actions publisher gas_limit gas_ratio amount_limit signers sign_by",
        "check": "",
        "snippet": "body api args publisher signers gas_limit",
        "compile": "body api args publisher signers gas_limit",
    }.items()
}
"""What an operation takes beside `op`, `expect` and `note`; the operations left out take any one field."""

EVERYWHERE = frozenset(("op", "expect", "note"))


def unknown_fields(step: Step) -> list[str]:
    """Returns the fields of a step that its operation does not have."""
    fields = FIELDS.get(step.get("op") or "call")
    return [] if fields is None else [name for name in step if name not in fields | EVERYWHERE]


def prepare(world: World) -> None:
    """Puts the scenario's native contracts and initial state in place; every chain has system.iost."""
    always = {"system.iost": "1.0.0"} if world.scenario.level == "tx" else {}
    for contract, version in {**always, **world.scenario.natives}.items():
        native(world, {"contract": contract, "version": version})
    put_state(world)


def dump(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)
