// Balances of token.iost, in smallest units: what an account has, and what is frozen for it until its time.
//
//   map TB<account>  sym -> balance
//   map TF<account>  sym -> JSON [{"Amount": n, "Ftime": ns}], sorted by time: frozen amounts
(function (V8VM) {
  'use strict';

  const { ArrayPrototypeMap, ArrayPrototypeSlice, ArrayPrototypeSort, BigInt, StringPrototypeStartsWith } = V8VM.primordials;
  const { meter, state, values, context } = V8VM;
  const { parseExact } = V8VM.text;
  const { op, overlook, publisher } = V8VM.natives.kit;

  const TOKEN = 'token.iost';

  function setBalance(sym, account, amount) {
    const free = (sym === 'iost' || sym === 'ram') && !StringPrototypeStartsWith(account, 'Contract');
    overlook(() => state.mapHasPut(TOKEN, `TB${account}`, sym, values.int(amount), free ? null : publisher()));
  }

  // The balance with due frozen amounts thawed (and stored).
  function getBalance(sym, account) {
    const balance = state.mapHasGet(TOKEN, `TB${account}`, sym)?.data ?? 0n;
    const frozen = state.mapHasGet(TOKEN, `TF${account}`, sym);
    return frozen === null ? balance : thaw(sym, account, balance, frozen);
  }

  function thaw(sym, account, balance, cell) {
    const now = context.blockTime();
    const frozen = frozenItems(cell);
    let due = 0;
    let total = balance;
    while (due < frozen.length && frozen[due].time <= now) total += frozen[due++].amount;
    op(due);
    if (total > balance) setBalance(sym, account, total);
    if (due > 0) {
      op();
      state.mapPut(TOKEN, `TF${account}`, sym, frozenCell(ArrayPrototypeSlice(frozen, due)), null);
    }
    return total;
  }

  // The items of a cell; they are shared, not to be changed.
  function frozenItems(cell) {
    op();
    cell.parsed ??= ArrayPrototypeMap(parseExact(cell.data), (item) => ({ amount: BigInt(item.Amount.source), time: BigInt(item.Ftime.source) }));
    return cell.parsed;
  }

  // The cell of these items; of the list passed in, which nobody may change any more.
  function frozenCell(items) {
    let text = '[';
    for (let i = 0; i < items.length; i++) text += `${i === 0 ? '' : ','}{"Amount":${items[i].amount},"Ftime":${items[i].time}}`;
    const cell = values.json(`${text}]`);
    cell.parsed = items;
    return cell;
  }

  const earlier = (a, b) => (a.time !== b.time ? (a.time < b.time ? -1 : 1) : a.amount < b.amount ? -1 : a.amount > b.amount ? 1 : 0);

  // Who freezes something for an account pays for all that is frozen there.
  function freeze(sym, account, amount, time) {
    const cell = state.mapHasGet(TOKEN, `TF${account}`, sym);
    const items = cell === null ? [] : [...frozenItems(cell)];
    items[items.length] = { amount, time };
    ArrayPrototypeSort(items, earlier);
    op(items.length);
    op();
    state.mapPut(TOKEN, `TF${account}`, sym, frozenCell(items), publisher());
  }

  // The reference counts what reading this balance costs twice.
  function balanceAtTwice(sym, account) {
    const before = meter.used;
    const balance = getBalance(sym, account);
    meter.charge(meter.used - before);
    return balance;
  }

  V8VM.balances = { getBalance, setBalance, balanceAtTwice, freeze };
})(globalThis.V8VM);
