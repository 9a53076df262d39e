// token721.iost: non-fungible tokens with ids 0, 1, 2 ...
//
//   map T721I<sym>          T721issuer, totalSupply, supply; and tokenID -> owner
//   map T721B<account>      sym -> count
//   map T721M<sym>#<owner>  tokenID -> metadata
//
// The publisher pays for all cells, and becomes the payer of those that he changes.
(function (V8VM) {
  'use strict';

  const { BigInt, Number, RegExpPrototypeTest } = V8VM.primordials;
  const { state, values, symbols } = V8VM;
  const { fail, op, requireAuth, receiptOf, overlook, publisher } = V8VM.natives.kit;

  const TOKEN = 'token721.iost';

  const infoMap = (sym) => `T721I${sym}`;
  const balanceMap = (account) => `T721B${account}`;
  const metadataMap = (sym, owner) => `T721M${sym}#${owner}`;

  const exists = (sym) => state.mapGet(TOKEN, infoMap(sym), 'T721issuer') !== null;
  const requireToken = (sym) => exists(sym) || fail('token not exists');
  const info = (sym, attribute) => state.mapGet(TOKEN, infoMap(sym), attribute).data;
  const lookup = (map, field) => state.mapHasGet(TOKEN, map, field)?.data ?? null;
  const balance = (sym, account) => lookup(balanceMap(account), sym) ?? 0n;

  const putInfo = (sym, field, value) => state.mapPut(TOKEN, infoMap(sym), field, value, publisher());
  const putBalance = (sym, account, count) => overlook(() => state.mapPut(TOKEN, balanceMap(account), sym, values.int(count), publisher()));

  // A long symbol and a long owner together make a name that is too long: then the token has no metadata.
  function putMetadata(sym, owner, id, metadata) {
    overlook(() => state.mapPut(TOKEN, metadataMap(sym, owner), id, values.text(metadata), publisher()));
  }

  // Ids share their map with the attributes of the token, which no account owns.
  const ID = /^[0-9]+$/;
  const ownerIn = (cell, id) => (cell !== null && RegExpPrototypeTest(ID, id) ? cell.data : null);

  function create([sym, issuer, totalSupply]) {
    op(2);
    symbols.check(sym);
    requireAuth(issuer, 'token');
    if (exists(sym)) fail('token exists');
    putInfo(sym, 'T721issuer', values.text(issuer));
    putInfo(sym, 'totalSupply', values.int(totalSupply));
    putInfo(sym, 'supply', values.int(0n));
    receiptOf([sym, issuer, totalSupply]);
    return [];
  }

  function issue([sym, to, metadata]) {
    op();
    requireToken(sym);
    const issuer = info(sym, 'T721issuer');
    const supply = info(sym, 'supply');
    if (supply >= info(sym, 'totalSupply')) fail('supply too much');
    requireAuth(issuer, 'token');
    const id = `${supply}`;
    putInfo(sym, 'supply', values.int(supply + 1n));
    putInfo(sym, id, values.text(to));
    putBalance(sym, to, balance(sym, to) + 1n);
    putMetadata(sym, to, id, metadata);
    receiptOf([sym, to, metadata]);
    return [id];
  }

  function requireOwnedBy(sym, id, from) {
    const owner = ownerIn(state.mapGet(TOKEN, infoMap(sym), id), id);
    if (owner === null) fail(`error tokenID not exists. ${sym} ${id}`);
    if (owner !== from) fail(`error token owner isn't from. owner: ${owner}, from: ${from}`);
  }

  function transfer([sym, from, to, id]) {
    op();
    if (from === to) return [];
    requireToken(sym);
    requireAuth(from, 'transfer');
    requireOwnedBy(sym, id, from);
    putInfo(sym, id, values.text(to));
    const fromCount = balance(sym, from);
    const toCount = balance(sym, to);
    putBalance(sym, from, fromCount - 1n);
    putBalance(sym, to, toCount + 1n);
    const metadata = state.mapGet(TOKEN, metadataMap(sym, from), id)?.data ?? '';
    overlook(() => state.mapDel(TOKEN, metadataMap(sym, from), id));
    putMetadata(sym, to, id, metadata);
    receiptOf([sym, from, to, id]);
    return [];
  }

  function balanceOf([sym, account]) {
    op();
    requireToken(sym);
    return [balance(sym, account)];
  }

  // The words of the failure are the reference's.
  const requireOwner = (sym, id) => ownerIn(state.mapHasGet(TOKEN, infoMap(sym), id), id) ?? fail('token exists');

  function ownerOf([sym, id]) {
    op();
    requireToken(sym);
    return [requireOwner(sym, id)];
  }

  function tokenOfOwnerByIndex([sym, owner, index]) {
    op();
    requireToken(sym);
    const ids = state.mapKeys(TOKEN, metadataMap(sym, owner));
    if (index < 0n || index >= BigInt(ids.length)) fail('out of range');
    return [ids[Number(index)]];
  }

  function tokenMetadata([sym, id]) {
    op();
    requireToken(sym);
    const owner = requireOwner(sym, id);
    return [lookup(metadataMap(sym, owner), id) ?? fail('token exists')];
  }

  V8VM.natives.define(TOKEN, [
    { name: 'create', args: ['string', 'string', 'number'], run: create },
    { name: 'issue', args: ['string', 'string', 'string'], run: issue },
    { name: 'transfer', args: ['string', 'string', 'string', 'string'], run: transfer },
    { name: 'balanceOf', args: ['string', 'string'], run: balanceOf },
    { name: 'ownerOf', args: ['string', 'string'], run: ownerOf },
    { name: 'tokenOfOwnerByIndex', args: ['string', 'string', 'number'], run: tokenOfOwnerByIndex },
    { name: 'tokenMetadata', args: ['string', 'string'], run: tokenMetadata },
  ]);
})(globalThis.V8VM);
