// Names: which declaration each identifier means. What has no declaration in the contract is a name of the runtime,
// or unknown; neither may ever reach the isolate's real global object.
(function (V8VM) {
  'use strict';

  const { eachChild, isFunction } = V8VM.tree;

  // Words that strict code may not use as names; sloppy contract code may, so images rename them.
  const STRICT_ONLY_WORDS = new Set([
    'implements', 'interface', 'let', 'package', 'private', 'protected', 'public', 'static', 'yield', 'arguments', 'eval',
  ]);

  const RESULT_IS_NUMBER = new Set(['-', '*', '/', '%', '**', '|', '&', '^', '>>', '>>>', '<<']);

  class Binding {
    constructor(name, kind, owner, end) {
      this.name = name;
      this.kind = kind; // 'var' | 'let' | 'const' | 'class' | 'function' | 'param' | 'self'
      this.owner = owner; // the function whose frame holds it; the program for top-level names
      this.end = end; // offset behind its declaration: from there on a use in the same function finds it initialised
      this.skippable = false; // declared inside a switch: a case may jump over the declaration
      this.numeric = kind === 'let' || kind === 'const'; // only ever holds numbers (or is not initialised); see settleNumbers
      this.values = []; // nodes written to it; null: anything
      this.followers = []; // names that hold numbers only as long as this one does
    }
  }

  class Scope {
    constructor(parent, owner, isFunctionScope) {
      this.parent = parent;
      this.owner = owner;
      this.isFunctionScope = isFunctionScope;
      this.names = new Map();
    }

    declare(name, kind, end) {
      const known = this.names.get(name);
      if (known !== undefined) return known;
      const binding = new Binding(name, kind, this.owner, end);
      this.names.set(name, binding);
      return binding;
    }

    find(name) {
      for (let scope = this; scope !== null; scope = scope.parent) {
        const binding = scope.names.get(name);
        if (binding !== undefined) return binding;
      }
      return null;
    }

    functionScope() {
      let scope = this;
      while (!scope.isFunctionScope) scope = scope.parent;
      return scope;
    }
  }

  // Names that a declaration's target binds; patterns occur only in code that is compiled raw.
  function boundNames(target) {
    if (target === null) return [];
    if (target.type === 'Identifier') return [target];
    if (target.type === 'AssignmentPattern') return boundNames(target.left);
    if (target.type === 'RestElement') return boundNames(target.argument);
    if (target.type === 'ArrayPattern') return target.elements.flatMap(boundNames);
    return target.properties.flatMap((property) => boundNames(property.value ?? property.argument));
  }

  function statementsOfBlock(node) {
    if (node.type === 'BlockStatement' || node.type === 'Program') return node.body;
    return node.type === 'SwitchStatement' ? node.cases.flatMap(({ consequent }) => consequent) : [];
  }

  // Names that the blocks around a node declare: one set for each block, so that a block costs its own names only.
  class Taken {
    constructor(names, outer) {
      this.names = new Set(names);
      this.outer = outer;
    }

    has(name) {
      for (let taken = this; taken !== null; taken = taken.outer) {
        if (taken.names.has(name)) return true;
      }
      return false;
    }
  }

  // Names that a block or the head of a loop declares for itself.
  function namesOfBlock(node, withFunctions) {
    const declarations = [...statementsOfBlock(node), node.init ?? node.left].filter(Boolean);
    return declarations.flatMap((declaration) => {
      if (declaration.type === 'VariableDeclaration') {
        return declaration.kind === 'var' ? [] : declaration.declarations.flatMap(({ id }) => boundNames(id).map(({ name }) => name));
      }
      const isNamed = declaration.type === 'ClassDeclaration' || (withFunctions && declaration.type === 'FunctionDeclaration');
      return isNamed ? [declaration.id.name] : [];
    });
  }

  class Analysis {
    constructor(program) {
      this.references = new Map(); // Identifier node -> { binding | null, strict }
      this.strictFunctions = new Set();
      this.hoistedBlockFunctions = new Map(); // sloppy function declaration in a block -> its function-level binding
      this.blockFunctionNames = new Map(); // function or program -> names of these bindings, in the order of the declarations
      this.implicitGlobals = new Set(); // names that sloppy code assigns without declaring
      this.top = new Scope(null, program, true);
      this.declareVariables(program, this.top, false);
      this.declareLexical(program.body, this.top);
      this.bindings = new Set(); // those that are written
      for (const statement of program.body) this.visit(statement, this.top, false);
      this.settleNumbers();
    }

    // Takes every name for a number and drops those that may hold anything else, each with the names that follow it. Each
    // value is read once, and each name drops once.
    settleNumbers() {
      const dropped = [];
      for (const binding of this.bindings) {
        if (binding.numeric && !binding.values.every((value) => this.mayYieldNumber(value, binding))) dropped.push(binding);
      }
      while (dropped.length > 0) {
        const binding = dropped.pop();
        if (!binding.numeric) continue;
        binding.numeric = false;
        for (const follower of binding.followers) dropped.push(follower);
      }
    }

    // Whether a value is a number (there is no BigInt) as long as the names in it are; `binding` follows these names.
    mayYieldNumber(node, binding) {
      if (!node) return false;
      if (node.type === 'Literal') return typeof node.value === 'number';
      if (node.type === 'Identifier') return this.follow(this.references.get(node)?.binding, binding);
      if (node.type === 'UpdateExpression') return true;
      if (node.type === 'UnaryExpression') return node.operator === '-' || node.operator === '+' || node.operator === '~';
      if (node.type !== 'CallExpression' || node.callee.name !== '_IOSTBinaryOp') return false;
      const [left, right, { value: operator }] = node.arguments;
      return RESULT_IS_NUMBER.has(operator) || (operator === '+' && this.mayYieldNumber(left, binding) && this.mayYieldNumber(right, binding));
    }

    follow(binding, follower) {
      if (!binding?.numeric) return false;
      binding.followers.push(follower);
      return true;
    }

    // Declares `var` names of a function body, and sloppy functions inside its blocks. `taken`: names that blocks around declare.
    declareVariables(node, scope, strict, taken = new Taken(namesOfBlock(node, false), null)) {
      eachChild(node, (child) => {
        if (isFunction(child) || child.type === 'ClassDeclaration' || child.type === 'ClassExpression') return;
        if (child.type === 'VariableDeclaration' && child.kind === 'var') {
          for (const { id } of child.declarations) for (const { name } of boundNames(id)) scope.declare(name, 'var', 0);
        }
        if (!strict) this.hoistBlockFunctions(child, scope, taken);
        const names = namesOfBlock(child, true);
        this.declareVariables(child, scope, strict, names.length === 0 ? taken : new Taken(names, taken));
      });
    }

    // A function in a block is a name of the function around it too, unless a `var` in its place would be an error.
    hoistBlockFunctions(node, scope, taken) {
      for (const statement of statementsOfBlock(node)) {
        if (statement.type !== 'FunctionDeclaration' || taken.has(statement.id.name)) continue;
        const known = scope.names.get(statement.id.name);
        if (known === undefined || known.kind === 'var') {
          this.hoist(statement, scope.declare(statement.id.name, 'var', 0));
        }
      }
    }

    hoist(statement, binding) {
      this.hoistedBlockFunctions.set(statement, binding);
      const names = this.blockFunctionNames.get(binding.owner);
      if (names === undefined) this.blockFunctionNames.set(binding.owner, [binding.name]);
      else names.push(binding.name);
    }

    declareLexical(statements, scope, skippable = false) {
      for (const statement of statements) {
        if (statement.type === 'VariableDeclaration' && statement.kind !== 'var') this.declareAll(statement, scope, skippable);
        else if (statement.type === 'ClassDeclaration') {
          scope.declare(statement.id.name, 'class', statement.range[1]).skippable = skippable;
        } else if (statement.type === 'FunctionDeclaration' && !this.hoistedBlockFunctions.has(statement)) {
          scope.declare(statement.id.name, 'function', 0);
        }
      }
    }

    declareAll(declaration, scope, skippable = false) {
      for (const { id, range } of declaration.declarations) {
        for (const { name } of boundNames(id)) scope.declare(name, declaration.kind, range[1]).skippable = skippable;
      }
    }

    visit(node, scope, strict) {
      const visitType = this[node.type];
      if (visitType !== undefined) visitType.call(this, node, scope, strict);
      else eachChild(node, (child) => this.visit(child, scope, strict));
    }

    Identifier(node, scope, strict) {
      this.references.set(node, { binding: scope.find(node.name), strict });
    }

    // A write; value: the node of what is written, null when that can be anything.
    write(target, scope, strict, value) {
      if (target.type !== 'Identifier') return this.visit(target, scope, strict);
      const binding = scope.find(target.name);
      if (binding === null && !strict) this.implicitGlobals.add(target.name);
      if (binding !== null) {
        binding.values.push(value);
        this.bindings.add(binding);
      }
      this.references.set(target, { binding, strict });
    }

    AssignmentExpression(node, scope, strict) {
      this.write(node.left, scope, strict, node.right);
      this.visit(node.right, scope, strict);
    }

    UpdateExpression(node, scope, strict) {
      this.write(node.argument, scope, strict, node);
    }

    VariableDeclarator(node, scope, strict) {
      if (node.init) this.visit(node.init, scope, strict);
      if (node.id.type === 'Identifier') this.write(node.id, scope, true, node.init);
      else this.bind(node.id, scope);
    }

    // Names bound by a target, whatever their values; defaults inside it are expressions.
    bind(target, scope) {
      for (const name of boundNames(target)) this.write(name, scope, true, null);
      if (target.type !== 'Identifier') this.visitDefaults(target, scope);
    }

    visitDefaults(target, scope) {
      eachChild(target, (child, key) => {
        if (target.type === 'AssignmentPattern' && key === 'right') this.visit(child, scope, true);
        else if (target.type === 'Property' && key === 'key') {
          if (target.computed) this.visit(child, scope, true);
        } else this.visitDefaults(child, scope);
      });
    }

    CatchClause(node, scope, strict) {
      const inner = new Scope(scope, scope.owner, false);
      for (const { name } of boundNames(node.param)) inner.declare(name, 'var', 0);
      if (node.param) this.bind(node.param, inner);
      this.visit(node.body, inner, strict);
    }

    MemberExpression(node, scope, strict) {
      this.visit(node.object, scope, strict);
      if (node.computed) this.visit(node.property, scope, strict);
    }

    Property(node, scope, strict) {
      if (node.computed) this.visit(node.key, scope, strict);
      this.visit(node.value, scope, strict);
    }

    MethodDefinition(node, scope, strict) {
      this.Property(node, scope, strict);
    }

    LabeledStatement(node, scope, strict) {
      this.visit(node.body, scope, strict);
    }

    BreakStatement() {}
    ContinueStatement() {}
    MetaProperty() {}

    BlockStatement(node, scope, strict) {
      const inner = new Scope(scope, scope.owner, false);
      this.declareLexical(node.body, inner);
      for (const statement of node.body) this.visit(statement, inner, strict);
    }

    SwitchStatement(node, scope, strict) {
      this.visit(node.discriminant, scope, strict);
      const inner = new Scope(scope, scope.owner, false);
      for (const { consequent } of node.cases) this.declareLexical(consequent, inner, true);
      for (const part of node.cases) this.visit(part, inner, strict);
    }

    ForStatement(node, scope, strict) {
      const inner = new Scope(scope, scope.owner, false);
      if (node.init?.type === 'VariableDeclaration' && node.init.kind !== 'var') this.declareAll(node.init, inner);
      eachChild(node, (child) => this.visit(child, inner, strict));
    }

    ForInStatement(node, scope, strict) {
      const inner = new Scope(scope, scope.owner, false);
      const { left } = node;
      if (left.type === 'VariableDeclaration') {
        if (left.kind !== 'var') this.declareAll(left, inner);
        for (const { id } of left.declarations) this.bind(id, inner);
      } else this.write(left, inner, strict, null);
      this.visit(node.right, inner, strict);
      this.visit(node.body, inner, strict);
    }

    ForOfStatement(node, scope, strict) {
      this.ForInStatement(node, scope, strict);
    }

    ClassDeclaration(node, scope, strict) {
      const inner = new Scope(scope, scope.owner, false);
      if (node.id) inner.declare(node.id.name, 'self', node.range[1]);
      if (node.superClass) this.visit(node.superClass, inner, true);
      this.visit(node.body, inner, true);
      if (node.type === 'ClassDeclaration') this.references.set(node.id, { binding: scope.find(node.id.name), strict });
    }

    ClassExpression(node, scope, strict) {
      this.ClassDeclaration(node, scope, strict);
    }

    FunctionDeclaration(node, scope, strict) {
      this.references.set(node.id, { binding: scope.find(node.id.name), strict });
      this.functionParts(node, scope, strict);
    }

    FunctionExpression(node, scope, strict) {
      let outer = scope;
      if (node.id) {
        outer = new Scope(scope, node, false);
        outer.declare(node.id.name, 'self', 0);
      }
      this.functionParts(node, outer, strict);
    }

    ArrowFunctionExpression(node, scope, strict) {
      this.functionParts(node, scope, strict);
    }

    functionParts(node, outer, strict) {
      if (strict) this.strictFunctions.add(node);
      const scope = new Scope(outer, node, true);
      const isArrow = node.type === 'ArrowFunctionExpression';
      if (!isArrow) scope.declare('arguments', 'param', 0);
      for (const parameter of node.params) {
        for (const target of boundNames(parameter)) {
          scope.declare(target.name, 'param', 0);
          this.references.set(target, { binding: scope.find(target.name), strict });
        }
        this.visitDefaults(parameter, scope);
      }
      if (node.body.type !== 'BlockStatement') return this.visit(node.body, scope, strict);
      this.declareVariables(node.body, scope, strict);
      this.declareLexical(node.body.body, scope);
      for (const statement of node.body.body) this.visit(statement, scope, strict);
      return undefined;
    }
  }

  V8VM.scope = { Analysis, STRICT_ONLY_WORDS, boundNames };
})(globalThis.V8VM);
