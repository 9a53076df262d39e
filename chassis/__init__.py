"""What every service process does, and nothing that only one of them does.

Modules, in the order a process meets them:

- `config`: environment and flags become a frozen dataclass, or the process refuses to start;
- `logging`: one JSON line per event;
- `lifecycle`: start, health, reflection, serve, drain, stop;
- `limits`: open files and threads that a process must be granted;
- `health`: the names that health answers, and following those of the service behind;
- `channels`: client channels with deadlines and retries;
- `errors`: exceptions to gRPC status with ErrorInfo, and back;
- `calls`: the boundary of every call, and the end of calls when the service stops;
- `metrics`: the registry of a service and its text exposition;
- `stall`: watches that the event loop turns;
- `failpoint`: named points where tests make a process fail.

The list is closed: a new module needs a decision in docs/adr. No word of the chain (contract, gas) belongs here.
"""

from chassis.config import quiet_grpc_core

# gRPC's C core reads its verbosity when it is first imported, so this cannot wait for `lifecycle.run`.
quiet_grpc_core()
