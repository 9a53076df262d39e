// gas.iost: gas grows by pledged iost. Each pledged iost gives gas at once and then by the second, up to a limit.
//
//   <acc>gt total pledge   <acc>gl limit   <acc>gs stock   <acc>gu time of the stock (ns)
//   map <pledger>gp        user -> pledge
//
// The stock is brought up to date lazily: growth since `gu` is added whenever it is read, with as many decimals as the pledge
// gives it, and the sum is cut to two. What each step costs is part of the interface.
(function (V8VM) {
  'use strict';

  const { Number } = V8VM.primordials;
  const { state, values, context, authority, frames, journal, keys, fixed } = V8VM;
  const { format, parse } = V8VM.decimal;
  const { encodeArray } = V8VM.text;
  const { fail, op, receiptOf } = V8VM.natives.kit;

  const GAS = 'gas.iost';
  const GAS_DECIMALS = 2;
  const IOST_DECIMALS = 8;
  const NOTHING = fixed.of(0n, GAS_DECIMALS);
  const IMMEDIATE = fixed.of(100000n, 0); // for each iost pledged
  const LIMIT = fixed.of(300000n, 0);
  const PER_SECOND = fixed.of(115n, 2);
  const NS = 1e9;
  const MAX_GROWTH_S = 3 * 86400; // gas stops growing three days after its last refresh
  const FREEZE_NS = 3n * 86400n * 10n ** 9n;
  const MIN_OF_ACTION = 10n ** 8n; // 1 iost
  const MIN_OF_USER = 10n * 10n ** 8n;

  const numberOf = (cell, fallback = NOTHING) => (cell === null ? fallback : fixed.of(cell.data.value, cell.data.decimals));
  const iost = (value) => fixed.of(value, IOST_DECIMALS);
  const shown = ({ value, decimals }) => format(value, decimals);
  const smaller = (a, b) => (fixed.less(a, b) ? a : b);

  // -- without gas: what an account has ------------------------------------------------------------------------------

  const cell = (account, suffix) => state.readPlain(GAS, `${account}${suffix}`);

  // What has grown since the stock was brought up to date.
  function growth(account) {
    const since = cell(account, 'gu')?.data ?? 0n;
    const rate = fixed.product(numberOf(cell(account, 'gt')), PER_SECOND);
    const elapsed = since > 0n ? Number(context.block().timeNs - since) / NS : 0;
    return fixed.times(rate, elapsed > MAX_GROWTH_S ? MAX_GROWTH_S : elapsed > 0 ? elapsed : 0);
  }

  // Gas of an account now. Growth that does not fit into a stored number with the stock, at its decimals, is lost.
  function available(account) {
    const stock = numberOf(cell(account, 'gs'));
    const grown = fixed.sum(stock, growth(account));
    const total = fixed.fits(grown) ? smaller(grown, numberOf(cell(account, 'gl'))) : stock;
    return fixed.rescale(total, GAS_DECIMALS);
  }

  function overwrite(key, value) {
    const entry = journal.entryOf(keys.plain(GAS, key));
    const old = entry.value;
    if (old !== null && old.kind === 'i' && old.data === value.data && old.payer === value.payer) return;
    journal.write(entry, value);
  }

  // Takes gas from an account at the end of a transaction. Returns whether there was enough.
  function pay(account, amount) {
    const left = fixed.sum(available(account), fixed.negate(amount));
    if (left.value < 0n) return false;
    overwrite(`${account}gs`, values.decimal(left.value, left.decimals, GAS));
    overwrite(`${account}gu`, values.int(context.block().timeNs, GAS));
    return true;
  }

  // -- cells, paid for -----------------------------------------------------------------------------------------------

  const get = (account, suffix) => numberOf(state.get(GAS, `${account}${suffix}`));
  // What no stored number can hold is refused; the reference stops there.
  const storable = ({ value, decimals }) => (fixed.fits({ value }) ? values.decimal(value, decimals) : fail('gas overflow'));
  const put = (account, suffix, amount) => state.put(GAS, `${account}${suffix}`, storable(amount), null);
  const putTime = (account) => state.put(GAS, `${account}gu`, values.int(context.block().timeNs), null);
  const pledgeOf = (pledger, user) => numberOf(state.mapHasGet(GAS, `${pledger}gp`, user), iost(0n));

  const putPledge = (pledger, user, amount) => {
    if (amount.value === 0n) state.mapDel(GAS, `${pledger}gp`, user);
    else state.mapPut(GAS, `${pledger}gp`, user, storable(amount), null);
  };

  function refresh(user) {
    put(user, 'gs', available(user));
    putTime(user);
  }

  // -- methods -------------------------------------------------------------------------------------------------------

  // Checks who pledges (or takes back) what for whom; returns the amount. `others`: whom the messages name for either.
  function admit([pledger, user, text], verb, [first, second]) {
    op();
    if (!authority.accountExists(pledger)) fail(`invalid user name ${first}`);
    op();
    if (!authority.accountExists(user)) fail(`invalid user name ${second}`);
    if (!authority.requireAuth(pledger, 'transfer')) fail('transaction has no permission');
    op();
    const { value, error } = parse(text, IOST_DECIMALS);
    if (error !== undefined || value <= 0n) fail(`invalid amount ${text}`);
    if (value < MIN_OF_ACTION) fail(`min ${verb} num is &{${MIN_OF_ACTION} ${IOST_DECIMALS} <nil>}`); // as the reference prints it
    return iost(value);
  }

  function firstPledge(pledger, user, amount) {
    putPledge(pledger, user, amount);
    putTime(user);
    put(user, 'gt', amount);
    put(user, 'gl', fixed.product(amount, LIMIT));
    put(user, 'gs', fixed.product(amount, IMMEDIATE));
  }

  // Adds a pledge, or takes one back when the amount is negative; `given`: the gas that comes with it.
  function changePledge(pledger, user, amount, given) {
    refresh(user);
    put(user, 'gt', fixed.sum(get(user, 'gt'), amount));
    const limit = fixed.sum(get(user, 'gl'), fixed.product(amount, LIMIT));
    put(user, 'gl', limit);
    put(user, 'gs', smaller(fixed.sum(get(user, 'gs'), given), limit));
    putPledge(pledger, user, fixed.sum(pledgeOf(pledger, user), amount));
  }

  const timeOf = (user) => state.get(GAS, `${user}gu`)?.data ?? 0n;

  function pledge(args) {
    const [pledger, user, text] = args;
    const amount = admit(args, 'pledge', [pledger, user]);
    if (timeOf(user) === 0n) firstPledge(pledger, user, amount);
    else changePledge(pledger, user, amount, fixed.product(amount, IMMEDIATE));
    op();
    frames.callContract('token.iost', 'transfer', encodeArray(['iost', pledger, GAS, text, '']), false);
    receiptOf(args);
    return [];
  }

  function requirePledge(pledger, user, amount) {
    if (pledgeOf(pledger, user).value === 0n) fail(`${pledger} did not pledge for ${user}`);
    const total = get(user, 'gt');
    if (fixed.less(fixed.sum(total, fixed.negate(amount)), iost(MIN_OF_USER))) {
      fail(`unpledge too much (${shown(total)} - ${shown(amount)}) less than ${shown(iost(MIN_OF_USER))}`);
    }
    const own = pledgeOf(pledger, user);
    if (fixed.less(own, amount)) fail(`you cannot unpledge more than your pledge ${shown(amount)} > ${shown(own)}`);
  }

  function unpledge(args) {
    const [pledger, user] = args;
    const amount = admit(args, 'unpledge', [user, pledger]); // the reference's messages name the wrong one of the two
    requirePledge(pledger, user, amount);
    if (timeOf(user) === 0n) fail('cannot unpledge! No pledge before');
    changePledge(pledger, user, fixed.negate(amount), NOTHING);
    op();
    const thaws = context.block().timeNs + FREEZE_NS;
    frames.callContract('token.iost', 'transferFreeze', encodeArray(['iost', GAS, pledger, shown(amount), thaws, '']), true);
    receiptOf(args);
    return [];
  }

  V8VM.natives.define(GAS, [
    { name: 'constructor', args: [], run: () => [] }, // without effect; of this one native contract it can be called
    { name: 'pledge', args: ['string', 'string', 'string'], run: pledge },
    { name: 'unpledge', args: ['string', 'string', 'string'], run: unpledge },
  ]);

  V8VM.gas = {
    MIN_OF_ACTION,
    available,
    pay,
    less: fixed.less,
    sum: fixed.sum,
    hundredths: (amount) => fixed.of(amount, GAS_DECIMALS),
    inHundredths: (amount) => fixed.rescale(amount, GAS_DECIMALS).value,
    producedBy: (pledged) => fixed.product(iost(pledged), IMMEDIATE),
    format: shown,
  };
})(globalThis.V8VM);
