// Recomputes the canonical bytes and hashes of the vectors file. Usage: node vectors.mjs FILE
import { readFileSync } from 'node:fs';
import { canonicalForms, ed25519, sha3 } from './client.mjs';

const bytes = (text) => Buffer.from(text, 'hex');
const signatures = (items) =>
  items.map((s) => ({ ...s, signature: bytes(s.signature), public_key: bytes(s.public_key) }));
let passed = 0;
for (const { name, transaction, secret, expect } of JSON.parse(
  readFileSync(process.argv[2], 'utf8'),
).vectors) {
  const tx = {
    ...transaction,
    reserved: bytes(transaction.reserved),
    referred_tx: bytes(transaction.referred_tx),
    signatures: signatures(transaction.signatures),
    publisher_signatures: signatures(transaction.publisher_signatures),
  };
  const forms = canonicalForms(tx);
  const found = {
    ...Object.fromEntries(Object.entries(forms).map(([form, raw]) => [form, raw.toString('hex')])),
    hash: sha3(forms.full).toString('hex'),
  };
  if (secret)
    found.publisher_signature = ed25519(bytes(secret))(sha3(forms.publish)).signature.toString(
      'hex',
    );
  for (const [key, value] of Object.entries(expect)) {
    if (found[key] !== value)
      throw new Error(`${name}: ${key} is ${found[key]}, expected ${value}`);
  }
  passed += 1;
}
console.log(`${passed} vectors are equal`);
