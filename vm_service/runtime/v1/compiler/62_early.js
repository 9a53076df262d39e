// Early errors: what the reference's engine finds wrong while it reads a function, names declared twice and jumps to labels
// that a charge took away. It reads a function when the function is first called, so that the error is one of that call:
//
//   a declared function, a method, an accessor, a function expression   read when it is called
//   a function expression directly behind `(` of a group, or behind `!`   read with the text around it
//   an arrow function                                                     read with the text around it; outside of any block: when called
//   the body `e` of `p => e`, which means `p => function () { return e }()`   read when it is called
//
// All of this was measured on the reference's engine line.
(function (V8VM) {
  'use strict';

  const { eachChild, isFunction } = V8VM.tree;
  const { boundNames } = V8VM.scope;

  // Kinds of a name in a scope: 'var' (parameters and functions of a function's top level too), 'lexical', 'function' (sloppy,
  // in a block: may be declared again as such), 'caught' (parameter of `catch`: `var` may repeat it).
  class Scope {
    constructor(outer, isFunctionScope) {
      this.outer = outer;
      this.isFunctionScope = isFunctionScope;
      this.names = new Map();
    }
  }

  const STATEMENTS_WITH_HEAD = new Set([
    'IfStatement', 'WhileStatement', 'DoWhileStatement', 'SwitchStatement', 'ForStatement', 'ForInStatement', 'WithStatement',
  ]);

  class EarlyErrors {
    // `text`: what the program was read from; `isCharged(statement)`: whether a charge stands in front of it.
    constructor(program, text, isCharged) {
      this.text = text;
      this.isCharged = isCharged;
      this.found = new Map(); // function, or the program -> message: the error of its first call
      this.unit = program; // what is being read
      this.scope = new Scope(null, true);
      this.top = this.scope;
      this.strict = false;
      this.labels = new Map(); // label of the function being read -> whether it is lost
      this.labelled = new Map(); // labelled statement directly in another one -> the statement behind all labels
      this.parents = []; // from the program down to the node being visited
      this.nestedVars = []; // of the function being visited: {name, scope}
      this.children(program);
      this.checkNestedVars();
    }

    // The first error ends the reading.
    report(message) {
      if (!this.found.has(this.unit)) this.found.set(this.unit, message);
    }

    clash(name) {
      this.report(`Identifier '${name}' has already been declared`);
    }

    // -- walking ---------------------------------------------------------------------------------------------------

    visit(node) {
      const visitor = this[node.type];
      if (visitor === undefined) this.children(node);
      else visitor.call(this, node);
    }

    children(node) {
      this.parents.push(node);
      eachChild(node, (child) => this.visit(child));
      this.parents.pop();
    }

    // Walks with some fields of this walk changed.
    within(changes, walk) {
      const saved = {};
      for (const name in changes) saved[name] = this[name];
      Object.assign(this, changes);
      walk();
      Object.assign(this, saved);
    }

    inBlock(walk) {
      this.within({ scope: new Scope(this.scope, false) }, walk);
    }

    // -- declarations ----------------------------------------------------------------------------------------------

    declareVar(name) {
      if (!this.scope.isFunctionScope) this.nestedVars.push({ name, scope: this.scope });
      let { scope } = this;
      while (!scope.isFunctionScope) scope = scope.outer;
      if (scope.names.get(name) === 'lexical') this.clash(name);
      else scope.names.set(name, 'var');
    }

    declareLexical(name, kind = 'lexical') {
      const known = this.scope.names.get(name);
      if (known !== undefined && !(known === 'function' && kind === 'function')) this.clash(name);
      this.scope.names.set(name, kind);
    }

    // `var` in a block is a name of the function: no block in between may declare it. Found when the function was read.
    checkNestedVars() {
      for (const { name, scope: from } of this.nestedVars) {
        for (let scope = from; !scope.isFunctionScope; scope = scope.outer) {
          const kind = scope.names.get(name);
          if (kind === 'lexical' || kind === 'function') this.clash(name);
        }
      }
    }

    VariableDeclaration(node) {
      this.children(node);
      for (const { id } of node.declarations) {
        for (const { name } of boundNames(id)) {
          if (node.kind === 'var') this.declareVar(name);
          else this.declareLexical(name);
        }
      }
    }

    FunctionDeclaration(node) {
      this.ownReading(node);
      if (this.scope.isFunctionScope) this.declareVar(node.id.name);
      else this.declareLexical(node.id.name, this.strict ? 'lexical' : 'function');
    }

    ClassDeclaration(node) {
      this.within({ strict: true }, () => this.inBlock(() => this.children(node)));
      if (node.type === 'ClassDeclaration') this.declareLexical(node.id.name);
    }

    ClassExpression(node) {
      this.ClassDeclaration(node);
    }

    // -- blocks and labels -----------------------------------------------------------------------------------------

    BlockStatement(node) {
      this.inBlock(() => this.children(node));
    }

    ForStatement(node) {
      this.inBlock(() => this.children(node));
    }

    ForInStatement(node) {
      this.inBlock(() => this.children(node));
    }

    ForOfStatement(node) {
      this.inBlock(() => this.children(node));
    }

    IfStatement(node) {
      this.parents.push(node);
      this.visit(node.test);
      for (const branch of [node.consequent, node.alternate]) if (branch) this.inBlock(() => this.visit(branch));
      this.parents.pop();
    }

    SwitchStatement(node) {
      this.parents.push(node);
      this.visit(node.discriminant);
      this.inBlock(() => {
        for (const part of node.cases) this.visit(part);
      });
      this.parents.pop();
    }

    CatchClause(node) {
      this.inBlock(() => {
        for (const { name } of boundNames(node.param)) this.scope.names.set(name, 'caught');
        this.children(node.body);
      });
    }

    LabeledStatement(node) {
      const { name } = node.label; // no label around has it: the parser refuses that
      this.labels.set(name, this.isCharged(this.behindLabels(node)));
      this.children(node);
      this.labels.delete(name);
    }

    behindLabels(node) {
      let { body } = node;
      if (this.labelled.has(node)) body = this.labelled.get(node);
      while (body.type === 'LabeledStatement') ({ body } = body);
      if (node.body.type === 'LabeledStatement') this.labelled.set(node.body, body);
      return body;
    }

    BreakStatement({ label }) {
      if (label && this.labels.get(label.name)) this.report(`Undefined label '${label.name}'`);
    }

    ContinueStatement(node) {
      this.BreakStatement(node);
    }

    // -- functions -------------------------------------------------------------------------------------------------

    FunctionExpression(node) {
      if (this.isReadAtOnce(node)) this.functionParts(node);
      else this.ownReading(node);
    }

    ArrowFunctionExpression(node) {
      if (node.body.type !== 'BlockStatement') this.arrowOfExpression(node);
      else if (this.scope === this.top) this.ownReading(node);
      else this.functionParts(node);
    }

    arrowOfExpression(node) {
      this.parents.push(node);
      for (const parameter of node.params) this.visit(parameter);
      this.within({ unit: node }, () => this.inFunction(() => this.visit(node.body)));
      this.parents.pop();
    }

    ownReading(node) {
      this.within({ unit: node }, () => this.functionParts(node));
    }

    inFunction(walk) {
      const inner = { scope: new Scope(this.scope, true), labels: new Map(), nestedVars: [] };
      this.within(inner, () => {
        walk();
        this.checkNestedVars();
      });
    }

    functionParts(node) {
      this.inFunction(() => {
        this.parents.push(node);
        for (const parameter of node.params) {
          for (const { name } of boundNames(parameter)) this.scope.names.set(name, 'var');
          this.visit(parameter);
        }
        this.children(node.body);
        this.parents.pop();
      });
    }

    isReadAtOnce(node) {
      const owner = this.parents.at(-1);
      if (owner.type === 'MethodDefinition' || (owner.type === 'Property' && (owner.method || owner.kind !== 'init'))) return false;
      const start = node.range[0];
      const before = this.text[start - 1];
      if (before === '!') return true;
      return before === '(' && (!this.isFirstOfParentheses(node) || this.text[start - 2] === '(');
    }

    // Whether the parenthesis in front of an expression belongs to a call or a statement, and groups nothing.
    isFirstOfParentheses(node) {
      let inner = node;
      for (let i = this.parents.length - 1; i >= 0; i--) {
        const outer = this.parents[i];
        if (outer.type === 'CallExpression' || outer.type === 'NewExpression') {
          if (outer.callee !== inner) return true;
        } else if (STATEMENTS_WITH_HEAD.has(outer.type)) return true;
        if (outer.range[0] !== node.range[0]) return false;
        if (outer.type === 'ConditionalExpression') return true; // its charge stands between
        inner = outer;
      }
      return false;
    }
  }

  // The errors of a program's functions and of the program itself: Map of node -> message.
  const earlyErrors = (program, text, isCharged) => new EarlyErrors(program, text, isCharged).found;

  V8VM.earlyErrors = earlyErrors;
})(globalThis.V8VM);
