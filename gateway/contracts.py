"""Published contracts from state: record, ABI, source, code hash and owner."""

import hashlib
import json
from collections.abc import Sequence

from chassis.errors import MalformedRequestError
from gateway.errors import ContractNotFoundError
from gateway.forwarding import Context
from gateway.state_names import Kind, join
from gateway.state_reader import StateReader, view_of
from gateway.state_values import to_value
from iost.chain.v1.contract_pb2 import AbiAmountLimit, AbiMethod, Contract
from iost.gateway.v1 import contract_service_pb2 as pb
from iost.state.v1.state_service_pb2 import Entry

MAX_IDS = 100
"""As the interface says: a contract has up to 48 KiB of code."""


class Contracts:
    """Answers ContractService.BatchGetContracts."""

    def __init__(self, reader: StateReader) -> None:
        """Sets where state is read."""
        self._reader = reader

    async def batch_get(self, request: pb.BatchGetContractsRequest, context: Context) -> pb.BatchGetContractsResponse:
        """Reads contracts, all or none.

        Raises:
            MalformedRequestError: too many ids, or an empty one.
            ContractNotFoundError: an id is not known.
        """
        if len(request.ids) > MAX_IDS:
            raise MalformedRequestError(f"more than {MAX_IDS} contracts", field="ids")
        if not all(request.ids):
            raise MalformedRequestError("an id is empty", field="ids")
        keys = [key for contract_id in request.ids for key in _keys(contract_id)]
        entries, version = await self._reader.get(keys, view_of(request), timeout_s=context.time_remaining())
        contracts = [
            to_contract(contract_id, entries[2 * i], entries[2 * i + 1]) for i, contract_id in enumerate(request.ids)
        ]
        return pb.BatchGetContractsResponse(contracts=contracts, version=version)


def _keys(contract_id: str) -> Sequence[bytes]:
    return join(Kind.CONTRACT, contract_id), join(Kind.FIELD, "system.iost", "contract_owner", contract_id)


def to_contract(contract_id: str, record: Entry, owner: Entry) -> Contract:
    """Builds the contract from its record (JSON: id, info, code; native contracts without code) and its owner's cell.

    Raises:
        ContractNotFoundError: there is no record.
    """
    if not record.HasField("value"):
        raise ContractNotFoundError(f"contract {contract_id[:80]} does not exist", metadata={"id": contract_id[:80]})
    content = json.loads(to_value(record.key, record.value).text)
    info, source = content["info"], content.get("code", "")
    methods = [
        AbiMethod(
            name=method["name"],
            args=method.get("args") or (),
            amount_limits=[
                AbiAmountLimit(token=limit["token"], value=limit["val"]) for limit in method.get("amountLimit") or ()
            ],
        )
        for method in info.get("abi") or ()
    ]
    return Contract(
        id=contract_id,
        lang=info["lang"],
        version=info["version"],
        methods=methods,
        source=source,
        code_hash=hashlib.sha256(source.encode()).digest() if source else b"",
        owner=to_value(owner.key, owner.value).text if owner.HasField("value") else "",
    )
