// Prices of the language, in gas: the only list of them, read by both isolates. docs/gas.md is generated from this table
// (name, price, what for). What the reference does not price is counted as work instead (kernel/10_meter.js).
(function (V8VM) {
  'use strict';

  const TABLE = {
    // Once for each node of the rewritten source, summed up and truncated where it is charged.
    node: [
      ['ThrowStatement', 50, '`throw`'],
      ['CallExpression', 4, 'a call; a rewritten operator, a spread'],
      ['TaggedTemplateExpression', 4, 'a template'],
      ['NewExpression', 8, '`new`'],
      ['YieldExpression', 8, '`yield`'],
      ['MemberExpression', 4, '`a.b`, `a[b]`'],
      ['MetaProperty', 4, '`new.target`'],
      ['AssignmentExpression', 3, '`=` and the like'],
      ['UpdateExpression', 3, '`++`, `--`'],
      ['BinaryExpression', 3, '`in`, `instanceof`'],
      ['UnaryExpression', 3, '`-a`, `!a`, `typeof a` and the like'],
      ['LogicalExpression', 3, '`&&`, `||`'],
      ['ConditionalExpression', 3, '`a ? b : c`'],
      ['ClassDeclaration', 150, 'a class'],
      ['FunctionDeclaration', 3, 'a function'],
      ['FunctionExpression', 1, 'a function expression or method'],
      ['ArrowFunctionExpression', 3, 'an arrow function'],
      ['MethodDefinition', 2, 'a method, beside its function'],
      ['VariableDeclarator', 3, 'a variable'],
      ['filled', 2, 'an object or list literal with anything in it'],
      ['item', 0.1, 'each property or item of it; an empty one'],
      ['text', 2, 'a text literal'],
      ['unit', 0.1, 'each unit of it'],
    ],
    loop: [
      ['ForStatement', 1, 'a pass of `for`'],
      ['ForInStatement', 4, 'a pass of `for in`'],
      ['ForOfStatement', 2, 'a pass of `for of`'],
      ['WhileStatement', 1, 'a pass of `while`'],
      ['DoWhileStatement', 1, 'a pass of `do`'],
      ['whileTest', 1, 'a test of `while` or `do`'],
    ],
    operator: [
      ['run', 3, 'an operator that runs; a comparison with a text adds the units of both sides, a joined text its units'],
      ['template', 4, 'a template that runs, and the price of `concat` for each of its texts'],
      ['substitution', 8, 'each `${…}` of it'],
    ],
    // Spread costs the length of what is spread.
    string: [
      ['call', 1, 'any method of texts but `toString`'],
      ['unit', 0.1, 'beside it, for each unit of the text (`concat`, `repeat`: of the result); not `charAt`, `charCodeAt`, `valueOf`'],
    ],
    array: [
      ['call', 1, 'any method of arrays, and `Array(…)`'],
      ['visit', 1, 'for each item: toString every find findIndex forEach includes join sort; concat (of the result)'],
      ['scan', 0.2, 'for each item: indexOf lastIndexOf keys reverse; `Array(…)` (of the result)'],
      ['copy', 10, 'for each item: filter map slice splice'],
      ['insert', 1, 'for each item that splice puts in'],
    ],
    math: [['call', 2, 'a function of `Math`']],
    json: [
      ['parse', 10, '`JSON.parse`, and 1 for each unit of the text'],
      ['stringify', 24, '`JSON.stringify`'],
      ['value', 56, 'each value that it visits, and 1 for each unit of what it writes for it'],
      ['toJSON', 8, 'a value with a `toJSON`'],
      ['replacer', 8, 'a value that a function replaces'],
      ['indentUnit', 2, 'each blank of a number of blanks to indent with, and a call of `Math`'],
      ['quote', 12, 'a quoted text or name'],
      ['quotedUnit', 2, 'each unit of it'],
      ['escapedUnit', 0.1, 'each unit, and 1, of a text with anything to escape'],
      ['escape', 2, 'a character that becomes `\\uXXXX`'],
      ['object', 16, 'an object'],
      ['key', 16, 'each key of it'],
      ['member', 9, 'each member that is written'],
      ['array', 16, 'a list'],
      ['item', 24, 'each item of it'],
      ['join', 1, 'an object or list with anything in it, and 1 for each part'],
      ['resultUnit', 2, 'each unit of the result'],
    ],
    number: [
      ['call', 20, '`BigNumber(…)`, abs isFinite isInteger isNaN isNegative isPositive isZero negated; base of the others'],
      ['sum', 10, 'for each digit of both numbers: plus minus div idiv mod'],
      ['product', 10, 'for each digit of one times each of the other: pow'],
      ['times', 4, 'for each digit of both: times'],
      ['compare', 2, 'for each digit of both: eq gt gte lt lte'],
      ['digits', 4, 'for each digit: integerValue sqrt toFixed'],
    ],
    crypto: [['call', 100, 'a function of `IOSTCrypto`, and 1 for each byte of its input']],
    call: [['object', 12, 'a result that is an object, beside its `JSON.stringify`']],
  };

  V8VM.prices = V8VM.pricesByName(TABLE);
  V8VM.priceTable = TABLE;
})(globalThis.V8VM);
