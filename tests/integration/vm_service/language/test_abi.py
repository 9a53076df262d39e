"""ABI documents that contract tooling generates from sources."""

import json

import pytest

from tests.support.language import Language
from vm_service.model import Limits
from vm_service.sandbox.isolate import DeadlineError
from vm_service.worker.compile_stage import CompileStage

SOURCE = """
class Vote {
  init() {}
  /**
   * @param {number} count
   * @param {json} options
   */
  open(name, count, options) {}
  // @param amount {bool}
  close(amount) {}
  _secret(a) {}
  plain(a, b) {}
}
module.exports = Vote;
"""


def test_public_methods_become_entries(language: Language) -> None:
    document = json.loads(language.compiler.generate_abi(SOURCE))

    assert (document["lang"], document["version"]) == ("javascript", "1.0.0")
    assert document["abi"] == [
        {"name": "open", "args": ["string", "number", "json"], "amountLimit": []},
        {"name": "close", "args": ["bool"], "amountLimit": []},
        {"name": "plain", "args": ["string", "string"], "amountLimit": []},
    ]


def test_the_document_is_indented_by_four(language: Language) -> None:
    assert language.compiler.generate_abi(SOURCE).startswith('{\n    "lang": "javascript",\n')


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("class A { init() {} }", "module.exports should be assigned to an identifier"),
        ("module.exports = class { init() {} };", "module.exports should be assigned to an identifier"),
        ("class A { m() {} }\nmodule.exports = A;", "init not found!"),
        (
            "class A { init() {} constructor() {} }\nmodule.exports = A;",
            "smart contract class shouldn't contain constructor method!",
        ),
        (
            "class A { init() {} m(a = 1) {} }\nmodule.exports = A;",
            "invalid method parameter type. must be Identifier, got AssignmentPattern",
        ),
        ("class A { init() { try {} catch (e) {} } }\nmodule.exports = A;", "use of try catch is not supported"),
    ],
)
def test_sources_without_an_abi(language: Language, source: str, message: str) -> None:
    with pytest.raises(ValueError, match="^" + message.replace("(", r"\(")):
        language.compiler.generate_abi(source)


@pytest.mark.parametrize("text", ["(" * 60_000, "`${" * 20_000, "class A{init(){} f(){return " + "[" * 60_000])
def test_nesting_is_refused_in_our_own_words(language: Language, text: str) -> None:
    with pytest.raises(ValueError, match=r"^source code is nested too deeply$"):
        language.compiler.generate_abi(text)


def test_a_source_that_takes_too_long_is_stopped() -> None:
    stage = CompileStage(Limits(transaction_ms=1))
    try:
        with pytest.raises(DeadlineError):
            stage.generate_abi("class A{init(){} " + "/**/m(){}" * 7_000 + "}\nmodule.exports=A;")
    finally:
        stage.close()
