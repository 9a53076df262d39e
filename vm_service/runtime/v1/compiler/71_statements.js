// Lowering of statements and functions.
(function (V8VM) {
  'use strict';

  const tree = V8VM.tree;
  const { Frame, Lowering } = V8VM;
  const { pass: PASS_WORK } = V8VM.workPrices.spread;

  // A frame holds about 20 slots (8 bytes) of its own in the slowest tier, then its names and temporaries; twice that.
  const FRAME_SLOTS = 40;
  const GENERATOR_SLOTS = 24; // names and temporaries of a generator that its call pays for

  const methods = {
    // Lowers a list of statements; each point becomes a statement of its own or joins the open charge.
    statements(list) {
      const result = [];
      for (const node of list) {
        const point = this.layout.statements.get(node);
        const charged = point === undefined || point.taken ? null : this.charge(point.total);
        if (point !== undefined) point.taken = true;
        if (charged !== null) result.push(tree.statement(charged));
        const lowered = this.statement(node);
        if (lowered !== null) result.push(lowered);
      }
      return result;
    },

    statement(node) {
      const lower = this[node.type];
      if (lower === undefined) throw tree.located(`${node.type} is not supported`, node);
      return lower.call(this, node);
    },

    // A branch: what it charges is taken only when it runs.
    branch(node) {
      return this.conditional(() => tree.block(this.statements(node.type === 'BlockStatement' ? this.hoistedFirst(node.body) : [node])));
    },

    loopBody(loop, prefix = []) {
      const toll = loop.type === 'ForOfStatement' ? [this.pass()] : [];
      this.open = null;
      const charged = this.charge(this.layout.bodies.get(loop).total);
      this.layout.bodies.get(loop).taken = true;
      const { body } = loop;
      const list = body.type === 'BlockStatement' ? this.hoistedFirst(body.body) : [body];
      const work = this.regionWork([loop.test, loop.update, ...list]);
      const inner = this.statements(list);
      this.open = null;
      return tree.block([...prefix, tree.statement(charged), ...toll, ...work, ...inner]);
    },

    // A pass of `for of` asks an iterator, which may look along a chain of prototypes, or hide an error.
    pass() {
      return tree.statement(this.callHelper('work', tree.binary('+', this.meter('step'), tree.literal(PASS_WORK))));
    },

    // What looks for something along a chain of prototypes pays when there is a long one.
    toll() {
      return tree.logical('&&', tree.binary('>', this.meter('toll'), tree.literal(0)), this.callHelper('work', this.meter('toll')));
    },

    // Variables that a function gets from sloppy functions inside its blocks.
    blockFunctionNames(owner) {
      const names = this.analysis.blockFunctionNames.get(owner);
      if (names === undefined) return [];
      const declarations = names.map((name) => ({ type: 'VariableDeclarator', id: this.spell(name), init: null }));
      return [{ type: 'VariableDeclaration', kind: 'var', declarations }];
    },

    // Sloppy functions declared in a block are assigned at its start, as the language does it.
    hoistedFirst(list) {
      const isHoisted = (node) => this.analysis.hoistedBlockFunctions.has(node);
      return list.some(isHoisted) ? [...list.filter(isHoisted), ...list.filter((node) => !isHoisted(node))] : list;
    },

    BlockStatement(node) {
      return tree.block(this.statements(this.hoistedFirst(node.body)));
    },

    ExpressionStatement(node) {
      if (node.expression.type === 'Literal') return { type: 'EmptyStatement' }; // a directive stands behind a charge and has no effect
      return tree.statement(this.unused(node.expression));
    },

    VariableDeclaration(node) {
      const declarations = node.declarations.map(({ id, init }) => ({
        type: 'VariableDeclarator',
        id: this.spell(id.name),
        init: init ? this.expression(init) : null,
      }));
      return { type: 'VariableDeclaration', kind: node.kind, declarations };
    },

    EmptyStatement: () => ({ type: 'EmptyStatement' }),
    DebuggerStatement: () => ({ type: 'EmptyStatement' }),

    BreakStatement(node) {
      this.open = null;
      return { type: 'BreakStatement', label: node.label };
    },

    ContinueStatement(node) {
      this.open = null;
      return { type: 'ContinueStatement', label: node.label };
    },

    LabeledStatement(node) {
      const body = this.statements([node.body]);
      const last = body.pop();
      this.open = null;
      const labeled = { type: 'LabeledStatement', label: node.label, body: last ?? { type: 'EmptyStatement' } };
      return body.length === 0 ? labeled : tree.block([...body, labeled]);
    },

    IfStatement(node) {
      const test = this.pointed(node.test, true);
      const consequent = this.branch(node.consequent);
      const alternate = node.alternate ? this.branch(node.alternate) : null;
      return { type: 'IfStatement', test, consequent, alternate };
    },

    ForStatement(node) {
      let init = null;
      if (node.init) init = node.init.type === 'VariableDeclaration' ? this.VariableDeclaration(node.init) : this.unused(node.init);
      const early = this.joinsUpdate(node) ? Math.trunc(this.layout.expressions.get(node.update).total) : 0;
      const test = node.test ? this.pointed(node.test, false, early) : null;
      this.open = null;
      const update = node.update ? this.update(node, early) : null;
      const body = this.loopBody(node);
      return { type: 'ForStatement', init, test, update, body };
    },

    // An update that only counts can be paid together with the test after it: the charge before the loop gives back
    // what the first test pays too much. Possible when such a charge is open and covers it.
    joinsUpdate({ test, update }) {
      if (!test || !update || this.open === null) return false;
      const counts = update.type === 'UpdateExpression' && update.argument.type === 'Identifier' && this.isNumeric(update.argument);
      const price = Math.trunc(this.layout.expressions.get(update).total);
      if (!counts || this.open.value < price || Math.trunc(this.layout.expressions.get(test).total) === 0) return false;
      this.open.value -= price;
      return true;
    },

    update(node, paid) {
      const charged = paid > 0 ? null : this.charge(this.layout.expressions.get(node.update).total);
      const updated = this.unused(node.update);
      return charged === null ? updated : tree.sequence(charged, updated);
    },

    WhileStatement(node) {
      const test = this.pointed(node.test, false);
      return { type: 'WhileStatement', test, body: this.loopBody(node) };
    },

    DoWhileStatement(node) {
      const body = this.loopBody(node);
      const test = this.pointed(node.test, false);
      this.open = null;
      return { type: 'DoWhileStatement', body, test };
    },

    ForInStatement(node) {
      const right = this.expression(node.right);
      this.impure();
      return this.iteration(node, this.callHelper('keysOf', right));
    },

    ForOfStatement(node) {
      const right = this.expression(node.right);
      this.impure();
      return this.iteration(node, right);
    },

    // A target that is not a plain declaration is assigned by an ordinary assignment at the start of the body.
    iteration(node, right) {
      const { left } = node;
      if (left.type === 'VariableDeclaration') {
        const declarations = [{ type: 'VariableDeclarator', id: this.spell(left.declarations[0].id.name), init: null }];
        return { type: node.type, left: { type: 'VariableDeclaration', kind: left.kind, declarations }, right, body: this.loopBody(node) };
      }
      this.open = null;
      const item = tree.helper('item');
      const assigned = tree.statement(this.store(left, () => item));
      const declarations = [{ type: 'VariableDeclarator', id: item, init: null }];
      const body = this.loopBody(node, [assigned]);
      return { type: node.type, left: { type: 'VariableDeclaration', kind: 'const', declarations }, right, body };
    },

    SwitchStatement(node) {
      let discriminant = this.expression(node.discriminant);
      if (node.cases.length > 0) discriminant = this.callHelper('compared', discriminant, tree.literal(node.cases.length));
      const cases = node.cases.map((part) => {
        const test = part.test ? this.pointed(part.test, false) : null;
        this.open = null;
        return { type: 'SwitchCase', test, consequent: this.statements(part.consequent) };
      });
      this.open = null;
      return { type: 'SwitchStatement', discriminant, cases };
    },

    ThrowStatement(node) {
      const argument = this.expression(node.argument);
      this.impure();
      return { type: 'ThrowStatement', argument };
    },

    WithStatement(node) {
      throw tree.located('use of with is not supported', node);
    },

    // The depth is given back once the value is known; `finishReturns` writes that in when the frame is done.
    ReturnStatement(node) {
      const value = node.argument ? this.expression(node.argument) : null;
      const result = { type: 'ReturnStatement', argument: value };
      this.frame.returns.push({ result, isSimple: value === null || this.isSimple(node.argument) });
      this.open = null;
      return result;
    },

    finishReturns(leave) {
      for (const { result, isSimple } of this.frame.returns) {
        const value = result.argument;
        if (value === null) result.argument = tree.unary('void', leave);
        else if (isSimple) result.argument = tree.sequence(leave, value);
        else {
          this.frame.usesResult = true;
          result.argument = tree.sequence(tree.assign(tree.helper('result'), value), leave, tree.helper('result'));
        }
      }
    },

    // -- functions -----------------------------------------------------------------------------------------------

    FunctionDeclaration(node) {
      const lowered = this.functionNode(node, 'FunctionDeclaration');
      const hoisted = this.analysis.hoistedBlockFunctions.get(node);
      if (hoisted === undefined) return lowered;
      return tree.statement(tree.assign(this.spell(node.id.name), { ...lowered, type: 'FunctionExpression' }));
    },

    FunctionExpression(node) {
      return this.functionNode(node, 'FunctionExpression');
    },

    functionNode(node, type) {
      const { params, body } = this.inFrame(node, () => this.functionBody(node.body.body, node));
      if (node.generator && !this.early.has(node)) this.payGenerator(node, params);
      return { type, id: node.id ? this.spell(node.id.name) : null, params, body, generator: node.generator, async: false, expression: false };
    },

    ArrowFunctionExpression(node) {
      const { params, body } = this.inFrame(node, () =>
        node.body.type === 'BlockStatement' ? this.functionBody(node.body.body, node) : this.functionBody(this.arrowReturn(node), node),
      );
      return { type: 'ArrowFunctionExpression', id: null, params, body, generator: false, async: false, expression: false };
    },

    // `p => e` means `p => function () { return e; }()`. The inner function is kept only where e can tell the difference.
    arrowReturn(node) {
      const returning = { type: 'ReturnStatement', argument: node.body, range: node.body.range };
      this.layout.statements.set(returning, this.layout.bodies.get(node));
      if (!seesOwnFunction(node.body)) return [returning];
      const inner = { type: 'FunctionExpression', id: null, params: [], generator: false, isSynthetic: true, body: { type: 'BlockStatement', body: [returning] } };
      const invoked = { type: 'CallExpression', callee: inner, arguments: [], range: node.body.range };
      return [{ type: 'ReturnStatement', argument: invoked, range: node.body.range }];
    },

    inFrame(node, lowerBody) {
      if (this.early.has(node)) return this.unreadable(node);
      const outer = { frame: this.frame, open: this.open };
      this.frame = new Frame(node, outer.frame);
      this.open = null;
      const params = this.parameters(node);
      this.open = null;
      const body = lowerBody();
      this.frame = outer.frame;
      this.open = outer.open;
      return { params, body };
    },

    // A generator object holds the whole frame of its function, and is made by a call that runs none of its text. A rest
    // parameter that takes itself apart is evaluated by every call, and counts the frame.
    payGenerator(node, params) {
      const slots = node.slots - GENERATOR_SLOTS;
      if (slots <= 0) return;
      if (params.at(-1)?.type === 'RestElement') throw tree.located('generator function with a rest parameter is too large', node);
      const key = this.callHelper('work', tree.literal(Math.ceil(slots * V8VM.workPrices.literal.generatorSlot)));
      params.push(evaluatedByCall(key));
    },

    // Parts of a function that the engine of the reference cannot read: its call throws and evaluates nothing, not even of a
    // generator. An accessor keeps its number of parameters.
    unreadable(node) {
      const end = node.params.findIndex(({ type }) => type === 'AssignmentPattern' || type === 'RestElement');
      const params = (end < 0 ? node.params : node.params.slice(0, end)).map((_, index) => tree.helper(`argument${index}`));
      const thrown = this.callHelper('malformed', tree.literal(this.early.get(node)));
      if (!node.generator) return { params, body: tree.block([tree.statement(thrown)]) };
      return { params: [...params, evaluatedByCall(thrown)], body: tree.block([]) };
    },

    parameters(node) {
      this.frame.inParameters = true;
      const params = node.params.map((parameter) => {
        if (parameter.type === 'RestElement') return { type: 'RestElement', argument: this.spell(parameter.argument.name) };
        if (parameter.type !== 'AssignmentPattern') return this.spell(parameter.name);
        return { type: 'AssignmentPattern', left: this.spell(parameter.left.name), right: this.defaultValue(parameter.right) };
      });
      this.frame.inParameters = false;
      return params;
    },

    // A default value runs before the function has counted itself, so it counts for itself.
    defaultValue(node) {
      const value = this.expression(node);
      this.open = null;
      return node.type === 'Literal' ? value : this.callHelper('back', this.callHelper('enterDefault', this.frame.weight), value);
    },

    functionBody(list, node) {
      const { frame } = this;
      const names = node.params.length + countNames(node);
      const work = this.regionWork(list, names);
      if (work.length > 0) frame.reenters = true;
      const body = [...this.blockFunctionNames(node), ...work, ...this.statements(this.hoistedFirst(list))];
      node.slots = frame.deepest + names;
      if (!frame.reenters) return tree.block(body);
      frame.weight.value = FRAME_SLOTS + frame.deepest + names;
      const leave = tree.assign(this.meter('depth'), frame.weight, '-=');
      this.finishReturns(leave);
      const enter = tree.binary('>', tree.assign(this.meter('depth'), frame.weight, '+='), this.meter('roof'));
      const prologue = tree.statement(tree.logical('&&', enter, this.callHelper('deeper')));
      const epilogue = endsFlow(list) ? [] : [tree.statement(leave)];
      return tree.block([...this.temporaries(), prologue, ...body, ...epilogue]);
    },

    // What one pass through a function or loop body makes the engine do beyond what gas pays (65_region.js).
    regionWork(list, names) {
      const work = V8VM.regionWork(list, names);
      return work === 0 ? [] : [tree.statement(this.callHelper('work', tree.literal(work)))];
    },

    temporaries() {
      const names = [];
      if (this.frame.usesResult) names.push('result');
      if (this.frame.usesTarget) names.push('target');
      if (this.frame.usesGiven) names.push('given');
      if (names.length === 0) return [];
      const declarations = names.map((name) => ({ type: 'VariableDeclarator', id: tree.helper(name), init: null }));
      return [{ type: 'VariableDeclaration', kind: 'let', declarations }];
    },
  };

  // A rest parameter that evaluates an expression at each call: those of a generator run none of its text.
  function evaluatedByCall(key) {
    const property = { type: 'Property', key, computed: true, value: tree.helper('slots'), kind: 'init', method: false, shorthand: false };
    return { type: 'RestElement', argument: { type: 'ObjectPattern', properties: [property] } };
  }

  // Whether an expression uses `this`, `arguments`, `new.target` or `super` of the function it stands in. Answers for
  // arrow functions are kept: arrows inside arrows are asked about once for each level.
  const seen = new WeakMap();

  function seesOwnFunction(node) {
    if (node.type === 'ThisExpression' || node.type === 'MetaProperty' || node.type === 'Super') return true;
    if (node.type === 'Identifier' && node.name === 'arguments') return true;
    if (node.type === 'FunctionExpression') return false;
    if (seen.has(node)) return seen.get(node);
    let found = false;
    tree.eachChild(node, (child) => (found ||= seesOwnFunction(child)));
    if (node.type === 'ArrowFunctionExpression') {
      seen.set(node, found);
      seen.set(node.body, found);
    }
    return found;
  }

  function endsFlow(list) {
    const last = list[list.length - 1];
    return last !== undefined && (last.type === 'ReturnStatement' || last.type === 'ThrowStatement');
  }

  // Names declared in a function, without those of functions inside it.
  function countNames(node) {
    let count = 0;
    tree.eachChild(node, (child) => {
      if (child.type === 'VariableDeclarator' || child.type === 'ClassDeclaration' || child.type === 'FunctionDeclaration') count++;
      if (!tree.isFunction(child)) count += countNames(child);
    });
    return count;
  }

  Object.assign(Lowering.prototype, methods);
})(globalThis.V8VM);
