"""Sends random transactions to an IOST-style chain and compares what they did with the model.

After each transaction the books must be those of the model and the invariants must hold. A transaction that fails must
have changed nothing but what settlement writes. One that the model does not know, of system contracts, must not take
tokens from an account that did not agree.
"""

import copy
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from random import Random

from tests.fault.tokens.invariants import Watch
from tests.fault.tokens.model import LIMITS, Frame, RefusedError, Run
from tests.fault.tokens.observed import GAS, TOKEN, Books, read
from tests.fault.tokens.plans import MALFORMED, PRODUCERS, Plan, Planner
from tests.support.chain_world import POOR, USERS, Action, ChainWorld, contract_text
from vm_service.model import Mode, Result
from vm_service.state_keys import field_key, plain_key

RELAY = Path(__file__).with_name("relay.js").read_text("utf-8")
METHODS = {**{name: (("json",), limits) for name, limits in LIMITS.items()}, "can_update": (("string",), {})}
SHORTAGES = ("out of gas", "pay ram failed. id", "pay gas cost failed")
"""Failures that the model does not foresee: want of gas or RAM."""
LEAST_GAS = 600_000
"""Hundredths: the least limit that a transaction may name."""
UPDATE_EVERY = 40
"""Transactions between two updates of a relay."""
NO_FRAME = Frame("", "")
STEPS_NS = (0, 10**6, 10**9, 3600 * 10**9, 3 * 86400 * 10**9)
"""By how much the time goes on: whole microseconds, which a number of JavaScript holds."""


class Attacker:
    """One chain under attack.

    Attributes:
        kinds: how transactions ended.
        world: the chain.
    """

    def __init__(self, seed: int) -> None:
        """Brings the chain up with tokens, relays and permissions."""
        self._random = Random(seed)
        self.kinds: Counter[str] = Counter()
        self.world = ChainWorld()
        relays = self._prepare()
        self._planner = Planner(self._random, relays)
        self._relays = relays
        self.books = read(self.world.cells)
        self._watch = Watch(self.world.cells)
        self._count = 0

    def close(self) -> None:
        """Closes the executor."""
        self.world.executor.close()

    def _prepare(self) -> list[str]:
        world = self.world
        world.succeed("alice", (GAS, "pledge", ["alice", POOR, "60"]))
        for symbol, issuer, config in [
            ("coin", "alice", {"decimal": 2}),
            ("fine", "bobby", {"decimal": 18}),
            ("whole", "carol", {"decimal": 0}),
            ("locked", "alice", {"canTransfer": False}),
            ("owned", "david", {"onlyIssuerCanTransfer": True}),
        ]:
            world.succeed(issuer, (TOKEN, "create", [symbol, issuer, 9 if symbol == "fine" else 10**6, config]))
            issues = [(TOKEN, "issue", [symbol, user, "1" if symbol == "fine" else "100"]) for user in USERS]
            world.succeed(issuer, *issues)
        world.succeed("alice", ("token721.iost", "create", ["art", "alice", 8]))
        world.succeed("alice", *[("token721.iost", "issue", ["art", user, "m"]) for user in USERS[:3]])
        relays = [world.publish(user, RELAY, METHODS) for user in USERS[:3]]
        for relay in relays:
            gifts = [(TOKEN, "transfer", [symbol, "carol", relay, "30", ""]) for symbol in ("iost", "coin")]
            world.succeed("carol", *gifts, (TOKEN, "issue", ["whole", relay, "50"]))
        self._share_permissions()
        self._open_votes()
        return relays

    def _open_votes(self) -> None:
        """Registers two producers, and lets alice open a vote of her own."""
        for user in USERS[:2]:
            register = (PRODUCERS, "applyRegister", [user, user * 10, "", "", "", True])
            self.world.succeed(user, register)
            self.world.succeed("admin", (PRODUCERS, "approveRegister", [user]))
        info = {"resultNumber": 2, "options": ["a", "b"], "anyOption": True, "freezeTime": 60}
        self.world.succeed("alice", ("vote.iost", "newVote", ["alice", "", info]))
        for voter in USERS[2:]:
            self.world.succeed(voter, (PRODUCERS, "vote", [voter, "alice", "100"]))
        self.world.succeed("carol", (PRODUCERS, "topupVoterBonus", ["alice", "50", "carol"]))

    def _share_permissions(self) -> None:
        """Lets bobby transfer for david, and alice with bobby for carol."""
        grants = {"david": (1, ["bobby@active"]), "carol": (2, ["alice@active", "bobby@active"])}
        for user, (threshold, members) in grants.items():
            actions = [("auth.iost", "addPermission", [user, "transfer", threshold])]
            actions += [("auth.iost", "assignPermission", [user, "transfer", member, 1]) for member in members]
            self.world.succeed(user, *actions, signers=[f"{user}@owner"])

    # -- a transaction -----------------------------------------------------------------------------------------------

    def step(self) -> list[str]:
        """Sends the next transaction; returns what is wrong."""
        self._count += 1
        self.world.now_ns += self._random.choice(STEPS_NS) if self._random.random() < 0.3 else 10**9
        if self._count % UPDATE_EVERY == 0:
            return self._update()
        plan = self._timed(self._planner.plan(self.books))
        before = self.books
        tried = self._send(plan, Mode.DRY) if plan.exact is not None else None
        if plan.exact is not None and tried is not None and tried.gas_usage + plan.exact >= LEAST_GAS:
            plan = replace(plan, gas_limit=tried.gas_usage + plan.exact)
        else:
            tried = None
        result = self._send(plan, Mode.EXECUTE)
        self.books = read(self.world.cells)
        problems = [*self._judge(plan, before, result), *self._watch.problems(self.world.cells, self.books)]
        if tried is not None and result.refused is None:
            problems += self._judge_exact(plan, tried, result)
        told = f"{result.refused or result.status}, gas {result.gas_usage}, RAM {result.ram_usage}"
        return [f"{problem}\n  {plan}\n  {told}" for problem in problems]

    def _send(self, plan: Plan, mode: Mode) -> Result:
        return self.world.send(
            plan.publisher,
            *plan.actions,
            signers=plan.signers,
            keys=None if plan.honest else [],
            limits=plan.limits,
            gas_limit=plan.gas_limit,
            ratio=plan.ratio,
            mode=mode,
        )

    def _timed(self, plan: Plan) -> Plan:
        """Puts times around the present in the place of those that the planner chose."""
        actions = json.loads(json.dumps(plan.actions))
        _freeze_around(actions, self.world.now_ns)
        return replace(plan, actions=actions)

    def _update(self) -> list[str]:
        """Changes the code of a relay, by its owner or another."""
        relay, user = self._random.choice(self._relays), self._random.choice(USERS)
        fails = self._random.random() < 0.3
        code = RELAY + f"// {'x' * self._random.choice((0, 10, 2000))}"
        code = code.replace("'planned'", f"'planned{'x' * self._random.choice((0, 10, 2000))}'")
        contract = contract_text(code, METHODS, relay)
        cell: Action = (relay, "free", [[["put", "u", "v" * self._random.choice((1, 50)), user]]])
        last: Action = (relay, "free", [[["fail"]]]) if fails else cell
        result = self.world.send(user, cell, ("system.iost", "updateCode", [contract, ""]), last)
        owner = self.books.owners[relay]
        self.books = read(self.world.cells)
        self.kinds["update"] += 1
        allowed = result.status is not None and result.status.code == 0
        problems = list(self._watch.problems(self.world.cells, self.books, updates=True))
        if allowed != (user == owner and not fails) and "pay ram failed. id" not in f"{result.status}":
            problems.append(f"{user} updates a contract of {owner}, fails later: {fails}, got {result.status}")
        if not allowed:
            problems += self._judge_failure(user, result)
        return problems

    # -- judgement -----------------------------------------------------------------------------------------------------

    def _judge(self, plan: Plan, before: Books, result: Result) -> Iterator[str]:
        run = Run(
            copy.deepcopy(before),
            self.world.now_ns,
            plan.publisher,
            frozenset([*plan.signers, f"{plan.publisher}@active"]),
            plan.limits,
        )
        if result.refused is not None:
            self.kinds["refused"] += 1
            if self.world.writes:
                yield f"a refused transaction wrote {self.world.writes}"
            return
        if not plan.honest and any(_needs_other_key(signer, plan.publisher) for signer in plan.signers):
            yield "a signer did not sign"
        if plan.limits in MALFORMED:
            yield "malformed amount limits were accepted"
        assert result.status is not None
        if result.bug or result.status.code == 8:
            yield f"bug: {result.bug}"
        if result.status.code != 0:
            yield from self._judge_failure(plan.publisher, result)
        if plan.wild:
            yield from self._judge_wild(run, before, result)
        else:
            yield from self._judge_known(plan, run, before, result)

    def _judge_exact(self, plan: Plan, tried: Result, result: Result) -> Iterator[str]:
        if plan.exact == 0 and (result.status, result.gas_usage) != (tried.status, tried.gas_usage):
            yield f"with the gas it uses, {tried.gas_usage}, it gives another outcome than {tried.status}"
        if plan.exact != 0 and (f"{result.status}".find("out of gas") < 0 or result.gas_usage != plan.gas_limit):
            yield f"with less gas than it uses, {tried.gas_usage}, it is not out of gas"

    def _judge_failure(self, name: str, result: Result) -> Iterator[str]:
        allowed = {plain_key(GAS, name + suffix) for suffix in ("gs", "gu")}
        allowed |= {field_key(TOKEN, f"TB{name}", "ram"), plain_key("ram.iost", f"UR{name}")}
        if not set(self.world.writes) <= allowed:
            yield f"a failed transaction wrote {set(self.world.writes) - allowed}"
        if result.returns or result.receipts or result.events or result.ram_usage:
            yield "a failed transaction tells of effects"

    def _judge_known(self, plan: Plan, run: Run, before: Books, result: Result) -> Iterator[str]:
        status = result.status
        assert status is not None
        reason = None
        try:
            for contract, api, args in plan.actions:
                run.action(contract, api, args)
        except RefusedError as error:
            reason = str(error)
        shortage = status.code != 0 and any(text in status.message for text in SHORTAGES)
        kind = "success" if status.code == 0 else "shortage" if shortage else "failure"
        self.kinds[kind] += 1
        if kind == "success" and reason is not None:
            yield f"the model refuses: {reason}"
        if kind == "failure" and reason is None:
            yield f"the model allows what failed: {status.message}"
        if kind != "success":
            run.books = copy.deepcopy(before)
        run.pay_gas(result.gas_usage)
        yield from _differences(run.books, self.books)
        if kind == "success":
            yield from _untold(run, result)

    def _judge_wild(self, run: Run, before: Books, result: Result) -> Iterator[str]:
        status = result.status
        assert status is not None
        self.kinds["wild success" if status.code == 0 else "wild failure"] += 1
        agreed = {name for name in before.accounts if run.asks(NO_FRAME, name, "transfer")}
        for (symbol, name), balance in before.balances.items():
            lost = self.books.balances.get((symbol, name), 0) < balance
            if lost and name in before.accounts and name not in agreed:
                yield f"{name} lost {symbol} without a signature"


def _needs_other_key(signer: str, publisher: str) -> bool:
    """Whether the publisher's key cannot sign: `transfer` may be shared, the others are not."""
    name, _, permission = signer.partition("@")
    return name != publisher and permission in {"active", "owner"}


def _freeze_around(value: object, now_ns: int) -> None:
    """Makes the choices of `Planner.freeze_ns` times: before, at or after the present."""
    if not isinstance(value, list):
        return
    if len(value) == 6 and type(value[4]) is int:
        value[4] = now_ns + value[4] * 3600 * 10**9
    for item in value:
        _freeze_around(item, now_ns)


def _differences(expected: Books, found: Books) -> Iterator[str]:
    for name in vars(expected):
        ours, theirs = getattr(expected, name), getattr(found, name)
        for key in {*ours, *theirs}:
            if ours.get(key) != theirs.get(key):
                yield f"{name} {key}: expected {ours.get(key)}, found {theirs.get(key)}"


def _untold(run: Run, result: Result) -> Iterator[str]:
    told = [(note.func_name, note.content) for note in result.receipts]
    if told != run.receipts:
        yield f"receipts {told}, expected {run.receipts}"
    events = [(f"{event.contract}/{event.action}", event.data) for event in result.events if event.topic == "receipt"]
    if events != told:
        yield f"events {events}, receipts {told}"
