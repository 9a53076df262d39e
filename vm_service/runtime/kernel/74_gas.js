// gas.iost: gas grows by pledged iost. Each pledged iost gives gas at once and then by the second, up to a limit.
//
//   <acc>gt total pledge (8 decimals)   <acc>gl limit   <acc>gs stock   (2 decimals)   <acc>gu time of the stock (ns)
//   map <pledger>gp  user -> pledge
//
// The stock is brought up to date lazily: growth since `gu` is added whenever it is read. All in hundredths of gas.
(function (V8VM) {
  'use strict';

  const { state, values, context, authority, frames, journal, keys } = V8VM;
  const { format, parse } = V8VM.decimal;
  const { encodeArray } = V8VM.text;
  const { fail, op, requireAuth, receiptOf } = V8VM.natives.kit;

  const GAS = 'gas.iost';
  const GAS_DECIMALS = 2;
  const IOST_DECIMALS = 8;
  const IOST_UNIT = 10n ** 8n;
  const IMMEDIATE = 100000_00n; // hundredths of gas for each iost pledged
  const LIMIT = 300000_00n;
  const PER_SECOND = 115n; // 1.15 gas for each iost
  const MAX_GROWTH_NS = 3n * 86400n * 10n ** 9n; // gas stops growing three days after its last refresh
  const FREEZE_NS = 3n * 86400n * 10n ** 9n;
  const MIN_PLEDGE = 1n * IOST_UNIT;
  const MIN_REMAINING = 10n * IOST_UNIT;

  const amountOf = (cell) => (cell === null ? 0n : cell.data.value);
  const forPledge = (pledge, each) => (pledge * each) / IOST_UNIT;

  // Gas of an account at `now` from its cells.
  function grown(stock, limit, pledge, since, now) {
    if (since <= 0n || pledge === 0n) return stock;
    let span = now - since;
    if (span > MAX_GROWTH_NS) span = MAX_GROWTH_NS;
    if (span <= 0n) return stock;
    const total = stock + (pledge * PER_SECOND * span) / (IOST_UNIT * 10n ** 9n);
    return total > limit ? limit : total;
  }

  const cell = (account, suffix) => state.readPlain(GAS, `${account}${suffix}`);

  // Gas an account has now; free of gas.
  function available(account) {
    const stock = amountOf(cell(account, 'gs'));
    const pledge = amountOf(cell(account, 'gt'));
    if (pledge === 0n) return stock;
    return grown(stock, amountOf(cell(account, 'gl')), pledge, cell(account, 'gu')?.data ?? 0n, context.block().timeNs);
  }

  function overwrite(key, value) {
    const entry = journal.entryOf(keys.plain(GAS, key));
    const old = entry.value;
    if (old !== null && old.kind === 'i' && old.data === value.data && old.payer === value.payer) return;
    journal.write(entry, value);
  }

  // Takes gas from an account at the end of a transaction. Returns whether there was enough.
  function pay(account, amount) {
    const left = available(account) - amount;
    if (left < 0n) return false;
    overwrite(`${account}gs`, values.decimal(left, GAS_DECIMALS, GAS));
    overwrite(`${account}gu`, values.int(context.block().timeNs, GAS));
    return true;
  }

  // -- methods -------------------------------------------------------------------------------------------------------

  const get = (account, suffix) => state.get(GAS, `${account}${suffix}`);
  const put = (account, suffix, value) => state.put(GAS, `${account}${suffix}`, value, null);
  const putGas = (account, suffix, amount) => put(account, suffix, values.decimal(amount, GAS_DECIMALS));
  const putPledge = (account, amount) => put(account, 'gt', values.decimal(amount, IOST_DECIMALS));
  const putTime = (account) => put(account, 'gu', values.int(context.block().timeNs));

  function pledgeAmount(text) {
    op();
    const parsed = parse(text, IOST_DECIMALS);
    if (parsed.error !== undefined || parsed.value <= 0n) fail(`invalid amount ${text}`);
    if (parsed.value < MIN_PLEDGE) fail(`min pledge num is ${format(MIN_PLEDGE, IOST_DECIMALS)}`);
    return parsed.value;
  }

  function pledgeOf(pledger, user) {
    return amountOf(state.mapHasGet(GAS, `${pledger}gp`, user));
  }

  const putPledgeOf = (pledger, user, amount) => state.mapPut(GAS, `${pledger}gp`, user, values.decimal(amount, IOST_DECIMALS), null);

  // Brings the stock up to date; returns stock, limit and pledge.
  function refresh(user) {
    const stock = amountOf(get(user, 'gs'));
    const since = get(user, 'gu')?.data ?? 0n;
    const pledge = amountOf(get(user, 'gt'));
    const limit = amountOf(get(user, 'gl'));
    const now = grown(stock, limit, pledge, since, context.block().timeNs);
    putGas(user, 'gs', now);
    putTime(user);
    return { stock: now, limit, pledge };
  }

  function checkUser(user) {
    op();
    if (!authority.accountExists(user)) fail(`invalid user name ${user}`);
  }

  function addPledge(pledger, user, amount) {
    if (cell(user, 'gs') === null) {
      op();
      pledgeOf(pledger, user);
      putPledge(user, amount);
      putGas(user, 'gl', forPledge(amount, LIMIT));
      putTime(user);
      putGas(user, 'gs', forPledge(amount, IMMEDIATE));
      putPledgeOf(pledger, user, amount);
      return;
    }
    const { stock, limit, pledge } = refresh(user);
    const own = pledgeOf(pledger, user);
    putPledge(user, pledge + amount);
    putGas(user, 'gl', limit + forPledge(amount, LIMIT));
    putGas(user, 'gs', stock + forPledge(amount, IMMEDIATE));
    putPledgeOf(pledger, user, own + amount);
  }

  function pledge([pledger, user, text]) {
    op();
    requireAuth(pledger, 'transfer');
    checkUser(user);
    const amount = pledgeAmount(text);
    op();
    frames.callContract('token.iost', 'transfer', encodeArray(['iost', pledger, GAS, text, '']), false);
    addPledge(pledger, user, amount);
    receiptOf([pledger, user, text]);
    return [];
  }

  function takePledge(pledger, user, amount) {
    const own = pledgeOf(pledger, user);
    if (own === 0n) fail(`${pledger} did not pledge for ${user}`);
    if (amount > own) fail(`you cannot unpledge more than your pledge ${format(amount, IOST_DECIMALS)} > ${format(own, IOST_DECIMALS)}`);
    const { stock, limit, pledge } = refresh(user);
    const left = pledge - amount;
    if (left < MIN_REMAINING) {
      fail(`unpledge too much (${format(pledge, IOST_DECIMALS)} - ${format(amount, IOST_DECIMALS)}) less than ${format(MIN_REMAINING, IOST_DECIMALS)}`);
    }
    const lower = limit - forPledge(amount, LIMIT);
    putPledge(user, left);
    putGas(user, 'gl', lower);
    if (stock > lower) putGas(user, 'gs', lower);
    if (own === amount) state.mapDel(GAS, `${pledger}gp`, user);
    else putPledgeOf(pledger, user, own - amount);
  }

  function unpledge([pledger, user, text]) {
    op();
    requireAuth(pledger, 'transfer');
    checkUser(user);
    const amount = pledgeAmount(text);
    takePledge(pledger, user, amount);
    const time = context.blockTime() + FREEZE_NS;
    frames.callContract('token.iost', 'transferFreeze', encodeArray(['iost', GAS, pledger, text, time, '']), true);
    receiptOf([pledger, user, text]);
    return [];
  }

  V8VM.natives.define(GAS, [
    { name: 'pledge', args: ['string', 'string', 'string'], run: pledge },
    { name: 'unpledge', args: ['string', 'string', 'string'], run: unpledge },
  ]);

  // What pledging `text` iost gives at once, in hundredths of gas.
  const producedBy = (text) => forPledge(parse(text, IOST_DECIMALS).value ?? 0n, IMMEDIATE);

  V8VM.gas = { available, pay, producedBy, format: (amount) => format(amount, GAS_DECIMALS) };
})(globalThis.V8VM);
