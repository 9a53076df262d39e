"""Counted depth keeps calls away from the end of V8's own stack; a call that V8 refuses is no error of its contract."""

import json
import re
import subprocess
import sys

from tests.fault.stack import HARMLESS, LEAST_SLOTS, SUBJECTS, recursions, subject, uncounted
from tests.support.language import Language

OFFSETS = 11
"""Every so many offsets of 8 bytes; `python -m tests.fault.stack` takes each."""


def test_every_function_of_the_library_that_calls_back_counts_its_stack() -> None:
    answer = recursions(short=True)
    found = [item for item in answer["found"] if not item[0].endswith(HARMLESS)]

    assert (answer["tried"] > 350, len(found) > 1000) == (True, True)
    assert uncounted(found, LEAST_SLOTS) == []


ELSEWHERE = {
    "thrown": "of traced images",
    "check": "of images that run as they are",
    "powerPaid": "no image calls it: powers have no operator of the engine in place",
    "none": "a value",
    "meter": "a value",
}
"""Helpers that no subject need call."""

LIBRARIES = """strings.methods strings.statics arrays.methods objects.objectStatics objects.objectMethods
    objects.functionMethods objects.numberMethods objects.numberStatics objects.mathFunctions objects.globalFunctions
    objects.symbolStatics numbers.wrapped numbers.statics storage.methods blockchain crypto json Int64.prototype
    Float64.prototype console.Console.prototype console"""
NO_FUNCTIONS = {"constructor", "FERAL_PARSE", "Console", "emptyOptions"}
BY_THE_ENGINE = {"toFormat"}
"""It fails, as in the reference, in the words of the engine, which reads the source again for them: near the end of the
stack V8 gives up without an error, and names the callee otherwise. Counted depth keeps every call away from there."""


def test_subjects_call_every_helper_and_every_function_of_the_library(language: Language) -> None:
    def listed(expression: str) -> set[str]:
        text = f"(({{ v1, primordials: P }}) => P.JSONStringify({expression}))(V8VM)"
        return set(json.loads(language.isolate.evaluate(text)))

    images = [language.compiler.compile(subject(name), "", False).image for name in SUBJECTS]
    helpers = {name for image in images for name in re.findall(r"_IOST\$([A-Za-z]+)", image)}
    called = set(re.findall(r"[A-Za-z_]\w*", " ".join(SUBJECTS.values())))
    functions = {name for library in LIBRARIES.split() for name in listed(f"P.ReflectOwnKeys(v1.{library})")}

    assert listed("P.ObjectKeys(v1.helpers)") - helpers - set(ELSEWHERE) == set()
    assert functions - called - NO_FUNCTIONS - BY_THE_ENGINE == set()


def test_calls_that_v8_refuses_leave_the_meter_and_the_library_whole() -> None:
    """In a process of its own: the size of the stack is one for all isolates."""
    command = [sys.executable, "-m", "tests.fault.stack", "--step", str(OFFSETS)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)

    assert done.stdout.endswith("\n0 faults\n"), done.stdout + done.stderr
    assert done.stdout.count(" broken") > 15
