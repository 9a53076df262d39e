"""`v8vm status`: how every service of the node is doing, and what is wrong."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Final

import typer
from rich.text import Text

from chassis.errors import RemoteError
from gateway.cli import options
from gateway.cli.exit_codes import ExitCode
from gateway.cli.options import Gateway, Json, Wide
from gateway.cli.output import console, print_fields, print_json, print_table
from gateway.client import Client
from iost.gateway.v1 import inspection_service_pb2 as pb

KINDS: Final[Mapping["pb.ServiceKind.ValueType", str]] = {
    pb.SERVICE_KIND_GATEWAY: "gateway",
    pb.SERVICE_KIND_VM: "vm",
    pb.SERVICE_KIND_STATE: "state",
}

COLUMNS: Final = ("service", "address", "health", "commits", "version", "build", "head", "age")
BUILD_CHARS: Final = 8
"""Last characters of a build id in the table: enough to see a difference; `--json` has all of it."""

AHEAD_S: Final = 1.0
"""How far the head may lie ahead of the gateway's clock before a clock is wrong: above what time services leave."""

MEANINGS: Final[Mapping[str, str]] = {
    "STORAGE_FULL": "the disk of the store is full",
    "STORAGE_FAILED": "a write to the store failed; writes have stopped",
    "STATE_CORRUPTED": "stored data are damaged; writes have stopped",
    "WRITES_STOPPED": "writes have stopped; the store is being opened anew",
    "BACKLOG_FULL": "too many versions are neither final nor folded",
    "NO_GENESIS": "the chain has no genesis yet; see `v8vm genesis`",
    "NO_WORKERS": "no worker process can start",
    "STATE_SERVICE_UNREACHABLE": "the state service does not answer",
    "VM_SERVICE_UNREACHABLE": "no VM service answers",
    "NO_VM_SERVICE": "no address of a VM service is known; check the gateway's setting vm_address",
    "SERVICE_DRAINING": "the process is stopping",
}
"""Reasons for which commits are refused, in words."""


def status(
    gateway: Gateway = options.GATEWAY,
    wide: Wide = False,
    as_json: Json = False,
    max_age: Annotated[
        float, typer.Option(min=0, help="Seconds that the head may be old before that counts as wrong; 0: any.")
    ] = 0,
) -> None:
    """Shows how each service and worker pool is doing; exit code 1 when anything is wrong."""
    answer = ask(gateway)
    wrong = list(problems(answer, max_age))
    if as_json:
        print_json({"gateway": gateway, "ok": not wrong, "problems": wrong, "status": answer})
    else:
        print_table(COLUMNS, rows(answer), wide=wide)
        if fields := list(_fields(answer)):
            print_fields(fields)
        for line in wrong:
            console.print(Text(f"wrong: {line}", style="red"), soft_wrap=True)
    if wrong:
        raise typer.Exit(ExitCode.CHECK_FAILED)


def ask(gateway: str) -> pb.GetStatusResponse:
    """Asks a gateway; one that cannot be reached is the only row of the answer."""
    with Client(gateway) as client:
        try:
            answer = client.status()
        except RemoteError as error:
            row = pb.ServiceStatus(kind=pb.SERVICE_KIND_GATEWAY, address=gateway, error=error.reason)
            return pb.GetStatusResponse(services=[row])
    # The gateway tells where it listens, which may be any address; this is the one that was called.
    answer.services[0].address = gateway
    return answer


def problems(answer: pb.GetStatusResponse, max_age_s: float = 0) -> Iterator[str]:
    """Lists what is wrong, a line each."""
    for service in answer.services:
        yield from _service_problems(service)
    yield from _head_problems(answer, max_age_s)
    builds = {service.build_id for service in answer.services if service.build_id}
    if len(builds) > 1:
        yield f"VM services differ in their build: {', '.join(sorted(builds))}"
    versions = {service.software_version for service in answer.services if service.software_version}
    if len(versions) > 1:
        yield f"services differ in their version: {', '.join(sorted(versions))}"


def _service_problems(service: pb.ServiceStatus) -> Iterator[str]:
    name = f"{KINDS.get(service.kind, 'service')} {service.address}".rstrip()
    if service.error:
        yield f"{name}: no answer ({service.error})"
    if not service.serving and not service.software_version:
        return  # nothing is known of its health
    if not service.serving:
        yield f"{name}: does not serve"
    if service.refusal:
        meaning = MEANINGS.get(service.refusal, "")
        yield f"{name}: commits are refused, {service.refusal}{f' ({meaning})' if meaning else ''}"
    if service.HasField("pool") and not service.pool.ready_count:
        yield f"{name}: no worker is ready"


def _head_problems(answer: pb.GetStatusResponse, max_age_s: float) -> Iterator[str]:
    age = head_age_s(answer)
    if age is None:
        return
    if age < -AHEAD_S:
        yield f"the head is {-age:.1f} s ahead of the gateway's clock"
    if 0 < max_age_s < age:
        yield f"the head is {age:.1f} s old, more than {max_age_s:g} s"


def head_age_s(answer: pb.GetStatusResponse) -> float | None:
    """Returns the age of the head against the gateway's clock; None: not known."""
    times = [service.head.time_ns for service in answer.services if service.head.time_ns]
    return (answer.time_ns - times[0]) / 1e9 if times else None


def rows(answer: pb.GetStatusResponse) -> Iterator[Sequence[object]]:
    """Makes the rows of the table: one for each service and each worker pool."""
    age = head_age_s(answer)
    for service in answer.services:
        known = service.serving or service.software_version
        head = service.head.version if service.HasField("head") else ""
        yield (
            KINDS.get(service.kind, service.kind),
            service.address,
            _mark("serving" if service.serving else "down" if known else "unknown", good=service.serving),
            _mark("no" if service.refusal else "yes", good=not service.refusal) if known else "",
            service.software_version,
            "",
            head,
            "" if age is None or not service.head.time_ns else _age_text(age),
        )
        if service.HasField("pool"):
            pool = service.pool
            short = pool.ready_count < pool.wanted_count
            text = f"{pool.ready_count} of {pool.wanted_count}" if short else f"{pool.ready_count} ready"
            ready = _mark(text, good=pool.ready_count > 0)
            yield ("workers", service.address, ready, "", "", service.build_id[-BUILD_CHARS:], "", "")


def _mark(text: str, *, good: bool) -> Text:
    return Text(text, style="green" if good else "red")


def _age_text(seconds: float) -> str:
    return f"{seconds:.1f} s" if abs(seconds) < 600 else f"{seconds / 3600:.1f} h"


def _fields(answer: pb.GetStatusResponse) -> Iterator[tuple[str, object]]:
    schedules = {service.gas_schedule_version for service in answer.services if service.gas_schedule_version}
    if schedules:
        yield "gas schedule", ", ".join(str(version) for version in sorted(schedules))
    for service in answer.services:
        if service.HasField("head"):
            yield "final version", service.head.final_version
            yield "oldest version", service.head.oldest_version
            yield "commitment", service.head.commitment.hex()
