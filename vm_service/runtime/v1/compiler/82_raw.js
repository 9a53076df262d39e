// Raw images: a contract that an operator stored as it is, neither rewritten nor charged for its code; what it calls of the
// libraries is charged as ever, and names resolve as in any contract. The chain never makes one of its own accord:
// publishing always compiles.
(function (V8VM) {
  'use strict';

  const { esprima } = globalThis.v8vmCompiler;
  const tree = V8VM.tree;
  const { Lowering } = V8VM;
  const { ENDOWMENTS, scriptText } = V8VM.image;

  // The tree with every name resolved and nothing else changed: for code that runs as it is.
  function resolved(node, lowering) {
    if (node.type === 'Identifier' && lowering.references.has(node)) return lowering.Identifier(node);
    if (node.type === 'UnaryExpression' && node.operator === 'typeof' && node.argument.type === 'Identifier') return lowering.typeofName(node.argument);
    if (tree.isFunction(node) && lowering.early.has(node)) return { ...resolvedParts(node, lowering), ...lowering.unreadable(node) };
    const parts = resolvedParts(node, lowering);
    if (node.type !== 'TaggedTemplateExpression') return parts;
    return { type: 'CallExpression', callee: parts.tag, arguments: [lowering.strings(node.quasi), ...parts.quasi.expressions] };
  }

  function resolvedParts(node, lowering) {
    const copy = {};
    for (const key in node) {
      const value = node[key];
      if (Array.isArray(value)) copy[key] = value.map((item) => (tree.isNode(item) ? resolved(item, lowering) : item));
      else copy[key] = tree.isNode(value) ? resolved(value, lowering) : value;
    }
    if (node.type === 'Property' && node.shorthand) copy.shorthand = false;
    if (node.type === 'TryStatement') for (const part of [copy.handler?.body, copy.finalizer]) if (part) part.body.unshift(final(lowering));
    return copy;
  }

  // What `catch` and `finally` begin with: a stop of the sandbox goes on through them.
  const final = (lowering) => tree.statement(lowering.callHelper('check'));

  // Source text -> {reference, methods, text, endowments}.
  function compileRaw(source) {
    const program = esprima.parseScript(source, { range: true });
    V8VM.rewrite.checkNames(program, V8VM.rewrite.isHelperName);
    const early = V8VM.earlyErrors(program, source, () => false);
    const lowering = new Lowering(program, null, new V8VM.scope.Analysis(program), early, ENDOWMENTS);
    const text = scriptText(lowering, resolved(program, lowering).body);
    return { reference: source, methods: V8VM.publicMethods(program), text, endowments: [...lowering.needed] };
  }

  V8VM.compileRaw = compileRaw;
})(globalThis.V8VM);
