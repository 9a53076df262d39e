"""Direct writes and reads of a scenario's state: what set-up operations put there and expectations look at."""

import json
import math
from decimal import ROUND_DOWN, Decimal
from typing import Any

from tests.support.memory_state import MemoryState
from vm_service.state_keys import StoredValue, append_field, field_key, listed_fields, listing_key, plain_key
from vm_service.worker.state_reader import CommitRequest

TOKEN = "token.iost"
GAS = "gas.iost"
DEFAULT_DECIMALS = 8
NS = 10**9
GROWTH_LIMIT_S = 3 * 86400
GAS_RATE = Decimal("1.15")
GAS_STEP = Decimal("0.01")
INT64_MAX = 2**63 - 1


class Ledger:
    """State of one scenario."""

    def __init__(self) -> None:
        self.state = MemoryState()
        self._serial = 0

    # -- cells -----------------------------------------------------------------------------------------------------

    def write(self, writes: dict[str, str | None]) -> None:
        self._serial += 1
        self.state.commit(CommitRequest(f"setup {self._serial}".encode(), b"", {}, writes))

    def read(self, key: str) -> StoredValue | None:
        stored = self.state.entry(key)[0]
        return None if stored is None else StoredValue.decode(stored)

    def text(self, key: str) -> str | None:
        value = self.read(key)
        return None if value is None else value.visible

    def put(self, contract: str, key: str, value: StoredValue) -> None:
        self.write({plain_key(contract, key): value.encode()})

    def map_put(self, contract: str, key: str, field: str, value: StoredValue) -> None:
        writes: dict[str, str | None] = {field_key(contract, key, field): value.encode()}
        listing = self.state.entry(listing_key(contract, key))[0]
        if self.read(field_key(contract, key, field)) is None and field not in listed_fields(listing):
            writes[listing_key(contract, key)] = append_field(listing, field)
        self.write(writes)

    def map_get(self, contract: str, key: str, field: str) -> str | None:
        return self.text(field_key(contract, key, field))

    def map_keys(self, contract: str, key: str) -> list[str]:
        return listed_fields(self.state.entry(listing_key(contract, key))[0])

    # -- tokens ----------------------------------------------------------------------------------------------------

    def decimals(self, token: str) -> int:
        found = self.map_get(TOKEN, f"TI{token}", "decimal")
        return (0 if token == "ram" else DEFAULT_DECIMALS) if found is None else int(found)

    def balance(self, token: str, account: str) -> Decimal:
        return Decimal(self.map_get(TOKEN, f"TB{account}", token) or 0).scaleb(-self.decimals(token))

    def frozen(self, token: str, account: str) -> Decimal:
        items: list[dict[str, Any]] = json.loads(self.map_get(TOKEN, f"TF{account}", token) or "[]") or []
        return Decimal(sum(item["Amount"] for item in items)).scaleb(-self.decimals(token))

    def set_balance(self, token: str, account: str, raw: int) -> None:
        self.map_put(TOKEN, f"TB{account}", token, StoredValue("i", str(raw)))

    # -- gas -------------------------------------------------------------------------------------------------------

    def _gas(self, account: str, suffix: str) -> Decimal:
        return Decimal(self.text(plain_key(GAS, account + suffix)) or 0)

    def gas(self, account: str, now_ns: int) -> Decimal:
        """Gas of an account at a time, cut to two decimals.

        Growth is rounded in the last digit that the pledge gives it. Growth is lost when it does not fit into an int64
        together with the stock, at that digit.
        """
        since = int(self._gas(account, "gu"))
        seconds = min((now_ns - since) / NS, GROWTH_LIMIT_S) if since else 0
        pledge = self._gas(account, "gt").normalize()
        digits = max(0, -int(pledge.as_tuple().exponent)) + 2
        grown = Decimal(math.floor(float((pledge * GAS_RATE).scaleb(digits)) * seconds + 0.5)).scaleb(-digits)
        stock = self._gas(account, "gs")
        fits = abs((stock + grown).scaleb(digits)) <= INT64_MAX
        total = min(stock + grown, self._gas(account, "gl")) if fits else stock
        return total.quantize(GAS_STEP, ROUND_DOWN)

    def set_gas(self, account: str, amount: int) -> None:
        for suffix in ("gs", "gl"):
            self.put(GAS, account + suffix, StoredValue("f", f"{amount}.00"))

    def cost_gas(self, account: str, amount: Decimal, now_ns: int) -> None:
        left = self.gas(account, now_ns) - amount
        self.put(GAS, account + "gs", StoredValue("f", f"{left:f}", GAS))
        self.put(GAS, account + "gu", StoredValue("i", str(now_ns), GAS))
