"""Exit codes of the command: every error has one, and every code has a meaning."""

import json
from pathlib import Path

import grpc
import pytest

from chassis.errors import TRANSPORT_REASONS, MalformedRequestError, ServiceError
from gateway.cli.exit_codes import MEANINGS, OF_REASON, OF_VERDICT, ExitCode, summary
from gateway.cli.failures import InputError, report_of
from gateway.client import CompileError, TransactionError
from gateway.client.key_files import KeyFileError, KeyFileExistsError
from iost.gateway.v1.contract_service_pb2 import CompileOutcome
from iost.gateway.v1.outcome_pb2 import (
    VERDICT_DUPLICATE,
    VERDICT_EXECUTED,
    VERDICT_UNSPECIFIED,
    TransactionOutcome,
    Verdict,
)


def service_error(code: grpc.StatusCode, reason: str = "ODD") -> ServiceError:
    error = ServiceError("text")
    error.code, error.reason = code, reason
    return error


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (service_error(grpc.StatusCode.INTERNAL), 1),
        (service_error(grpc.StatusCode.DATA_LOSS), 1),
        (CompileError(CompileOutcome(message="line 1")), 1),
        (MalformedRequestError("text", field="names"), 2),
        (InputError("text"), 2),
        (KeyFileError("text"), 2),
        (FileNotFoundError(2, "No such file or directory", "x.js"), 2),
        (service_error(grpc.StatusCode.NOT_FOUND), 3),
        (service_error(grpc.StatusCode.FAILED_PRECONDITION, "VERSION_UNAVAILABLE"), 3),
        (service_error(grpc.StatusCode.FAILED_PRECONDITION), 4),
        (TransactionError("VERDICT_REFUSED", "text", TransactionOutcome()), 4),
        (TransactionError("STATUS_CODE_RUNTIME_ERROR", "text", TransactionOutcome()), 5),
        (TransactionError("17", "a status that only newer services know", TransactionOutcome()), 5),
        (service_error(grpc.StatusCode.ABORTED), 6),
        (service_error(grpc.StatusCode.FAILED_PRECONDITION, "STORE_LOCKED"), 6),
        (KeyFileExistsError("text"), 6),
        (service_error(grpc.StatusCode.UNAVAILABLE), 7),
        (service_error(grpc.StatusCode.DEADLINE_EXCEEDED), 7),
        (TransactionError("VERDICT_TIMEOUT", "text", TransactionOutcome()), 7),
    ],
)
def test_each_error_has_its_exit_code(error: Exception, code: int) -> None:
    report = report_of(error)
    assert report is not None
    assert report.exit_code == code
    assert json.loads(report.json())["error"]["exit_code"] == code


def test_a_bug_is_no_expected_failure() -> None:
    assert report_of(KeyError("x")) is None
    assert report_of(OSError("without a file")) is None


def test_the_line_is_one_line_with_reason_incident_and_notes() -> None:
    error = ServiceError("two\nlines", metadata={"incident": "0a1b"})
    error.add_note("state service at 127.0.0.1:7003")
    report = report_of(error)
    assert report is not None
    assert report.line() == "v8vm: INTERNAL_BUG: two lines (state service at 127.0.0.1:7003) (incident 0a1b)"
    assert json.loads(report.json())["error"]["metadata"] == {"incident": "0a1b"}


def test_every_exit_code_has_a_meaning_and_stands_in_the_help() -> None:
    assert set(MEANINGS) == set(ExitCode)
    assert all(f"{code:d} {name}" in summary() for code, (name, _) in MEANINGS.items())


def test_the_tables_name_only_what_services_answer() -> None:
    documented = (Path(__file__).parents[3] / "docs/errors.md").read_text("utf-8")
    assert all(f"| `{reason}` |" in documented for reason in OF_REASON)
    assert {reason for reason, _ in TRANSPORT_REASONS.values()} & set(OF_REASON) == {"MESSAGE_TOO_LARGE"}
    without_receipt = set(Verdict.values()) - {VERDICT_UNSPECIFIED, VERDICT_EXECUTED, VERDICT_DUPLICATE}
    assert set(OF_VERDICT) == {Verdict.Name(verdict) for verdict in without_receipt}
