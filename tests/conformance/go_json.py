"""JSON as the reference's encoder writes it: the bytes of a published contract are hashed and paid for."""

import json
import re
from collections.abc import Mapping
from typing import Any

_HALF = re.compile("[\ud800-\udfff]")
_ESCAPES = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"})


def compact(value: object) -> str:
    """Returns JSON without blanks, characters as they are; half a character, which no bytes hold, as an escape."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return _HALF.sub(lambda found: f"\\u{ord(found.group()):04x}", text)


def marshal(value: object) -> str:
    """Returns JSON as Go's encoder gives it: HTML characters escaped."""
    return compact(value).translate(_ESCAPES)


def contract_json(contract_id: str, abi: Mapping[str, Any], code: str) -> str:
    """Returns a contract as text: ID, info{lang, version, abi}, code; empty members are left out."""
    methods = [
        _present(
            name=method["name"],
            args=method.get("args"),
            amountLimit=[
                _present(token=limit.get("token"), val=limit.get("val")) for limit in method.get("amountLimit") or []
            ],
        )
        for method in abi.get("abi") or []
    ]
    info = _present(lang=abi.get("lang"), version=abi.get("version"), abi=methods)
    return marshal(_present(ID=contract_id, info=info, code=code))


def _present(**members: object) -> dict[str, object]:
    return {name: value for name, value in members.items() if value}


def account_json(account: str, owner: str, active: str) -> str:
    """Returns the record of an account with one key for each permission."""

    def permission(name: str, key: str) -> dict[str, object]:
        item = {"id": key, "permission": "", "is_key_pair": True, "weight": 1}
        return {"name": name, "groups": None, "items": [item], "threshold": 1}

    permissions = {"active": permission("active", active), "owner": permission("owner", owner)}
    return compact({"id": account, "referrer": "", "groups": {}, "permissions": permissions})
