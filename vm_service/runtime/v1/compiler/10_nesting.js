// Bounds how deep a text can nest before the parser sees it: the parser, the printer and the passes between recurse,
// and their stack must never decide whether a contract compiles.
(function (V8VM) {
  'use strict';

  const { esprima } = globalThis.v8vmCompiler;

  // Stack weight of one level, in units of one binary operator. At three times the limit every form of nesting still fits
  // the stack of a cold isolate (tests/unit/vm_service/compiler/test_nesting.py), and compiling takes well under a second.
  const BRACKET = 20; // 200 nested brackets
  const OPERATOR = 1; // a chain of 4,000 operators, calls or members
  const PREFIX = 3;
  const WORD = 12; // 330 statements in each other, 160 links of `else if`
  const LIMIT = 4000;
  const PLAIN_LIMIT = 300; // brackets, when the text cannot be split into tokens at all

  const OPENING = new Set(['(', '[', '{', '${', '`']);
  const CLOSING = new Set([')', ']', '}']);
  const PREFIXES = new Set(['!', '~', '?', ':', '=>', '=', '**']);
  const MESSAGE = 'source code is nested too deeply';

  function weightOf({ type, value }) {
    if (type === 'Punctuator') return PREFIXES.has(value) || value.endsWith('=') ? PREFIX : OPERATOR;
    return type === 'Keyword' ? WORD : 0;
  }

  // Whether a token closes all that stands open since the bracket around it: items of a list are no nesting.
  const endsItem = ({ type, value }, next) => type === 'Punctuator' && (value === ',' || (value === ';' && next?.value !== 'else'));

  // The largest sum of weights that stand open at once.
  function heaviest(tokens) {
    const outer = [];
    let current = 0; // weight of the open statement or list item, including all levels outside
    let base = 0;
    let most = 0;
    tokens.forEach((token, i) => {
      const { type, value } = token;
      const opens = (type === 'Punctuator' && OPENING.has(value)) || (type === 'Template' && value.endsWith('${'));
      const closes = (type === 'Punctuator' && CLOSING.has(value)) || (type === 'Template' && value.startsWith('}'));
      if (closes && outer.length > 0) {
        const level = outer.pop();
        current = level.current + OPERATOR;
        base = level.base;
        if (value === '}' && tokens[i + 1]?.value !== 'else') current = base;
      }
      if (opens) {
        outer.push({ current, base });
        current += BRACKET;
        base = current;
      } else if (endsItem(token, tokens[i + 1])) current = base;
      else if (!closes) current += weightOf(token);
      if (current > most) most = current;
    });
    return most;
  }

  function plainDepth(source) {
    let depth = 0;
    let most = 0;
    for (const character of source) {
      if (OPENING.has(character)) most = Math.max(most, ++depth);
      else if (CLOSING.has(character) && depth > 0) depth--;
    }
    return most + source.split(/[!~?=+*/%&|^<>-]/).length / 10;
  }

  // Returns an error message, or null when the text may be parsed.
  function tooDeep(source) {
    let tokens;
    try {
      tokens = esprima.tokenize(source);
    } catch {
      return plainDepth(source) > PLAIN_LIMIT ? MESSAGE : null;
    }
    return heaviest(tokens) > LIMIT ? MESSAGE : null;
  }

  V8VM.nesting = { tooDeep, heaviest };
})(globalThis.V8VM);
