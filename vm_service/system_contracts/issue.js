// issue.iost: the token iost and its inflation. New iost go half to the makers of blocks (bonus.iost) and half to the
// candidates and voters of vote_producer.iost.
const DECIMALS = 8; // of iost
const YEAR_S = 365 * 24 * 3600;
const LEAST_S = 24 * 3600; // between two issues

class Issue {
    init() {}

    // Creates iost, in block 0 only. `config` = {totalSupply, inflation}: most iost that may ever exist, and the part
    // of the iost in circulation that is issued in a year, as decimal text.
    initGenesis(admin, config) {
        if (block.number !== 0 || storage.has('admin')) {
            throw new Error('iost is created in block 0 only');
        }
        const inflation = new BigNumber(config.inflation);
        if (!inflation.isFinite() || inflation.isNegative() || inflation.gt(1)) {
            throw new Error('invalid inflation > ' + config.inflation);
        }
        blockchain.callWithAuth('token.iost', 'create',
            ['iost', blockchain.contractName(), config.totalSupply, { decimal: DECIMALS, fullName: 'IOST' }]);
        storage.put('admin', admin);
        storage.put('inflation', inflation.toString());
        storage.put('issuedAt', this._now().toString());
    }

    // Issues what is due for the time since the last issue, a day at least; any account may call it. Returns the iost.
    issueIOST() {
        this._requireBegun();
        const now = this._now();
        const seconds = now - new BigNumber(storage.get('issuedAt')).toNumber();
        if (seconds < LEAST_S) {
            throw new Error('a day has not passed since the last issue');
        }
        const half = this._due(seconds).div(2).toFixed(DECIMALS);
        if (new BigNumber(half).isZero()) {
            throw new Error('nothing is left to issue');
        }
        storage.put('issuedAt', now.toString());
        this._issue('bonus.iost', half);
        this._issue(blockchain.contractName(), half);
        blockchain.callWithAuth('vote_producer.iost', 'topupCandidateBonus', [half, blockchain.contractName()]);
        const whole = new BigNumber(half).times(2).toFixed(DECIMALS);
        blockchain.receipt(JSON.stringify([whole]));
        return whole;
    }

    // Issues iost to an account; the admin's right.
    issueIOSTTo(account, amount) {
        this._requireBegun();
        this._requireAuth(storage.get('admin'));
        this._issue(account, amount);
        blockchain.receipt(JSON.stringify([account, amount]));
    }

    can_update(data) {
        this._requireAuth(blockchain.contractOwner());
        return true;
    }

    _due(seconds) {
        const supply = this._ask('supply');
        const due = supply.times(storage.get('inflation')).times(seconds).div(YEAR_S);
        const left = this._ask('totalSupply').minus(supply);
        return due.gt(left) ? left : due;
    }

    _ask(method) {
        return new BigNumber(blockchain.call('token.iost', method, ['iost'])[0]);
    }

    _issue(account, amount) {
        blockchain.callWithAuth('token.iost', 'issue', ['iost', account, amount]);
    }

    _now() {
        return Math.floor(block.time / 1000000000);
    }

    _requireBegun() {
        if (!storage.has('admin')) {
            throw new Error('iost does not exist yet');
        }
    }

    _requireAuth(account) {
        if (!blockchain.requireAuth(account, 'active')) {
            throw new Error('require auth failed > ' + account);
        }
    }
}

module.exports = Issue;
