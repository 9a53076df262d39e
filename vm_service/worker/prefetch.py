"""Learned access lists: which keys a batch will probably read, so that one call to the store fetches them all.

When a transaction misses a key, the key is taken apart and every part that repeats its publisher or one of its
arguments becomes a slot: from `m10:token.iost7:TBaliceiost` with publisher `alice` comes the pattern "TB" + publisher.
The next transaction of the same contract and action fills the slots with its own values. A wrong guess costs a needless
read; a missing one costs a host call in the middle of the batch. Nothing here can change an outcome.

    state key = kind ( length ":" component )* last_component      ; docs/state-keys.md
    kind      = "b" | "m" | "l" | "c"                              ; 2, 3, 2, 1 components
"""

from collections.abc import Container, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import msgspec

COMPONENT_COUNT: Mapping[str, int] = {"b": 2, "m": 3, "l": 2, "c": 1}
"""Number of components of a key by its kind."""

MIN_PART_CHARS = 3
"""A value must be this long to be recognised inside a component: shorter ones are found everywhere. Accounts have five
letters at least."""

MAX_PATTERNS = 64
"""Patterns kept for one action of a contract; an honest action reads fewer than ten kinds of keys."""

MAX_ACTIONS = 4096
"""Actions remembered; the oldest is forgotten first."""

MAX_REMEMBERED = 20_000
"""Values remembered with their keys, for each action and set of slots: more accounts than are active at once."""

MAX_KEYS = 20_000
"""Keys guessed for one batch: a fifth of what the store reads at once."""

Part: TypeAlias = str | int
"""Literal text, or the index of a value of the transaction."""
Pattern: TypeAlias = tuple[str, tuple[tuple[Part, ...], ...]]
"""Kind, then the parts of each component."""

FIRST_AHEAD, MAX_AHEAD = 8, 512
"""Keys of a sequence read ahead at first, and at most: one call to the store costs as much as 500 keys in it."""

MAX_HOLE = 12
"""Keys of a sequence that may be known already, and are not missed: where there are more, their reads pay."""

MAX_STEMS = 64
"""Sequences followed at a time; a contract walks one or two."""

MAX_DIGITS = 12
"""Longest number that counts as one."""

Call: TypeAlias = tuple[str, Mapping[str, Any]]
"""Publisher and action: contract, action, data."""


def split_key(key: str) -> tuple[str, list[str]] | None:
    """Takes a state key apart; returns its kind and components, or None when it follows another grammar."""
    count = COMPONENT_COUNT.get(key[:1])
    if count is None:
        return None
    components, at = [], 1
    for _ in range(count - 1):
        colon = key.find(":", at)
        if colon < 0 or not key[at:colon].isdecimal():
            return None
        end = colon + 1 + int(key[at:colon])
        components.append(key[colon + 1 : end])
        at = end
    components.append(key[at:])
    return key[0], components


def values_of(publisher: str, contract: str, data: str) -> tuple[str, ...]:
    """Returns what the keys of a call may repeat: publisher, contract, then its plain arguments as text."""
    try:
        arguments = msgspec.json.decode(data)
    except (msgspec.DecodeError, RecursionError):
        arguments = []
    if not isinstance(arguments, list):
        arguments = []
    return (publisher, contract, *(str(item) if isinstance(item, str | int) else "" for item in arguments))


def generalise(text: str, values: Sequence[tuple[int, str]]) -> tuple[Part, ...]:
    """Replaces values inside a component by their slots. REQUIRES: `values` sorted by length, longest first."""
    for slot, value in values:
        if value == text:
            return (slot,)
        if len(value) >= MIN_PART_CHARS and value in text:
            head, _, tail = text.partition(value)
            return (*generalise(head, values), slot, *generalise(tail, values))
    return (text,) if text else ()


def _fill(parts: tuple[Part, ...], values: Sequence[str]) -> str:
    return "".join([values[part] if isinstance(part, int) else part for part in parts])


def render(pattern: Pattern, values: Sequence[str]) -> str | None:
    """Builds the key of a pattern with the values of another call; None when it has fewer values."""
    kind, components = pattern
    try:
        *prefixed, last = [_fill(parts, values) for parts in components]
    except IndexError:
        return None
    return kind + "".join([f"{len(text)}:{text}" for text in prefixed]) + last


def _slots(pattern: Pattern) -> tuple[int, ...]:
    """Returns the indexes of the values that a pattern repeats."""
    return tuple(sorted({part for parts in pattern[1] for part in parts if isinstance(part, int)}))


class _Group:
    """Patterns of one action that repeat the same values, with the keys that they gave for values met before."""

    def __init__(self) -> None:
        self.patterns: list[Pattern] = []
        self.keys: dict[tuple[str, ...], list[str]] = {}

    def add(self, pattern: Pattern) -> None:
        self.patterns.append(pattern)
        self.keys.clear()

    def render(self, chosen: tuple[str, ...], values: Sequence[str]) -> list[str]:
        if len(self.keys) >= MAX_REMEMBERED:
            self.keys.clear()
        keys = [key for pattern in self.patterns if (key := render(pattern, values)) is not None]
        self.keys[chosen] = keys
        return keys


class SequenceReader:
    """Foresees keys that count: after `item7` and `item8` come `item9` and more, twice as many each time."""

    def __init__(self) -> None:
        """Has seen nothing."""
        self._next: dict[str, tuple[int, int]] = {}  # stem -> number expected next, how many to foresee then

    def foresee(self, key: str) -> list[str]:
        """Returns keys that will probably be missed after `key`; none before two were, with few known ones between."""
        digits = len(key) - len(key.rstrip("0123456789"))
        stem = key[: len(key) - digits]
        if not 0 < digits <= MAX_DIGITS or (digits > 1 and key[-digits] == "0"):
            return []
        number = int(key[-digits:])
        expected, count = self._next.pop(stem, (-1, 0))
        goes_on = 0 <= number - expected <= MAX_HOLE and expected >= 0
        ahead = min(max(2 * count, FIRST_AHEAD), MAX_AHEAD) if goes_on else 0
        if len(self._next) >= MAX_STEMS:
            self._next.pop(next(iter(self._next)))
        self._next[stem] = (number + ahead + 1, ahead)
        return [f"{stem}{number + step}" for step in range(1, ahead + 1)]


class AccessPredictor:
    """Access patterns by contract and action."""

    def __init__(self) -> None:
        """Knows nothing yet."""
        self._known: dict[tuple[str, str], set[Pattern]] = {}
        self._groups: dict[tuple[str, str], dict[tuple[int, ...], _Group]] = {}

    def learn(self, calls: Iterable[Call], key: str) -> bool:
        """Remembers that a transaction read a key it was not prepared for.

        Args:
            calls: the calls of the transaction.
            key: the key that was missing.

        Returns:
            Whether anything was new.
        """
        parsed = split_key(key)
        if parsed is None:
            return False
        kind, components = parsed
        fresh = False
        for publisher, action in calls:
            values = values_of(publisher, action["contract"], action["data"])
            slots = sorted(((i, v) for i, v in enumerate(values) if v), key=lambda item: -len(item[1]))
            pattern = (kind, tuple(generalise(text, slots) for text in components))
            fresh |= self._remember((action["contract"], action["action"]), pattern)
        return fresh

    def _remember(self, name: tuple[str, str], pattern: Pattern) -> bool:
        known = self._known.get(name)
        if known is None:
            if len(self._known) >= MAX_ACTIONS:
                oldest = next(iter(self._known))
                del self._known[oldest], self._groups[oldest]
            known, self._groups[name] = self._known.setdefault(name, set()), {}
        if pattern in known or len(known) >= MAX_PATTERNS:
            return False
        known.add(pattern)
        self._groups[name].setdefault(_slots(pattern), _Group()).add(pattern)
        return True

    def predict(self, calls: Iterable[Call], known: Container[str]) -> list[str]:
        """Returns keys that the calls will probably read and that are not in `known`, at most `MAX_KEYS`."""
        found: dict[str, None] = {}
        for publisher, action in calls:
            groups = self._groups.get((action["contract"], action["action"]))
            if groups is None:
                continue
            values = values_of(publisher, action["contract"], action["data"])
            for slots, group in groups.items():
                if slots and slots[-1] >= len(values):
                    continue
                chosen = tuple([values[slot] for slot in slots])
                for key in group.keys.get(chosen) or group.render(chosen, values):
                    if key not in known:
                        found[key] = None
            if len(found) >= MAX_KEYS:
                break
        return list(found)[:MAX_KEYS]
