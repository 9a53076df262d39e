"""The table of receipt statuses in docs/errors.md has the numbers of the wire."""

import re
from pathlib import Path

from iost.chain.v1.receipt_pb2 import STATUS_CODE_UNSPECIFIED, StatusCode
from vm_service.convert import to_status
from vm_service.model import Status

PAGE = Path(__file__).parents[3] / "docs/errors.md"
ROW = re.compile(r"^\| (\d+) \| (\d*) \| `(STATUS_CODE_\w+)` \| (.+) \|$", re.MULTILINE)


def test_every_status_stands_with_its_number_of_the_wire() -> None:
    rows = {name: (int(wire), own) for wire, own, name, _ in ROW.findall(PAGE.read_text("utf-8"))}
    assert {name: wire for name, (wire, _) in rows.items()} == dict(StatusCode.items())
    for name, (wire, own) in rows.items():
        if wire != STATUS_CODE_UNSPECIFIED:
            assert to_status(Status(int(own), "")).code == StatusCode.Value(name)
