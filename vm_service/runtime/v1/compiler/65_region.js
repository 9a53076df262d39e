// Work of a region: how much a pass through a function or loop body makes the engine do that no gas pays for.
//
// The reference charges classes and functions at the enclosing point, once, although each pass creates them anew, and
// names and numbers cost nothing. Honest code stays far below the free amounts, so its gas is exact; text made to be
// slow is not (see docs/compatibility.md).
(function (V8VM) {
  'use strict';

  const { eachChild, isFunction } = V8VM.tree;
  const { PRICES } = V8VM.points;

  const CLASS_WORK = 60; // units of about 10 ns: a class is a constructor, a prototype and two maps
  const MEMBER_WORK = 15;
  const CLOSURE_WORK = 4;
  const FREE_CLOSURES = 8;
  const NODES_PER_GAS = 8; // nodes that one unit of static gas pays for; ordinary code has about one
  const FREE_NODES = 100;
  const NODES_PER_UNIT = 4;

  const LOOPS = new Set(['ForStatement', 'ForInStatement', 'ForOfStatement', 'WhileStatement', 'DoWhileStatement']);

  function tally(node, sum) {
    sum.nodes++;
    sum.gas += PRICES[node.type]?.(node) ?? 0;
    if (isFunction(node)) {
      sum.closures++;
      return;
    }
    if (node.type === 'ClassDeclaration' || node.type === 'ClassExpression') sum.classes++;
    if (node.type === 'MethodDefinition') sum.members++;
    eachChild(node, (child, key) => {
      if (!(LOOPS.has(node.type) && key === 'body')) tally(child, sum);
    });
  }

  // list: nodes that run once per pass; entries may be null. Returns units of work.
  function regionWork(list) {
    const sum = { nodes: 0, gas: 0, classes: 0, members: 0, closures: 0 };
    for (const node of list) if (node) tally(node, sum);
    const closures = Math.max(0, sum.closures - FREE_CLOSURES - sum.members);
    const unpaid = Math.max(0, sum.nodes - NODES_PER_GAS * sum.gas - FREE_NODES);
    return sum.classes * CLASS_WORK + sum.members * MEMBER_WORK + closures * CLOSURE_WORK + Math.trunc(unpaid / NODES_PER_UNIT);
  }

  V8VM.regionWork = regionWork;
})(globalThis.V8VM);
