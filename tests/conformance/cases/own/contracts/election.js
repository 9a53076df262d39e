// An election of delegates: candidates stand with a deposit, voters stake iost, whoever tops up a candidate's pot shares
// it among that candidate's voters in proportion to their stakes. The contract pays for the records that others change.
const SEATS = 3;
const DEPOSIT = '100';
const LOCK_NS = 3 * 86400 * 1e9;
const PLACES = 8;

class Ledger {
    constructor(map) {
        this.map = map;
    }

    read(field, absent) {
        const text = storage.mapGet(this.map, field);
        return text === null ? absent : JSON.parse(text);
    }

    write(field, value, payer) {
        storage.mapPut(this.map, field, JSON.stringify(value), payer);
    }

    drop(field) {
        storage.mapDel(this.map, field);
    }

    has(field) {
        return storage.mapHas(this.map, field);
    }
}

class Election {
    init() {
        storage.put('standing', '[]');
        storage.put('seated', '[]');
    }

    get candidates() {
        return new Ledger('candidates');
    }

    static stakes(candidate) {
        return new Ledger('stakes_' + candidate);
    }

    _own(account, permission = 'active') {
        if (!blockchain.requireAuth(account, permission)) {
            throw new Error(`${account}@${permission} is needed`);
        }
    }

    _amount(text) {
        const amount = new Float64(new Float64(text).toFixed(PLACES));
        if (amount.lte(0)) {
            throw new Error('amount must be positive');
        }
        return amount;
    }

    stand(account, url) {
        this._own(account);
        if (this.candidates.has(account)) {
            throw new Error('stands already');
        }
        blockchain.deposit(account, DEPOSIT, 'deposit of ' + account);
        this.candidates.write(account, { url: url, votes: '0', share: '0', since: block.number });
        storage.put('standing', JSON.stringify([...JSON.parse(storage.get('standing')), account]));
        blockchain.event('stands ' + account);
    }

    withdraw(account) {
        this._own(account);
        const candidate = this.candidates.read(account, null);
        if (candidate === null) {
            throw new Error('does not stand');
        }
        if (JSON.parse(storage.get('seated')).includes(account)) {
            throw new Error('has a seat');
        }
        if (candidate.votes !== '0') {
            throw new Error('has votes: ' + candidate.votes);
        }
        this.candidates.drop(account);
        storage.put('standing', JSON.stringify(JSON.parse(storage.get('standing')).filter(name => name !== account)));
        blockchain.withdraw(account, DEPOSIT, 'deposit back');
    }

    _stake(voter, name, change) {
        const candidate = this.candidates.read(name, null);
        if (candidate === null) {
            throw new Error(name + ' does not stand');
        }
        const stakes = Election.stakes(name);
        const stake = stakes.read(voter, { amount: '0', debt: '0' });
        const amount = new Float64(stake.amount).plus(change);
        if (amount.lt(0)) {
            throw new Error('staked only ' + stake.amount);
        }
        stake.amount = amount.toFixed();
        stake.debt = new Float64(stake.debt).plus(new Float64(candidate.share).multi(change)).toFixed();
        candidate.votes = new Float64(candidate.votes).plus(change).toFixed();
        this.candidates.write(name, candidate);
        if (amount.isZero() && new Float64(stake.debt).isZero()) {
            stakes.drop(voter);
        } else {
            stakes.write(voter, stake, voter);
        }
        return stake;
    }

    vote(voter, name, text) {
        this._own(voter);
        const amount = this._amount(text);
        blockchain.deposit(voter, amount.toFixed(), '');
        this._stake(voter, name, amount);
        blockchain.receipt(JSON.stringify([voter, name, amount]));
        return this.candidates.read(name, null).votes;
    }

    unvote(voter, name, text) {
        this._own(voter);
        const amount = this._amount(text);
        const stake = this._stake(voter, name, amount.negated());
        const due = tx.time + LOCK_NS;
        const args = ['iost', blockchain.contractName(), voter, amount.toFixed(), due, 'unvoted'];
        blockchain.callWithAuth('token.iost', 'transferFreeze', args);
        return stake;
    }

    topUp(payer, name, text) {
        const amount = this._amount(text);
        const candidate = this.candidates.read(name, null);
        if (candidate === null || new Float64(candidate.votes).isZero()) {
            return false;
        }
        blockchain.deposit(payer, amount.toFixed(), 'for the voters of ' + name);
        candidate.share = new Float64(candidate.share).plus(amount.div(candidate.votes)).toFixed();
        this.candidates.write(name, candidate);
        return true;
    }

    owed(voter, name) {
        const candidate = this.candidates.read(name, { share: '0' });
        const stake = Election.stakes(name).read(voter, { amount: '0', debt: '0' });
        return new Float64(candidate.share).multi(stake.amount).minus(stake.debt).toFixed(PLACES);
    }

    claim(voter, names) {
        this._own(voter);
        let sum = new Float64(0);
        const paid = {};
        for (const name of names) {
            const due = new Float64(this.owed(voter, name));
            if (due.lte(0)) {
                continue;
            }
            const stakes = Election.stakes(name);
            const stake = stakes.read(voter, null);
            stake.debt = new Float64(stake.debt).plus(due).toFixed();
            stakes.write(voter, stake);
            paid[name] = due.toFixed(PLACES);
            sum = sum.plus(due);
        }
        if (sum.isZero()) {
            throw new Error('nothing is owed');
        }
        blockchain.withdraw(voter, sum.toFixed(PLACES), '');
        blockchain.receipt(JSON.stringify(paid));
        return paid;
    }

    // Most votes first; who stood earlier wins a tie.
    seat() {
        this._own(blockchain.contractOwner());
        const ranked = JSON.parse(storage.get('standing')).map((name, place) => {
            const candidate = this.candidates.read(name, null);
            return { name: name, votes: new BigNumber(candidate.votes), place: place };
        });
        ranked.sort((a, b) => (a.votes.eq(b.votes) ? a.place - b.place : a.votes.lt(b.votes) ? 1 : -1));
        const seated = ranked.filter(entry => entry.votes.gt(0)).slice(0, SEATS).map(entry => entry.name);
        storage.put('seated', JSON.stringify(seated));
        return seated;
    }

    can_update(data) {
        return blockchain.requireAuth(blockchain.contractOwner(), 'active');
    }
}

module.exports = Election;
