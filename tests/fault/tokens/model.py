"""A model of native contracts and relays, written from the contract interface: what a transaction must do to the books.

It knows nothing of gas and RAM balances: a transaction that it allows may still end for want of either.
"""

import base64
import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_DOWN, Decimal
from typing import Any, Final

from tests.fault.tokens.amounts import INT64_MAX, MADE, canonical, parse
from tests.fault.tokens.observed import GAS, NFT, TOKEN, Books, GasRecord, Nft, Token

IOST_DECIMALS: Final = 8
MAX_HEIGHT: Final = 5
THREE_DAYS_NS: Final = 3 * 86400 * 10**9
GAS_STEP: Final = Decimal("0.01")
SYMBOL: Final = re.compile(r"[a-z0-9_]{2,16}")
NAME: Final = re.compile(r"[ -,.-?A-~]{1,64}")
"""Of a key or field."""
NFT_ID: Final = re.compile(r"[0-9]+")
LIMITS: Final[Mapping[str, Mapping[str, str]]] = {
    "free": {"*": "unlimited"},
    "none": {},
    "tight": {"iost": "5", "*": "3"},
    "some": {"coin": "1.5", "fine": "unlimited"},
}
"""Amount limits of the relay's methods."""


class RefusedError(Exception):
    """A step that the interface refuses: the transaction fails."""


def need(condition: object, reason: str) -> None:
    """Raises RefusedError unless the condition holds."""
    if not condition:
        raise RefusedError(reason)


def is_contract(name: str) -> bool:
    """Whether authority over that name is that of a contract."""
    return name.startswith("Contract") or "." in name


@dataclass(frozen=True)
class Frame:
    """A running method of a contract."""

    contract: str
    api: str
    chain: frozenset[str] = frozenset()
    """Contracts that called with authority."""
    nested: frozenset[tuple[str, str]] = frozenset()
    height: int = 1


@dataclass
class Run:
    """A transaction in the model.

    Attributes:
        moves: token, sender and amount of each move of the running action.
        receipts: name and content of each receipt.
    """

    books: Books
    now_ns: int
    publisher: str
    signed: frozenset[str]
    limits: Sequence[Mapping[str, str]]
    moves: list[tuple[str, str, int]] = field(default_factory=list)
    moved: dict[str, int] = field(default_factory=dict)
    receipts: list[tuple[str, str]] = field(default_factory=list)

    # -- actions and calls -----------------------------------------------------------------------------------------

    def action(self, contract: str, api: str, args: Sequence[Any]) -> None:
        """Runs an action and checks what it moved."""
        self.moves = []
        self._run(Frame(contract, api), args)
        sums: dict[str, int] = {}
        for symbol, sender, amount in self.moves:
            if not is_contract(sender):
                sums[symbol] = sums.get(symbol, 0) + amount
        own = {"*": "unlimited"} if contract.endswith(".iost") else LIMITS[api]
        for symbol, amount in sums.items():
            self.moved[symbol] = self.moved.get(symbol, 0) + amount
            self._check_limit(own, symbol, amount)
            self._check_limit({item["token"]: item["val"] for item in self.limits}, symbol, self.moved[symbol])

    def _check_limit(self, limits: Mapping[str, str], symbol: str, amount: int) -> None:
        limit = limits.get(symbol, limits.get("*"))
        need(limit is not None, "no limit")
        if limit == "unlimited":
            return
        decimals = self.books.tokens[symbol].decimals
        scaled = Decimal(limit or 0).scaleb(decimals) if symbol in limits else int(Decimal(limit or 0)) * 10**decimals
        need(amount <= int(scaled), "exceeds limit")

    def _call(self, caller: Frame, contract: str, api: str, args: object, with_authority: bool) -> None:
        need((contract, api) not in caller.nested, "re-entering")
        need(caller.height < MAX_HEIGHT, "too deep")
        chain = caller.chain | {caller.contract} if with_authority else caller.chain
        self._run(Frame(contract, api, chain, caller.nested | {(contract, api)}, caller.height + 1), args)

    def _run(self, frame: Frame, args: Any) -> None:
        if frame.contract in self.books.owners and frame.contract.startswith("Contract"):
            need(frame.api in LIMITS, "no such method")
            self._run_steps(frame, args[0])
            return
        method = METHODS.get((frame.contract, frame.api))
        need(method is not None, "no such method")
        assert method is not None
        types, body = method
        need(isinstance(args, list | tuple) and len(args) == len(types), "wrong number of arguments")
        for kind, arg in zip(types, args, strict=True):
            if kind is not object:
                need(type(arg) is kind, "wrong type")
            if kind is int:
                need(-INT64_MAX <= arg <= INT64_MAX, "no int64")
        body(self, frame, *args)

    def _receipt(self, frame: Frame, *args: object) -> None:
        content = json.dumps(args, separators=(",", ":"), ensure_ascii=False)
        self.receipts.append((f"{frame.contract}/{frame.api}", content))

    # -- steps of a relay ------------------------------------------------------------------------------------------

    def _run_steps(self, frame: Frame, steps: Sequence[Sequence[Any]]) -> None:
        debtors: set[str] = set()
        for step in steps:
            self._step(frame, step, debtors)
        for payer in debtors - {frame.contract}:
            need(self.asks(frame, payer, "active"), "payer does not agree")

    def _step(self, frame: Frame, step: Sequence[Any], debtors: set[str]) -> None:
        kind, *rest = step
        if kind in {"call", "auth"}:
            contract, api, args = rest
            self._call(frame, contract, api, [self._made(arg) for arg in args], kind == "auth")
        elif kind == "send":
            sender, receiver, amount, memo = rest
            self._call(frame, TOKEN, "transfer", ["iost", sender, receiver, amount, memo], True)
        elif kind == "put":
            self._put(frame, (rest[0], ""), rest[1:], debtors)
        elif kind == "field":
            self._put(frame, ("map", rest[0]), rest[1:], debtors)
        elif kind in {"del", "drop"}:
            name = (rest[0], "") if kind == "del" else ("map", rest[0])
            need(NAME.fullmatch(rest[0]), "invalid name")
            self.books.cells.pop((frame.contract, *name), None)
        elif kind == "say":
            self.receipts.append((f"{frame.contract}/{frame.api}", rest[0]))
        elif kind == "ask":
            need(self.asks(frame, rest[0], rest[1]) == rest[2], "answered otherwise")
        else:
            raise RefusedError("planned")

    def _made(self, arg: Any) -> Any:
        if not isinstance(arg, dict) or "made" not in arg:
            return arg
        kind, text = arg["made"]
        need(MADE[kind, text] is not None, "no such number")
        return MADE[kind, text]

    def _put(self, frame: Frame, name: tuple[str, str], rest: Sequence[str], debtors: set[str]) -> None:
        need(all(NAME.fullmatch(part) for part in name if part or name[0] == "map"), "invalid name")
        need(name[0], "invalid name")
        place = (frame.contract, *name)
        old = self.books.cells.get(place)
        data, payer = rest[0], (rest[1] if len(rest) > 1 and rest[1] else old[1] if old else frame.contract)
        if old is None or old[1] != payer or len(data.encode()) > len(old[0].encode()):
            debtors.add(payer)
        self.books.cells[place] = data, payer

    # -- authority ---------------------------------------------------------------------------------------------------

    def asks(self, frame: Frame, name: str, permission: str) -> bool:
        """Whether a frame may act as an account or contract."""
        if is_contract(name):
            return name in frame.chain
        return self._granted(name, permission, set())

    def _granted(self, name: str, permission: str, seen: set[str]) -> bool:
        asked = f"{name}@{permission}"
        if asked in seen:
            return False
        seen.add(asked)
        if asked in self.signed:
            return True
        account = self.books.accounts.get(name)
        if account is None:
            return False
        if permission not in account and permission not in {"active", "owner"}:
            return self._granted(name, "active", seen)
        threshold, items = account[permission]
        weight = 0
        for other, its_permission, its_weight in items:
            if self._granted(other, its_permission, seen):
                weight += its_weight
            if weight >= threshold:
                return True
        if permission == "owner":
            return False
        return self._granted(name, "owner" if permission == "active" else "active", seen)

    def _exists(self, name: str) -> bool:
        return name.startswith("Contract") or name.endswith(".iost") or name in self.books.accounts

    # -- token.iost --------------------------------------------------------------------------------------------------

    def _balance(self, symbol: str, name: str) -> int:
        key = (symbol, name)
        balance = self.books.balances.get(key, 0)
        items = self.books.frozen.get(key, [])
        due = [amount for time_ns, amount in items if time_ns <= self.now_ns]
        if due:
            balance += sum(due)
            self._set_balance(symbol, name, balance)
            self.books.frozen[key] = [item for item in items if item[0] > self.now_ns]
        return balance

    def _set_balance(self, symbol: str, name: str, amount: int) -> None:
        if NAME.fullmatch(f"TB{name}"):
            self.books.balances[symbol, name] = amount

    def _token(self, symbol: str) -> Token:
        need(symbol in self.books.tokens, "token not exists")
        return self.books.tokens[symbol]

    def _take(self, symbol: str, sender: str, amount: int) -> None:
        balance = self._balance(symbol, sender)
        need(balance >= amount, "balance not enough")
        self._set_balance(symbol, sender, balance - amount)

    def _admit(self, frame: Frame, symbol: str, sender: str, text: str) -> tuple[int, str]:
        token = self._token(symbol)
        amount = parse(text, token.decimals)
        need(amount is not None, "invalid amount")
        assert amount is not None
        need(token.can_transfer, "can't transfer")
        if token.issuer_only:
            need(self.asks(frame, token.issuer, "transfer"), "issuer only")
        need(self.asks(frame, sender, "transfer"), "no permission")
        return amount, canonical(amount, token.decimals)

    def create(self, frame: Frame, symbol: str, issuer: str, total: int, given: Any) -> None:
        """token.iost/create."""
        need(given is None or isinstance(given, dict), "config is no object")
        config: Mapping[str, Any] = given or {}
        need(SYMBOL.fullmatch(symbol), "invalid symbol")
        need(self.asks(frame, issuer, "token"), "no permission")
        need(symbol not in self.books.tokens and symbol != "ram", "token exists")
        decimals = config.get("decimal", 8)
        need(isinstance(decimals, int | float), "no number")
        decimals = math.trunc(decimals)
        need(0 <= decimals <= 18, "invalid decimal")
        need(total <= INT64_MAX // 10**decimals, "invalid totalSupply")
        units = (total * 10**decimals + 2**63) % 2**64 - 2**63
        can_transfer, only = config.get("canTransfer", True), config.get("onlyIssuerCanTransfer", False)
        self.books.tokens[symbol] = Token(issuer, units, 0, decimals, can_transfer, only)
        text = json.dumps(given, separators=(",", ":"), sort_keys=True)
        self._receipt(frame, symbol, issuer, total, base64.b64encode(text.encode()).decode())  # as bytes are shown

    def issue(self, frame: Frame, symbol: str, to: str, text: str) -> None:
        """token.iost/issue."""
        token = self._token(symbol)
        amount = parse(text, token.decimals)
        need(amount is not None and self.asks(frame, token.issuer, "token"), "no permission")
        assert amount is not None
        need(token.total - token.supply >= amount, "supply too much")
        token.supply += amount
        self._set_balance(symbol, to, self._balance(symbol, to) + amount)
        self._receipt(frame, symbol, to, canonical(amount, token.decimals))

    def transfer(self, frame: Frame, symbol: str, sender: str, to: str, text: str, memo: str) -> None:
        """token.iost/transfer."""
        need(len(memo.encode()) <= 512, "memo too large")
        need(self._exists(sender) and self._exists(to), "invalid account")
        amount, shown = self._admit(frame, symbol, sender, text)
        self._take(symbol, sender, amount)
        self._set_balance(symbol, to, self._balance(symbol, to) + amount)
        self.moves.append((symbol, sender, amount))
        self._receipt(frame, symbol, sender, to, shown, memo)

    def transfer_freeze(
        self, frame: Frame, symbol: str, sender: str, to: str, text: str, time_ns: int, memo: str
    ) -> None:
        """token.iost/transferFreeze."""
        need(len(memo.encode()) <= 512, "memo too large")
        amount, shown = self._admit(frame, symbol, sender, text)
        self._take(symbol, sender, amount)
        need(NAME.fullmatch(f"TF{to}"), "invalid name")
        items = self.books.frozen.setdefault((symbol, to), [])
        items.append((time_ns, amount))
        items.sort()
        self.moves.append((symbol, sender, amount))
        self._receipt(frame, symbol, sender, to, shown, time_ns, memo)

    def destroy(self, frame: Frame, symbol: str, sender: str, text: str) -> None:
        """token.iost/destroy."""
        token = self._token(symbol)
        amount = parse(text, token.decimals)
        need(amount is not None and self.asks(frame, sender, "transfer"), "no permission")
        assert amount is not None
        self._take(symbol, sender, amount)
        token.supply -= amount
        self.moves.append((symbol, sender, amount))
        self._receipt(frame, symbol, sender, canonical(amount, token.decimals))

    def balance_of(self, frame: Frame, symbol: str, name: str) -> None:
        """token.iost/balanceOf."""
        self._token(symbol)
        self._balance(symbol, name)

    # -- token721.iost -------------------------------------------------------------------------------------------------

    def nft_create(self, frame: Frame, symbol: str, issuer: str, total: int) -> None:
        """token721.iost/create."""
        need(SYMBOL.fullmatch(symbol), "invalid symbol")
        need(self.asks(frame, issuer, "token"), "no permission")
        need(symbol not in self.books.nfts, "token exists")
        self.books.nfts[symbol] = Nft(issuer, total, 0)
        self._receipt(frame, symbol, issuer, total)

    def nft_issue(self, frame: Frame, symbol: str, to: str, metadata: str) -> None:
        """token721.iost/issue."""
        need(symbol in self.books.nfts, "token not exists")
        token = self.books.nfts[symbol]
        need(token.supply < token.total, "supply too much")
        need(self.asks(frame, token.issuer, "token"), "no permission")
        token.owners[str(token.supply)] = to
        self._count(symbol, to, 1)
        self._set_metadata(symbol, to, str(token.supply), metadata)
        token.supply += 1
        self._receipt(frame, symbol, to, metadata)

    def nft_transfer(self, frame: Frame, symbol: str, sender: str, to: str, token_id: str) -> None:
        """token721.iost/transfer."""
        if sender == to:
            return
        need(symbol in self.books.nfts, "token not exists")
        need(self.asks(frame, sender, "transfer"), "no permission")
        token = self.books.nfts[symbol]
        need(NFT_ID.fullmatch(token_id) and token.owners.get(token_id) == sender, "not the owner")
        token.owners[token_id] = to
        self._count(symbol, sender, -1)
        self._count(symbol, to, 1)
        metadata = self.books.nft_metadata.pop((symbol, sender, token_id), "")
        self._set_metadata(symbol, to, token_id, metadata)
        self._receipt(frame, symbol, sender, to, token_id)

    def _count(self, symbol: str, name: str, change: int) -> None:
        if NAME.fullmatch(f"T721B{name}"):
            self.books.nft_balances[symbol, name] = self.books.nft_balances.get((symbol, name), 0) + change

    def _set_metadata(self, symbol: str, name: str, token_id: str, metadata: str) -> None:
        if NAME.fullmatch(f"T721M{symbol}#{name}"):
            self.books.nft_metadata[symbol, name, token_id] = metadata

    # -- gas.iost ------------------------------------------------------------------------------------------------------

    def gas_of(self, name: str) -> Decimal:
        """Returns what an account may use now."""
        record = self.books.gas.get(name, GasRecord())
        elapsed_ns = min(max(self.now_ns - record.time_ns, 0), THREE_DAYS_NS) if record.time_ns else 0
        rate = record.pledged.normalize() * Decimal("1.15")
        digits = max(0, -int(record.pledged.normalize().as_tuple().exponent)) + 2
        units = math.floor(float(rate.scaleb(digits)) * (elapsed_ns / 10**9) + 0.5)
        grown = record.stock + Decimal(units).scaleb(-digits)
        fits = grown.scaleb(digits) <= INT64_MAX  # what does not fit is lost, all of it
        total = min(grown, record.limit) if fits else record.stock
        return total.quantize(GAS_STEP, ROUND_DOWN)

    def pay_gas(self, used: int) -> None:
        """Takes the gas of the transaction (hundredths) from its publisher."""
        left = self.gas_of(self.publisher) - Decimal(used).scaleb(-2)
        record = self.books.gas.setdefault(self.publisher, GasRecord())
        record.stock, record.time_ns = left, self.now_ns

    def _pledge_amount(self, frame: Frame, pledger: str, user: str, text: str) -> Decimal:
        need(self._exists(pledger) and self._exists(user), "invalid user")
        need(self.asks(frame, pledger, "transfer"), "no permission")
        amount = parse(text, IOST_DECIMALS)
        need(amount is not None and amount >= 10**IOST_DECIMALS, "invalid amount")
        return Decimal(amount or 0).scaleb(-IOST_DECIMALS)

    def _change_gas(self, user: str, amount: Decimal, given: Decimal) -> None:
        need(NAME.fullmatch(f"{user}gs"), "invalid name")
        record = self.books.gas.setdefault(user, GasRecord())
        if record.time_ns == 0:
            record.pledged, record.limit, record.stock = amount, amount * 300000, given
        else:
            stock = self.gas_of(user)
            record.pledged += amount
            record.limit += amount * 300000
            record.stock = min(stock + given, record.limit)
        record.time_ns = self.now_ns

    def pledge(self, frame: Frame, pledger: str, user: str, text: str) -> None:
        """gas.iost/pledge."""
        amount = self._pledge_amount(frame, pledger, user, text)
        self._change_gas(user, amount, amount * 100000)
        self.books.pledges[pledger, user] = self.books.pledges.get((pledger, user), Decimal(0)) + amount
        self._call(frame, TOKEN, "transfer", ["iost", pledger, GAS, text, ""], False)
        self._receipt(frame, pledger, user, text)

    def unpledge(self, frame: Frame, pledger: str, user: str, text: str) -> None:
        """gas.iost/unpledge."""
        amount = self._pledge_amount(frame, pledger, user, text)
        own = self.books.pledges.get((pledger, user), Decimal(0))
        need(own >= amount, "not that much pledged")
        need(self.books.gas[user].pledged - amount >= 10, "too little left")
        self._change_gas(user, -amount, Decimal(0))
        if own == amount:
            del self.books.pledges[pledger, user]
        else:
            self.books.pledges[pledger, user] = own - amount
        units = canonical(int(amount.scaleb(IOST_DECIMALS)), IOST_DECIMALS)
        args = ["iost", GAS, pledger, units, self.now_ns + THREE_DAYS_NS, ""]
        self._call(frame, TOKEN, "transferFreeze", args, True)
        self._receipt(frame, pledger, user, text)


Body = Callable[..., None]
METHODS: Final[Mapping[tuple[str, str], tuple[Sequence[type], Body]]] = {
    (TOKEN, "create"): ((str, str, int, object), Run.create),
    (TOKEN, "issue"): ((str, str, str), Run.issue),
    (TOKEN, "transfer"): ((str, str, str, str, str), Run.transfer),
    (TOKEN, "transferFreeze"): ((str, str, str, str, int, str), Run.transfer_freeze),
    (TOKEN, "destroy"): ((str, str, str), Run.destroy),
    (TOKEN, "balanceOf"): ((str, str), Run.balance_of),
    (NFT, "create"): ((str, str, int), Run.nft_create),
    (NFT, "issue"): ((str, str, str), Run.nft_issue),
    (NFT, "transfer"): ((str, str, str, str), Run.nft_transfer),
    (GAS, "pledge"): ((str, str, str), Run.pledge),
    (GAS, "unpledge"): ((str, str, str), Run.unpledge),
}
"""Argument types and body of each native method that attackers call."""
