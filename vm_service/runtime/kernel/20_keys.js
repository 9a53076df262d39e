// Stored keys: the only place of the kernel that builds them (Python twin: vm_service/state_keys.py).
//
//   key       = kind component* last
//   component = length ":" text          ; length in characters; contract ids and map keys are ASCII
//   kind      = "b" plain value          ; b <contract> key
//             | "m" field of a map       ; m <contract> <key> field
//             | "l" listing of a map     ; l <contract> key
//             | "c" contract record      ; c id
//
// Two cells can never share a stored key, since every component but the last carries its length.
(function (V8VM) {
  'use strict';

  const { StringPrototypeCharCodeAt } = V8VM.primordials;
  const MAX_KEY_CHARS = 64;
  const MAX_CONTRACT_CHARS = 100;
  const DASH = 45;
  const AT = 64;

  // Index of the first character that no key may hold, or -1.
  function invalidAt(text) {
    for (let i = 0; i < text.length; i++) {
      const code = StringPrototypeCharCodeAt(text, i);
      if (code < 32 || code > 126 || code === DASH || code === AT) return i;
    }
    return -1;
  }

  // Whether a cell of that name can exist at all: others are absent without a look at the state.
  const possible = (text) => text.length > 0 && text.length <= MAX_KEY_CHARS && invalidAt(text) < 0;
  const possibleContract = (id) => id.length > 0 && id.length <= MAX_CONTRACT_CHARS && invalidAt(id) < 0;

  V8VM.keys = {
    MAX_KEY_CHARS,
    invalidAt,
    possible,
    possibleContract,
    plain: (contract, key) => `b${contract.length}:${contract}${key}`,
    field: (contract, key, field) => `m${contract.length}:${contract}${key.length}:${key}${field}`,
    listing: (contract, key) => `l${contract.length}:${contract}${key}`,
    contract: (id) => `c${id}`,
  };
})(globalThis.V8VM);
