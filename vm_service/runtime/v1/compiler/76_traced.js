// The traced image: the same code as an ordinary image, with each `throw` passed through the helper `thrown`, and a map from
// offsets in its script to lines and columns of the author's source. It is made only for a call that is traced.
//
// Positions travel from tree to tree. A printed text that is parsed again gives a tree of the same shape, so `align` walks
// both at once: from the rewritten tree of the source to the tree of its printed text, and from the lowered tree to the tree
// of the image. Where the shapes differ, parts keep the position of what is around them.
(function (V8VM) {
  'use strict';

  const tree = V8VM.tree;
  const { Lowering } = V8VM;

  // Calls visit(from, to) for each pair of nodes of the same place and type.
  function align(from, to, visit) {
    if (from.type !== to.type) return;
    visit(from, to);
    for (const key in to) {
      const [a, b] = [from[key], to[key]];
      if (Array.isArray(b)) {
        if (!Array.isArray(a) || a.length !== b.length) continue;
        b.forEach((item, i) => tree.isNode(item) && tree.isNode(a[i]) && align(a[i], item, visit));
      } else if (tree.isNode(b) && tree.isNode(a)) align(a, b, visit);
    }
  }

  // Gives a tree the positions of another one.
  function inherit(from, to) {
    align(from, to, (a, b) => {
      b.loc = a.loc;
    });
  }

  // A lowering whose nodes know the positions of the nodes that they were made of.
  class TracedLowering extends Lowering {
    at = null; // position of the node being lowered

    within(node, lower) {
      const outer = this.at;
      this.at = node.loc ?? outer;
      const result = lower();
      if (result !== null) this.locate(node, result);
      this.at = outer;
      return result;
    }

    locate(node, result) {
      result.loc ??= this.at;
      const isMember = result.type === 'MemberExpression' && node.type === 'MemberExpression';
      if (isMember && !result.computed && node.property.loc) result.property.loc ??= node.property.loc; // calls stand at the name
    }

    statements(list) {
      return list.flatMap((node) => {
        const outer = this.at;
        this.at = node.loc ?? outer;
        const result = super.statements([node]);
        this.at = outer;
        return result;
      });
    }

    statement(node) {
      return this.within(node, () => super.statement(node));
    }

    expression(node) {
      return this.within(node, () => super.expression(node));
    }

    unused(node) {
      return this.within(node, () => super.unused(node));
    }

    storeMember(target, lowerValue) {
      return this.within(target, () => super.storeMember(target, lowerValue));
    }

    pointed(node, always, more) {
      return this.within(node, () => super.pointed(node, always, more));
    }

    charge(total) {
      const charged = super.charge(total);
      if (charged !== null) charged.loc = this.at;
      return charged;
    }

    ThrowStatement(node) {
      const lowered = super.ThrowStatement(node);
      const argument = { ...this.callHelper('thrown', lowered.argument), loc: this.at };
      return { ...lowered, argument };
    }
  }

  // Start, end, line, column (from 0) of each node of an image whose position is known, one after the other; outer nodes first.
  function positionsOf(lowered, image) {
    const positions = [];
    align(lowered, image, ({ loc }, { range }) => {
      if (loc) positions.push(range[0], range[1], loc.start.line, loc.start.column);
    });
    return positions;
  }

  V8VM.traced = { inherit, positionsOf, TracedLowering };
})(globalThis.V8VM);
