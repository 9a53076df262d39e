// First pass: refuses forbidden words, rewrites operators, templates and spreads into calls, and prints again.
// The printed text is what gas points are counted on.
(function (V8VM) {
  'use strict';

  const { esprima, escodegen } = globalThis.v8vmCompiler;
  const { HELPER_PREFIX, located, isNode, eachChild, identifier, literal, call } = V8VM.tree;

  const RESERVED = ['_IOSTInstruction_counter', '_IOSTBinaryOp', 'IOSTInstruction', '_IOSTTemplateTag', '_IOSTSpreadElement'];
  const ASYNC_MESSAGE = 'use of async or await is not supported';
  const RESERVED_MESSAGE = 'use of _IOSTInstruction_counter or _IOSTBinaryOp keyword is not allowed';
  const REWRITTEN_OPERATORS = [
    '+', '-', '*', '/', '%', '**', '|', '&', '^', '>>', '>>>', '<<', '==', '!=', '===', '!==', '>', '>=', '<', '<=',
  ];

  const isHelperName = (name) => name.startsWith(HELPER_PREFIX);
  const isReserved = (name) => RESERVED.includes(name) || isHelperName(name);

  // Throws for the first forbidden token, in source order.
  function checkTokens(tokens) {
    for (const token of tokens) {
      const { type, value } = token;
      if (type === 'Identifier' && isReserved(value)) throw located(RESERVED_MESSAGE, token);
      if (type === 'RegularExpression') throw located('use of RegularExpression is not allowed.undefined', token);
      if (type === 'Keyword' && (value === 'try' || value === 'catch')) throw located('use of try catch is not supported', token);
      if (type === 'Identifier' && (value === 'async' || value === 'await')) throw located(ASYNC_MESSAGE, token);
    }
  }

  // Names and words spelled with escapes are only seen in the tree.
  function checkNames(node, isRefused) {
    if (node.type === 'Identifier' && isRefused(node.name)) throw located(RESERVED_MESSAGE, node);
    if (node.async === true || node.type === 'AwaitExpression') throw located(ASYNC_MESSAGE, node);
    eachChild(node, (child) => checkNames(child, isRefused));
  }

  // Comments of the form `<!--` and `-->` hide code from a reader who does not expect them.
  function checkComments(comments, source) {
    const lines = source.split(/\r\n|[\n\r\u2028\u2029]/);
    for (const comment of comments) {
      const { line, column } = comment.loc.start;
      if (lines[line - 1][column] !== '/') throw located('use of html comment is not supported', comment);
    }
  }

  function rewriteChildren(node) {
    for (const key in node) {
      const value = node[key];
      if (Array.isArray(value)) {
        for (let i = 0; i < value.length; i++) if (isNode(value[i])) value[i] = rewrite(value[i], node);
      } else if (isNode(value)) node[key] = rewrite(value, node);
    }
  }

  // Returns the node that takes this one's place. Patterns are reported as parsed, so before anything inside changes.
  function rewrite(node, parent) {
    if (node.type === 'ArrayPattern' || node.type === 'ObjectPattern') {
      throw located(`use of ArrayPattern or ObjectPattern is not allowed.${JSON.stringify(node)}`, node);
    }
    if (node.type === 'AssignmentExpression' && node.operator !== '=') {
      node.right = { type: 'BinaryExpression', operator: node.operator.slice(0, -1), left: node.left, right: node.right, loc: node.loc };
      node.operator = '=';
    }
    rewriteChildren(node);
    if (node.type === 'BinaryExpression' && REWRITTEN_OPERATORS.includes(node.operator)) {
      return { ...call(identifier('_IOSTBinaryOp'), node.left, node.right, literal(node.operator)), loc: node.loc };
    }
    if (node.type === 'TemplateLiteral' && parent.type !== 'TaggedTemplateExpression') {
      return { type: 'TaggedTemplateExpression', tag: identifier('_IOSTTemplateTag'), quasi: node, loc: node.loc };
    }
    if (node.type === 'SpreadElement') { // in the target of `op=`, which stands in two places, it is wrapped twice
      node.argument = call(identifier('_IOSTSpreadElement'), node.argument);
    }
    return node;
  }

  // Source text -> tree in which every operator with a dynamic price is a call.
  function rewriteTree(source) {
    const program = esprima.parseScript(source, { loc: true, tokens: true, comment: true });
    checkTokens(program.tokens);
    checkComments(program.comments, source);
    delete program.tokens;
    delete program.comments;
    checkNames(program, isReserved);
    V8VM.size.check(program, source.length);
    return rewrite(program, null);
  }

  const print = (program) => escodegen.generate(program);

  V8VM.rewrite = { rewriteTree, print, checkTokens, checkNames, isHelperName };
})(globalThis.V8VM);
