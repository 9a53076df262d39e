"""The load signal for Kubernetes: KEDA's external-scaler protocol, answered from the numbers that scale the workers.

The first line of scaling is inside the pod, in seconds (`manager/autoscaler.py`). When the pod is at its largest, its
utilisation stays high, and KEDA adds pods. The metric is a share, the same for one pod as for all: the trigger's
`metricType` must be `Value`, not an average over replicas.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any, Protocol, TypeAlias

import grpc.aio

from chassis.errors import MalformedRequestError
from iost.keda.v1 import external_scaler_pb2 as pb
from iost.keda.v1 import external_scaler_pb2_grpc as rpc

SERVICE = "externalscaler.ExternalScaler"

UTILISATION = "slots_busy_percent"
"""Share of time in which the largest number of workers would have been busy, in percent."""
QUEUE_WAIT = "queue_wait_ms"
"""Longest time that a request waited for a worker since the last look, in milliseconds."""

TARGETS: Mapping[str, float] = {UTILISATION: 70.0, QUEUE_WAIT: 50.0}
"""Targets by metric: the same utilisation as inside the pod; a wait that callers notice."""

IDLE_SECONDS = 1.0
"""How often an open stream looks for a change."""

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"
"""What grpc hands to every method beside the request; nothing of it is needed."""


class Load(Protocol):
    """What is measured of a service."""

    @property
    def busy_ratio(self) -> float:
        """Share of time in which all workers that there may be would have been busy."""
        ...

    @property
    def wait_s(self) -> float:
        """Longest recent wait for a worker."""
        ...

    @property
    def active(self) -> bool:
        """Whether there was any request lately."""
        ...


class ScalerServicer(rpc.ExternalScalerServicer):
    """Serves the protocol."""

    def __init__(self, load: Load) -> None:
        """Takes the source of the numbers."""
        self._load = load

    async def IsActive(self, request: pb.ScaledObjectRef, context: Context) -> pb.IsActiveResponse:
        """Says whether there was any request lately."""
        return pb.IsActiveResponse(result=self._load.active)

    async def StreamIsActive(self, request: pb.ScaledObjectRef, context: Context) -> AsyncIterator[pb.IsActiveResponse]:
        """Says so at once and after each change."""
        told: bool | None = None
        while True:
            if self._load.active is not told:
                told = self._load.active
                yield pb.IsActiveResponse(result=told)
            await asyncio.sleep(IDLE_SECONDS)

    async def GetMetricSpec(self, request: pb.ScaledObjectRef, context: Context) -> pb.GetMetricSpecResponse:
        """Names both metrics."""
        specs = [
            pb.MetricSpec(metricName=name, targetSize=int(target), targetSizeFloat=target)
            for name, target in TARGETS.items()
        ]
        return pb.GetMetricSpecResponse(metricSpecs=specs)

    async def GetMetrics(self, request: pb.GetMetricsRequest, context: Context) -> pb.GetMetricsResponse:
        """Measures one metric."""
        values = {UTILISATION: self._load.busy_ratio * 100, QUEUE_WAIT: self._load.wait_s * 1000}
        if request.metricName not in values:
            raise MalformedRequestError(f"metrics are {', '.join(values)}", field="metricName")
        value = values[request.metricName]
        metric = pb.MetricValue(metricName=request.metricName, metricValue=round(value), metricValueFloat=value)
        return pb.GetMetricsResponse(metricValues=[metric])
