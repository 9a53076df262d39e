// Amount limits: what an action may move out of accounts, by the called method and by its transaction.
(function (V8VM) {
  'use strict';

  const { ArrayPrototypePush } = V8VM.primordials;
  const { authority, token, decimal, journal, Failure } = V8VM;

  const ANY = '*';
  const UNLIMITED = 'unlimited';
  const ANY_DECIMALS = 0; // a limit for any token is in whole tokens

  const FEW = 8; // more of them are looked up in one trip to the store: checking a transaction is free

  function foretell(limits) {
    const cells = [];
    for (const limit of limits) ArrayPrototypePush(cells, ...token.cells(limit.token));
    journal.foretell(cells);
  }

  // Checks a list of limits. Throws Failure.
  function validate(limits) {
    if (limits.length > FEW) foretell(limits);
    const seen = new Set();
    for (const { token: name, val } of limits) {
      if (seen.has(name)) throw new Failure(`duplicated token in amountLimit: ${name}`);
      seen.add(name);
      if (name !== ANY && !token.exists(name)) throw new Failure(`token not exists in amountLimit, token:"${name}" val:"${val}"`);
      if (val === UNLIMITED) continue;
      const { error } = decimal.parse(val, name === ANY ? ANY_DECIMALS : token.decimals(name));
      if (error !== undefined) throw new Failure(error);
    }
  }

  // What left accounts from move `first` on: token -> amount in smallest units.
  function sumMoves(moves, first) {
    const sums = new Map();
    for (let i = first; i < moves.length; i++) {
      const { sym, from, amount } = moves[i];
      if (!authority.isContract(from)) sums.set(sym, (sums.get(sym) ?? 0n) + amount);
    }
    return sums;
  }

  // The limit for a token: its own entry, else that for any token. With neither, nothing is allowed.
  function limitFor(limits, sym) {
    let found = null;
    for (const limit of limits) if (limit.token === sym || (limit.token === ANY && found?.token !== sym)) found = limit;
    return found;
  }

  // Whether a list of limits forbids an amount.
  function exceeds(limits, sym, amount) {
    if (amount <= 0n) return false;
    const limit = limitFor(limits, sym);
    if (limit === null) return true;
    if (limit.val === UNLIMITED) return false;
    const decimals = token.decimals(sym);
    if (limit.token === sym) return amount > decimal.parse(limit.val, decimals).value;
    return amount > decimal.parse(limit.val, ANY_DECIMALS).value * decimal.POWERS[decimals];
  }

  // Checks what the running action moved, from move `firstMove` on. Throws Failure.
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

  V8VM.amountLimits = { validate, check: checkMoves };
})(globalThis.V8VM);
