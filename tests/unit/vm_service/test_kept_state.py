"""Nothing that one call does changes the next: all that scripts of the runtime keep is known, with the reason."""

import pytest

from tests.support.script_state import kept_state
from vm_service import runtime

LOADED = "filled while the script is loaded, then only read"
METER = "`enter` sets every field anew for an outermost call; `left`, `ceiling` and `depth` are those of its frame"
BATCH = "made anew when a batch is opened"
TRANSACTION = "made anew when a transaction begins"
TRACE = "of a traced run only, whose results are not used; `end` clears it"
OUTERMOST = "forgotten when an outermost call begins (`forget`, v1/90_invoke.js)"

METER_ENTRY = "kernel/10_meter.js meter"
"""Other scripts know the same object by the same name."""

REASONS = {
    "kernel/00_primordials.js primordials": LOADED,
    "kernel/05_mailbox.js callHost": LOADED,
    "kernel/05_mailbox.js capacity": "size of the buffer that the host reads; no contract sees it",
    "kernel/05_mailbox.js header": "the buffer that the host reads; no contract sees it",
    "kernel/05_mailbox.js units": "the buffer that the host reads; no contract sees it",
    METER_ENTRY: METER,
    "kernel/10_meter.js watcher": TRACE,
    "kernel/12_json.js NUMERALS": "a pattern; `replace` begins at its start whatever it held",
    "kernel/15_costs.js prices": "prices of the chain's settings, which are part of the state (kernel/76_settings.js)",
    "kernel/24_decimal.js POWERS": LOADED,
    "kernel/24_decimal.js i": LOADED,
    "kernel/28_wire.js DIGIT": LOADED,
    "kernel/28_wire.js i": LOADED,
    "kernel/50_journal.js cache": "what the state holds at the pinned version; a read costs the same without it",
    "kernel/50_journal.js foretold": TRANSACTION,
    "kernel/50_journal.js keyCount": TRANSACTION,
    "kernel/50_journal.js log": "counts up; only compared for being equal",
    "kernel/50_journal.js sequences": TRANSACTION,
    "kernel/50_journal.js serial": "counts up; only compared for being equal",
    "kernel/50_journal.js touched": TRANSACTION,
    "kernel/50_journal.js undo": TRANSACTION,
    "kernel/50_journal.js view": BATCH,
    "kernel/60_context.js block": "set for each batch and transaction",
    "kernel/60_context.js transaction": TRANSACTION,
    "kernel/61_failures.js V8VM.v1.lastFailure": "taken and cleared by the kernel as soon as a call has failed",
    "kernel/61_failures.js carrier": "taken with the failure of the same call; decides places of a trace only",
    "kernel/62_frames.js current": "the running frame, set for each call and restored behind it",
    "kernel/64_host.js context": "its assigned field is one of the transaction",
    "kernel/66_images.js asked": BATCH,
    "kernel/66_images.js compiled": BATCH,
    "kernel/66_images.js needs": BATCH,
    "kernel/66_images.js used": BATCH,
    "kernel/68_natives.js contracts": LOADED,
    "kernel/68_natives.js sets": "what follows from the table of native contracts, kept",
    "kernel/71_token.js context": "its assigned field is one of the transaction",
    "kernel/76_settings.js costs": "follows the settings in the state, read before each transaction",
    "kernel/76_settings.js loaded": "follows the settings in the state, read before each transaction",
    "kernel/76_settings.js stale": "set whenever a batch is opened or the settings are written",
    "kernel/80_transaction.js NO_RAM": LOADED,
    "kernel/90_entry.js batch": BATCH,
    "v1/01_permits.js HOST_MODULES": LOADED,
    "v1/01_permits.js INTRINSICS": LOADED,
    "v1/01_permits.js OVERRIDABLE": LOADED,
    "v1/02_lockdown.js REMADE": LOADED,
    "v1/02_lockdown.js V8VM.v1.hardened": LOADED,
    "v1/02_lockdown.js V8VM.v1.intrinsics": LOADED,
    "v1/15_forms.js isUsed": OUTERMOST,
    "v1/15_forms.js loose": OUTERMOST,
    "v1/17_trace.js Error": TRACE,
    "v1/17_trace.js callSites": TRACE,
    "v1/17_trace.js on": TRACE,
    "v1/17_trace.js stop": TRACE,
    "v1/17_trace.js thrown": TRACE,
    "v1/17_trace.js throws": TRACE,
    "v1/19_chains.js below": OUTERMOST,
    "v1/19_chains.js isUsed": OUTERMOST,
    "v1/22_objects_of_images.js WITHOUT_KEYS": LOADED,
    "v1/31_arrays.js underway": "what `join` is at work on; emptied on every way out of it",
    "v1/32_objects.js engineErrors": LOADED,
    "v1/32_objects.js bindings": "its keys are functions that a call has bound, which no other call can reach",
    "v1/32_objects.js mathFunctions": LOADED,
    "v1/32_objects.js registered": OUTERMOST,
    "v1/32_objects.js registry": OUTERMOST,
    "v1/33_sorting.js forms": "a deletion of an array that `loosen` passes through",
    "v1/40_json.js ESCAPED_ALL": "a pattern; `replace` begins at its start whatever it held",
    "v1/49_operands.js Copy": LOADED,
    "v1/49_operands.js limbs": "not the function: a list of its own in `copyLimbs`",
    "v1/50_bignumber.js SECOND_NUMBER": LOADED,
    "v1/50_bignumber.js SETTINGS": LOADED,
    "v1/50_bignumber.js inside": "whether the library is at work; cleared on every way out of it",
    "v1/50_bignumber.js prices": LOADED,
    "v1/50_bignumber.js statics": LOADED,
    "v1/50_bignumber.js wrapped": LOADED,
    "v1/51_int64.js MAX": LOADED,
    "v1/51_int64.js MIN": LOADED,
    "v1/52_float64.js MAX": LOADED,
    "v1/52_float64.js MIN": LOADED,
    "v1/61_blockchain.js HTML": "a pattern whose only field is set back behind each use",
    "v1/63_console.js Console": LOADED,
    "v1/90_invoke.js isUntidy": "false again behind each outermost call: the number library was set right",
    "v1/90_invoke.js V8VM.v1.lastFailure": "taken and cleared by the kernel as soon as a call has failed",
    "v1/90_invoke.js table": "images, which hold code only: each call runs the contract's top level anew",
    "v1/90_invoke.js values": "what all calls share, frozen by the lockdown",
    "v1/compiler/10_nesting.js CLOSING": LOADED,
    "v1/compiler/10_nesting.js OPENING": LOADED,
    "v1/compiler/10_nesting.js PREFIXES": LOADED,
    "v1/compiler/15_long_names.js KEYS": LOADED,
    "v1/compiler/25_size.js LEVELS": LOADED,
    "v1/compiler/25_size.js LINES": LOADED,
    "v1/compiler/40_points.js OPENS_POINT": LOADED,
    "v1/compiler/40_points.js PRICES": LOADED,
    "v1/compiler/60_scope.js RESULT_IS_NUMBER": LOADED,
    "v1/compiler/60_scope.js STRICT_ONLY_WORDS": LOADED,
    "v1/compiler/62_early.js STATEMENTS_WITH_HEAD": LOADED,
    "v1/compiler/65_region.js JUMPS": LOADED,
    "v1/compiler/65_region.js LOOPS": LOADED,
    "v1/compiler/71_statements.js Lowering": LOADED,
    "v1/compiler/71_statements.js seen": "keyed by nodes of one syntax tree",
    "v1/compiler/72_expressions.js Lowering": LOADED,
    "v1/compiler/72_expressions.js PASSED_BY_NAME": LOADED,
    "v1/compiler/73_assignments.js Lowering": LOADED,
    "v1/compiler/80_image.js ENDOWMENTS": LOADED,
    "v1/compiler/88_inspect.js MODULES": LOADED,
}
"""What outlives a call, and why no contract can tell."""

SCRIPTS = {
    name: text
    for name, text in (*runtime.execution_sources(), *runtime.compiler_sources())
    if name.startswith(("kernel/", "v1/"))
}


def _found() -> set[str]:
    kept = {f"{name} {state}" for name, text in SCRIPTS.items() for state in kept_state(text)}
    return {entry for entry in kept if not entry.endswith(" meter") or entry == METER_ENTRY}


def test_all_state_that_outlives_a_call_has_a_reason() -> None:
    assert sorted(_found() - set(REASONS)) == []


def test_no_reason_is_left_of_state_that_is_gone() -> None:
    assert sorted(set(REASONS) - _found()) == []


@pytest.mark.parametrize(
    ("body", "name"),
    [
        ("let last = null;", "last"),
        ("var a = 1, b;", "a"),
        ("const seen = new WeakMap();", "seen"),
        ("const one = new Something();", "one"),
        ("const list = [];\n  const add = (x) => ArrayPrototypePush(list, x);", "list"),
        ("const flags = { on: false };\n  function f() { flags.on = true; }", "flags"),
        ("const counts = {};\n  function f(k) { counts[k] += 1; }", "counts"),
        ("const state = { n: 0 };\n  function f() { state.n++; }", "state"),
        ("const { shared } = V8VM;\n  function f(k) { delete shared[k]; }", "shared"),
        ("const { a, shared: ours } = V8VM;\n  function f(k) { ours.push(k); }", "ours"),
        ("function f() { f.calls = 1; }", "f"),
        ("class Kept { static all = new Map(); }\n  const f = (k) => Kept.all.set(k, 1);", "Kept"),
        ("function f(x) { V8VM.v1.last = x; }", "V8VM.v1.last"),
        ("const text = '}'; // }\n  const slash = /[/}'\"]/;\n  let after = `}`;", "after"),
    ],
)
def test_new_state_is_found(body: str, name: str) -> None:
    assert name in kept_state(f"(function (V8VM) {{\n  'use strict';\n\n  {body}\n}})(globalThis.V8VM);\n")


def test_what_ends_with_a_call_is_none() -> None:
    text = "(function () {\n  const LIMIT = 5;\n  function f(x) { let y = x; const m = new Map(); m.set(1, y); }\n})();"

    assert kept_state(text) == set()
