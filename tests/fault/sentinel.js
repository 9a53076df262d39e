// Looks at all that a contract can reach of the runtime and tells a digest of it: names, types, descriptors, frozenness.
// Whatever a call leaves behind in the realm changes the digest.
class Sentinel {
  init() {}

  run() {
    const seen = [];
    const parts = [];
    const refused = ['caller', 'callee', 'arguments', 'stack', 'description']; // accessors that ask for an object of their own
    const add = (value) => {
      if (value === null || (typeof value !== 'object' && typeof value !== 'function') || seen.includes(value)) return;
      seen.push(value);
    };
    const roots = [
      Object, Number, Symbol, String, Array, Error, JSON, Math, isNaN, isFinite, blockchain, IOSTCrypto, BigNumber, Int64, Float64,
      console, Console, format, formatWithOptions, emptyOptions, MaxInt64, MinInt64, block, storage, require, module,
      [].keys(), ''[Symbol.iterator](), (function* () {})(), function* () {}, new Error('x'), new BigNumber('1.5'), new Int64(3),
      ((strings) => strings)`a${1}b`, (function () { return arguments; })(), Object.getOwnPropertyDescriptor(new Error(''), 'stack'),
    ];
    for (let i = 0; i < roots.length; i++) add(roots[i]);
    for (let at = 0; at < seen.length; at++) {
      const value = seen[at];
      const names = Object.getOwnPropertyNames(value);
      parts.push(typeof value, Object.isFrozen(value), Object.isExtensible(value));
      for (let i = 0; i < names.length; i++) {
        const descriptor = Object.getOwnPropertyDescriptor(value, names[i]);
        const held = descriptor.value;
        parts.push(names[i], typeof held, descriptor.writable, descriptor.enumerable, descriptor.configurable);
        if (names[i] !== 'time' && names[i] !== 'hash' && (typeof held === 'string' || typeof held === 'number' || typeof held === 'boolean')) parts.push(held);
        add(held);
        add(descriptor.get);
        add(descriptor.set);
        if (descriptor.get !== undefined && !refused.includes(names[i])) add(value[names[i]]);
      }
      const symbols = Object.getOwnPropertySymbols(value);
      parts.push(symbols.length);
      for (let i = 0; i < symbols.length; i++) add(value[symbols[i]]);
      add(Object.getPrototypeOf(value));
    }
    parts.push(
      [3, 1, 2].sort().join(), 'abc'.split('').reverse().join(''), JSON.stringify(JSON.parse('{"a":[1,{}]}')), `${new BigNumber('1').div(3)}`,
      new Int64('9223372036854775807').toString(), [1, [2, [3]]].join(), Math.max(1, 2), 'x'.repeat(3), ({}).a === undefined, [].a === undefined,
      storage.get('never') === null, Symbol.for('q') === Symbol.for('q'), new Float64('1.5').plus('2').toString(), new BigNumber('1e-60').toString(),
    );
    const text = parts.join();
    let digest = '';
    for (let from = 0; from < text.length; from += 60000) digest = IOSTCrypto.sha3(digest + text.slice(from, from + 60000));
    return `${seen.length} ${parts.length} ${digest}`;
  }
}
module.exports = Sentinel;
