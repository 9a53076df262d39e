"""Random transactions: native calls, relays that call each other, and calls of the system contracts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from tests.fault.tokens import amounts
from tests.fault.tokens.model import LIMITS
from tests.fault.tokens.observed import GAS, NFT, TOKEN, Books
from tests.support.chain_world import ANY_AMOUNT, GAS_LIMIT, USERS

STRANGE = ("nobody", "Contract-x", "a-b.iost", "gas.iost", "token.iost", "vote_producer.iost", "", "x" * 70, "admin")
MEMOS = ("", "hello", "m" * 512, "m" * 513)
TOTALS = (0, 5, 21, 922, 92233720368, 92233720369, 9223372036854775807, -1, -(2**62))
"""Whole tokens, around the most for some number of decimals."""
RATIOS = (100, 100, 100, 100, 100, 100, 250, 1000)
"""Gas prices, in hundredths."""
MALFORMED: tuple[Sequence[Mapping[str, str]], ...] = (
    ({"token": "iost", "val": "1"}, {"token": "iost", "val": "unlimited"}),
    ({"token": "*", "val": "1"}, {"token": "*", "val": "1"}),
    ({"token": "nosuch", "val": "1"},),
    ({"token": "iost", "val": ""},),
    ({"token": "iost", "val": "1e3"},),
    ({"token": "iost", "val": "+1"},),
    ({"token": "iost", "val": "92233720368.54775808"},),
    ({"token": "*", "val": "Unlimited"},),
)
"""Amount limits of a transaction that is refused."""
TX_LIMITS: tuple[Sequence[Mapping[str, str]], ...] = (
    (),
    ({"token": "iost", "val": "5"},),
    ({"token": "*", "val": "3"},),
    ({"token": "*", "val": "1.5"}, {"token": "iost", "val": "00.50"}),
    ({"token": "iost", "val": "-1"},),
    ({"token": "iost", "val": "5"}, {"token": "*", "val": "1"}),
    ({"token": "*", "val": "0"}, {"token": "iost", "val": "unlimited"}, {"token": "coin", "val": "3"}),
    ({"token": "coin", "val": "unlimited"}, {"token": "*", "val": "2"}),
)
PRODUCERS, MARKET = "vote_producer.iost", "ram.iost"
MAX_DEPTH = 5
CARE = (1.0, 0.99, 0.97, 0.9, 0.7)
"""How often plans choose what may be allowed: one wrong choice fails a transaction."""

Action = tuple[str, str, list[Any]]


@dataclass(frozen=True)
class Plan:
    """A transaction to send.

    Attributes:
        exact: by how much its gas limit differs from what it uses, in hundredths; None: it is `gas_limit`.
        wild: it calls contracts that the model does not know.
        honest: its signers sign.
    """

    publisher: str
    actions: Sequence[Action]
    signers: Sequence[str] = ()
    limits: Sequence[Mapping[str, str]] = ANY_AMOUNT
    gas_limit: int = GAS_LIMIT
    ratio: int = 100
    exact: int | None = None
    wild: bool = False
    honest: bool = True


class Planner:
    """Makes plans from a seed and what the books hold."""

    def __init__(self, random: Random, relays: Sequence[str]) -> None:
        """Takes the source of choices and the ids of the relays."""
        self._random = random
        self._relays = relays
        self._care = 0.0  # how often the present plan chooses what may be allowed
        self._publisher = ""

    def plan(self, books: Books) -> Plan:
        """Returns the next transaction."""
        random = self._random
        self._care = random.choice(CARE)
        self._publisher = random.choice(USERS)
        wild = random.random() < 0.25
        make = self._wild_action if wild else self._action
        actions = [make(books) for _ in range(random.choice((1, 1, 1, 2, 2, 3)))]
        signers = random.sample(self._signers(), random.choice((1, 1, 2))) if random.random() < 0.35 else ()
        limits = random.choice(TX_LIMITS) if random.random() < 0.25 else ANY_AMOUNT
        limits = random.choice(MALFORMED) if random.random() < 0.02 else limits
        ratio = random.choice(RATIOS)
        exact = random.choice((-ratio, 0)) if random.random() < 0.1 else None
        gas_limit = random.randrange(600_000, 10_000_000) if random.random() < 0.1 else GAS_LIMIT
        honest = random.random() < 0.95
        return Plan(self._publisher, actions, signers, limits, gas_limit, ratio, exact, wild, honest)

    def _careful(self) -> bool:
        return self._random.random() < self._care

    def _signers(self) -> list[str]:
        return [f"{user}@{permission}" for user in USERS for permission in ("active", "transfer", "owner", "vault")]

    # -- native calls ------------------------------------------------------------------------------------------------

    def _action(self, books: Books) -> Action:
        if self._random.random() < 0.55:
            return self._native(books, self._publisher)
        relay = self._random.choice(self._relays)
        return relay, self._method(), [self._steps(books, relay, [self._publisher], 1)]

    def _method(self) -> str:
        return "free" if self._careful() and self._random.random() < 0.5 else self._random.choice(list(LIMITS))

    # A call by `own`, whose authority counts, or one that will probably fail.
    def _native(self, books: Books, own: str) -> Action:
        random = self._random
        sender = own if self._careful() else self._name()
        symbol = self._held(books, sender)
        text = self._amount(books, symbol, sender)
        nft, nft_id = self._nft(books, sender)
        mine = [name for name, token in books.tokens.items() if token.issuer == own]
        issued = random.choice(mine) if mine and self._careful() else symbol
        choices: list[tuple[int, Action]] = [
            (8, (TOKEN, "transfer", [symbol, sender, self._name(), text, self._memo()])),
            (3, (TOKEN, "transferFreeze", [symbol, sender, self._name(), text, self.freeze_ns(), ""])),
            (2, (TOKEN, "destroy", [symbol, sender, text])),
            (3, (TOKEN, "issue", [issued, self._name(), text])),
            (1, (TOKEN, "create", [self._symbol(), sender, self._total(), self._config()])),
            (1, (TOKEN, "balanceOf", [symbol, self._name()])),
            (1, (NFT, "create", [self._symbol(), sender, random.choice((0, 1, 3))])),
            (1, (NFT, "issue", [nft, self._name(), "metadata"])),
            (3, (NFT, "transfer", [nft, sender, self._name(), nft_id])),
            (2, (GAS, "pledge", [sender, self._name(), text])),
            (2, (GAS, "unpledge", [*self._pledge(books, sender), text])),
        ]
        weights = [weight if self._sensible(books, action, own) else weight / 8 for weight, action in choices]
        contract, api, args = random.choices(choices, weights)[0][1]
        if not self._careful() and random.random() < 0.1:
            args = self._spoilt(args)
        return contract, api, args

    def freeze_ns(self) -> int:
        """Returns a time until which an amount may be frozen; replaced by one around the present (`Attacker`)."""
        return self._random.choice((-1, 0, 1))

    # Whether `own` may do that to the token, or has something to take back.
    def _sensible(self, books: Books, action: Action, own: str) -> bool:
        contract, api, args = action
        if api == "issue":
            token = (books.tokens if contract == TOKEN else books.nfts).get(args[0])
            return token is not None and token.issuer == own
        if contract == NFT and api == "transfer":
            return args[0] in books.nfts and books.nfts[args[0]].owners.get(args[3]) == own
        return api != "unpledge" or (args[0], args[1]) in books.pledges

    def _held(self, books: Books, name: str) -> str:
        held = [symbol for (symbol, owner), balance in books.balances.items() if owner == name and balance > 0]
        movable = [symbol for symbol in held if books.tokens[symbol].can_transfer]
        if movable and self._careful():
            return self._random.choice(movable)
        return self._random.choice([*books.tokens, "nosuch", ""])

    def _memo(self) -> str:
        return self._random.choice(MEMOS[:3] if self._careful() else MEMOS)

    def _nft(self, books: Books, owner: str) -> tuple[str, str]:
        owned = [(symbol, key) for symbol, nft in books.nfts.items() for key, it in nft.owners.items() if it == owner]
        if owned and self._careful():
            return self._random.choice(owned)
        symbol = self._random.choice([*books.nfts, "nosuch"])
        return symbol, self._random.choice(("0", "1", "00", "T721issuer", "supply", ""))

    def _spoilt(self, args: list[Any]) -> list[Any]:
        spoilt = list(args)
        at = self._random.randrange(len(spoilt))
        if self._random.random() < 0.5:
            spoilt[at] = self._random.choice((None, 5, True, [], ["5"]))
        else:
            del spoilt[at]
        return spoilt

    def _name(self) -> str:
        return self._random.choice([*USERS, *self._relays] if self._careful() else STRANGE)

    def _amount(self, books: Books, symbol: str, sender: str) -> str:
        decimals = books.tokens[symbol].decimals if symbol in books.tokens else 8
        if self._careful():
            return self._random.choice(amounts.ORDINARY[:5] if decimals else amounts.ORDINARY[:3])
        return amounts.some(self._random, books.balances.get((symbol, sender), 0), decimals)

    def _symbol(self) -> str:
        if self._careful():
            return f"t{self._random.randrange(10**6)}"
        return self._random.choice(("new", "Bad", "x", "y" * 17, f"t{self._random.randrange(30)}", "iost", "ram"))

    def _total(self) -> int:
        return 10**5 if self._careful() else self._random.choice(TOTALS)

    def _config(self) -> dict[str, Any]:
        if self._careful():
            return {"decimal": self._random.choice((0, 2, 8))}
        decimals = self._random.choice((0, 1, 2, 8, 17, 18, 19, -1, 8.5, 1e300, "8"))
        return self._random.choice(({}, {"decimal": decimals}, {"decimal": decimals, "canTransfer": False}))

    def _pledge(self, books: Books, sender: str) -> tuple[str, str]:
        own = [key for key in books.pledges if key[0] == sender]
        return self._random.choice(own) if own and self._careful() else (sender, self._name())

    # -- relays --------------------------------------------------------------------------------------------------------

    # Steps of `relay`; `able`: accounts and contracts above it that have lent it their authority.
    def _steps(self, books: Books, relay: str, able: Sequence[str], depth: int) -> list[list[Any]]:
        count = self._random.choice((1, 2, 3) if depth < 3 else (1,))
        return [self._step(books, relay, able, depth) for _ in range(count)]

    def _step(self, books: Books, relay: str, able: Sequence[str], depth: int) -> list[Any]:
        random = self._random
        kind = random.random()
        if random.random() < 0.12:
            return self._temptation(relay)
        lends = self._careful() or random.random() < 0.5
        verb = "auth" if lends else "call"
        if kind < 0.4:
            contract, api, args = self._native(books, random.choice([*able, relay] if lends else able))
            return [verb, contract, api, self._with_objects(args)]
        if kind < 0.55 and (depth < MAX_DEPTH or not self._careful()):
            other = random.choice(self._relays)
            steps = self._steps(books, other, [*able, relay] if lends else able, depth + 1)
            return [verb, other, self._method(), [steps]]
        if kind < 0.65:
            sender = random.choice([*able, relay]) if self._careful() else self._name()
            return ["send", sender, self._name(), random.choice(amounts.ORDINARY[:8]), random.choice(MEMOS[:2])]
        if kind < 0.9:
            return self._cell(relay, able)
        return self._question(able)

    # A step that nothing but its lack of authority stops, or the edge of a rule.
    def _temptation(self, relay: str) -> list[Any]:
        random = self._random
        victim, other = random.choice(USERS), random.choice(self._relays)
        return random.choice(
            [
                ["call", TOKEN, "transfer", ["iost", relay, victim, "1", ""]],
                ["auth", TOKEN, "transfer", ["iost", victim, relay, "1", ""]],
                ["auth", TOKEN, "transfer", ["iost", other, relay, "1", ""]],
                ["auth", TOKEN, "transferFreeze", ["iost", relay, relay, "1", 0, ""]],
                ["auth", NFT, "transfer", ["art", "alice", relay, "T721issuer"]],
                ["call", GAS, "pledge", [relay, victim, "1"]],
                ["put", "t", "v" * random.randrange(9), victim],
                ["field", "t", "v" * random.randrange(9), other],
                ["ask", self._publisher, "owner", True],
                ["ask", relay, "active", True],
            ]
        )

    def _question(self, able: Sequence[str]) -> list[Any]:
        random = self._random
        if not self._careful():
            permission = random.choice(("active", "transfer", "owner", "vault"))
            return random.choice((["ask", self._name(), permission, random.random() < 0.5], ["fail"]))
        return random.choice((["say", "told"], ["ask", random.choice(able), "active", True]))

    def _with_objects(self, args: list[Any]) -> list[Any]:
        if self._random.random() > 0.1:
            return args
        made = self._random.choice(list(amounts.MADE))
        return [{"made": list(made)} if isinstance(arg, str) and arg[:1].isdigit() else arg for arg in args]

    def _cell(self, relay: str, able: Sequence[str]) -> list[Any]:
        random = self._random
        key = random.choice(("a", "b", "c", "d" * 64) if self._careful() else ("e" * 65, "a-b", ""))
        payers = [*able, relay, ""] if self._careful() else [*USERS, *self._relays, "nobody", "gas.iost"]
        payer = [] if random.random() < 0.4 else [random.choice(payers)]
        value = "v" * random.choice((0, 1, 5, 100))
        return random.choice((["put", key, value, *payer], ["field", key, value, *payer], ["del", key], ["drop", key]))

    # -- system contracts ----------------------------------------------------------------------------------------------

    def _wild_action(self, books: Books) -> Action:
        action = self._system(books)
        if self._random.random() < 0.3:
            verb = self._random.choice(("auth", "call"))
            steps = [[verb, *action] for _ in range(self._random.choice((1, 1, 2)))]
            return self._random.choice(self._relays), "free", [steps]
        return action

    def _system(self, books: Books) -> Action:
        make = self._plausible if self._careful() and self._random.random() < 0.8 else self._hostile
        return self._random.choice(make(books))

    # What an account may do for itself, with iost, votes and RAM.
    def _plausible(self, books: Books) -> list[Action]:
        random = self._random
        me, other, few = self._publisher, random.choice(USERS), random.choice(amounts.ORDINARY[:8])
        producer = random.choice(("admin", "alice", "bobby"))
        count = random.choice((1, 10, 1000))
        info = {"resultNumber": 2, "options": ["a"], "anyOption": True, "freezeTime": random.choice((0, 60))}
        return [
            *[(PRODUCERS, "vote", [me, producer, few])] * 4,
            *[(PRODUCERS, "unvote", [me, producer, few])] * 3,
            *[(PRODUCERS, "topupVoterBonus", [producer, few, me])] * 3,
            *[(PRODUCERS, "topupCandidateBonus", [few, me])] * 2,
            *[(PRODUCERS, "voterWithdraw", [me])] * 2,
            *[(PRODUCERS, "candidateWithdraw", [me])] * 2,
            (PRODUCERS, "applyRegister", [me, me * 10, "", "", "", True]),
            (PRODUCERS, "approveRegister", [other]),
            (PRODUCERS, "applyUnregister", [me]),
            (PRODUCERS, "approveUnregister", [other]),
            ("vote.iost", "newVote", [me, "", info]),
            *[("vote.iost", "vote", ["2", me, random.choice(("a", "b")), few])] * 3,
            *[("vote.iost", "unvote", ["2", me, random.choice(("a", "b")), few])] * 3,
            ("vote.iost", "addOption", ["2", "a", True]),
            ("vote.iost", "removeOption", ["2", "a", True]),
            ("vote.iost", "delVote", ["2"]),
            (MARKET, "buy", [me, other, count]),
            (MARKET, "sell", [me, other, count]),
            (MARKET, "lend", [me, other, count]),
            (TOKEN, "transfer", ["ram", me, other, str(count), ""]),
            (TOKEN, "destroy", ["ram", me, str(count)]),
            ("bonus.iost", "exchangeIOST", [me, "1"]),
            ("issue.iost", "issueIOST", []),
            ("auth.iost", "signUp", [f"fresh{random.randrange(10)}", "k" * 44, "k" * 44]),
        ]

    # What must fail, or move nothing of others.
    def _hostile(self, books: Books) -> list[Action]:
        random = self._random
        name, other, user = self._name(), self._name(), random.choice(USERS)
        producer = random.choice(("admin", *USERS))
        text = self._amount(books, "iost", name)
        count = random.choice((-1, 0, 1, 10, 1000, 2**53, 2**62))
        payer = random.choice((name, PRODUCERS, PRODUCERS, "issue.iost"))
        return [
            (PRODUCERS, "vote", [user, producer, text]),
            (PRODUCERS, "unvote", [user, producer, text]),
            *[(PRODUCERS, "topupVoterBonus", [producer, random.choice((text, "2")), payer])] * 2,
            *[(PRODUCERS, "topupCandidateBonus", [random.choice((text, "2")), payer])] * 2,
            (PRODUCERS, "voterWithdraw", [name]),
            (PRODUCERS, "candidateWithdraw", [producer]),
            (PRODUCERS, "approveRegister", [user]),
            ("vote.iost", "vote", ["1", name, producer, text]),
            ("vote.iost", "unvote", ["1", name, producer, text]),
            ("vote.iost", "vote", ["2", user, "a", text]),
            (MARKET, "buy", [name, other, count]),
            (MARKET, "sell", [name, other, count]),
            (MARKET, "lend", [name, other, count]),
            ("bonus.iost", "exchangeIOST", [name, text]),
            ("bonus.iost", "issueContribute", [{"parent": [user]}]),
            ("base.iost", "exec", [{"parent": [user]}]),
            ("issue.iost", "issueIOSTTo", [name, text]),
            ("issue.iost", "initGenesis", [user, {"totalSupply": 1, "inflation": "1"}]),
            ("auth.iost", "signUp", [random.choice(("alice", "x", "Contract")), "k" * 44, "k" * 44]),
            ("auth.iost", "assignPermission", [user, "transfer", f"{other}@active", 1]),
            ("system.iost", "initSetCode", ["x.iost", ""]),
            ("system.iost", "hostSettings", ["{}"]),
            (TOKEN, "transfer", ["ram", name, other, text, ""]),
            (TOKEN, "issue", ["ram", name, text]),
        ]
