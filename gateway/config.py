"""Settings of the gateway: one table from which flags, variables, `--help` and documentation come."""

from dataclasses import dataclass

from chassis.config import ServerConfig, setting


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayConfig(ServerConfig):
    """The gateway: forwards execution to VM services, answers inspection from the state service."""

    port: int = setting(
        7001,
        unit="TCP port",
        help="port to listen on; 0 picks a free one",
        reason="7001, 7002, 7003: the three services",
        minimum=0,
    )
    vm_address: str = setting(
        "127.0.0.1:7002",
        unit="host:port, ...",
        help="VM services, separated by commas; all addresses of all names are balanced over by contract",
        reason="the VM service's default on the same machine",
    )
    state_address: str = setting(
        "127.0.0.1:7003",
        unit="host:port",
        help="state service",
        reason="the state service's default on the same machine",
    )
    in_flight_count: int = setting(
        4096,
        unit="calls",
        help="calls in progress beyond which further ones are refused with RESOURCE_EXHAUSTED",
        reason="half a second of the highest measured rate (8,000/s): who waits longer is served better by a retry",
        minimum=1,
    )
    in_flight_bytes: int = setting(
        256 << 20,
        unit="bytes",
        help="sum of request sizes in progress beyond which further calls are refused with RESOURCE_EXHAUSTED",
        reason="four messages of the largest size: bounds memory whatever callers send",
        minimum=1 << 20,
    )
    stream_count: int = setting(
        1000,
        unit="streams",
        help="event streams open at once",
        reason="each costs tens of kilobytes and a stream in the state service",
        minimum=1,
    )
    gather_count: int = setting(
        500,
        unit="transactions",
        help="most single transactions of different callers that share one batch",
        reason="a batch of 500 takes about 10 ms, so that the callers behind it wait no longer than that",
        minimum=1,
    )
    gather_in_flight: int = setting(
        2,
        unit="batches",
        help="gathered batches in progress for each VM service and company (transactions that may share a batch)",
        reason="one executes while the next is on its way; more would only make batches smaller",
        minimum=1,
    )
    resolve_ms: int = setting(
        3000,
        unit="milliseconds",
        help="time between look-ups of vm_address",
        reason="new VM services take traffic within seconds; DNS caches of clusters live for 5 to 30 s",
        minimum=100,
    )
    peer_loss_ms: int = setting(
        2000,
        unit="milliseconds",
        help="time for which the VM or state service may be unreachable before health says NOT_SERVING",
        reason="a restart on the same machine takes less; a load balancer should not react to it",
        minimum=0,
    )
