"""Runs contracts in the reference form: the text that the chain stores as code, a call of the counter at every point.

The image that production runs is lowered from the same tree: charges merged, operators inlined, depth counted. This
module runs the unlowered text on the plainest helpers that the rules allow, so that both can be held against each
other: equal results and equal gas, whatever the lowering does.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from unittest.mock import patch

from vm_service.compiler.pipeline import Compiler, CompileResult
from vm_service.worker import compile_stage

HELPERS = """
  const _IOSTInstruction_counter = { incr(gas) { helpers.meter.charge(gas); } };
  const shown = (value) => {
    if (value === null || value === undefined || value.toString().length <= 0) return 0;
    return value.toString().length;
  };
  function _IOSTBinaryOp(left, right, op) {
    helpers.meter.charge(3);
    const texts = typeof left === 'string' || typeof right === 'string';
    const compares = ['==', '!=', '===', '!==', '<', '<=', '>', '>='];
    for (let i = 0; i < compares.length; i++) {
      if (compares[i] === op && texts) helpers.meter.charge(shown(left) + shown(right));
    }
    switch (op) {
      case '+': {
        const sum = left + right;
        if (typeof sum === 'string') helpers.meter.charge(sum.length);
        return sum;
      }
      case '-': return left - right;
      case '*': return left * right;
      case '/': return left / right;
      case '%': return left % right;
      case '**': return left ** right;
      case '|': return left | right;
      case '&': return left & right;
      case '^': return left ^ right;
      case '>>': return left >> right;
      case '>>>': return left >>> right;
      case '<<': return left << right;
      case '==': case '===': return left === right;
      case '!=': case '!==': return left !== right;
      case '<': return left < right;
      case '<=': return left <= right;
      case '>': return left > right;
      default: return left >= right;
    }
  }
  function _IOSTSpreadElement(items) {
    if (items !== null && items !== undefined && items.length > 0) helpers.meter.charge(items.length);
    return items;
  }
  function _IOSTTemplateTag(texts, ...values) {
    const parts = [texts[0]];
    for (let i = 0; i < values.length; i++) parts[parts.length] = values[i], parts[parts.length] = texts[i + 1];
    return helpers.template(...parts);
  }
"""


class ReferenceCompiler(Compiler):
    """A compile stage whose images are the reference form."""

    def compile(
        self, source: str, abi_json: str, validate: bool, timeout_s: float | None = None, *, raw: bool = False
    ) -> CompileResult:
        result = super().compile(source, abi_json, validate, timeout_s, raw=raw)
        meta = json.loads(result.meta)
        if raw or result.error is not None or meta["failure"] is not None:
            return result
        names = ", ".join(meta["endowments"])
        image = f"(function (helpers) {{{HELPERS}  return function ({names}) {{\n{result.reference}\n}}; }})"
        return replace(result, image=image)


@contextmanager
def reference_form() -> Iterator[None]:
    """Lets executors that are made inside run contracts in the reference form."""
    with patch.object(compile_stage, "Compiler", ReferenceCompiler):
        yield
