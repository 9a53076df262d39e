// ram.iost: a market for RAM bytes. Prices follow a constant product of iost in reserve and bytes left: buying raises
// the price of the next byte, selling lowers it. Bytes are the token `ram` (0 decimals), which this contract issues.
const DECIMALS = 8; // of iost
const BYTES_MAX = 9007199254740991; // exact in a JavaScript number

class RamMarket {
    init() {}

    // Opens the market, once: `bytes` for sale at first, at `price` iost for a KiB.
    issue(bytes, price) {
        this._requireAdmin();
        if (storage.has('leftSpace')) {
            throw new Error('market is open');
        }
        this._checkBytes(bytes);
        const reserve = new BigNumber(price).times(bytes).div(1024);
        if (!reserve.gt(0)) {
            throw new Error('invalid price ' + price);
        }
        storage.put('leftSpace', new BigNumber(bytes).toFixed(0));
        storage.put('usedSpace', '0');
        storage.put('balance', reserve.toFixed(DECIMALS)); // a number, no iost: the market pays with what buyers paid
        blockchain.receipt(JSON.stringify([bytes, price]));
    }

    // Puts more bytes on sale; the price of a byte stays.
    increase(bytes) {
        this._requireAdmin();
        this._checkBytes(bytes);
        const left = this._number('leftSpace');
        const more = left.plus(bytes);
        storage.put('balance', this._number('balance').times(more).div(left).toFixed(DECIMALS));
        storage.put('leftSpace', more.toFixed(0));
        blockchain.receipt(JSON.stringify([bytes]));
    }

    // Buys bytes for `account`, paid by `payer`. Returns the price in iost.
    buy(payer, account, bytes) {
        this._requireAuth(payer, 'transfer');
        this._checkBytes(bytes);
        const left = this._number('leftSpace');
        if (left.lte(bytes)) {
            throw new Error('not enough bytes left: ' + left.toFixed(0));
        }
        const balance = this._number('balance');
        const price = this._roundUp(balance.times(bytes).div(left.minus(bytes)));
        blockchain.callWithAuth('token.iost', 'transfer', ['iost', payer, blockchain.contractName(), price, '']);
        blockchain.callWithAuth('token.iost', 'issue', ['ram', account, new BigNumber(bytes).toFixed(0)]);
        this._move(balance.plus(price), left.minus(bytes), this._number('usedSpace').plus(bytes));
        this._count('TR' + account, bytes);
        blockchain.receipt(JSON.stringify([payer, account, bytes, price]));
        return price;
    }

    // Sells bytes of `account`; `receiver` gets the iost. Returns the price.
    sell(account, receiver, bytes) {
        this._requireAuth(account, 'transfer');
        this._checkBytes(bytes);
        const left = this._number('leftSpace');
        const balance = this._number('balance');
        const price = balance.times(bytes).div(left.plus(bytes)).toFixed(DECIMALS);
        if (!new BigNumber(price).gt(0)) {
            throw new Error('too few bytes: they are worth nothing');
        }
        blockchain.callWithAuth('token.iost', 'destroy', ['ram', account, new BigNumber(bytes).toFixed(0)]);
        blockchain.callWithAuth('token.iost', 'transfer', ['iost', blockchain.contractName(), receiver, price, '']);
        this._move(balance.minus(price), left.plus(bytes), this._number('usedSpace').minus(bytes));
        this._count('TR' + account, -bytes);
        blockchain.receipt(JSON.stringify([account, receiver, bytes, price]));
        return price;
    }

    // Gives bytes of one account to another.
    lend(from, to, bytes) {
        this._requireAuth(from, 'transfer');
        this._checkBytes(bytes);
        blockchain.callWithAuth('token.iost', 'transfer', ['ram', from, to, new BigNumber(bytes).toFixed(0), '']);
        blockchain.receipt(JSON.stringify([from, to, bytes]));
    }

    can_update(data) {
        this._requireAdmin();
        return true;
    }

    _requireAdmin() {
        this._requireAuth(blockchain.contractOwner(), 'active');
    }

    _requireAuth(account, permission) {
        if (!blockchain.requireAuth(account, permission)) {
            throw new Error('require auth failed');
        }
    }

    _checkBytes(bytes) {
        if (bytes < 1 || bytes > BYTES_MAX) {
            throw new Error('invalid number of bytes ' + bytes);
        }
    }

    _number(key) {
        const text = storage.get(key);
        if (text === null) {
            throw new Error('market is not open');
        }
        return new BigNumber(text);
    }

    _move(balance, left, used) {
        storage.put('balance', balance.toFixed(DECIMALS));
        storage.put('leftSpace', left.toFixed(0));
        storage.put('usedSpace', used.toFixed(0));
    }

    _count(key, bytes) {
        storage.put(key, new BigNumber(storage.get(key) || '0').plus(bytes).toFixed(0));
    }

    // What a buyer pays is rounded against the buyer: the reserve never loses.
    _roundUp(amount) {
        const cut = new BigNumber(amount.toFixed(DECIMALS));
        return (cut.lt(amount) ? cut.plus('0.00000001') : cut).toFixed(DECIMALS);
    }
}

module.exports = RamMarket;
