// Work of a region: how much a pass through a function or loop body makes the engine do that no gas pays for.
//
// The reference charges classes and functions at the enclosing point, once, although each pass creates them anew; empty
// objects and lists cost a tenth of a unit, names and numbers nothing. Ordinary code pays for what it makes with what it
// does beside, so its gas is exact; text made to be slow or to fill the memory is not (see docs/compatibility.md).
//
// INVARIANT: what surely runs together pays for itself. A branch, and what follows a jump, is a part of its own: gas of
// text that is never reached pays for nothing.
(function (V8VM) {
  'use strict';

  const { eachChild, isFunction } = V8VM.tree;
  const { PRICES } = V8VM.points;

  // Units of work: about 10 ns, or 16 bytes of memory, whichever is more.
  const {
    class: CLASS_WORK, member: MEMBER_WORK, closure: CLOSURE_WORK, accessor: ACCESSOR_WORK, generator: GENERATOR_WORK,
    computed: COMPUTED_WORK, field: FIELD_WORK, object: OBJECT_WORK, entry: ENTRY_WORK, array: ARRAY_WORK, slot: SLOT_WORK,
    node: NODE_WORK,
  } = V8VM.workPrices.literal;
  const LARGE_OBJECT = 100; // properties; V8 keeps larger literals as tables
  const FREE_NAMES = 32; // of a function
  const NODES_PER_GAS = 8; // nodes that one unit of static gas pays for; ordinary code has about one
  const FREE_NODES = 100;
  const LEAST_WORK = 8; // less is not worth counting

  const LOOPS = new Set(['ForStatement', 'ForInStatement', 'ForOfStatement', 'WhileStatement', 'DoWhileStatement']);
  const JUMPS = new Set(['ReturnStatement', 'ThrowStatement', 'BreakStatement', 'ContinueStatement', 'YieldExpression']);
  const BRANCHES = {
    __proto__: null,
    IfStatement: ['consequent', 'alternate'],
    ConditionalExpression: ['consequent', 'alternate'],
    LogicalExpression: ['right'],
    SwitchStatement: ['cases'],
  };

  const closureWork = (node) => CLOSURE_WORK + FIELD_WORK * countFields(node.body) + (node.generator ? GENERATOR_WORK : 0);
  const propertiesWork = (count) => (count > LARGE_OBJECT ? ENTRY_WORK : SLOT_WORK) * count;
  const WORK = {
    __proto__: null,
    ClassDeclaration: () => CLASS_WORK,
    ClassExpression: () => CLASS_WORK,
    MethodDefinition: ({ kind }) => MEMBER_WORK + (kind === 'get' || kind === 'set' ? ACCESSOR_WORK : 0),
    ObjectExpression: ({ properties }) => OBJECT_WORK + propertiesWork(properties.length),
    Property: ({ kind, computed }) => (kind === 'init' ? 0 : ACCESSOR_WORK) + (computed ? COMPUTED_WORK : 0),
    ArrayExpression: ({ elements }) => ARRAY_WORK + SLOT_WORK * elements.length,
    FunctionDeclaration: closureWork,
    FunctionExpression: closureWork,
    ArrowFunctionExpression: () => CLOSURE_WORK,
  };

  // Assignments to fields of `this` in a function's text.
  function countFields(node) {
    let count = 0;
    if (node.type === 'AssignmentExpression' && node.left.type === 'MemberExpression' && node.left.object.type === 'ThisExpression') count++;
    eachChild(node, (child) => {
      if (!isFunction(child) || child.type === 'ArrowFunctionExpression') count += countFields(child);
    });
    return count;
  }

  // The text of a region, cut into stretches that run as a whole.
  class Region {
    nodes = 0; // of the stretch being read
    gas = 0;
    made = 0;
    unpaidNodes = 0; // of the stretches before
    unpaidMade = 0;
    jumps = 0;

    add(node) {
      this.nodes++;
      this.gas += PRICES[node.type]?.(node) ?? 0;
      this.made += WORK[node.type]?.(node) ?? 0;
      if (!isFunction(node)) eachChild(node, (child, key) => this.addChild(node, child, key));
      if (!JUMPS.has(node.type)) return;
      this.jumps++;
      this.cut();
    }

    addChild(node, child, key) {
      if (LOOPS.has(node.type) && key === 'body') this.cut(); // a region of its own, which may never end
      else if (BRANCHES[node.type]?.includes(key)) this.branch(child);
      else this.add(child);
    }

    branch(child) {
      const { nodes, gas, made, jumps } = this;
      this.nodes = this.gas = this.made = 0;
      this.add(child);
      this.cut();
      Object.assign(this, { nodes, gas, made });
      if (this.jumps > jumps) this.cut(); // what follows may be left out
    }

    cut() {
      this.unpaidNodes += Math.max(0, this.nodes - NODES_PER_GAS * this.gas);
      this.unpaidMade += Math.max(0, this.made - this.gas);
      this.nodes = this.gas = this.made = 0;
    }
  }

  // list: nodes that run once per pass, in order; entries may be null. names: how many the function declares. Returns
  // units of work beyond what gas pays.
  function regionWork(list, names = 0) {
    const region = new Region();
    for (const node of list) if (node) region.add(node);
    region.cut();
    const nodes = Math.max(0, region.unpaidNodes - FREE_NODES) * NODE_WORK;
    const work = region.unpaidMade + nodes + SLOT_WORK * Math.max(0, names - FREE_NAMES);
    return work < LEAST_WORK ? 0 : Math.trunc(work);
  }

  V8VM.regionWork = regionWork;
})(globalThis.V8VM);
