// Lowering of writes: assignments, `++`, `--`, and targets of loops.
//
// Three writes need the runtime: the length of an array (it can reserve any amount of memory), computed keys, which may
// spell `length`, and what an array loses its form by (v1/15_forms.js). Everything else stays the engine's own assignment.
(function (V8VM) {
  'use strict';

  const tree = V8VM.tree;
  const { Lowering } = V8VM;

  const LAST_CLOSE_INDEX = 16; // v1/15_forms.js: gaps up to here change no form
  const MANY_NAMES = 500; // of properties that a text writes: V8 makes them a table from 1,020 on one object

  const methods = {
    AssignmentExpression(node) {
      return this.store(node.left, () => this.expression(node.right));
    },

    // An expression whose value nobody uses.
    unused(node) {
      if (this.isPlainPush(node)) return this.push(node);
      if (node.type !== 'UpdateExpression') return this.expression(node);
      return node.argument.type === 'MemberExpression' ? this.updateMember(node) : this.updateName(node);
    },

    // `list.push(item)` of two names: the most frequent method call there is. Written as a store it is as fast as the
    // engine's own; whatever is no array, or has another `push`, is called.
    isPlainPush({ type, callee, arguments: args }) {
      if (type !== 'CallExpression' || callee.type !== 'MemberExpression' || callee.computed || callee.property.name !== 'push') return false;
      return this.isSimple(callee.object) && callee.object.type === 'Identifier' && args.length === 1 && this.isSimple(args[0]) && this.isReady(callee.object);
    },

    push(node) {
      const list = this.expression(node.callee.object);
      const item = this.expression(node.arguments[0]);
      this.impure();
      const called = { type: 'CallExpression', callee: tree.member(list, 'push'), arguments: [item] };
      const isArray = this.callHelper('isArray', list);
      const test = tree.logical('&&', isArray, tree.binary('===', tree.member(list, 'push'), this.helper('push')));
      const left = tree.assign(this.meter('left'), tree.literal(1), '-=');
      const charged = tree.logical('&&', tree.binary('<', left, tree.literal(0)), this.callHelper('stop'));
      const end = { type: 'MemberExpression', computed: true, object: list, property: tree.member(list, 'length') };
      return tree.choice(test, tree.sequence(charged, tree.assign(end, item)), called);
    },

    store(target, lowerValue) {
      return target.type === 'Identifier' ? this.storeName(target, lowerValue) : this.storeMember(target, lowerValue);
    },

    storeName(target, lowerValue) {
      const { binding, strict } = this.references.get(target);
      if (binding !== null) {
        const value = lowerValue();
        if (binding.kind === 'const' || binding.kind === 'self' || !this.isReady(target)) this.impure();
        return tree.assign(this.spell(target.name), value);
      }
      if (this.endowments.has(target.name)) {
        this.needed.add(target.name);
        return tree.assign(tree.identifier(target.name), lowerValue());
      }
      this.impure();
      if (!this.implicit.has(target.name)) return tree.assign(tree.member(this.helper('unknown'), target.name), lowerValue());
      const name = this.spell(target.name);
      if (!strict) return tree.assign(name, lowerValue());
      return tree.assign(name, this.callHelper('known', name, lowerValue(), tree.literal(target.name)));
    },

    storeMember(target, lowerValue) {
      const key = staticKey(target);
      if (key === 'length') {
        const object = target.object.type === 'Super' ? { type: 'ThisExpression' } : this.expression(target.object);
        const value = lowerValue();
        this.impure();
        return this.callHelper('setLength', object, value);
      }
      if ((key === null || isFar(key)) && this.frame.inParameters) {
        const args = [this.expression(target.object), this.expression(target.property), lowerValue()];
        this.impure();
        return this.callHelper('setMember', ...args);
      }
      const { object, property } = this.place(target, key);
      const isCrowd = this.isCrowd(key);
      const isSuper = object.type === 'Super';
      const left = { type: 'MemberExpression', computed: target.computed, object: isCrowd && !isSuper ? this.callHelper('loosened', object) : object, property };
      let value = lowerValue();
      this.impure();
      if (key === 'prototype') value = this.callHelper('inherited', value);
      if (isCrowd && isSuper) value = tree.sequence(this.callHelper('loosened', { type: 'ThisExpression' }), value);
      return tree.assign(left, value);
    },

    // Whether the text writes so many names that they may be too many for one object.
    isCrowd(key) {
      return key !== null && this.written.add(key).size > MANY_NAMES;
    },

    // Object and property of a write, evaluated in order; a computed key passes through a check that sees the object.
    place(target, key) {
      if (key !== null) {
        if (isFar(key) && target.object.type !== 'Super') return this.indexed(target, (base) => this.callHelper('key', base, tree.literal(key)));
        const object = this.expression(target.object);
        this.impure();
        return { object, property: target.computed ? tree.literal(target.property.value) : tree.identifier(target.property.name) };
      }
      if (target.object.type === 'Super') {
        const property = this.callHelper('key', { type: 'ThisExpression' }, this.expression(target.property));
        this.impure();
        return { object: { type: 'Super' }, property };
      }
      return this.indexed(target, (base) => {
        const property = this.expression(target.property);
        if (this.isNumeric(target.property)) return this.closeIndex(base, property);
        const checked = this.callHelper('key', base, property);
        const quick = target.property.type === 'Identifier' && this.isSimple(target.property);
        if (!quick) return checked;
        return tree.choice(tree.logical('&&', this.isNumber(property), isClose(property)), property, checked);
      });
    },

    // An index that a name holds: small ones can leave no gap that matters, others are looked at.
    closeIndex(base, property) {
      return tree.choice(isClose(property), property, this.callHelper('at', base, property));
    },

    // Evaluates the object of a write once, for the write and for `lowerKey`.
    indexed(target, lowerKey) {
      const simple = this.isSimple(target.object);
      const evaluated = this.expression(target.object);
      const object = simple ? evaluated : tree.assign(this.target(), evaluated);
      const property = lowerKey(simple ? evaluated : tree.helper('target'));
      this.impure();
      return { object, property };
    },

    // -- ++ and -- -----------------------------------------------------------------------------------------------

    UpdateExpression(node) {
      if (node.argument.type === 'Identifier') return this.updateName(node);
      const { object, property, computed } = node.argument;
      const args = object.type === 'Super' ? [{ type: 'ThisExpression' }] : [this.expression(object)];
      args.push(computed ? this.expression(property) : tree.literal(property.name));
      this.impure();
      return this.callHelper('update', ...args, step(node), tree.literal(node.prefix));
    },

    // `x++` of anything but a number first becomes a number, at a price that its text decides.
    updateName(node) {
      const target = node.argument;
      const native = { type: 'UpdateExpression', operator: node.operator, prefix: node.prefix };
      if (this.isNumeric(target)) return { ...native, argument: this.spell(target.name) };
      const { binding } = this.references.get(target);
      if (binding === null && this.endowments.has(target.name)) this.needed.add(target.name);
      const name = binding === null && !this.endowments.has(target.name) && !this.implicit.has(target.name)
        ? tree.member(this.helper('unknown'), target.name)
        : this.spell(target.name);
      const read = binding === null ? this.freeName(target.name) : name;
      const test = this.isNumber(read);
      this.impure();
      return tree.sequence(tree.logical('||', test, tree.assign(name, this.callHelper('number', name))), { ...native, argument: name });
    },

    // `o.p++` as a statement: read once, written once.
    updateMember(node) {
      const target = node.argument;
      const key = staticKey(target);
      if (key === null || key === 'length' || isFar(key) || this.isCrowd(key) || target.object.type === 'Super' || this.frame.inParameters) return this.UpdateExpression(node);
      const simple = this.isSimple(target.object);
      const evaluated = this.expression(target.object);
      const object = simple ? evaluated : tree.assign(this.target(), evaluated);
      const again = simple ? evaluated : tree.helper('target');
      this.impure();
      const at = (base) => ({ ...tree.member(base, key), computed: target.computed, property: target.computed ? tree.literal(key) : tree.identifier(key) });
      const next = this.callHelper('plus', at(again), step(node));
      return tree.assign(at(object), next);
    },
  };

  const step = ({ operator }) => (operator === '++' ? tree.literal(1) : tree.unary('-', tree.literal(1)));

  // Whether a number is one of the first indices: what is below zero or a fraction is a name.
  const isClose = (number) =>
    tree.logical('&&', tree.binary('<', number, tree.literal(LAST_CLOSE_INDEX)), tree.binary('===', tree.binary('>>>', number, tree.literal(0)), number));

  // Whether a key that the text tells is an index beyond the first few.
  const isFar = (key) => key !== null && Number(key) > LAST_CLOSE_INDEX;

  // The key of a member when the text tells it, else null.
  function staticKey(node) {
    if (!node.computed) return node.property.name;
    return node.property.type === 'Literal' && typeof node.property.value !== 'object' ? node.property.value : null;
  }

  Object.assign(Lowering.prototype, methods);
})(globalThis.V8VM);
