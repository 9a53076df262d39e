// Counts. The smallest contract that keeps state, announces what it did, and can be replaced by its owner.
class Counter {
    // Runs once, when the contract is published.
    init() {
        storage.put('count', '0');
    }

    // Asked before the contract is replaced; only its owner may.
    can_update(data) {
        return blockchain.requireAuth(blockchain.contractOwner(), 'active');
    }

    /**
     * Adds a positive whole number; returns the new count.
     * @param {number} amount
     */
    add(amount) {
        if (amount <= 0) {
            throw new Error('amount must be positive, got ' + amount);
        }
        const count = new Int64(storage.get('count')).plus(amount).toString();
        storage.put('count', count);
        blockchain.event(JSON.stringify({ count: count, by: blockchain.publisher() }));
        return count;
    }

    get() {
        return storage.get('count');
    }

    /**
     * Adds the numbers up to n one by one: costs gas in proportion to n.
     * @param {number} n
     */
    sum(n) {
        let total = new Int64(0);
        for (let i = 1; i <= n; i++) {
            total = total.plus(i);
        }
        return total.toString();
    }
}

module.exports = Counter;
