// Lowering of expressions. Each method returns the image's node; parts are lowered in the order of their evaluation.
(function (V8VM) {
  'use strict';

  const tree = V8VM.tree;
  const { Lowering } = V8VM;

  // Operator of the source -> helper (v1/20_operators.js) and the operator that numbers take.
  const OPERATORS = {
    __proto__: null,
    '+': ['add', '+'], '-': ['subtract', '-'], '*': ['multiply', '*'], '/': ['divide', '/'], '%': ['remainder', '%'],
    '**': ['power', null], '|': ['or', '|'], '&': ['and', '&'], '^': ['xor', '^'], '>>': ['shiftRight', '>>'],
    '>>>': ['shiftRightUnsigned', '>>>'], '<<': ['shiftLeft', '<<'], '==': ['equal', '==='], '!=': ['unequal', '!=='],
    '===': ['equal', '==='], '!==': ['unequal', '!=='], '>': ['above', '>'], '>=': ['atLeast', '>='],
    '<': ['below', '<'], '<=': ['atMost', '<='],
  };
  const NUMBER_OPERATORS = { __proto__: null, '-': 'negative', '+': 'number', '~': 'complement' };
  const PASSED_BY_NAME = new Set(['Identifier', 'Literal']);
  const MAX_SPELLED = 200; // units of the source

  const textOf = (text) => (typeof text === 'string' ? V8VM.longNames.text(text) : tree.identifier('undefined')); // malformed escapes have none

  const methods = {
    Literal: (node) => V8VM.longNames.text(node.value),
    ThisExpression: () => ({ type: 'ThisExpression' }),
    Super: () => ({ type: 'Super' }),
    MetaProperty: (node) => ({ type: 'MetaProperty', meta: tree.identifier(node.meta.name), property: tree.identifier(node.property.name) }),

    SequenceExpression(node) {
      return tree.sequence(...node.expressions.map((part) => this.expression(part)));
    },

    ConditionalExpression(node) {
      const test = this.pointed(node.test, true);
      const consequent = this.conditional(() => this.pointed(node.consequent, false));
      const alternate = this.conditional(() => this.pointed(node.alternate, false));
      return tree.choice(test, consequent, alternate);
    },

    LogicalExpression(node) {
      const left = this.expression(node.left);
      return tree.logical(node.operator, left, this.conditional(() => this.expression(node.right)));
    },

    // What the second pass leaves as an operator: `in` and `instanceof`.
    BinaryExpression(node) {
      const left = this.expression(node.left);
      const right = this.expression(node.right);
      this.impure();
      return tree.sequence(this.toll(), tree.binary(node.operator, node.operator === 'in' ? this.named(node.left, left) : left, right));
    },

    UnaryExpression(node) {
      const { operator, argument } = node;
      if (operator === 'typeof' && argument.type === 'Identifier') return this.typeofName(argument);
      if (operator === 'delete') return this.deletion(argument);
      const value = this.expression(argument);
      const name = NUMBER_OPERATORS[operator];
      if (name === undefined || this.isNumeric(argument)) return tree.unary(operator, value);
      this.impure();
      if (argument.type !== 'Identifier' || !this.isSimple(argument)) return this.callHelper(name, value);
      return tree.choice(this.isNumber(value), tree.unary(operator, value), this.callHelper(name, value));
    },

    deletion(argument) {
      if (argument.type === 'Identifier') return tree.literal(!this.references.get(argument)?.binding);
      const value = this.expression(argument);
      this.impure();
      if (argument.type === 'MemberExpression') {
        if (argument.object.type !== 'Super') value.object = this.callHelper('losing', value.object); // an array may lose an item or a name
        if (argument.computed) value.property = this.named(argument.property, value.property);
      }
      return tree.unary('delete', value);
    },

    // A key for an operator whose own conversion of objects would use the native stack uncounted.
    named(node, key) {
      return node.type === 'Literal' ? key : this.callHelper('name', key);
    },

    isNumber: (node) => tree.binary('===', tree.unary('typeof', node), tree.literal('number')),

    MemberExpression(node) {
      const object = this.expression(node.object);
      const property = node.computed ? this.readKey(node.property) : tree.identifier(node.property.name);
      this.impure();
      return { type: 'MemberExpression', computed: node.computed, object, property };
    },

    // The key of a read: a long text pays for being a name. The engine's messages show expressions; the literal, which has
    // no effect, tells what stood here (v1/90_invoke.js).
    readKey(node) {
      const key = this.expression(node);
      if (node.type === 'Literal' || this.isNumeric(node)) return key;
      const named = this.callHelper('name', key);
      const isQuick = node.type === 'Identifier' && this.isSimple(node) && key.type === 'Identifier';
      return tree.sequence(tree.literal(spelled(node)), isQuick ? tree.choice(this.isNumber(key), key, named) : named);
    },

    // -- calls ---------------------------------------------------------------------------------------------------

    CallExpression(node) {
      if (node.callee.name === '_IOSTBinaryOp' && this.isHelperName(node.callee)) return this.operator(node);
      if (node.callee.name === '_IOSTSpreadElement' && this.isHelperName(node.callee)) return this.spreadTwice(node);
      const callee = this.expression(node.callee);
      return this.spreadSafe(node, { type: 'CallExpression', callee, arguments: this.args(node.arguments) });
    },

    NewExpression(node) {
      const callee = this.expression(node.callee);
      const made = this.spreadSafe(node, { type: 'NewExpression', callee, arguments: this.args(node.arguments) });
      return this.madeByRuntime(node.callee) ? made : this.callHelper('made', made);
    },

    // Instances of the runtime's classes and of classes have a prototype chain of known length.
    madeByRuntime(callee) {
      if (callee.type !== 'Identifier') return false;
      const binding = this.references.get(callee)?.binding ?? null;
      return binding === null ? this.endowments.has(callee.name) : binding.kind === 'class' || binding.kind === 'self';
    },

    isHelperName(node) {
      return !this.references.get(node)?.binding;
    },

    args(list) {
      this.frame.nesting += list.length + 2;
      const lowered = list.map((argument) => this.expression(argument));
      this.frame.nesting -= list.length + 2;
      this.impure();
      return lowered;
    },

    // Spread arguments lie on the native stack while the call runs: they count as depth until it returns. What a generator
    // has saved before it waits says nothing of the stack on which it goes on, so it counts its arguments up and down.
    spreadSafe(node, lowered) {
      if (!node.arguments.some(({ type }) => type === 'SpreadElement')) return lowered;
      if (!this.frame.node.generator) return this.callHelper('back', this.meter('depth'), lowered);
      this.frame.usesGiven = true;
      const list = tree.assign(tree.helper('given'), { type: 'ArrayExpression', elements: lowered.arguments });
      lowered.arguments = [{ type: 'SpreadElement', argument: this.callHelper('onStack', list) }];
      return this.callHelper('offStack', lowered, tree.helper('given'));
    },

    SpreadElement(node, helper = this.frame.node.generator ? 'spreadItems' : 'spread') {
      const value = this.expression(node.argument.arguments[0]);
      this.impure();
      return { type: 'SpreadElement', argument: this.callHelper(helper, value) };
    },

    // A spread value that pays once more (30_rewrite.js).
    spreadTwice(node) {
      const value = this.expression(node.arguments[0]);
      this.impure();
      return this.callHelper('spreadLength', value);
    },

    TaggedTemplateExpression(node) {
      const { tag, quasi } = node;
      if (tag.name === '_IOSTTemplateTag' && this.isHelperName(tag)) return this.template(quasi);
      const callee = this.expression(tag);
      return { type: 'CallExpression', callee, arguments: [this.strings(quasi), ...this.args(quasi.expressions)] };
    },

    // The list of texts of a tagged template: made where it is first needed, the same in all of a call.
    strings(quasi) {
      const name = tree.helper(`strings${this.templates.length}`);
      this.templates.push(name);
      const list = (kind) => ({ type: 'ArrayExpression', elements: quasi.quasis.map(({ value }) => textOf(value[kind])) });
      const made = tree.assign(name, this.callHelper('strings', list('cooked'), list('raw')));
      return tree.choice(tree.binary('===', name, tree.identifier('undefined')), made, name);
    },

    template(quasi) {
      const parts = [];
      quasi.quasis.forEach((text, i) => {
        parts.push(V8VM.longNames.text(text.value.cooked));
        if (i < quasi.expressions.length) parts.push(this.expression(quasi.expressions[i]));
      });
      this.impure();
      return this.callHelper('template', ...parts);
    },

    YieldExpression(node) {
      const { weight } = this.frame;
      const argument = node.argument ? this.expression(node.argument) : tree.identifier('undefined');
      this.impure();
      if (node.delegate) return { type: 'YieldExpression', delegate: true, argument: this.callHelper('delegate', weight, argument) };
      const yielded = { type: 'YieldExpression', delegate: false, argument: this.callHelper('yielding', weight, argument) };
      return this.callHelper('resumed', weight, yielded);
    },

    // -- operators -----------------------------------------------------------------------------------------------

    // Numbers take the engine's operator in place; anything else goes to the helper. The dynamic price is taken by the
    // open charge when the operands cost nothing to evaluate, and by the helper otherwise.
    operator(node) {
      const [leftNode, rightNode, { value }] = node.arguments;
      const [name, native] = OPERATORS[value];
      const inPlace = native !== null && this.inPlace(leftNode) && this.inPlace(rightNode); // the engine's own power is not the same everywhere
      const left = this.expression(leftNode);
      const right = this.expression(rightNode);
      const numeric = this.isNumeric(leftNode) && this.isNumeric(rightNode);
      if (!inPlace || !this.foldOperatorPrice()) {
        this.impure();
        return this.callHelper(name, left, right);
      }
      const quick = tree.binary(native, left, right);
      if (numeric) return quick;
      this.impure();
      const tests = [leftNode, rightNode].filter((part) => !this.isNumeric(part));
      const test = tests.map((part) => this.isNumber(part === leftNode ? left : right)).reduce((a, b) => tree.logical('&&', a, b));
      return tree.choice(test, quick, this.callHelper(`${name}Paid`, left, right));
    },

    inPlace(node) {
      if (!PASSED_BY_NAME.has(node.type)) return false;
      return node.type === 'Literal' ? typeof node.value === 'number' : Boolean(this.references.get(node)?.binding) && this.isReady(node) && !this.isArguments(node);
    },

    // -- literals ------------------------------------------------------------------------------------------------

    ArrayExpression(node) {
      return { type: 'ArrayExpression', elements: node.elements.map((item) => this.element(item)) };
    },

    element(item) {
      if (item === null) return null;
      return item.type === 'SpreadElement' ? this.SpreadElement(item, 'items') : this.expression(item);
    },

    ObjectExpression(node) {
      return { type: 'ObjectExpression', properties: node.properties.map((property) => this.Property(property)) };
    },

    Property(node) {
      const isPrototype = !node.computed && !node.method && !node.shorthand && node.kind === 'init' && (node.key.name ?? node.key.value) === '__proto__';
      const key = this.propertyKey(node);
      let value = this.expression(node.value);
      if (isPrototype) {
        this.impure();
        value = this.callHelper('prototype', value);
      }
      return { type: 'Property', key, computed: node.computed, value, kind: node.kind, method: node.method, shorthand: false };
    },

    propertyKey(node) {
      if (!node.computed) return node.key.type === 'Identifier' ? tree.identifier(node.key.name) : tree.literal(node.key.value);
      const key = this.expression(node.key);
      this.impure();
      const single = key.type === 'SequenceExpression' ? this.callHelper('last', ...key.expressions) : key; // no commas in a computed name
      return node.key.type === 'Literal' ? single : this.callHelper('naming', single);
    },

    // -- classes -------------------------------------------------------------------------------------------------

    ClassDeclaration(node) {
      return this.classNode(node, 'ClassDeclaration');
    },

    ClassExpression(node) {
      return this.classNode(node, 'ClassExpression');
    },

    classNode(node, type) {
      let superClass = null;
      if (node.superClass || type === 'ClassExpression') {
        superClass = node.superClass ? this.expression(node.superClass) : null;
        this.impure();
      }
      if (superClass !== null) superClass = this.callHelper('base', superClass);
      const body = node.body.body.map((method) => ({
        type: 'MethodDefinition',
        key: this.propertyKey(method),
        computed: method.computed,
        value: this.expression(method.value),
        kind: method.kind,
        static: method.static,
      }));
      return { type, id: node.id ? this.spell(node.id.name) : null, superClass, body: { type: 'ClassBody', body } };
    },
  };

  const UNSPELLED = '(intermediate value)';
  const SPELL = {
    __proto__: null,
    Identifier: ({ name }) => name,
    ThisExpression: () => 'this',
    MemberExpression: ({ object, property, computed }) => `${spelled(object)}${computed ? `[${spelled(property)}]` : `.${property.name}`}`,
    CallExpression: ({ callee }) => `${spelled(callee)}(...)`,
    TaggedTemplateExpression: ({ tag }) => (tag.name === '_IOSTTemplateTag' ? '_IOSTTemplateTag(...)' : UNSPELLED),
    ConditionalExpression: () => UNSPELLED.repeat(3), // its parts are looked at, and none is shown
    LogicalExpression: ({ left, operator, right }) => `(${spelled(left)} ${operator} ${spelled(right)})`,
    Literal: ({ value }) => (typeof value === 'number' ? `${value}` : UNSPELLED),
  };

  // An expression as the engine's messages show it, as far as it is short.
  const spelled = (node) => (node.type in SPELL && node.range[1] - node.range[0] <= MAX_SPELLED ? SPELL[node.type](node) : UNSPELLED);

  Object.assign(Lowering.prototype, methods);
})(globalThis.V8VM);
