"""Token balances from the state of `token.iost`, as exact decimals.

Cells: `m-token.iost-TI<token>-decimal`, `m-token.iost-TB<account>-<token>` (smallest units) and
`m-token.iost-TF<account>-<token>` (JSON list of frozen amounts, `[{"Amount": units, "Ftime": nanoseconds}]`).
"""

import json
from collections.abc import Sequence

from chassis.errors import MalformedRequestError
from gateway import amounts
from gateway.errors import TokenNotFoundError
from gateway.state_names import Kind, join
from gateway.state_reader import StateReader, view_of
from gateway.state_values import to_value
from iost.gateway.v1 import inspection_service_pb2 as pb
from iost.state.v1.state_service_pb2 import Entry

MAX_QUERIES = 1000
"""As the interface says: some 3,000 cells, about 10 ms of the state service."""

_CELLS = 3


async def read(
    reader: StateReader, request: pb.BatchGetBalancesRequest, timeout_s: float | None
) -> pb.BatchGetBalancesResponse:
    """Answers a request for balances.

    Raises:
        MalformedRequestError: too many queries, or a query without account or token.
        TokenNotFoundError: a token does not exist.
    """
    queries = request.queries
    if len(queries) > MAX_QUERIES:
        raise MalformedRequestError(f"more than {MAX_QUERIES} balances", field="queries")
    for index, query in enumerate(queries):
        if not query.account or not query.token:
            raise MalformedRequestError("account and token must be given", field=f"queries[{index}]")
    keys = [key for query in queries for key in _keys(query)]
    entries, version = await reader.get(keys, view_of(request), timeout_s=timeout_s)
    balances = [_balance(query, entries[_CELLS * i : _CELLS * (i + 1)]) for i, query in enumerate(queries)]
    return pb.BatchGetBalancesResponse(balances=balances, version=version)


def _keys(query: pb.BalanceQuery) -> tuple[bytes, bytes, bytes]:
    return (
        join(Kind.FIELD, "token.iost", f"TI{query.token}", "decimal"),
        join(Kind.FIELD, "token.iost", f"TB{query.account}", query.token),
        join(Kind.FIELD, "token.iost", f"TF{query.account}", query.token),
    )


def _balance(query: pb.BalanceQuery, cells: Sequence[Entry]) -> pb.Balance:
    decimal_text, units_text, frozen_text = (_text(cell) for cell in cells)
    if not decimal_text:
        raise TokenNotFoundError(f"token {query.token} does not exist", metadata={"token": query.token})
    decimal_count = int(decimal_text)
    frozen = [
        pb.FrozenAmount(amount=amounts.to_text(int(item["Amount"]), decimal_count), thaw_time_ns=int(item["Ftime"]))
        for item in json.loads(frozen_text or "[]") or []
    ]
    return pb.Balance(
        account=query.account,
        token=query.token,
        amount=amounts.to_text(int(units_text or 0), decimal_count),
        decimal_count=decimal_count,
        frozen_amounts=frozen,
    )


def _text(cell: Entry) -> str:
    return to_value(cell.key, cell.value).text if cell.HasField("value") else ""
