// domain.iost: names for contracts. Version 0.0.0 has no methods.
//
//   map dns_table         url -> contract id       map dns_revert_table  contract id -> url
//   map dns_owner_table   url -> account
(function (V8VM) {
  'use strict';

  const { RegExpPrototypeTest, StringPrototypeCodePointAt, StringPrototypeEndsWith, StringPrototypeIncludes } = V8VM.primordials;
  const { meter, costs, state, values, context, authority } = V8VM;
  const { utf8Length } = V8VM.text;
  const { fail, op } = V8VM.natives.kit;

  const DOMAIN = 'domain.iost';
  const MIN_BYTES = 5;
  const MAX_BYTES = 16;
  const ALLOWED = /^[a-z0-9_.]*$/;

  function checkUrl(url) {
    const bytes = utf8Length(url);
    if (bytes < MIN_BYTES || bytes > MAX_BYTES) fail(`url invalid. url length should be between ${MIN_BYTES},${MAX_BYTES} got ${url}`);
    if (!StringPrototypeIncludes(url, '.')) fail("url invalid. url must contain '.'");
    if (RegExpPrototypeTest(ALLOWED, url)) return;
    let i = 0;
    while (RegExpPrototypeTest(ALLOWED, url[i])) i++;
    fail(`url invalid. url contains invalid character ${StringPrototypeCodePointAt(url, i)}`);
  }

  function refuse(message) {
    meter.charge(costs.refusal);
    fail(message);
  }

  // The publisher; it asks for an url that `owner` has, or nobody (null).
  function requireApplicant(owner) {
    const { publisher } = context.current();
    if (owner !== null && owner !== publisher) refuse('no privilege of claimed url');
    if (!authority.requireAuth(publisher, 'domain')) fail('no permission of claimed url');
    return publisher;
  }

  const ownerOf = (url) => state.readField(DOMAIN, 'dns_owner_table', url)?.data ?? null;
  const write = (table, name, text) => state.mapPut(DOMAIN, table, name, values.text(text), null);

  function link([url, contract]) {
    op();
    checkUrl(url);
    if (StringPrototypeEndsWith(url, '.iost') && !authority.requireAuth('admin', 'domain')) fail('only admin has permission to claim url .iost');
    meter.charge(costs.context); // the transaction tells who asks
    const publisher = requireApplicant(ownerOf(url));
    write('dns_table', url, contract);
    write('dns_revert_table', contract, url);
    write('dns_owner_table', url, publisher);
    return null; // the reference answers nothing at all
  }

  function transfer([url, account]) {
    meter.charge(costs.context);
    const owner = ownerOf(url);
    if (owner === null) refuse("url doesn't have owner. Link directly");
    requireApplicant(owner);
    write('dns_owner_table', url, account);
    return null; // the reference answers nothing at all
  }

  V8VM.natives.define(DOMAIN, [
    { name: 'link', args: ['string', 'string'], since: '0.0.1', run: link },
    { name: 'transfer', args: ['string', 'string'], since: '0.0.1', run: transfer },
  ]);
})(globalThis.V8VM);
