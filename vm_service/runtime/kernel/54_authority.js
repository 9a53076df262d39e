// Authority: who may act for whom. Accounts are records of auth.iost; signatures were verified before the kernel runs.
//
// An account permission is a weighted list of keys and of other accounts' permissions, with a threshold. Falling short,
// a permission hands over to `active`, and `active` to `owner`.
(function (V8VM) {
  'use strict';

  const {
    ArrayIsArray, ArrayPrototypePush, JSONParse, ObjectEntries, StringPrototypeEndsWith, StringPrototypeIncludes, StringPrototypeStartsWith,
  } = V8VM.primordials;
  const { meter, costs, state } = V8VM;

  const ACCOUNT_CONTRACT = 'auth.iost';
  const ACCOUNT_MAP = 'auth';
  const MISSING_ACCOUNT_GAS = 1;
  const { question: QUESTION_WORK, level: LEVEL_WORK, account: ACCOUNT_WORK, nameUnit: UNIT_WORK, forgotten: FORGOTTEN_WORK } = V8VM.workPrices.host;
  const LONG_NAME = 64; // units
  const MAX_DEPTH = 64; // accounts naming accounts; the reference has no limit but its gas

  const isContract = (id) => StringPrototypeStartsWith(id, 'Contract') || StringPrototypeIncludes(id, '.');

  // The account's record, or null. `cell` is its stored value: reading it costs its size.
  function readAccount(id) {
    const cell = state.readField(ACCOUNT_CONTRACT, ACCOUNT_MAP, id);
    if (cell === null) return null;
    if (cell.parsed === undefined) cell.parsed = parseAccount(cell.data);
    return cell;
  }

  function parseAccount(text) {
    try {
      const account = JSONParse(text);
      return { permissions: new Map(ObjectEntries(account.permissions ?? {})), groups: new Map(ObjectEntries(account.groups ?? {})) };
    } catch (error) {
      meter.pass(error);
      return { permissions: new Map(), groups: new Map() };
    }
  }

  // Whether coins can be sent to or from that name; in the first block there are no accounts yet.
  function accountExists(id) {
    if (V8VM.context.block().number === 0) return true;
    return StringPrototypeStartsWith(id, 'Contract') || StringPrototypeEndsWith(id, '.iost') || readAccount(id) !== null;
  }

  function itemsOf(account, permission) {
    const own = ArrayIsArray(permission.items) ? permission.items : [];
    if (!ArrayIsArray(permission.groups) || permission.groups.length === 0) return own;
    const items = [...own];
    for (const name of permission.groups) {
      const group = account.groups.get(name);
      if (group !== undefined && ArrayIsArray(group.items)) for (const item of group.items) ArrayPrototypePush(items, item);
    }
    return items;
  }

  // One question "may act as id@permission?". `signed` holds the granted "id@permission"; `signing` the keys that signed,
  // or null when keys do not count (inside execution). `pay(gas)` takes what the answer costs.
  class Question {
    constructor(signed, signing, pay) {
      this.signed = signed;
      this.signing = signing;
      this.pay = pay;
      this.seen = new Set();
    }

    answer(id, permission, depth) {
      meter.work(LEVEL_WORK);
      const name = `${id}@${permission}`;
      if (this.seen.has(name) || depth > MAX_DEPTH) {
        this.pay(costs.refusal);
        return false;
      }
      this.seen.add(name);
      if (this.signed.has(name)) {
        this.pay(costs.auth);
        return true;
      }
      return this.weigh(id, permission, depth);
    }

    weigh(id, permission, depth) {
      meter.work(ACCOUNT_WORK);
      const cell = readAccount(id);
      if (cell === null) {
        this.pay(MISSING_ACCOUNT_GAS);
        return false;
      }
      const rule = cell.parsed.permissions.get(permission);
      // The reference drops the cost of this read when the permission is not defined.
      if (rule === undefined && permission !== 'active' && permission !== 'owner') return this.answer(id, 'active', depth + 1);
      this.pay(cell.size);
      if (rule === undefined) return false;
      if (this.reaches(cell.parsed, rule, depth)) return true;
      if (permission === 'owner') return false;
      return this.answer(id, permission === 'active' ? 'owner' : 'active', depth + 1);
    }

    reaches(account, rule, depth) {
      let weight = 0;
      for (const item of itemsOf(account, rule)) {
        const granted = item.is_key_pair ? this.signing !== null && this.signing.has(item.id) : this.answer(item.id, item.permission, depth + 1);
        if (granted) weight += item.weight;
        if (weight >= rule.threshold) return true;
      }
      return weight >= rule.threshold;
    }
  }

  function authorises(chain, id) {
    for (let link = chain; link !== null; link = link.next) if (link.contract === id) return true;
    return false;
  }

  // Whether the current frame may act as id@permission.
  function ask(id, permission, pay) {
    const { block, signed } = V8VM.context.current();
    if (block.number === 0) return true;
    meter.work(QUESTION_WORK);
    const units = id.length + permission.length;
    if (units > LONG_NAME) meter.work(units * UNIT_WORK);
    if (isContract(id)) {
      pay(costs.auth);
      return authorises(V8VM.frames.current().authority, id);
    }
    if (signed.has(`${id}@${permission}`)) { // the usual case, asked without ado
      pay(costs.auth);
      return true;
    }
    return new Question(signed, null, pay).answer(id, permission, 0);
  }

  const chargeGas = (gas) => meter.charge(gas);
  const countWork = (gas) => meter.work(gas * FORGOTTEN_WORK); // as long as it is ordinary, it costs nothing

  const requireAuth = (id, permission) => ask(id, permission, chargeGas);

  // Whether a payer of RAM agrees. The reference drops what the answer costs, whatever it is.
  const agrees = (payer) => ask(payer, 'active', countWork);

  // Whether keys that signed satisfy a permission; used before execution.
  const satisfiedByKeys = (id, permission, signing) => new Question(new Set(), signing, chargeGas).answer(id, permission, 0);

  V8VM.authority = { isContract, accountExists, requireAuth, agrees, satisfiedByKeys };
})(globalThis.V8VM);
