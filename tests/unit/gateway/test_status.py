"""What `v8vm status` calls wrong, and what it shows."""

import pytest

from gateway.cli.status import MEANINGS, head_age_s, problems, rows
from iost.gateway.v1 import inspection_service_pb2 as pb

NOW = 1_700_000_000_000_000_000


def healthy() -> pb.GetStatusResponse:
    answer = pb.GetStatusResponse(time_ns=NOW)
    answer.services.add(kind=pb.SERVICE_KIND_GATEWAY, address="g:1", serving=True, software_version="1.0")
    for address in ("v:1", "v:2"):
        vm = answer.services.add(kind=pb.SERVICE_KIND_VM, address=address, serving=True, software_version="1.0")
        vm.build_id = "0123456789"
        vm.pool.ready_count = vm.pool.wanted_count = 2
    state = answer.services.add(kind=pb.SERVICE_KIND_STATE, address="s:1", serving=True, software_version="1.0")
    state.head.version, state.head.time_ns = 7, NOW - 2_500_000_000
    return answer


def cells(answer: pb.GetStatusResponse) -> list[list[str]]:
    return [[str(cell) for cell in row] for row in rows(answer)]


def test_a_healthy_node_has_a_row_for_each_service_and_pool_and_nothing_wrong() -> None:
    assert cells(healthy()) == [
        ["gateway", "g:1", "serving", "yes", "1.0", "", "", ""],
        ["vm", "v:1", "serving", "yes", "1.0", "", "", ""],
        ["workers", "v:1", "2 ready", "", "", "23456789", "", ""],
        ["vm", "v:2", "serving", "yes", "1.0", "", "", ""],
        ["workers", "v:2", "2 ready", "", "", "23456789", "", ""],
        ["state", "s:1", "serving", "yes", "1.0", "", "7", "2.5 s"],
    ]
    assert list(problems(healthy())) == []


def test_a_service_without_an_answer_is_named_and_the_others_are_shown() -> None:
    answer = healthy()
    answer.services[1].CopyFrom(pb.ServiceStatus(kind=pb.SERVICE_KIND_VM, address="v:1", error="UNAVAILABLE"))
    assert list(problems(answer)) == ["vm v:1: no answer (UNAVAILABLE)"]
    assert cells(answer)[1] == ["vm", "v:1", "unknown", "", "", "", "", ""]
    assert cells(answer)[-1][6] == "7"


@pytest.mark.parametrize("reason", sorted(MEANINGS))
def test_refused_commits_are_told_with_the_reason_in_words(reason: str) -> None:
    answer = healthy()
    answer.services[-1].refusal = reason
    assert list(problems(answer)) == [f"state s:1: commits are refused, {reason} ({MEANINGS[reason]})"]
    assert cells(answer)[-1][3] == "no"


def test_services_that_do_not_serve_or_have_no_worker_are_wrong() -> None:
    answer = healthy()
    answer.services[0].serving = False
    answer.services[1].pool.ready_count = 0
    assert list(problems(answer)) == ["gateway g:1: does not serve", "vm v:1: no worker is ready"]


def test_builds_and_versions_are_compared() -> None:
    answer = healthy()
    answer.services[1].build_id = "other"
    answer.services[3].software_version = "1.1"
    assert list(problems(answer)) == [
        "VM services differ in their build: 0123456789, other",
        "services differ in their version: 1.0, 1.1",
    ]


@pytest.mark.parametrize(
    ("age_s", "max_age_s", "wrong"),
    [
        (60, 0, []),
        (60, 60, []),
        (61, 60, ["the head is 61.0 s old, more than 60 s"]),
        (-1, 0, []),
        (-2, 0, ["the head is 2.0 s ahead of the gateway's clock"]),
    ],
)
def test_the_head_is_held_against_the_clock(age_s: int, max_age_s: float, wrong: list[str]) -> None:
    answer = healthy()
    answer.services[-1].head.time_ns = NOW - age_s * 10**9
    assert head_age_s(answer) == age_s
    assert list(problems(answer, max_age_s)) == wrong
