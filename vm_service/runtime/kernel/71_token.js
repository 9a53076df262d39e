// token.iost: fungible tokens. Amounts are int64 in the smallest unit.
//
//   map TI<sym>      issuer, totalSupply, supply, canTransfer, onlyIssuerCanTransfer, defaultRate, decimal, fullName
//   NS<namespace>    owner (version 1.0.5)
//   balances         70_balances.js
//
// What each step costs, and the order of the steps, is part of the interface: a failure costs what came before it.
(function (V8VM) {
  'use strict';

  const {
    ArrayIsArray, ArrayPrototypePush, BigInt, BigIntAsIntN, MathTrunc, Number, ObjectHasOwn, RegExpPrototypeTest,
    StringPrototypeIndexOf, StringPrototypeLastIndexOf, StringPrototypeSlice,
  } = V8VM.primordials;
  const { meter, costs, keys, journal, state, values, context, authority, frames, symbols } = V8VM;
  const { getBalance, setBalance, balanceAtTwice, freeze } = V8VM.balances;
  const { encodeArray, utf8Length, parseExact, RawNumber } = V8VM.text;
  const { format, parse, isPlain, INT64_MAX, POWERS } = V8VM.decimal;
  const { fail, op, requireAuth, receiptOf, publisher } = V8VM.natives.kit;

  const TOKEN = 'token.iost';
  const MAX_MEMO_BYTES = 512;
  const MAX_FULL_NAME_BYTES = 50;
  const PARSE_STEPS = 3;
  const REFINED = '1.0.2'; // since then amounts are refined before anything is asked of the token
  const ORDERED = '1.0.3'; // since then a transfer is done with the sender before it looks at what the receiver has
  const NAMESPACES = '1.0.5';

  const info = (sym, attribute) => state.mapGet(TOKEN, `TI${sym}`, attribute).data;
  const exists = (sym) => state.mapGet(TOKEN, `TI${sym}`, 'issuer') !== null;
  const requireToken = (sym) => exists(sym) || fail('token not exists');
  const decimalsOf = (sym) => Number(info(sym, 'decimal'));
  const putInfo = (sym, attribute, value, payer) => state.mapPut(TOKEN, `TI${sym}`, attribute, value, payer);

  function shown(sym, amount) {
    const text = format(amount, decimalsOf(sym));
    op();
    return text;
  }

  // -- amounts -------------------------------------------------------------------------------------------------------

  const refuseAmount = (text, problem) => fail(`invalid amount ${text} ${problem}`);

  function parseAmount(sym, text) {
    const { value, error } = parse(text, decimalsOf(sym));
    op(PARSE_STEPS);
    if (error !== undefined) refuseAmount(text, error);
    return value > 0n ? value : fail('invalid amount');
  }

  // The canonical text of an amount, which then stands in the receipt.
  function refined(sym, text, version) {
    if (version < REFINED) return text;
    const decimals = decimalsOf(sym);
    if (!isPlain(text)) refuseAmount(text, '<nil>');
    const { value, error } = parse(text, decimals);
    return error === undefined ? format(value, decimals) : refuseAmount(text, error);
  }

  // -- what moves ----------------------------------------------------------------------------------------------------

  // Notes for the amount limits what went out of an account, were it to itself.
  const moved = (sym, from, amount) => ArrayPrototypePush(context.current().moves, { sym, from, amount });

  function requireEnough(sym, balance, amount) {
    if (balance >= amount) return;
    const decimals = decimalsOf(sym);
    fail(`balance not enough ${format(balance, decimals)} < ${format(amount, decimals)}`);
  }

  // Takes the amount out of `from`.
  function take(sym, from, amount) {
    const balance = getBalance(sym, from);
    requireEnough(sym, balance, amount);
    setBalance(sym, from, balance - amount);
  }

  const give = (sym, to, amount) => setBalance(sym, to, getBalance(sym, to) + amount);

  // -- create --------------------------------------------------------------------------------------------------------

  // Numbers are doubles here, whole ones by cutting.
  function wholeNumber(value) {
    if (!(value instanceof RawNumber)) fail('decimal in config should be number');
    return MathTrunc(Number(value.source));
  }

  const ofType = (type, name) => (value) => (typeof value === type ? value : fail(`${name} in config should be ${type === 'boolean' ? 'bool' : type}`));

  function fullName(value) {
    if (typeof value !== 'string') fail('fullName in config should be string');
    return utf8Length(value) > MAX_FULL_NAME_BYTES ? fail('fullName is too long') : value;
  }

  // Name, default (null: the symbol), check.
  const CONFIG = [
    ['decimal', 8, wholeNumber],
    ['canTransfer', true, ofType('boolean', 'canTransfer')],
    ['onlyIssuerCanTransfer', false, ofType('boolean', 'onlyIssuerCanTransfer')],
    ['defaultRate', '1.0', ofType('string', 'defaultRate')],
    ['fullName', null, fullName],
  ];

  function jsonKind(value) {
    if (value instanceof RawNumber) return 'number';
    if (typeof value === 'boolean') return 'bool';
    return typeof value === 'string' ? 'string' : 'array';
  }

  const isObject = (value) => typeof value === 'object' && !(value instanceof RawNumber) && !ArrayIsArray(value);

  // What a config says; null says nothing.
  function parseConfig(text, sym) {
    const given = parseExact(text) ?? {};
    op(2);
    if (!isObject(given)) fail(`json: cannot unmarshal ${jsonKind(given)} into Go value of type map[string]interface {}`);
    op(3);
    const config = {};
    for (const [name, fallback, read] of CONFIG) config[name] = ObjectHasOwn(given, name) ? read(given[name]) : fallback ?? sym;
    return config;
  }

  function create([sym, issuer, totalSupply, configText], frame, version) {
    op(2);
    if (version === NAMESPACES) checkSymbolFor(sym, issuer);
    else symbols.check(sym);
    const config = parseConfig(configText.text, sym);
    requireAuth(issuer, 'token');
    if (exists(sym)) fail('token exists');
    const { decimal } = config;
    if (decimal < 0 || decimal > 18) fail('invalid decimal');
    if (totalSupply > INT64_MAX / POWERS[decimal]) fail('invalid totalSupply');
    const payer = publisher();
    putInfo(sym, 'issuer', values.text(issuer), payer);
    putInfo(sym, 'totalSupply', values.int(BigIntAsIntN(64, totalSupply * POWERS[decimal])), payer);
    putInfo(sym, 'supply', values.int(0n), payer);
    putInfo(sym, 'canTransfer', values.bool(config.canTransfer), payer);
    putInfo(sym, 'onlyIssuerCanTransfer', values.bool(config.onlyIssuerCanTransfer), payer);
    putInfo(sym, 'defaultRate', values.text(config.defaultRate), payer);
    putInfo(sym, 'decimal', values.int(BigInt(decimal)), payer);
    putInfo(sym, 'fullName', values.text(config.fullName), payer);
    receiptOf([sym, issuer, totalSupply, configText]);
    return [];
  }

  // -- namespaces: "<namespace>.<symbol>" ----------------------------------------------------------------------------

  const MIN_NAMESPACE_BYTES = 5; // shorter ones are the administrator's

  // Whether an account may use a namespace; it costs nothing to ask. An unclaimed one belongs to the account of its name.
  function checkNamespace(namespace, account) {
    const owner = state.readPlain(TOKEN, `NS${namespace}`);
    if (owner !== null) {
      if (owner.data !== account) fail(`permission denied. namespace belongs to ${owner.data}`);
    } else if (utf8Length(namespace) < MIN_NAMESPACE_BYTES) {
      if (account !== 'admin') fail('short namespace unavailable');
    } else if (account !== namespace) fail('permission denied');
  }

  function checkSymbolFor(sym, account) {
    symbols.checkLength(sym);
    const point = StringPrototypeIndexOf(sym, '.');
    if (point !== StringPrototypeLastIndexOf(sym, '.')) fail("token symbol invalid, more than one '.'");
    symbols.checkCharacters(StringPrototypeSlice(sym, point + 1), 'symbol');
    if (point < 0) return;
    const namespace = StringPrototypeSlice(sym, 0, point);
    symbols.checkCharacters(namespace, 'namespace');
    checkNamespace(namespace, account);
  }

  function transferNamespace([namespace, from, to]) {
    op(2);
    checkNamespace(namespace, from);
    state.del(TOKEN, `NS${namespace}`);
    state.put(TOKEN, `NS${namespace}`, values.text(to), from);
    receiptOf([namespace, from, to]);
    return [];
  }

  // -- issue ---------------------------------------------------------------------------------------------------------

  function issue([sym, to, amountText], frame, version) {
    op();
    requireToken(sym);
    const text = refined(sym, amountText, version);
    const issuer = info(sym, 'issuer');
    const supply = info(sym, 'supply');
    const total = info(sym, 'totalSupply');
    requireAuth(issuer, 'token');
    const amount = parseAmount(sym, text);
    if (BigIntAsIntN(64, total - supply) < amount) fail('supply too much');
    putInfo(sym, 'supply', values.int(supply + amount), null);
    setBalance(sym, to, balanceAtTwice(sym, to) + amount);
    receiptOf([sym, to, text]);
    return [];
  }

  // -- transfer ------------------------------------------------------------------------------------------------------

  function checkMemo(memo) {
    if (utf8Length(memo) > MAX_MEMO_BYTES) fail('memo too large');
  }

  const requireAccount = (id) => authority.accountExists(id) || fail(`invalid account ${id}`);

  // Whether the token may be transferred at all, and by this sender; returns the amount.
  function admit(sym, from, text) {
    if (!info(sym, 'canTransfer')) fail("token can't transfer");
    if (info(sym, 'onlyIssuerCanTransfer') && !authority.requireAuth(info(sym, 'issuer'), 'transfer')) fail('transfer need issuer permission');
    requireAuth(from, 'transfer');
    return parseAmount(sym, text);
  }

  // Up to 1.0.2 both balances are known before either is written.
  function exchange(sym, from, to, amount) {
    const fromBalance = getBalance(sym, from);
    const toBalance = getBalance(sym, to);
    requireEnough(sym, fromBalance, amount);
    setBalance(sym, to, toBalance + amount);
    setBalance(sym, from, fromBalance - amount);
  }

  // The cells of two holders of a token, new ones' listings included: a payout to many takes one trip for each.
  function foretell(sym, from, to) {
    const cells = [];
    for (const id of [from, to]) {
      if (!keys.possible(`TB${id}`) || !keys.possible(sym)) continue;
      if (!authority.isContract(id)) ArrayPrototypePush(cells, keys.field('auth.iost', 'auth', id));
      ArrayPrototypePush(cells, keys.field(TOKEN, `TB${id}`, sym), keys.field(TOKEN, `TF${id}`, sym), keys.listing(TOKEN, `TB${id}`));
    }
    journal.foretell(cells);
  }

  function transfer([sym, from, to, amountText, memo], frame, version) {
    op();
    checkMemo(memo);
    if (journal.crowded()) foretell(sym, from, to);
    requireAccount(from);
    if (version >= ORDERED) signUp(to);
    requireAccount(to);
    if (version < ORDERED && from === to) return [];
    requireToken(sym);
    const text = refined(sym, amountText, version);
    const amount = admit(sym, from, text);
    if (version < ORDERED) exchange(sym, from, to, amount);
    else {
      take(sym, from, amount);
      give(sym, to, amount);
    }
    moved(sym, from, amount);
    receiptOf([sym, from, to, text, memo]);
    return [];
  }

  function transferFreeze([sym, from, to, amountText, time, memo], frame, version) {
    op();
    checkMemo(memo);
    requireToken(sym);
    const text = refined(sym, amountText, version);
    const amount = admit(sym, from, text);
    take(sym, from, amount);
    freeze(sym, to, amount, time);
    moved(sym, from, amount);
    receiptOf([sym, from, to, text, time, memo]);
    return [];
  }

  // -- sign-up by transfer: on test networks, an unknown address of another chain becomes an account -----------------

  const ADDRESS = /^0x[0-9a-f]{40}$/;
  const MAIN_NET = 1024; // never got the rule

  function signUp(id) {
    if (!RegExpPrototypeTest(ADDRESS, id) || context.current().tx.chain_id === MAIN_NET || authority.accountExists(id)) return;
    frames.callContract('auth.iost', 'signUp', encodeArray([id, '', '']), true);
  }

  // -- destroy and recycle -------------------------------------------------------------------------------------------

  function destroy([sym, from, amountText], frame, version) {
    op();
    requireToken(sym);
    const text = refined(sym, amountText, version);
    requireAuth(from, 'transfer');
    const amount = parseAmount(sym, text);
    take(sym, from, amount);
    putInfo(sym, 'supply', values.int(info(sym, 'supply') - amount), null);
    moved(sym, from, amount);
    receiptOf([sym, from, text]);
    return [];
  }

  function recycle() {
    op();
    return fail('permission denied');
  }

  // -- supply --------------------------------------------------------------------------------------------------------

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

  // What the reference forgets it has counted stays work that was done.
  function forget(gas) {
    meter.used -= gas;
    meter.work(gas * V8VM.workPrices.host.forgotten);
  }

  // Half way through, all that counts is the last step, twice.
  function updateTotalSupply([sym, totalSupply]) {
    const before = meter.used;
    op();
    if (sym === 'iost') fail('native token cannot be changed');
    requireToken(sym);
    const issuer = info(sym, 'issuer');
    const supply = info(sym, 'supply');
    requireAuth(issuer, 'token');
    if (totalSupply <= 0n) fail('invalid amount');
    const unit = POWERS[decimalsOf(sym)];
    forget(meter.used - before - 2 * costs.get);
    const most = INT64_MAX / unit;
    if (totalSupply > most) fail(`invalid totalSupply, must be less than ${most}`);
    if (totalSupply * unit < supply) fail('invalid totalSupply, must be more than current supply');
    putInfo(sym, 'totalSupply', values.int(totalSupply * unit), publisher());
    return [];
  }

  V8VM.natives.define(TOKEN, [
    { name: 'create', args: ['string', 'string', 'number', 'json'], run: create },
    { name: 'issue', args: ['string', 'string', 'string'], run: issue },
    { name: 'transfer', args: ['string', 'string', 'string', 'string', 'string'], run: transfer },
    { name: 'transferFreeze', args: ['string', 'string', 'string', 'string', 'number', 'string'], run: transferFreeze },
    { name: 'balanceOf', args: ['string', 'string'], run: balanceOf },
    { name: 'supply', args: ['string'], run: supplyOf('supply') },
    { name: 'totalSupply', args: ['string'], run: supplyOf('totalSupply') },
    { name: 'destroy', args: ['string', 'string', 'string'], run: destroy },
    { name: 'updateTotalSupply', args: ['string', 'number'], since: '1.0.4', until: NAMESPACES, run: updateTotalSupply },
    { name: 'transferNamespace', args: ['string', 'string', 'string'], since: NAMESPACES, until: '1.0.6', run: transferNamespace },
    { name: 'recycle', args: ['string'], since: NAMESPACES, run: recycle },
  ]);

  V8VM.token = {
    // Balance in smallest units without frozen amounts, or 0n; for the kernel's own settlement.
    balance: (sym, account) => state.readField(TOKEN, `TB${account}`, sym)?.data ?? 0n,
    exists: (sym) => state.readField(TOKEN, `TI${sym}`, 'issuer') !== null,
    // Where the two beside it look.
    cells: (sym) => (keys.possible(`TI${sym}`) ? [keys.field(TOKEN, `TI${sym}`, 'issuer'), keys.field(TOKEN, `TI${sym}`, 'decimal')] : []),
    decimals: (sym) => Number(state.readField(TOKEN, `TI${sym}`, 'decimal')?.data ?? 8n),
  };
})(globalThis.V8VM);
