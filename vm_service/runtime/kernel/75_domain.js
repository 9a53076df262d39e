// domain.iost: names for contracts. Version 0.0.0 has no methods.
//
//   map dns_table         url -> contract id       map dns_revert_table  contract id -> url
//   map dns_owner_table   url -> account
(function (V8VM) {
  'use strict';

  const { RegExpPrototypeTest, StringPrototypeEndsWith, StringPrototypeIncludes } = V8VM.primordials;
  const { state, values, context, authority } = V8VM;
  const { fail, op } = V8VM.natives.kit;

  const DOMAIN = 'domain.iost';
  const URL = /^[a-z0-9_.]{5,16}$/;

  function checkUrl(url) {
    op();
    if (!RegExpPrototypeTest(URL, url) || !StringPrototypeIncludes(url, '.')) fail(`url invalid. url should be 5-16 of [a-z0-9_.] with a dot, got ${url}`);
    if (StringPrototypeEndsWith(url, '.iost') && !authority.requireAuth('admin', 'domain')) fail('transaction has no permission');
  }

  const ownerOf = (url) => state.mapGet(DOMAIN, 'dns_owner_table', url)?.data ?? null;
  const putOwner = (url, account) => state.mapPut(DOMAIN, 'dns_owner_table', url, values.text(account), context.current().publisher);

  function link([url, contract]) {
    checkUrl(url);
    const { publisher } = context.current();
    const owner = ownerOf(url);
    if (owner !== null && owner !== publisher) fail('no privilege of claimed url');
    if (owner === null) putOwner(url, publisher);
    state.mapPut(DOMAIN, 'dns_table', url, values.text(contract), publisher);
    state.mapPut(DOMAIN, 'dns_revert_table', contract, values.text(url), publisher);
    return null; // the reference answers nothing at all
  }

  function transfer([url, account]) {
    checkUrl(url);
    const owner = ownerOf(url);
    if (owner === null) fail("url doesn't have owner. Link directly");
    if (owner !== context.current().publisher) fail('no privilege of claimed url');
    putOwner(url, account);
    return null; // the reference answers nothing at all
  }

  V8VM.natives.define(DOMAIN, [
    { name: 'link', args: ['string', 'string'], since: '0.0.1', run: link },
    { name: 'transfer', args: ['string', 'string'], since: '0.0.1', run: transfer },
  ]);
})(globalThis.V8VM);
