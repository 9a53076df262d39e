// token.iost: fungible tokens. Amounts are int64 in the smallest unit.
//
//   map TI<sym>      issuer, totalSupply, supply, canTransfer, onlyIssuerCanTransfer, defaultRate, decimal, fullName
//   map TB<account>  sym -> balance
//   map TF<account>  sym -> JSON [{"Amount": n, "Ftime": ns}], sorted by time: frozen amounts
(function (V8VM) {
  'use strict';

  const {
    ArrayPrototypeMap, ArrayPrototypePush, ArrayPrototypeSort, BigInt, NumberIsInteger, RegExpPrototypeTest, StringPrototypeStartsWith,
  } = V8VM.primordials;
  const { meter, state, values, context, authority } = V8VM;
  const { utf8Length, parseExact, RawNumber } = V8VM.text;
  const { format, parse, isPlain, INT64_MAX, POWERS } = V8VM.decimal;
  const { fail, op, requireAuth, receiptOf } = V8VM.natives.kit;

  const TOKEN = 'token.iost';
  const SYMBOL = /^[a-z0-9_]{2,16}$/;
  const MAX_MEMO_BYTES = 512;
  const MAX_FULL_NAME_BYTES = 50;
  const ISSUE_OVERHEAD = 610; // beside its visible steps: two cells and a step, by measurement
  const V2 = '1.0.2';
  const V3 = '1.0.3';

  const info = (sym, attribute) => state.mapGet(TOKEN, `TI${sym}`, attribute).data;
  const exists = (sym) => state.mapGet(TOKEN, `TI${sym}`, 'issuer') !== null;
  const requireToken = (sym) => exists(sym) || fail('token not exists');
  const decimalsOf = (sym) => Number(info(sym, 'decimal'));
  function shown(sym, amount) {
    op();
    return format(amount, decimalsOf(sym));
  }

  function failShort(sym, balance, text) {
    op();
    fail(`balance not enough ${shown(sym, balance)} < ${text}`);
  }

  const publisher = () => context.current().publisher;

  // -- amounts -------------------------------------------------------------------------------------------------------

  function parseAmount(sym, text) {
    const parsed = parse(text, decimalsOf(sym));
    op();
    if (parsed.error !== undefined) fail(`invalid amount ${text} ${parsed.error}`);
    if (parsed.value <= 0n) fail('invalid amount');
    return parsed.value;
  }

  // From 1.0.2 on: stricter form, and the canonical text of the amount.
  function canonicalAmount(sym, text) {
    const decimals = decimalsOf(sym);
    if (!isPlain(text)) fail(`invalid amount ${text} amount should be a decimal`);
    const parsed = parse(text, decimals);
    if (parsed.error !== undefined) fail(`invalid amount ${text} ${parsed.error}`);
    return format(parsed.value, decimals);
  }

  // -- balances ------------------------------------------------------------------------------------------------------

  function setBalance(sym, account, amount) {
    op();
    const free = (sym === 'iost' || sym === 'ram') && !StringPrototypeStartsWith(account, 'Contract');
    state.mapHasPut(TOKEN, `TB${account}`, sym, values.int(amount), free ? null : publisher());
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
    if (due > 0) state.mapPut(TOKEN, `TF${account}`, sym, values.json(frozenText(frozen, due)), null);
    return total;
  }

  // The items of a cell; they are shared, not to be changed.
  function frozenItems(cell) {
    op();
    cell.parsed ??= ArrayPrototypeMap(parseExact(cell.data), (item) => ({ amount: BigInt(item.Amount.source), time: BigInt(item.Ftime.source) }));
    return cell.parsed;
  }

  function frozenText(items, from) {
    let text = '[';
    for (let i = from; i < items.length; i++) text += `${i === from ? '' : ','}{"Amount":${items[i].amount},"Ftime":${items[i].time}}`;
    return `${text}]`;
  }

  const earlier = (a, b) => (a.time !== b.time ? (a.time < b.time ? -1 : 1) : a.amount < b.amount ? -1 : a.amount > b.amount ? 1 : 0);

  function freeze(sym, account, amount, time) {
    const cell = state.mapHasGet(TOKEN, `TF${account}`, sym);
    const items = cell === null ? [] : [...frozenItems(cell)];
    items[items.length] = { amount, time };
    ArrayPrototypeSort(items, earlier);
    op(items.length);
    state.mapPut(TOKEN, `TF${account}`, sym, values.json(frozenText(items, 0)), cell === null ? publisher() : null);
  }

  // Notes for the amount limits what went out of an account.
  const moved = (sym, from, amount) => ArrayPrototypePush(context.current().moves, { sym, from, amount });

  // Takes the amount out of `from`; returns what is left.
  function requireBalance(sym, from, amount, text) {
    const balance = getBalance(sym, from);
    if (balance < amount) failShort(sym, balance, text);
    return balance - amount;
  }

  // -- create and issue ----------------------------------------------------------------------------------------------

  function wholeNumber(value) {
    const number = value instanceof RawNumber ? Number(value.source) : NaN;
    return NumberIsInteger(number) ? BigInt(number) : fail('decimal in config should be number');
  }

  const ofType = (type, name) => (value) => (typeof value === type ? value : fail(`${name} in config should be ${type === 'boolean' ? 'bool' : type}`));

  // Name, default (null: the symbol), check.
  const CONFIG = [
    ['decimal', 8n, wholeNumber],
    ['canTransfer', true, ofType('boolean', 'canTransfer')],
    ['onlyIssuerCanTransfer', false, ofType('boolean', 'onlyIssuerCanTransfer')],
    ['defaultRate', '1.0', ofType('string', 'defaultRate')],
    ['fullName', null, ofType('string', 'fullName')],
  ];

  function parseConfig(text, sym) {
    op(2);
    const given = parseExact(text);
    if (given === null || typeof given !== 'object') fail('json: cannot unmarshal config');
    const config = {};
    op(3);
    for (const [name, fallback, read] of CONFIG) config[name] = given[name] === undefined ? fallback ?? sym : read(given[name]);
    if (utf8Length(config.fullName) > MAX_FULL_NAME_BYTES) fail('fullName is too long');
    return config;
  }

  const VALUE_OF = { __proto__: null, bigint: values.int, boolean: values.bool, string: values.text };

  function create([sym, issuer, totalSupply, configText]) {
    op();
    op();
    if (!RegExpPrototypeTest(SYMBOL, sym)) fail(`token symbol invalid. ${symbolProblem(sym)}`);
    requireAuth(issuer, 'token');
    if (exists(sym)) fail('token exists');
    const config = parseConfig(configText.text, sym);
    const { decimal } = config;
    if (decimal < 0n || decimal > 18n) fail('invalid decimal');
    if (totalSupply < 0n || totalSupply > INT64_MAX / POWERS[Number(decimal)]) fail('invalid totalSupply');
    const total = totalSupply * POWERS[Number(decimal)];
    const attributes = { issuer, totalSupply: total, supply: 0n, ...config };
    for (const name of ['issuer', 'totalSupply', 'supply', 'canTransfer', 'onlyIssuerCanTransfer', 'defaultRate', 'decimal', 'fullName']) {
      state.mapPut(TOKEN, `TI${sym}`, name, VALUE_OF[typeof attributes[name]](attributes[name]), issuer);
    }
    receiptOf([sym, issuer, totalSupply, configText]);
    return [];
  }

  function symbolProblem(sym) {
    if (sym.length < 2 || sym.length > 16) return `token symbol length should be between 2,16  got ${sym}`;
    return `token symbol contains invalid character ${sym}`;
  }

  function issue([sym, to, amountText], frame, version) {
    op();
    requireToken(sym);
    const text = version >= V2 ? canonicalAmount(sym, amountText) : amountText;
    const issuer = info(sym, 'issuer');
    const supply = info(sym, 'supply');
    const total = info(sym, 'totalSupply');
    requireAuth(issuer, 'token');
    const amount = parseAmount(sym, text);
    if (total - supply < amount) fail('supply too much');
    state.mapPut(TOKEN, `TI${sym}`, 'supply', values.int(supply + amount), null);
    meter.charge(ISSUE_OVERHEAD);
    setBalance(sym, to, getBalance(sym, to) + amount);
    receiptOf([sym, to, text]);
    return [];
  }

  // -- transfer ------------------------------------------------------------------------------------------------------

  function checkParties(from, to, memo) {
    if (utf8Length(memo) > MAX_MEMO_BYTES) fail('memo too large');
    if (!authority.accountExists(from)) fail(`invalid account ${from}`);
    if (!authority.accountExists(to)) fail(`invalid account ${to}`);
  }

  // Checks the token's transfer rules and the sender's authority; returns the amount and its text for the receipt.
  function admit(sym, from, amountText, version) {
    requireToken(sym);
    const text = version >= V2 ? canonicalAmount(sym, amountText) : amountText;
    if (!info(sym, 'canTransfer')) fail("token can't transfer");
    if (info(sym, 'onlyIssuerCanTransfer') && !authority.requireAuth(info(sym, 'issuer'), 'token')) fail('transfer need issuer permission');
    requireAuth(from, 'transfer');
    return { amount: parseAmount(sym, text), text };
  }

  function transfer([sym, from, to, amountText, memo], frame, version) {
    op();
    if (version < V3 && from === to) return [];
    checkParties(from, to, memo);
    const { amount, text } = admit(sym, from, amountText, version);
    const fromBalance = getBalance(sym, from);
    const toBalance = getBalance(sym, to);
    if (fromBalance < amount) failShort(sym, fromBalance, text);
    setBalance(sym, from, fromBalance - amount);
    setBalance(sym, to, (from === to ? fromBalance - amount : toBalance) + amount);
    moved(sym, from, amount);
    receiptOf([sym, from, to, text, memo]);
    return [];
  }

  function transferFreeze([sym, from, to, amountText, timeText, memo], frame, version) {
    op();
    if (utf8Length(memo) > MAX_MEMO_BYTES) fail('memo too large');
    const { amount, text } = admit(sym, from, amountText, version);
    const left = requireBalance(sym, from, amount, text);
    const time = parse(timeText, 0);
    if (time.error !== undefined) fail(`invalid ftime ${timeText}`);
    setBalance(sym, from, left);
    freeze(sym, to, amount, time.value);
    moved(sym, from, amount);
    receiptOf([sym, from, to, text, timeText, memo]);
    return [];
  }

  function destroy([sym, from, amountText], frame, version) {
    op();
    requireToken(sym);
    const text = version >= V2 ? canonicalAmount(sym, amountText) : amountText;
    requireAuth(from, 'transfer');
    const amount = parseAmount(sym, text);
    const left = requireBalance(sym, from, amount, text);
    setBalance(sym, from, left);
    state.mapPut(TOKEN, `TI${sym}`, 'supply', values.int(info(sym, 'supply') - amount), null);
    moved(sym, from, amount);
    receiptOf([sym, from, text]);
    return [];
  }

  // -- questions -----------------------------------------------------------------------------------------------------

  function balanceOf([sym, account]) {
    op();
    requireToken(sym);
    return [shown(sym, getBalance(sym, account))];
  }

  const supplyOf = (attribute) => ([sym]) => {
    op();
    requireToken(sym);
    return [shown(sym, info(sym, attribute))];
  };

  function updateTotalSupply([sym, totalSupply]) {
    op();
    requireToken(sym);
    requireAuth(info(sym, 'issuer'), 'token');
    const unit = POWERS[decimalsOf(sym)];
    if (totalSupply < 0n || totalSupply > INT64_MAX / unit || totalSupply * unit < info(sym, 'supply')) fail('invalid totalSupply');
    state.mapPut(TOKEN, `TI${sym}`, 'totalSupply', values.int(totalSupply * unit), null);
    receiptOf([sym, totalSupply]);
    return [];
  }

  function recycle() {
    op();
    return fail('permission denied');
  }

  V8VM.natives.define(TOKEN, [
    { name: 'create', args: ['string', 'string', 'number', 'json'], run: create },
    { name: 'issue', args: ['string', 'string', 'string'], run: issue },
    { name: 'transfer', args: ['string', 'string', 'string', 'string', 'string'], run: transfer },
    { name: 'transferFreeze', args: ['string', 'string', 'string', 'string', 'string', 'string'], run: transferFreeze },
    { name: 'balanceOf', args: ['string', 'string'], run: balanceOf },
    { name: 'supply', args: ['string'], run: supplyOf('supply') },
    { name: 'totalSupply', args: ['string'], run: supplyOf('totalSupply') },
    { name: 'destroy', args: ['string', 'string', 'string'], run: destroy },
    { name: 'updateTotalSupply', args: ['string', 'number'], since: '1.0.4', until: '1.0.6', run: updateTotalSupply },
    { name: 'recycle', args: ['string'], since: '1.0.6', run: recycle },
  ]);

  V8VM.token = {
    // Balance in smallest units without frozen amounts, or 0n; for the kernel's own settlement.
    balance: (sym, account) => state.readField(TOKEN, `TB${account}`, sym)?.data ?? 0n,
    exists: (sym) => state.readField(TOKEN, `TI${sym}`, 'issuer') !== null,
    decimals: (sym) => Number(state.readField(TOKEN, `TI${sym}`, 'decimal')?.data ?? 8n),
  };
})(globalThis.V8VM);
