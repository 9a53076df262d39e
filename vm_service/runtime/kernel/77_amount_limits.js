// Amount limits: what an action may move out of accounts, by the called method and by its transaction.
(function (V8VM) {
  'use strict';

  const { authority, token, decimal, Failure } = V8VM;

  // What left accounts from move `first` on: token -> amount in smallest units.
  function sumMoves(moves, first) {
    const sums = new Map();
    for (let i = first; i < moves.length; i++) {
      const { sym, from, amount } = moves[i];
      if (!authority.isContract(from)) sums.set(sym, (sums.get(sym) ?? 0n) + amount);
    }
    return sums;
  }

  // Whether a list of limits forbids an amount. Nothing listed means nothing allowed.
  function exceeds(limits, sym, amount) {
    let limit = '0';
    for (const { token: name, val } of limits) {
      if (name === sym) {
        limit = val;
        break;
      }
      if (name === '*') limit = val;
    }
    return limit !== 'unlimited' && amount > decimal.parse(limit, token.decimals(sym)).value;
  }

  function checkMoves(method, transaction, firstMove) {
    const { moves, amountsMoved, tx } = transaction;
    if (moves.length === firstMove) return;
    for (const [sym, amount] of sumMoves(moves, firstMove)) {
      const need = () => decimal.format(amount, token.decimals(sym));
      if (exceeds(method.amountLimit, sym, amount)) throw new Failure(`token ${sym} exceed amountLimit in abi. need ${need()}`);
      const total = (amountsMoved.get(sym) ?? 0n) + amount;
      amountsMoved.set(sym, total);
      if (exceeds(tx.amount_limit, sym, total)) throw new Failure(`token ${sym} exceed amountLimit in tx. need ${need()}`);
    }
  }

  V8VM.amountLimits = { check: checkMoves };
})(globalThis.V8VM);
