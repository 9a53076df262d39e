"""Form checks of requests."""

import pytest

from iost.chain.v1.transaction_pb2 import Transaction
from iost.vm.v1.execution_service_pb2 import ExecuteTransactionsRequest
from vm_service import forms
from vm_service.errors import MalformedRequestError


@pytest.mark.parametrize("option", forms.DRY_RUN_OPTIONS)
def test_what_takes_something_for_granted_is_never_committed(option: str) -> None:
    request = ExecuteTransactionsRequest(transactions=[Transaction(publisher="alice")], **{option: True})
    with pytest.raises(MalformedRequestError, match=f"{option} needs dry_run"):
        forms.execute(request.SerializeToString())
    request.dry_run = True
    assert forms.execute(request.SerializeToString()).dry_run
