"""Prices beyond ordinary sizes: contracts of ordinary sizes use the reference's gas and nothing beside."""

from collections.abc import Iterator

import pytest

from tests.support.language import Language

SIZE = 500
"""Storage calls, items, numbers or texts of one call: more than ordinary contracts have."""

GAS_LIMIT = 100_000_000
FREE = ("['free', 500000,", "['free', 1e9,")
DEPTH = ("['freeDepth', 60000,", "['freeDepth', 200000,")

BODIES = {
    "Int64": "let x = new Int64(1); for (let i = 0; i < n; i++) x = x.plus(new Int64(i)).minus('1').multi(1).div(1);",
    "Int64 as text": "let x = new Int64('7'); for (let i = 0; i < n; i++) x = new Int64(x.plus(7).toString());",
    "Float64": "let x = new Float64('1.5'); for (let i = 0; i < 100; i++) x = x.plus('0.01').multi('1.1').div('1.1');",
    "numbers": "let x = new BigNumber('1.5'); for (let i = 0; i < n; i++) x = x.plus('0.1').times('1.01').dp(8);",
    "numbers of 50 digits": """
      const y = new BigNumber('98765432109876543210987654321098765432109876543210'); let x = y.minus(1);
      for (let i = 0; i < n; i++) {
        const z = x.plus(y).minus(i).times(3).div(7);
        if (z.lt(0)) throw z;
        z.toFixed(8);
      }""",
    "numbers as texts": """
      let x = new BigNumber('1.5'); let s = '';
      for (let i = 0; i < n; i++) { x = x.plus(1); s = x.toString() + x.toFixed(4); }""",
    "balances": """
      for (let i = 0; i < n; i++) {
        const user = 'u' + (i % 100);
        const held = new BigNumber(storage.mapGet('balances', user) || '0');
        storage.mapPut('balances', user, held.plus('1.25').toFixed(4));
      }""",
    "cells": """
      for (let i = 0; i < 300; i++) { storage.put('k' + i, 'v' + i); storage.get('k' + i); storage.has('k' + i); }
      for (let i = 0; i < 300; i++) storage.del('k' + i);""",
    "cells of a thousand units": "for (let i = 0; i < 300; i++) storage.put('k' + i, 'x'.repeat(1000));",
    "an order book": """
      const book = [];
      for (let i = 0; i < n; i++) book.push({ id: 'o' + i, price: (i * 7919) % 1009, amount: '1.5' });
      book.sort((a, b) => a.price - b.price);
      const left = JSON.parse(JSON.stringify(book)).filter((order) => order.price > 5);
      left.splice(5, 1);
      left.forEach((order) => { order.amount = new BigNumber(order.amount).plus(1).toFixed(2); });
      left.findIndex((order) => order.id === 'o7');
      storage.put('prices', left.map((order) => order.price).join());""",
    "an order book in a cell": """
      storage.put('book', '[]');
      for (let i = 0; i < 50; i++) {
        const book = JSON.parse(storage.get('book'));
        book.push({ id: i, price: i % 7 });
        book.sort((a, b) => a.price - b.price);
        storage.put('book', JSON.stringify(book));
      }""",
    "JSON of ten kilobytes": """
      const list = []; for (let i = 0; i < 200; i++) list.push({ id: i, name: 'user' + i, balance: '123.4567' });
      storage.put('list', JSON.stringify(list)); JSON.parse(storage.get('list')); JSON.parse(JSON.stringify(list));""",
    "tables by name": """
      const table = {}; for (let i = 0; i < n; i++) table['user' + i] = { v: i };
      let sum = 0; for (const key in table) sum += table[key].v;
      Object.keys(table).forEach((key) => { sum += table[key].v; }); Object.assign({}, table);""",
    "texts": """
      let s = ''; for (let i = 0; i < n; i++) s += 'item' + i + ',';
      s.split(',').map((x) => x.toUpperCase().trim().replace('ITEM', 'x')).join('|');""",
    "a queue": "const q = []; for (let i = 0; i < n; i++) q.push(i); while (q.length > 0) q.shift();",
    "classes": """
      class P { constructor() { this.x = 1; } m() { return this.x; } }
      class Q extends P { m() { return super.m() + 1; } }
      let sum = 0; for (let i = 0; i < n; i++) sum += new Q().m();""",
    "recursion": "const f = (k) => (k < 2 ? 1 : f(k - 1) + 1); f(1000);",
}

CALLS = 10_000
"""Calls of one method in a loop, as the reference's own contract for measuring gas makes them."""

METHODS = (
    *("concat(['red'])", "every((x) => x)", "filter((x) => x)", "find((x) => x)", "findIndex((x) => x)"),
    *("forEach((x) => x)", "includes('red')", "indexOf('red')", "join()", "keys()", "lastIndexOf('red')"),
    *("map((x) => x)", "pop()", "push('yellow')", "reverse()", "shift()", "slice()", "sort()", "splice(0)"),
    *("toString()", "unshift('yellow')"),
)


@pytest.fixture(scope="module")
def unlimited() -> Iterator[Language]:
    with Language(lambda text: text.replace(*FREE).replace(*DEPTH)) as language:
        yield language


@pytest.mark.parametrize("name", BODIES)
def test_ordinary_sizes_meet_no_surcharge(language: Language, unlimited: Language, name: str) -> None:
    body = f"const n = {SIZE}; {BODIES[name]}"
    outcome = language.run(body, limit=GAS_LIMIT)

    assert outcome.ok, outcome.text
    assert outcome.gas == unlimited.run(body, limit=GAS_LIMIT).gas


@pytest.mark.parametrize("method", METHODS)
def test_ten_thousand_calls_of_a_method_of_lists_meet_no_surcharge(
    language: Language, unlimited: Language, method: str
) -> None:
    body = f"for (let i = 0; i < {CALLS}; i++) ['red', 'blue', 'green'].{method};"

    assert language.run(body, limit=GAS_LIMIT).gas == unlimited.run(body, limit=GAS_LIMIT).gas


def test_large_sizes_do(language: Language, unlimited: Language) -> None:
    body = "const l = []; for (let i = 0; i < 300; i++) l.push(i / 7); for (let i = 0; i < 100; i++) l.join();"

    assert language.run(body, limit=GAS_LIMIT).gas > unlimited.run(body, limit=GAS_LIMIT).gas
