// What the running transaction can see of its surroundings: block, transaction, and the JSON texts made of them.
(function (V8VM) {
  'use strict';

  const { ArrayPrototypeJoin, ArrayPrototypeMap } = V8VM.primordials;
  const { meter, costs } = V8VM;
  const { encode, quote, RawNumber } = V8VM.text;

  const raw = (digits) => new RawNumber(`${digits}`);

  let block = null; // {number, timeNs: bigint, aheadNs: bigint, header, text}
  let transaction = null;

  // `header`: {number, parent_hash (base58), witness, time, ahead (texts, ns)}; fields that are null are unknown (a bare host).
  // `ahead`: how far the time of a transaction may lie after that of the block; such a transaction runs in a later block.
  function openBlock(header) {
    const timeNs = header.time === null ? 0n : BigInt(header.time);
    block = { number: header.number, timeNs, aheadNs: BigInt(header.ahead ?? 0), header, text: null };
  }

  // The block in which a transaction will run: one whose time is not before its own.
  function openBlockOf(tx) {
    const lead = BigInt(tx.time) - block.timeNs;
    if (lead > 0n && lead <= block.aheadNs) openBlock({ ...block.header, time: tx.time });
  }

  function blockText() {
    const { number, parent_hash, time, witness } = block.header;
    block.text ??= encode({ number, parent_hash, time: time === null ? null : raw(time), witness });
    return block.text;
  }

  // `tx`: the transaction in kernel form; `signed`: what its signers and its publisher grant, as "id@permission".
  function openTransaction(tx, signed) {
    transaction = {
      tx,
      publisher: tx.publisher,
      signed,
      block,
      budget: 0, // gas left for the running action, shown as gas_limit
      receipts: [],
      receiptUnits: 0,
      moves: [], // {sym, from, amount}: what left an account, beside its receipt
      events: [],
      console: [],
      consoleUnits: 0,
      ram: new Map(), // payer -> bytes
      gasJs: null,
      stoppedAt: null, // where the gas ran out (61_failures.js)
      amountsMoved: new Map(), // token -> amount, over the whole transaction
    };
    return transaction;
  }

  const authList = (tx) => {
    const list = {};
    for (const key of tx.tx_keys) list[key] = 1;
    for (const key of tx.publisher_keys) list[key] = 2;
    return list;
  };

  // Members in the order of the reference's structures, not sorted.
  const actionText = ({ contract, action, data }) => `{"contract":${quote(contract)},"actionName":${quote(action)},"data":${quote(data)}}`;
  const limitText = ({ token, val }) => `{"token":${quote(token)},"val":${quote(val)}}`;
  const callerText = (name, isAccount) => (name === null ? 'null' : `{"name":${quote(name)},"is_account":${isAccount}}`);
  const listText = (items, textOf) => `[${ArrayPrototypeJoin(ArrayPrototypeMap(items, (item) => textOf(item)), ',')}]`;

  function txText() {
    const { tx, budget } = transaction;
    if (tx.hash === null) return bareTxText(budget);
    transaction.head ??= listText(tx.actions, actionText);
    transaction.tail ??= `"gas_ratio":${tx.gas_ratio},"hash":${quote(tx.hash)},"publisher":${quote(tx.publisher)},"time":${tx.time}}`;
    transaction.limits ??= `"amount_limit":${listText(tx.amount_limit, limitText)},"auth_list":${encode(authList(tx))}`;
    return `{"actions":${transaction.head},${transaction.limits},"expiration":${tx.expiration},"gas_limit":${budget},${transaction.tail}`;
  }

  const bareTxText = (budget) =>
    `{"actions":null,"amount_limit":null,"auth_list":null,"expiration":null,"gas_limit":${budget},"gas_ratio":100,"hash":null,"publisher":null,"time":null}`;

  function contextText() {
    const frame = V8VM.frames.current();
    const caller = callerText(frame.caller, frame.calledByAccount);
    return `{"abi_name":${encode(frame.api)},"caller":${caller},"contract_name":${quote(frame.contract)},"publisher":${encode(transaction.publisher)}}`;
  }

  const LONG_TEXT = 1000; // units: the price of a call covers them
  const { read: READ_WORK } = V8VM.workPrices.text;

  const priced = (textOf) => () => {
    meter.charge(costs.context);
    const text = textOf();
    if (text.length > LONG_TEXT) meter.work(text.length * READ_WORK);
    return text;
  };

  V8VM.context = {
    openBlock,
    openBlockOf,
    openTransaction,
    current: () => transaction,
    block: () => block,
    blockTime() {
      meter.charge(costs.context);
      return block.timeNs;
    },
    blockInfo: priced(blockText),
    txInfo: priced(txText),
    contextInfo: priced(contextText),
  };
})(globalThis.V8VM);
