"""How many workers there should be: a pure function of measured load, with hysteresis.

Slot utilisation leads: `busy` is the share of time in which the workers had work. Queue wait confirms: more workers are
worth their memory only when requests really wait. Going up is quick and in big steps, going down slow and by one, so
that a burst does not leave cold workers behind.

    decide(state, sample, rule) -> state      ; `state.size` is the answer
"""

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ScaleRule:
    """Bounds and thresholds."""

    least: int
    """Workers kept even when nothing happens."""
    most: int
    """Most workers."""
    target: float = 0.7
    """Share of time that workers should be busy: room for bursts of half again as much."""
    low: float = 0.4
    """Below this share one worker fewer would still be below `target` (for two workers and more)."""
    wait_s: float = 0.005
    """Queue wait that confirms a need: the time of a batch of 500."""
    full: float = 0.98
    """Share from which no confirmation is needed."""
    up_after_s: float = 0.5
    """How long a need must last: two looks."""
    down_after_s: float = 30.0
    """How long a surplus must last: longer than pauses between blocks."""


@dataclass(frozen=True, slots=True)
class LoadSample:
    """Load since the last look."""

    now_s: float
    """Monotonic time of the look."""
    busy: float
    """Share of time in which the workers had work, 0 to 1."""
    wait_s: float
    """Longest time that a request had to wait for a worker."""


@dataclass(frozen=True, slots=True)
class ScaleState:
    """What is remembered from look to look."""

    size: int
    """Workers wanted."""
    up_since_s: float | None = None
    """Since when more are needed."""
    down_since_s: float | None = None
    """Since when fewer would do."""


def decide(state: ScaleState, sample: LoadSample, rule: ScaleRule) -> ScaleState:
    """Returns the state after a look; at most twice as many workers, or one fewer."""
    size = min(max(state.size, rule.least), rule.most)
    needed = math.ceil(size * sample.busy / rule.target)
    crowded = needed > size and (sample.wait_s >= rule.wait_s or sample.busy >= rule.full)
    if crowded and size < rule.most:
        since = sample.now_s if state.up_since_s is None else state.up_since_s
        if sample.now_s - since >= rule.up_after_s:
            return ScaleState(min(needed, 2 * size, rule.most))
        return ScaleState(size, up_since_s=since)
    if size > rule.least and sample.busy < rule.low and sample.wait_s < rule.wait_s:
        since = sample.now_s if state.down_since_s is None else state.down_since_s
        if sample.now_s - since >= rule.down_after_s:
            return ScaleState(size - 1, down_since_s=sample.now_s)
        return ScaleState(size, down_since_s=since)
    return ScaleState(size)
