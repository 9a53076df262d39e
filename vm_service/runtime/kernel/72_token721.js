// token721.iost: non-fungible tokens with ids 0, 1, 2 ...
//
//   map T721I<sym>          T721issuer, totalSupply, supply; and tokenID -> owner
//   map T721B<account>      sym -> count
//   map T721M<sym>#<owner>  tokenID -> metadata
(function (V8VM) {
  'use strict';

  const { BigInt, RegExpPrototypeTest } = V8VM.primordials;
  const { state, values } = V8VM;
  const { fail, op, requireAuth, receiptOf } = V8VM.natives.kit;

  const TOKEN = 'token721.iost';
  const SYMBOL = /^[a-z0-9_]{2,16}$/;

  const infoMap = (sym) => `T721I${sym}`;
  const balanceMap = (account) => `T721B${account}`;
  const metadataMap = (sym, owner) => `T721M${sym}#${owner}`;

  const exists = (sym) => state.mapGet(TOKEN, infoMap(sym), 'T721issuer') !== null;
  const requireToken = (sym) => exists(sym) || fail('token not exists');
  const info = (sym, attribute) => state.mapGet(TOKEN, infoMap(sym), attribute).data;

  const lookup = (map, field) => state.mapHasGet(TOKEN, map, field)?.data ?? null;

  const balance = (sym, account) => lookup(balanceMap(account), sym) ?? 0n;

  function create([sym, issuer, totalSupply]) {
    op();
    op();
    if (!RegExpPrototypeTest(SYMBOL, sym)) fail(`token symbol invalid. ${sym}`);
    requireAuth(issuer, 'token');
    if (exists(sym)) fail('token exists');
    state.mapPut(TOKEN, infoMap(sym), 'T721issuer', values.text(issuer), issuer);
    state.mapPut(TOKEN, infoMap(sym), 'totalSupply', values.int(totalSupply), issuer);
    state.mapPut(TOKEN, infoMap(sym), 'supply', values.int(0n), issuer);
    receiptOf([sym, issuer, totalSupply]);
    return [];
  }

  function issue([sym, to, metadata]) {
    op();
    requireToken(sym);
    const issuer = info(sym, 'T721issuer');
    requireAuth(issuer, 'token');
    const supply = info(sym, 'supply');
    if (supply >= info(sym, 'totalSupply')) fail('supply too much');
    const id = `${supply}`;
    const count = balance(sym, to);
    state.mapPut(TOKEN, infoMap(sym), 'supply', values.int(supply + 1n), issuer);
    state.mapPut(TOKEN, balanceMap(to), sym, values.int(count + 1n), issuer);
    state.mapPut(TOKEN, infoMap(sym), id, values.text(to), issuer);
    state.mapPut(TOKEN, metadataMap(sym, to), id, values.text(metadata), issuer);
    receiptOf([sym, to, metadata]);
    return [id];
  }

  function transfer([sym, from, to, id]) {
    op();
    requireToken(sym);
    if (from === to) return [];
    requireAuth(from, 'transfer');
    const owner = state.mapGet(TOKEN, infoMap(sym), id);
    if (owner === null) fail(`error tokenID not exists. ${sym} ${id}`);
    if (owner.data !== from) fail(`error token owner isn't from. owner: ${owner.data}, from: ${from}`);
    const fromCount = balance(sym, from);
    const toCount = balance(sym, to);
    const metadata = state.mapGet(TOKEN, metadataMap(sym, from), id).data;
    state.mapDel(TOKEN, metadataMap(sym, from), id);
    state.mapPut(TOKEN, balanceMap(from), sym, values.int(fromCount - 1n), from);
    state.mapPut(TOKEN, balanceMap(to), sym, values.int(toCount + 1n), from);
    state.mapPut(TOKEN, infoMap(sym), id, values.text(to), from);
    state.mapPut(TOKEN, metadataMap(sym, to), id, values.text(metadata), from);
    receiptOf([sym, from, to, id]);
    return [];
  }

  function balanceOf([sym, account]) {
    op();
    requireToken(sym);
    return [balance(sym, account)];
  }

  const requireOwner = (sym, id) => lookup(infoMap(sym), id) ?? fail('token exists'); // the reference's own words

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
