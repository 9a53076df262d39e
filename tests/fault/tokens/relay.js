// Runs a list of steps with the authority of the contract: what an attacker composes of calls, transfers and cells.
class Relay {
  init() {}
  free(steps) { this._run(steps); }
  none(steps) { this._run(steps); }
  tight(steps) { this._run(steps); }
  some(steps) { this._run(steps); }
  can_update(data) { return blockchain.requireAuth(blockchain.contractOwner(), 'active'); }

  _run(steps) { for (const step of steps) this['_' + step[0]](step); }
  _call(step) { blockchain.call(step[1], step[2], this._made(step[3])); }
  _auth(step) { blockchain.callWithAuth(step[1], step[2], this._made(step[3])); }
  _send(step) { blockchain.transfer(step[1], step[2], step[3], step[4]); }
  _put(step) { storage.put(step[1], step[2], step[3]); }
  _field(step) { storage.mapPut('map', step[1], step[2], step[3]); }
  _del(step) { storage.del(step[1]); }
  _drop(step) { storage.mapDel('map', step[1]); }
  _say(step) { blockchain.receipt(step[1]); blockchain.event(step[1]); }
  _fail() { throw new Error('planned'); }
  _ask(step) { if (blockchain.requireAuth(step[1], step[2]) !== step[3]) throw new Error('answered otherwise'); }

  // Arguments, in which {"made": [kind, text]} stands for an object of the language.
  _made(args) {
    return args.map(function (arg) {
      if (arg === null || typeof arg !== 'object' || arg.made === undefined) return arg;
      const kind = arg.made[0];
      const text = arg.made[1];
      if (kind === 'Int64') return new Int64(text);
      if (kind === 'Float64') return new Float64(text);
      if (kind === 'BigNumber') return new BigNumber(text);
      if (kind === 'toJSON') return { toJSON: function () { return text; } };
      return { toString: function () { return text; } };
    });
  }
}
module.exports = Relay;
