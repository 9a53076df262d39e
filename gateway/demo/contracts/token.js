// A token written as a contract: balances in a map, whole units as text, one issuer.
class Token {
    init() {
        storage.put('supply', '0');
    }

    // Creates units for an account; only the contract's owner may.
    issue(to, amount) {
        this._authorize(blockchain.contractOwner());
        const units = this._units(amount);
        storage.put('supply', new Int64(storage.get('supply')).plus(units).toString());
        this._add(to, units);
        blockchain.receipt(JSON.stringify(['issue', to, amount]));
    }

    // Moves units; only their holder may.
    transfer(from, to, amount, memo) {
        this._authorize(from);
        const units = this._units(amount);
        const left = this._balance(from).minus(units);
        if (left.isNegative()) {
            throw new Error('balance not enough ' + this._balance(from).toString() + ' < ' + amount);
        }
        storage.mapPut('balances', from, left.toString(), blockchain.publisher());
        this._add(to, units);
        blockchain.receipt(JSON.stringify(['transfer', from, to, amount, memo]));
    }

    balanceOf(account) {
        return this._balance(account).toString();
    }

    supply() {
        return storage.get('supply');
    }

    // Methods that the ABI does not list cannot be called from outside.
    _authorize(account) {
        if (!blockchain.requireAuth(account, 'active')) {
            throw new Error('transaction has no permission of ' + account);
        }
    }

    _units(amount) {
        const units = new Int64(amount);
        if (!units.gt(0)) {
            throw new Error('invalid amount ' + amount);
        }
        return units;
    }

    _balance(account) {
        return new Int64(storage.mapGet('balances', account) || '0');
    }

    // Whoever sends the transaction pays the RAM of the entries it makes.
    _add(account, units) {
        const balance = this._balance(account).plus(units);
        storage.mapPut('balances', account, balance.toString(), blockchain.publisher());
    }
}

module.exports = Token;
