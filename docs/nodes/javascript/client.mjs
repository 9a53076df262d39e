// A node module's client of the gateway: canonical bytes, signatures, typed errors, calls, events.
//
// Messages are those of proto/iost: fields in snake_case, 64-bit numbers as decimal text, bytes as Buffers.
import { createHash, createPrivateKey, createPublicKey, sign as signBytes } from 'node:crypto';
import grpc from '@grpc/grpc-js';
import loader from '@grpc/proto-loader';
import protobuf from 'protobufjs';

const ED25519 = 2; // SIGNATURE_ALGORITHM_ED25519; canonical bytes hold the number in one byte
const PKCS8_ED25519 = Buffer.from('302e020100300506032b657004220420', 'hex'); // what precedes the 32 secret bytes

// --- canonical bytes: big-endian; texts, byte strings and lists begin with their length as int32 --------------------

const int32 = (value) => {
  const raw = Buffer.alloc(4);
  raw.writeInt32BE(value);
  return raw;
};
const int64 = (value) => {
  const raw = Buffer.alloc(8);
  raw.writeBigInt64BE(BigInt(value));
  return raw;
};
const sized = (content) => {
  const raw = Buffer.from(content);
  return Buffer.concat([int32(raw.length), raw]);
};
const list = (items) => Buffer.concat([int32(items.length), ...items.map(sized)]);
const texts = (...items) => Buffer.concat(items.map(sized));
const signatureBytes = (s) =>
  Buffer.concat([Buffer.of(s.algorithm), sized(s.signature), sized(s.public_key)]);

// The three forms of a transaction, each the start of the next. Signers sign the SHA3-256 of `base`, the publisher
// that of `publish`; the SHA3-256 of `full` is the hash of the transaction.
export function canonicalForms(tx) {
  const numbers = [tx.time_ns, tx.expiration_ns, tx.gas_ratio, tx.gas_limit, tx.delay_ns ?? 0].map(
    int64,
  );
  const base = Buffer.concat([
    ...numbers,
    int32(tx.chain_id),
    sized(tx.reserved ?? ''),
    list(tx.signers ?? []),
    list(tx.actions.map((a) => texts(a.contract, a.action_name, a.data))),
    list((tx.amount_limits ?? []).map((limit) => texts(limit.token, limit.value))),
  ]);
  const publish = Buffer.concat([base, list((tx.signatures ?? []).map(signatureBytes))]);
  const tail = [
    sized(tx.referred_tx ?? ''),
    sized(tx.publisher),
    list((tx.publisher_signatures ?? []).map(signatureBytes)),
  ];
  return { base, publish, full: Buffer.concat([publish, ...tail]) };
}

export const sha3 = (bytes) => createHash('sha3-256').update(bytes).digest();
export const transactionHash = (tx) => sha3(canonicalForms(tx).full);

// Returns a signer of 32-byte digests from the 32 secret bytes of an Ed25519 key.
export function ed25519(secret) {
  const key = createPrivateKey({
    key: Buffer.concat([PKCS8_ED25519, secret]),
    format: 'der',
    type: 'pkcs8',
  });
  const public_key = createPublicKey(key).export({ format: 'der', type: 'spki' }).subarray(-32);
  return (digest) => ({ algorithm: ED25519, signature: signBytes(null, digest, key), public_key });
}

// Builds and signs a transaction that calls one contract method. `args` is the text of a JSON array.
export function transaction(
  publisher,
  signer,
  contract,
  action_name,
  args,
  timeNs = BigInt(Date.now()) * 1_000_000n,
) {
  const tx = {
    time_ns: `${timeNs}`,
    expiration_ns: `${BigInt(timeNs) + 90_000_000_000n}`,
    gas_ratio: '100',
    gas_limit: '100000000',
    delay_ns: '0',
    chain_id: 1024,
    signers: [],
    actions: [{ contract, action_name, data: args }],
    amount_limits: [{ token: '*', value: 'unlimited' }],
    signatures: [],
    publisher,
    publisher_signatures: [],
  };
  tx.publisher_signatures.push(signer(sha3(canonicalForms(tx).publish)));
  return tx;
}

// --- typed errors ----------------------------------------------------------------------------------------------------

const { root: rpc } = protobuf.parse(
  `syntax = "proto3"; package google.rpc;
  message Any { string type_url = 1; bytes value = 2; }
  message Status { int32 code = 1; string message = 2; repeated Any details = 3; }
  message ErrorInfo { string reason = 1; string domain = 2; map<string, string> metadata = 3; }
  message Duration { int64 seconds = 1; int32 nanos = 2; }
  message RetryInfo { Duration retry_delay = 1; }`,
  { keepCase: true },
);

// Reads a failed call: {code, reason, metadata, retryDelayMs}. `reason` is undefined when gRPC itself failed.
export function errorDetails(error) {
  const found = { code: error.code, message: error.details };
  const [raw] = error.metadata?.get('grpc-status-details-bin') ?? [];
  for (const { type_url, value } of raw
    ? rpc.lookupType('google.rpc.Status').decode(raw).details
    : []) {
    const name = type_url.slice(type_url.indexOf('/') + 1);
    if (name === 'google.rpc.ErrorInfo') {
      const { reason, metadata } = rpc.lookupType(name).decode(value);
      Object.assign(found, { reason, metadata });
    } else if (name === 'google.rpc.RetryInfo') {
      const { seconds = 0, nanos = 0 } = rpc.lookupType(name).decode(value).retry_delay;
      found.retryDelayMs = Number(seconds) * 1000 + nanos / 1e6;
    }
  }
  return found;
}

// --- calls -----------------------------------------------------------------------------------------------------------

const OPTIONS = { keepCase: true, longs: String, enums: String, defaults: true, arrays: true };
const SERVICES = ['transaction_service', 'block_service', 'inspection_service'];

// Connects to a gateway. Returns one function for each unary method, `streamEvents` and `close`.
export function connect(address, protoFolder, timeoutMs = 30_000) {
  const files = SERVICES.map((name) => `iost/gateway/v1/${name}.proto`);
  const { gateway } = grpc.loadPackageDefinition(
    loader.loadSync(files, { ...OPTIONS, includeDirs: [protoFolder] }),
  ).iost;
  const channel = new grpc.Channel(address, grpc.credentials.createInsecure(), {});
  const client = { close: () => channel.close() };
  for (const name of ['TransactionService', 'BlockService', 'InspectionService']) {
    const stub = new gateway.v1[name](address, null, { channelOverride: channel });
    for (const [method, { responseStream }] of Object.entries(gateway.v1[name].service)) {
      client[method] = responseStream
        ? (request) => stub[method](request)
        : (request) =>
            new Promise((resolve, reject) => {
              stub[method](request, { deadline: Date.now() + timeoutMs }, (error, answer) =>
                error ? reject(error) : resolve(answer),
              );
            });
    }
  }
  return client;
}

// A call that arrives while a stopping service closes its connection is CANCELLED by gRPC itself.
const GONE = [grpc.status.UNAVAILABLE, grpc.status.CANCELLED];

// Follows events for ever, across lost connections. Yields {event, txHash, cursor}, or {unwindTo}: every event that came
// after that cursor is void. Store the cursor together with the effect of the event, and resume from it.
export async function* followEvents(client, filter = {}, cursor = undefined) {
  if (cursor === undefined) {
    const { version, block_id } = await client.GetHead({});
    cursor = { version, block_id, transaction_index: 2 ** 31 - 1, event_index: 2 ** 31 - 1 }; // behind the whole head
  }
  for (;;) {
    const stream = client.StreamEvents({ ...filter, cursor });
    try {
      for await (const item of stream) {
        cursor = item.cursor;
        yield item.unwind
          ? { unwindTo: cursor }
          : { event: item.event, txHash: item.tx_hash, cursor };
      }
      return;
    } catch (error) {
      if (!GONE.includes(error.code)) throw error;
      await new Promise((resume) => setTimeout(resume, errorDetails(error).retryDelayMs ?? 500));
    } finally {
      stream.cancel();
    }
  }
}
