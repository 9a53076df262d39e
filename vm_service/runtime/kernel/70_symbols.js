// Symbols of tokens, of either kind: 2 to 16 characters of [a-z0-9_].
(function (V8VM) {
  'use strict';

  const { RegExpPrototypeTest, StringPrototypeCodePointAt } = V8VM.primordials;
  const { utf8Length } = V8VM.text;
  const { fail } = V8VM.natives.kit;

  const MIN_BYTES = 2;
  const MAX_BYTES = 16;
  const ALLOWED = /^[a-z0-9_]*$/;

  function checkLength(sym) {
    const bytes = utf8Length(sym);
    if (bytes < MIN_BYTES || bytes > MAX_BYTES) {
      fail(`token symbol invalid. token symbol length should be between ${MIN_BYTES},${MAX_BYTES} got ${sym}`);
    }
  }

  // `part`: what the text is, "symbol" or "namespace". The message tells the code point of the first character that is wrong.
  function checkCharacters(text, part) {
    if (RegExpPrototypeTest(ALLOWED, text)) return;
    let i = 0;
    while (RegExpPrototypeTest(ALLOWED, text[i])) i++;
    fail(`token ${part} invalid. token ${part} contains invalid character ${StringPrototypeCodePointAt(text, i)}`);
  }

  function check(sym) {
    checkLength(sym);
    checkCharacters(sym, 'symbol');
  }

  V8VM.symbols = { check, checkLength, checkCharacters };
})(globalThis.V8VM);
