// Syntax trees of the parser, seen as plain data: children in the parser's property order, and node makers.
//
// The whole directory runs in the compiler isolate, which only reads contract text and never runs it.
(function (V8VM) {
  'use strict';

  // Identifiers with this prefix name the runtime's helpers inside an image; contracts may not spell it.
  const HELPER_PREFIX = '_IOST$';

  const isNode = (value) => value !== null && typeof value === 'object' && typeof value.type === 'string';

  // Calls visit(child, key) for each child node, in the order in which the parser creates properties.
  function eachChild(node, visit) {
    for (const key in node) {
      const value = node[key];
      if (Array.isArray(value)) {
        for (const item of value) if (isNode(item)) visit(item, key);
      } else if (isNode(value)) visit(value, key);
    }
  }

  const isFunction = (node) =>
    node.type === 'FunctionDeclaration' || node.type === 'FunctionExpression' || node.type === 'ArrowFunctionExpression';

  const identifier = (name) => ({ type: 'Identifier', name });
  const literal = (value) => ({ type: 'Literal', value });
  const helper = (name) => identifier(HELPER_PREFIX + name);
  const call = (callee, ...args) => ({ type: 'CallExpression', callee, arguments: args });
  const sequence = (...expressions) => ({ type: 'SequenceExpression', expressions });
  const statement = (expression) => ({ type: 'ExpressionStatement', expression });
  const block = (body) => ({ type: 'BlockStatement', body });
  const member = (object, name) => ({ type: 'MemberExpression', computed: false, object, property: identifier(name) });
  const assign = (left, right, operator = '=') => ({ type: 'AssignmentExpression', operator, left, right });
  const binary = (operator, left, right) => ({ type: 'BinaryExpression', operator, left, right });
  const logical = (operator, left, right) => ({ type: 'LogicalExpression', operator, left, right });
  const unary = (operator, argument) => ({ type: 'UnaryExpression', operator, prefix: true, argument });
  const choice = (test, consequent, alternate) => ({ type: 'ConditionalExpression', test, consequent, alternate });

  // An error about a node or token, which knows its place if the parser was asked for places.
  const located = (message, part) => Object.assign(new Error(message), { loc: part?.loc });

  V8VM.tree = {
    HELPER_PREFIX, located, isNode, eachChild, isFunction,
    identifier, literal, helper, call, sequence, statement, block, member, assign, binary, logical, unary, choice,
  };
})(globalThis.V8VM);
