// Walks through a node module's life: a call, two competing blocks, finality, events with an
// unwind, a typed error.
//
// Usage: node example.mjs GATEWAY PROTO_FOLDER ACCOUNT SECRET_HEX CONTRACT
// CONTRACT is the sample counter. Prints one JSON object a line.
import { isDeepStrictEqual } from 'node:util';
import {
  connect,
  ed25519,
  errorDetails,
  followEvents,
  transaction,
  transactionHash,
} from './client.mjs';

const [address, protoFolder, account, secret, contract] = process.argv.slice(2);
const client = connect(address, protoFolder);
const signer = ed25519(Buffer.from(secret, 'hex'));
const print = (step, facts) => console.log(JSON.stringify({ step, ...facts }));
const add = (amount) =>
  transaction(
    account,
    signer,
    contract,
    'add',
    `[${amount}]`,
    BigInt(Date.now()) * 1_000_000n + BigInt(amount),
  );

// 1. A transaction outside blocks. Its hash is known before it is sent.
const call = add(1);
const {
  outcomes: [called],
} = await client.ExecuteTransactions({ transactions: [call] });
print('call', {
  verdict: called.verdict,
  returns: called.receipt.returns,
  hash_is_ours: called.tx_hash.equals(transactionHash(call)),
});

// 2. Two blocks on one parent. The first becomes the head; the second is a branch. Asked again, each
// has the same answer. A block comes after its parent, and no transaction is newer than its block.
const parent = await client.GetHead({});
const behindParent = {
  version: parent.version,
  block_id: parent.block_id,
  transaction_index: 2 ** 31 - 1,
  event_index: 2 ** 31 - 1,
};
const transactions = [add(10), add(100)];
const times = [parent.time_ns, ...transactions.map((tx) => tx.time_ns)].map(BigInt);
const header = {
  number: `${BigInt(parent.number) + 1n}`,
  parent_hash: parent.block_id,
  witness: account,
  time_ns: `${times.reduce((one, other) => (one > other ? one : other)) + 1n}`,
};
const blockOf = (tx) => ({ parent_id: parent.block_id, header, transactions: [tx] });
const [one, other] = transactions.map(blockOf);
const left = await client.ExecuteBlock(one);
const right = await client.ExecuteBlock(other);
print('blocks', {
  left: left.outcomes[0].receipt.returns,
  right: right.outcomes[0].receipt.returns,
  same_answer: isDeepStrictEqual(
    [await client.ExecuteBlock(one), await client.ExecuteBlock(other)],
    [left, right],
  ),
});

// A peer's claim about the branch, right and wrong.
const claim = { ...other, receipts: [right.outcomes[0].receipt], commitment: right.commitment };
const valid = await client.ValidateBlock(claim);
const invalid = await client.ValidateBlock({
  ...claim,
  block_id: right.block_id,
  commitment: left.commitment,
});
print('claims', {
  valid: valid.valid,
  invalid: invalid.valid,
  difference: invalid.difference.field,
});

// 3. A follower gets the event of the head. Then the branch becomes final: an unwind, and the event of the branch.
const events = followEvents(client, { contract }, behindParent);
const { value: seen } = await events.next();
await client.FinalizeBlock({ block_id: right.block_id });
const { value: notice } = await events.next();
const { value: replaced } = await events.next();
await events.return();
print('events', {
  seen: JSON.parse(seen.event.data).count,
  unwound_to_parent: notice.unwindTo.block_id.equals(parent.block_id),
  replaced: JSON.parse(replaced.event.data).count,
});

// 4. A call that fails says why in a form for programs.
try {
  await client.FinalizeBlock({ block_id: left.block_id });
} catch (error) {
  const { code, reason } = errorDetails(error);
  print('error', { code, reason });
}
client.close();
