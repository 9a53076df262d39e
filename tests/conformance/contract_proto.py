"""The reference's protobuf form of a contract, for initSetCode: Contract{1 ID, 2 info, 3 code}."""

import base64
from collections.abc import Mapping
from typing import Any


def _varint(number: int) -> bytes:
    out = bytearray()
    while number >= 128:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])


def _field(number: int, data: bytes) -> bytes:
    return bytes([number << 3 | 2]) + _varint(len(data)) + data


def _text(number: int, text: str) -> bytes:
    return _field(number, text.encode()) if text else b""


def encode(contract_id: str, abi: Mapping[str, Any], code: str) -> str:
    """Returns the contract in base64."""
    info = _text(1, abi.get("lang") or "") + _text(2, abi.get("version") or "")
    for method in abi.get("abi") or []:
        content = _text(1, method["name"]) + b"".join(_field(2, arg.encode()) for arg in method.get("args") or [])
        for limit in method.get("amountLimit") or []:
            content += _field(3, _text(1, limit.get("token") or "") + _text(2, limit.get("val") or ""))
        info += _field(3, content)
    return base64.b64encode(_text(1, contract_id) + _field(2, info) + _text(3, code)).decode()
