"""The gateway's messages equal those it forwards, and every method is either forwarded or answered."""

import pytest
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor

from gateway.forwarding import ROUTES
from gateway.server import DESCRIPTORS
from iost.gateway.v1 import inspection_service_pb2
from iost.state.v1 import inspection_service_pb2 as state_inspection
from iost.state.v1 import state_service_pb2
from iost.vm.v1 import compilation_service_pb2, execution_service_pb2, worker_service_pb2

BEHIND = {
    descriptor.full_name: descriptor
    for module in (
        execution_service_pb2,
        compilation_service_pb2,
        worker_service_pb2,
        state_service_pb2,
        state_inspection,
    )
    for descriptor in module.DESCRIPTOR.services_by_name.values()
}
SERVICES = {descriptor.name: descriptor for descriptor in DESCRIPTORS}


def shape(message: Descriptor, seen: frozenset[str] = frozenset()) -> object:
    """Everything that decides the bytes of a message, and the names that people see."""
    if message.full_name in seen:
        return message.name
    return {
        field.number: (
            field.name,
            field.type,
            field.is_repeated,
            field.has_presence,
            content(field, seen | {message.full_name}),
        )
        for field in message.fields
    }


def content(field: FieldDescriptor, seen: frozenset[str]) -> object:
    if field.message_type is not None:
        return shape(field.message_type, seen)
    return values(field.enum_type) if field.enum_type is not None else None


def values(enum: EnumDescriptor) -> dict[str, int]:
    return {value.name: value.number for value in enum.values}


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.method)
def test_forwarded_messages_are_equal_on_the_wire(route) -> None:
    method = SERVICES[route.service].methods_by_name[route.method]
    service, _, name = route.target.removeprefix("/").partition("/")
    target = BEHIND[service].methods_by_name[name]
    assert shape(method.input_type) == shape(target.input_type)
    assert shape(method.output_type) == shape(target.output_type)
    assert method.server_streaming == target.server_streaming == route.stream


def test_workers_are_read_from_the_vm_service_with_an_equal_message() -> None:
    mine, theirs = inspection_service_pb2.DESCRIPTOR, worker_service_pb2.DESCRIPTOR
    for name in ("ListWorkersRequest", "ListWorkersResponse"):
        assert shape(mine.message_types_by_name[name]) == shape(theirs.message_types_by_name[name])


def test_a_difference_would_be_noticed() -> None:
    one = inspection_service_pb2.StateEntry.DESCRIPTOR
    other = inspection_service_pb2.StateValue.DESCRIPTOR
    assert shape(one) != shape(other)
