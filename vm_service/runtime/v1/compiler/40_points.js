// Second pass: where gas is charged, and how much. Works on the printed text of the first pass.
//
// A point is a source offset where a charge is taken. Node prices go to the closest enclosing point, in depth-first
// property order, as IEEE doubles: the order of additions decides what a total truncates to. Entries at one offset are
// kept in writing order: closing text goes in front (so what encloses must be closed before its parts are visited),
// opening text and points follow as they come.
(function (V8VM) {
  'use strict';

  const { eachChild } = V8VM.tree;

  const { node: NODE, loop: LOOP } = V8VM.prices;
  const listPrice = (count) => (count === 0 ? NODE.item : NODE.filled + NODE.item * count);

  // Gas of one node by its type. What is not listed costs nothing.
  const PRICES = {
    __proto__: null,
    ObjectExpression: (node) => listPrice(node.properties.length),
    ArrayExpression: (node) => listPrice(node.elements.length),
    Literal: (node) => (typeof node.value === 'string' ? NODE.text + NODE.unit * node.value.length : 0),
  };
  for (const type in NODE) PRICES[type] = () => NODE[type];

  const OPENS_POINT = new Set([
    'ExpressionStatement', 'ReturnStatement', 'ThrowStatement', 'SwitchStatement', 'DoWhileStatement', 'ForStatement',
    'ForInStatement', 'ForOfStatement', 'IfStatement', 'WhileStatement',
  ]);

  class Layout {
    constructor() {
      this.entries = new Map(); // offset -> {closing: entries, the last one in front; others: entries in writing order}
      this.statements = new Map(); // statement or declaration -> the point before it
      this.bodies = new Map(); // loop, or arrow with an expression body -> the point at the start of its body
      this.expressions = new Map(); // expression -> the point before it
    }

    at(offset) {
      let list = this.entries.get(offset);
      if (list === undefined) this.entries.set(offset, (list = { closing: [], others: [] }));
      return list;
    }

    open(offset, text) {
      this.at(offset).others.push({ kind: 'text', text });
    }

    close(offset, text) {
      this.at(offset).closing.push({ kind: 'text', text });
    }

    // A point right behind another statement point shares it.
    point(offset, kind, base = 0) {
      const { others } = this.at(offset);
      const last = others[others.length - 1];
      if (last !== undefined && last.kind === ';') {
        last.total += base;
        return last;
      }
      const point = { kind, total: base };
      others.push(point);
      return point;
    }
  }

  class Walk {
    constructor() {
      this.layout = new Layout();
    }

    visit(node, outer, inLoopHead = false) {
      let point = outer;
      const price = PRICES[node.type]?.(node) ?? 0;
      const declares = node.type === 'VariableDeclaration' && !inLoopHead;
      if (OPENS_POINT.has(node.type) || declares || (price > 0 && point === null)) {
        point = this.layout.point(node.range[0], ';');
        this.layout.statements.set(node, point);
      }
      if (price > 0) point.total += price;
      const visitParts = this[node.type];
      if (visitParts !== undefined) visitParts.call(this, node, point);
      else this.children(node, point);
    }

    children(node, point) {
      eachChild(node, (child) => this.visit(child, point));
    }

    expression(node, base = 0) {
      const point = this.layout.point(node.range[0], ',', base);
      this.layout.expressions.set(node, point);
      this.visit(node, point);
    }

    braced(node, visitInside) {
      if (node.type === 'BlockStatement') return visitInside(node.range[0] + 1);
      this.layout.open(node.range[0], '{');
      this.layout.close(node.range[1], '}');
      return visitInside(node.range[0]);
    }

    branch(node, point) {
      this.braced(node, () => this.visit(node, point));
    }

    body(loop) {
      this.braced(loop.body, (offset) => {
        const point = this.layout.point(offset, ';', LOOP[loop.type]);
        this.layout.bodies.set(loop, point);
        this.visit(loop.body, point);
      });
    }

    IfStatement(node, point) {
      this.expression(node.test);
      this.branch(node.consequent, point);
      if (node.alternate) this.branch(node.alternate, point);
    }

    ForStatement(node, point) {
      if (node.init) this.visit(node.init, point, true);
      if (node.test) this.expression(node.test);
      if (node.update) this.expression(node.update);
      this.body(node);
    }

    ForInStatement(node, point) {
      this.visit(node.left, point, true);
      this.visit(node.right, point);
      this.body(node);
    }

    ForOfStatement(node, point) {
      this.ForInStatement(node, point);
    }

    WhileStatement(node) {
      this.expression(node.test, LOOP.whileTest);
      this.body(node);
    }

    DoWhileStatement(node) {
      this.body(node);
      this.expression(node.test, LOOP.whileTest);
    }

    SwitchCase(node, point) {
      if (node.test) this.expression(node.test);
      for (const statement of node.consequent) this.visit(statement, point);
    }

    ConditionalExpression(node) {
      for (const part of [node.test, node.consequent, node.alternate]) {
        this.layout.open(part.range[0], '(');
        this.layout.close(part.range[1], ')');
        this.expression(part);
      }
    }

    ArrowFunctionExpression(node, point) {
      for (const parameter of node.params) this.visit(parameter, point);
      if (node.body.type === 'BlockStatement') return this.visit(node.body, point);
      const [start, end] = node.body.range;
      this.layout.open(start, 'function(){');
      const inner = this.layout.point(start, ';');
      this.layout.bodies.set(node, inner);
      this.layout.open(start, 'return ');
      this.layout.close(end, '}()');
      return this.visit(node.body, inner);
    }
  }

  // Tree of the printed text (with ranges) -> layout of its charges.
  function findPoints(program) {
    const walk = new Walk();
    walk.visit(program, null);
    return walk.layout;
  }

  V8VM.points = { findPoints, PRICES };
})(globalThis.V8VM);
