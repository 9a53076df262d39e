"""A black-box consistency check: concurrent clients, faults, and proofs that no answer contradicts another.

`workload` sends transactions and records what it saw (`history`); `nemesis` breaks things meanwhile; `check` judges the
history; `spoil` proves that the judge finds each kind of anomaly. Nothing here reads the state of a service except
through the interfaces that callers have.
"""
