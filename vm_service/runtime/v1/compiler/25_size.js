// Bounds how much a text grows when it is rewritten and printed: every level of nesting indents each line inside it, and
// the target of `a op= b` is written twice, so that a few hundred characters could become more than any machine holds.
(function (V8VM) {
  'use strict';

  const { eachChild } = V8VM.tree;

  const LIMIT = 20000; // units that any text may become
  const LIMIT_PER_UNIT = 12; // and for each of its own; ordinary contracts make 2, dense text that nobody indented yet 8
  const INDENT = 4; // of a printed line, for each level
  const TOKENS = 8; // of a node beside its names and literals
  const ESCAPE = 6; // units that one of a literal may become
  const MESSAGE = 'source code is too large when it is written out';

  // What stands on a line of its own.
  const LINES = new Set(['SwitchCase', 'MethodDefinition', 'Property', 'VariableDeclarator', 'ClassDeclaration', 'FunctionDeclaration']);
  // What indents what is inside.
  const LEVELS = new Set([
    'BlockStatement', 'ClassBody', 'SwitchCase', 'ObjectExpression', 'ArrayExpression', 'ForStatement', 'ForInStatement', 'ForOfStatement',
    'WhileStatement', 'DoWhileStatement', 'IfStatement', 'LabeledStatement',
  ]);

  const isLine = (node, parent) => node.type.endsWith('Statement') || LINES.has(node.type) || parent?.type === 'ArrayExpression';

  function ownUnits(node) {
    if (node.type === 'Identifier') return node.name.length;
    if (node.type === 'Literal') return ESCAPE * (node.raw?.length ?? 0);
    return node.type === 'TemplateElement' ? node.value.raw.length : TOKENS;
  }

  // Adds up what a program becomes.
  class Sum {
    scratch = 0; // units that the printer makes on the way: the body of `a => e` once more for each arrow around it

    // Units that a node becomes, at most.
    units(node, parent, depth) {
      let sum = ownUnits(node) + (isLine(node, parent) ? INDENT * depth : 0);
      const inner = depth + (LEVELS.has(node.type) ? 1 : 0);
      eachChild(node, (child, key) => {
        const size = this.units(child, node, inner);
        const isTwice = key === 'left' && node.type === 'AssignmentExpression' && node.operator !== '=';
        if (key === 'body' && node.type === 'ArrowFunctionExpression') this.scratch += size;
        sum += isTwice ? 2 * size : size;
      });
      return sum;
    }
  }

  function units(program) {
    const sum = new Sum();
    return sum.units(program, null, 0) + sum.scratch;
  }

  function check(program, length) {
    if (units(program) > LIMIT + LIMIT_PER_UNIT * length) throw new Error(MESSAGE);
  }

  V8VM.size = { check, units };
})(globalThis.V8VM);
