// An exchange of two tokens with an order book: best price first, then the older order. Both sides are lists in one cell each.
const BASE = 'gold';
const QUOTE = 'iost';

class Side {
    constructor(name, better) {
        this.name = name;
        this.better = better;
        this.orders = JSON.parse(storage.get(name) || '[]');
    }

    get best() {
        return this.orders.length === 0 ? null : this.orders[0];
    }

    add(order) {
        let place = this.orders.length;
        while (place > 0 && this.better(new BigNumber(order.price), this.orders[place - 1].price)) {
            place--;
        }
        this.orders.splice(place, 0, order);
    }

    drop(id) {
        const place = this.orders.findIndex(order => order.id === id);
        return place < 0 ? null : this.orders.splice(place, 1)[0];
    }

    save() {
        storage.put(this.name, JSON.stringify(this.orders));
    }
}

class OrderBook {
    init() {
        storage.put('lastId', '0');
        storage.put('trades', '0');
    }

    _sides() {
        return {
            buy: new Side('bids', (price, other) => price.gt(other)),
            sell: new Side('asks', (price, other) => price.lt(other)),
        };
    }

    _move(token, from, to, amount, memo) {
        blockchain.callWithAuth('token.iost', 'transfer', [token, from, to, amount.toFixed(), memo]);
    }

    _positive(text, name) {
        const number = new BigNumber(text);
        if (number.isNaN() || !number.gt(0) || number.toFixed() !== new BigNumber(number.toFixed(8)).toFixed()) {
            throw new Error(name + ' is not valid: ' + text);
        }
        return number;
    }

    place(side, priceText, amountText) {
        if (side !== 'buy' && side !== 'sell') {
            throw new Error('side is buy or sell');
        }
        const price = this._positive(priceText, 'price');
        let amount = this._positive(amountText, 'amount');
        const taker = blockchain.publisher();
        const house = blockchain.contractName();
        const id = new Int64(storage.get('lastId')).plus(1).toString();
        storage.put('lastId', id);
        if (side === 'buy') {
            this._move(QUOTE, taker, house, price.times(amount), 'order ' + id);
        } else {
            this._move(BASE, taker, house, amount, 'order ' + id);
        }

        const sides = this._sides();
        const against = side === 'buy' ? sides.sell : sides.buy;
        const fills = [];
        for (let maker = against.best; maker !== null && amount.gt(0); maker = against.best) {
            const crosses = side === 'buy' ? price.gte(maker.price) : price.lte(maker.price);
            if (!crosses) break;
            const filled = BigNumber.min(amount, maker.amount);
            const paid = filled.times(maker.price);
            if (side === 'buy') {
                this._move(BASE, house, taker, filled, 'fill ' + maker.id);
                this._move(QUOTE, house, maker.owner, paid, 'fill ' + maker.id);
                const saved = filled.times(price).minus(paid);
                if (saved.gt(0)) this._move(QUOTE, house, taker, saved, 'better price');
            } else {
                this._move(QUOTE, house, taker, paid, 'fill ' + maker.id);
                this._move(BASE, house, maker.owner, filled, 'fill ' + maker.id);
            }
            fills.push([maker.id, maker.price, filled.toFixed()]);
            amount = amount.minus(filled);
            const left = new BigNumber(maker.amount).minus(filled);
            if (left.isZero()) {
                against.drop(maker.id);
            } else {
                maker.amount = left.toFixed();
            }
        }
        against.save();
        if (amount.gt(0)) {
            const own = sides[side];
            own.add({ id: id, owner: taker, price: price.toFixed(), amount: amount.toFixed() });
            own.save();
        }
        storage.put('trades', (Number(storage.get('trades')) + fills.length).toString());
        blockchain.receipt(JSON.stringify({ id: id, fills: fills, open: amount }));
        return { id: id, fills: fills, open: amount };
    }

    cancel(id) {
        const sides = this._sides();
        for (const name of ['buy', 'sell']) {
            const order = sides[name].drop(id);
            if (order === null) continue;
            if (!blockchain.requireAuth(order.owner, 'active')) {
                throw new Error('not your order');
            }
            sides[name].save();
            const back = name === 'buy' ? new BigNumber(order.price).times(order.amount) : new BigNumber(order.amount);
            this._move(name === 'buy' ? QUOTE : BASE, blockchain.contractName(), order.owner, back, 'cancelled');
            return back.toFixed();
        }
        throw new Error('no such order: ' + id);
    }

    // Amounts by price, best first, at most `levels` of each side.
    depth(levels) {
        const sides = this._sides();
        const summed = function (orders) {
            const steps = [];
            for (const order of orders) {
                const last = steps[steps.length - 1];
                if (last !== undefined && last[0] === order.price) {
                    last[1] = new BigNumber(last[1]).plus(order.amount).toFixed();
                } else if (steps.length === levels) {
                    break;
                } else {
                    steps.push([order.price, order.amount]);
                }
            }
            return steps;
        };
        return { bids: summed(sides.buy.orders), asks: summed(sides.sell.orders) };
    }
}

module.exports = OrderBook;
