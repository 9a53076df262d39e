"""The build id: names everything that decides results. Receipts of equal builds are equal."""

from vm_service import gas_schedule, runtime
from vm_service.sandbox.isolate import MINI_RACER_VERSION, V8_VERSION


def build_id(flags: tuple[str, ...] = ()) -> str:
    """Returns the build id: engine, gas schedule, runtime digest and the V8 flags beyond the fixed ones."""
    engine = (f"v8-{V8_VERSION}", f"mini-racer-{MINI_RACER_VERSION}")
    return " ".join([*engine, f"gas-{gas_schedule.VERSION}", f"runtime-{runtime.digest()[:16]}", *flags])
