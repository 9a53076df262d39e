// A game for iost: whoever bet on the drawn digit shares the pot in proportion to the stakes. A round ends with its tenth
// bet; without a winner the pot stays for the next round. The contract holds exactly what `pot` says.
const BETS_PER_ROUND = 10;

class LuckyBet {
    init() {
        storage.put('round', '1');
        storage.put('pot', '0');
        storage.put('bets', '[]');
    }

    /**
     * Pays `amount` iost (decimal text, at least 1) into the pot on a digit. Returns the number of the round.
     * @param {string} account
     * @param {number} digit
     * @param {string} amount
     */
    bet(account, digit, amount) {
        if (digit < 0 || digit > 9) {
            throw new Error('digit must be 0 to 9, got ' + digit);
        }
        const stake = new BigNumber(amount);
        if (!stake.isFinite() || stake.lt(1) || !stake.eq(stake.toFixed(8))) {
            throw new Error('invalid stake ' + amount);
        }
        // A deposit from the contract itself would succeed and move nothing.
        if (!blockchain.requireAuth(account, 'active')) {
            throw new Error('no permission of ' + account);
        }
        // Fails, and the whole transaction with it, when the account has too little.
        blockchain.deposit(account, stake.toFixed(8), 'bet on ' + digit);

        const round = storage.get('round');
        const bets = JSON.parse(storage.get('bets'));
        bets.push({ account: account, digit: digit, stake: stake.toFixed(8) });
        const pot = new BigNumber(storage.get('pot')).plus(stake);
        if (bets.length < BETS_PER_ROUND) {
            storage.put('pot', pot.toFixed(8));
            storage.put('bets', JSON.stringify(bets));
            return round;
        }
        this._finish(round, bets, pot);
        return round;
    }

    // Tells how a round ended: JSON text, or an empty text when it has not.
    result(round) {
        return storage.mapGet('results', round) || '';
    }

    _finish(round, bets, pot) {
        const drawn = this._draw(round);
        const winners = bets.filter(bet => bet.digit === drawn);
        let left = pot;
        if (winners.length > 0) {
            const staked = this._total(winners);
            for (const winner of winners) {
                // Rounded down to the decimals of iost; what remains stays in the pot.
                const prize = pot.times(winner.stake).div(staked).toFixed(8);
                blockchain.withdraw(winner.account, prize, 'round ' + round);
                left = left.minus(prize);
            }
        }
        const outcome = { drawn: drawn, winners: winners.length, pot: pot.toFixed(8), left: left.toFixed(8) };
        storage.mapPut('results', round, JSON.stringify(outcome));
        storage.put('round', new Int64(round).plus(1).toString());
        storage.put('pot', left.toFixed(8));
        storage.put('bets', '[]');
        blockchain.receipt(JSON.stringify(['finish', round, outcome]));
    }

    _total(bets) {
        let sum = new BigNumber(0);
        for (const bet of bets) {
            sum = sum.plus(bet.stake);
        }
        return sum;
    }

    // A digit that nobody chose: from the hash of the transaction that ends the round. Good enough for a sample; whoever
    // sends the last bet can try transactions until they win.
    _draw(round) {
        const hash = IOSTCrypto.sha3(tx.hash + round);
        return hash.charCodeAt(hash.length - 1) % 10;
    }
}

module.exports = LuckyBet;
