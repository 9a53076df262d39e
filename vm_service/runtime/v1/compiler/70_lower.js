// Lowering: the tree of the printed text becomes the tree of the image. This file holds the state of the pass, gas
// charges and names; statements, functions, expressions and assignments follow in their own files.
//
// Gas in the image: a point becomes one subtraction and one comparison. A charge may be joined with an earlier one only
// while nothing since then can throw, call or be observed (`open`), so the totals are equal wherever a contract, an
// error or a callee can see them. The helpers are in v1/16_depth.js to v1/24_names.js.
(function (V8VM) {
  'use strict';

  const tree = V8VM.tree;
  const { STRICT_ONLY_WORDS } = V8VM.scope;

  // The state of the function being lowered.
  class Frame {
    constructor(node, outer) {
      this.node = node;
      this.hasArguments = node.isSynthetic === true || (node.type === 'ArrowFunctionExpression' && outer.hasArguments);
      this.weight = tree.literal(0); // slots of the native stack; shared by all its uses, set when all is known
      this.reenters = false; // whether anything in it can run other code
      this.returns = [];
      this.usesResult = false;
      this.usesTarget = false;
      this.usesGiven = false;
      this.inParameters = false;
      this.nesting = 0;
      this.deepest = 0;
    }
  }

  class Lowering {
    constructor(program, layout, analysis, early, endowments) {
      this.program = program;
      this.layout = layout;
      this.references = analysis.references;
      this.analysis = analysis;
      this.early = early; // function -> message of the error that its first call meets
      this.endowments = endowments; // Set of names that the runtime provides
      this.needed = new Set(); // those that this contract uses
      this.helpers = new Set();
      this.written = new Set(); // names of properties that the text writes
      this.templates = []; // helpers' names that hold lists of texts for tags
      this.implicit = new Set([...analysis.implicitGlobals].filter((name) => !endowments.has(name)));
      this.open = null;
      this.isRaw = layout === null; // code that runs as it is
      this.frame = new Frame(program, null);
    }

    // -- helpers -------------------------------------------------------------------------------------------------

    helper(name) {
      this.helpers.add(name);
      return tree.helper(name);
    }

    callHelper(name, ...args) {
      return tree.call(this.helper(name), ...args);
    }

    meter(field) {
      return tree.member(this.helper('meter'), field);
    }

    // The temporary that holds the object of the assignment being evaluated.
    target() {
      this.frame.usesTarget = true;
      return tree.helper('target');
    }

    // -- gas -----------------------------------------------------------------------------------------------------

    // Anything that can throw, call or be observed: later charges may not be joined with earlier ones.
    impure() {
      this.open = null;
      this.frame.reenters = true;
    }

    // Returns the expression that takes a charge, or null when the open one took it over or there is nothing to take.
    charge(total) {
      const gas = Math.trunc(total);
      if (gas === 0) return null;
      if (this.open !== null) {
        this.open.value += gas;
        return null;
      }
      const amount = tree.literal(gas);
      this.open = amount;
      const left = tree.assign(this.meter('left'), amount, '-=');
      return tree.logical('&&', tree.binary('<', left, tree.literal(0)), this.callHelper('stop'));
    }

    // Takes the dynamic price of an operator with the open charge, if there is one.
    foldOperatorPrice() {
      if (this.open === null) return false;
      this.open.value += V8VM.prices.operator.run;
      return true;
    }

    // An expression with a point of its own. With `always`, it is evaluated whenever what stands before it is; `more` is
    // charged on top.
    pointed(node, always, more = 0) {
      if (!always) this.open = null;
      const point = this.layout.expressions.get(node);
      const charged = point === undefined ? null : this.charge(Math.trunc(point.total) + more);
      const value = this.expression(node);
      return charged === null ? value : tree.sequence(charged, value);
    }

    // A part of an expression that may not be evaluated.
    conditional(lower) {
      this.open = null;
      const result = lower();
      this.open = null;
      return result;
    }

    // -- names ---------------------------------------------------------------------------------------------------

    // The image's spelling of a name: words that strict code reserves get the helpers' prefix.
    spell(name) {
      return tree.identifier(STRICT_ONLY_WORDS.has(name) ? `${tree.HELPER_PREFIX}own_${name}` : name);
    }

    // Whether a use of the binding here can neither throw nor call: it is initialised for sure.
    isReady(node) {
      const reference = this.references.get(node);
      const binding = reference?.binding;
      if (!binding) return false;
      if (binding.kind === 'var' || binding.kind === 'param' || binding.kind === 'function') return binding.owner === this.frame.node;
      return binding.owner === this.frame.node && binding.end > 0 && binding.end <= node.range[0] && !binding.skippable;
    }

    isNumeric(node) {
      if (node.type === 'Literal') return typeof node.value === 'number';
      return node.type === 'Identifier' && this.isReady(node) && this.references.get(node).binding.numeric;
    }

    // A name or number that costs nothing to evaluate twice.
    isSimple(node) {
      if (node.type === 'ThisExpression') return true;
      if (node.type === 'Literal') return true;
      return node.type === 'Identifier' && Boolean(this.references.get(node)?.binding);
    }

    isArguments(node) {
      return node.name === 'arguments' && (this.frame.hasArguments || this.references.get(node)?.binding?.kind === 'param');
    }

    Identifier(node) {
      if (this.isArguments(node)) return tree.identifier('arguments');
      const binding = this.references.get(node)?.binding ?? null;
      if (binding !== null) {
        if (!this.isReady(node)) this.open = null;
        return this.spell(node.name);
      }
      return this.freeName(node.name);
    }

    freeName(name) {
      if (name === 'undefined' || name === 'NaN' || name === 'Infinity') return tree.identifier(name);
      if (name === 'eval') return this.helper('eval');
      if (this.endowments.has(name)) {
        this.needed.add(name);
        return tree.identifier(name);
      }
      this.impure();
      const unknown = tree.member(this.helper('unknown'), name);
      if (!this.implicit.has(name)) return unknown;
      return tree.choice(tree.binary('===', this.spell(name), this.helper('none')), unknown, this.spell(name));
    }

    // `typeof name`: of an unknown name it is no error, unless it asks for a host.
    typeofName(node) {
      const binding = this.references.get(node)?.binding ?? null;
      if (binding !== null || this.endowments.has(node.name) || ['undefined', 'NaN', 'Infinity', 'eval'].includes(node.name)) {
        return tree.unary('typeof', this.Identifier(node));
      }
      if (!this.implicit.has(node.name)) {
        const isRefused = !this.isRaw && V8VM.permits.HOST_NAMES.test(node.name);
        return isRefused ? tree.unary('typeof', this.freeName(node.name)) : tree.literal('undefined');
      }
      const value = tree.choice(tree.binary('===', this.spell(node.name), this.helper('none')), tree.identifier('undefined'), this.spell(node.name));
      return tree.unary('typeof', value);
    }

    // -- dispatch ------------------------------------------------------------------------------------------------

    expression(node) {
      this.frame.nesting += 2;
      if (this.frame.nesting > this.frame.deepest) this.frame.deepest = this.frame.nesting;
      const result = this[node.type](node);
      this.frame.nesting -= 2;
      return result;
    }
  }

  V8VM.Frame = Frame;
  V8VM.Lowering = Lowering;
})(globalThis.V8VM);
