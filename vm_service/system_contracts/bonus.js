// bonus.iost: rewards for making blocks. Each block earns its producer the token `contribute`, which is exchanged for a
// share of the iost that this contract holds; issue.iost fills them up.
const DECIMALS = 8; // of iost and of contribute
const TOKEN = 'contribute';
const TOKEN_SUPPLY = 90000000000; // most that 8 decimals allow, in billions: enough for blocks of a thousand years
const REWARD = '1'; // contribute for a block

class Bonus {
    init() {
        const config = { decimal: DECIMALS, canTransfer: false, fullName: 'contribution to the chain' };
        blockchain.callWithAuth('token.iost', 'create', [TOKEN, blockchain.contractName(), TOKEN_SUPPLY, config]);
    }

    // Rewards the producer of the parent block, `data` = {parent: [witness, ...]}; base.iost calls it in each block.
    issueContribute(data) {
        this._requireAuth('base.iost', 'active');
        const account = this._accountOf(data.parent[0]);
        if (account === null) {
            return;
        }
        blockchain.callWithAuth('token.iost', 'issue', [TOKEN, account, REWARD]);
        blockchain.receipt(JSON.stringify([account, REWARD]));
    }

    // Exchanges contribute for iost: as large a part of this contract's iost as of all contribute. Returns the iost.
    exchangeIOST(account, amount) {
        this._requireAuth(account, 'active');
        const given = new BigNumber(amount);
        if (!given.isFinite() || !given.gt(0) || !given.eq(given.toFixed(DECIMALS))) {
            throw new Error('invalid amount > ' + amount);
        }
        const supply = this._ask('supply', [TOKEN]);
        if (given.gt(supply)) {
            throw new Error('there is less contribute > ' + supply.toFixed());
        }
        const own = blockchain.contractName();
        const paid = this._ask('balanceOf', ['iost', own]).times(given).div(supply).toFixed(DECIMALS);
        blockchain.callWithAuth('token.iost', 'destroy', [TOKEN, account, given.toFixed(DECIMALS)]);
        if (!new BigNumber(paid).isZero()) {
            blockchain.callWithAuth('token.iost', 'transfer', ['iost', own, account, paid, 'block bonus']);
        }
        blockchain.receipt(JSON.stringify([account, given.toFixed(DECIMALS), paid]));
        return paid;
    }

    can_update(data) {
        this._requireAuth(blockchain.contractOwner(), 'active');
        return true;
    }

    // A witness is the public key of a registered producer, or an account.
    _accountOf(witness) {
        const account = storage.globalMapGet('vote_producer.iost', 'producerKeyToId', witness);
        if (account !== null) {
            return account;
        }
        return storage.globalMapHas('auth.iost', 'auth', witness) ? witness : null;
    }

    _ask(method, args) {
        return new BigNumber(blockchain.call('token.iost', method, args)[0]);
    }

    _requireAuth(account, permission) {
        if (!blockchain.requireAuth(account, permission)) {
            throw new Error('require auth failed > ' + account);
        }
    }
}

module.exports = Bonus;
