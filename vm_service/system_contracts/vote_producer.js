// vote_producer.iost: who makes blocks. Accounts register, voters vote for them by iost (kept by vote.iost), and the
// accounts with most votes become producers. Bonuses are shared by votes.
//
//   voteId, number              the vote at vote.iost; how many producers there are
//   currentProducerList         JSON list of public keys: producers that make blocks now
//   pendingProducerList         the same: those after the next `stat`
//   pendingBlockNumber          block in which they were chosen
//   map producer                account -> {pubkey, loc, url, netId, isProducer, status, online, bonus, share}
//   map producerKeyToId         public key -> account
//   map votes                   account -> iost voted for it
//   map voterShare              account -> bonus paid so far for one iost voted for it
//   map voter                   account -> {bonus, choices: [{producer, votes, share}]}
//   candidateVotes              iost voted for all approved accounts
//   candidateShare              bonus of candidates paid so far for one iost of them
//   candidateRest               bonus that came while nothing was voted
//
// A bonus is paid to a sum of votes at once: the share for one iost grows, and each holder is owed votes * growth since
// its own share was noted. Shares are rounded down, so that all claims together never exceed what was deposited.
const DECIMALS = 8; // of iost
const SHARE_DECIMALS = 30;
const MAX_NUMBER = 100;
const KEY_MIN_LENGTH = 40; // base58 of a public key
const APPLIED = 'applied'; // status of a producer: waits for approval, then may be elected, then asked to leave
const APPROVED = 'approved';
const LEAVING = 'leaving';

class VoteProducer {
    init() {}

    // Begins, in block 0 only: the first producers, accounts that make blocks with the key of their permission active.
    // `options` is {minVote, freezeTime} of the vote.
    initProducer(accounts, options) {
        if (block.number !== 0 || storage.has('voteId')) {
            throw new Error('producers are set in block 0 only');
        }
        if (accounts.length < 1 || accounts.length > MAX_NUMBER) {
            throw new Error('invalid number of producers > ' + accounts.length);
        }
        const info = { resultNumber: MAX_NUMBER, minVote: options.minVote, freezeTime: options.freezeTime };
        const id = this._voteCall('newVote', [blockchain.contractName(), 'producers of blocks', info]);
        storage.put('voteId', id);
        storage.put('number', accounts.length.toString());
        storage.put('candidateVotes', '0');
        storage.put('candidateShare', '0');
        storage.put('candidateRest', '0');
        const keys = [];
        for (const account of accounts) {
            const key = this._activeKey(account);
            this._register(account, { pubkey: key, loc: '', url: '', netId: '', isProducer: true });
            this._approve(account);
            keys.push(key);
        }
        storage.put('currentProducerList', JSON.stringify(keys));
        storage.put('pendingProducerList', JSON.stringify(keys));
        storage.put('pendingBlockNumber', '0');
    }

    // -- registration -------------------------------------------------------------------------------------------------

    // Asks for registration. With `isProducer` false an account takes votes and bonuses, and makes no blocks.
    applyRegister(account, pubkey, loc, url, netId, isProducer) {
        this._requireAuth(account);
        this._register(account, { pubkey: pubkey, loc: loc, url: url, netId: netId, isProducer: isProducer });
        blockchain.receipt(JSON.stringify([account, pubkey, loc, url, netId, isProducer]));
    }

    approveRegister(account) {
        this._requireAdmin();
        this._approve(account);
        blockchain.receipt(JSON.stringify([account]));
    }

    updateProducer(account, pubkey, loc, url, netId) {
        this._requireAuth(account);
        const record = this._producer(account);
        if (record.pubkey !== pubkey) {
            this._takeKey(account, pubkey);
            storage.mapDel('producerKeyToId', record.pubkey);
        }
        record.pubkey = pubkey;
        record.loc = loc;
        record.url = url;
        record.netId = netId;
        this._save(account, record);
        blockchain.receipt(JSON.stringify([account, pubkey, loc, url, netId]));
    }

    // Says that an account is ready to make blocks, as it is at first.
    logInProducer(account) {
        this._setOnline(account, true);
    }

    logOutProducer(account) {
        this._setOnline(account, false);
    }

    // Asks to leave: the account is no longer elected. An application that was not approved is just taken back.
    applyUnregister(account) {
        this._requireAuth(account);
        const record = this._producer(account);
        if (record.status === APPLIED) {
            this._forget(account, record);
        } else {
            record.status = LEAVING;
            this._save(account, record);
        }
        blockchain.receipt(JSON.stringify([account]));
    }

    // Lets an account go that asked to and makes no blocks any more; its bonus is paid out.
    approveUnregister(account) {
        this._requireAdmin();
        const record = this._producer(account);
        if (record.status !== LEAVING) {
            throw new Error('account did not ask to leave > ' + account);
        }
        for (const list of ['currentProducerList', 'pendingProducerList']) {
            if (JSON.parse(storage.get(list)).includes(record.pubkey)) {
                throw new Error('account still makes blocks > ' + account);
            }
        }
        this._settleCandidate(account, record);
        this._add('candidateVotes', this._votes(account).negated());
        this._voteCall('removeOption', [storage.get('voteId'), account, true]);
        this._forget(account, record);
        this._pay(account, record.bonus);
        blockchain.receipt(JSON.stringify([account]));
    }

    getProducer(account) {
        const record = this._producer(account);
        record.votes = this._votes(account).toFixed(DECIMALS);
        return record;
    }

    // -- voting -------------------------------------------------------------------------------------------------------

    vote(voter, producer, amount) {
        this._requireAuth(voter);
        const record = this._producer(producer);
        if (record.status !== APPROVED) {
            throw new Error('account is not approved > ' + producer);
        }
        this._voteCall('vote', [storage.get('voteId'), voter, producer, amount]);
        this._move(voter, producer, record, new BigNumber(amount));
        blockchain.receipt(JSON.stringify([voter, producer, amount]));
    }

    unvote(voter, producer, amount) {
        this._requireAuth(voter);
        this._voteCall('unvote', [storage.get('voteId'), voter, producer, amount]);
        this._move(voter, producer, this._find(producer), new BigNumber(amount).negated());
        blockchain.receipt(JSON.stringify([voter, producer, amount]));
    }

    // Lists what an account votes for: [{option, votes, staked}].
    getVote(voter) {
        return JSON.parse(this._voteCall('getVote', [storage.get('voteId'), voter]));
    }

    // -- bonuses ------------------------------------------------------------------------------------------------------

    // Shares iost of `payer` among the voters of a producer.
    topupVoterBonus(producer, amount, payer) {
        if (this._votes(producer).isZero()) {
            throw new Error('nothing is voted for the account > ' + producer);
        }
        this._collect(payer, amount, 'voter bonus');
        this._shareAmongVoters(producer, amount);
        blockchain.receipt(JSON.stringify([producer, amount, payer]));
    }

    // Shares iost of `payer` among all approved accounts.
    topupCandidateBonus(amount, payer) {
        this._requireBegun();
        this._collect(payer, amount, 'candidate bonus');
        const votes = new BigNumber(storage.get('candidateVotes'));
        if (votes.isZero()) {
            this._add('candidateRest', amount);
        } else {
            const whole = new BigNumber(storage.get('candidateRest')).plus(amount);
            storage.put('candidateRest', '0');
            this._add('candidateShare', whole.div(votes));
        }
        blockchain.receipt(JSON.stringify([amount, payer]));
    }

    getVoterBonus(voter) {
        return this._cut(this._settledVoter(voter).bonus);
    }

    getCandidateBonus(account) {
        const record = this._producer(account);
        this._settleCandidate(account, record);
        return this._cut(record.bonus);
    }

    // Pays a voter's bonus; returns it.
    voterWithdraw(voter) {
        this._requireAuth(voter);
        const record = this._settledVoter(voter);
        const bonus = this._cut(record.bonus);
        record.bonus = new BigNumber(record.bonus).minus(bonus).toFixed(SHARE_DECIMALS);
        this._saveVoter(voter, record);
        this._pay(voter, bonus);
        blockchain.receipt(JSON.stringify([voter, bonus]));
        return bonus;
    }

    // Pays half of a candidate's bonus to it and shares the other half among its voters; returns the whole.
    candidateWithdraw(account) {
        this._requireAuth(account);
        const record = this._producer(account);
        this._settleCandidate(account, record);
        const bonus = this._cut(record.bonus);
        record.bonus = new BigNumber(record.bonus).minus(bonus).toFixed(SHARE_DECIMALS);
        this._save(account, record);
        let own = new BigNumber(bonus);
        if (!this._votes(account).isZero()) {
            own = new BigNumber(own.div(2).toFixed(DECIMALS));
            this._shareAmongVoters(account, new BigNumber(bonus).minus(own));
        }
        this._pay(account, own);
        blockchain.receipt(JSON.stringify([account, bonus]));
        return bonus;
    }

    // -- election -----------------------------------------------------------------------------------------------------

    // Chooses the next producers; base.iost calls it at the head of a block. Those chosen last begin to make blocks.
    // Without enough candidates, producers stay: first those that are ready.
    stat() {
        this._requireAuth('base.iost');
        const number = new BigNumber(storage.get('number')).toNumber();
        const before = JSON.parse(storage.get('pendingProducerList'));
        const chosen = this._elected(number);
        for (const ready of [true, false]) {
            for (const key of before) {
                if (chosen.length < number && !chosen.includes(key) && this._isReady(this._ownerOf(key)) === ready) {
                    chosen.push(key);
                }
            }
        }
        storage.put('currentProducerList', JSON.stringify(before));
        storage.put('pendingProducerList', JSON.stringify(chosen));
        storage.put('pendingBlockNumber', block.number.toString());
        blockchain.receipt(JSON.stringify(chosen));
    }

    can_update(data) {
        this._requireAdmin();
        return true;
    }

    _elected(number) {
        const keys = [];
        for (const row of JSON.parse(this._voteCall('getResult', [storage.get('voteId')]))) {
            const record = this._find(row.option);
            if (keys.length < number && this._isReady(record)) {
                keys.push(record.pubkey);
            }
        }
        return keys;
    }

    _isReady(record) {
        return record !== null && record.status === APPROVED && record.isProducer && record.online;
    }

    _ownerOf(key) {
        const account = storage.mapGet('producerKeyToId', key);
        return account === null ? null : this._find(account);
    }

    // -- producers ----------------------------------------------------------------------------------------------------

    _find(account) {
        const text = storage.mapGet('producer', account);
        return text === null ? null : JSON.parse(text);
    }

    _producer(account) {
        const record = this._find(account);
        if (record === null) {
            throw new Error('account is not registered > ' + account);
        }
        return record;
    }

    _save(account, record) {
        storage.mapPut('producer', account, JSON.stringify(record), blockchain.publisher());
    }

    _register(account, record) {
        this._requireBegun();
        if (this._find(account) !== null) {
            throw new Error('account is registered > ' + account);
        }
        this._takeKey(account, record.pubkey);
        record.status = APPLIED;
        record.online = true;
        record.bonus = '0';
        record.share = '0';
        this._save(account, record);
    }

    _approve(account) {
        const record = this._producer(account);
        if (record.status !== APPLIED) {
            throw new Error('account is approved > ' + account);
        }
        record.status = APPROVED;
        record.share = storage.get('candidateShare');
        this._save(account, record);
        this._add('candidateVotes', this._votes(account)); // of an earlier registration
        this._voteCall('addOption', [storage.get('voteId'), account, false]);
    }

    _takeKey(account, key) {
        if (key.length < KEY_MIN_LENGTH) {
            throw new Error('invalid public key > ' + key);
        }
        if (storage.mapHas('producerKeyToId', key)) {
            throw new Error('public key is in use > ' + key);
        }
        storage.mapPut('producerKeyToId', key, account, blockchain.publisher());
    }

    _forget(account, record) {
        storage.mapDel('producerKeyToId', record.pubkey);
        storage.mapDel('producer', account);
    }

    _setOnline(account, online) {
        this._requireAuth(account);
        const record = this._producer(account);
        record.online = online;
        this._save(account, record);
        blockchain.receipt(JSON.stringify([account]));
    }

    _activeKey(account) {
        const text = storage.globalMapGet('auth.iost', 'auth', account);
        if (text === null) {
            throw new Error('account does not exist > ' + account);
        }
        return JSON.parse(text).permissions.active.items[0].id;
    }

    // -- shares -------------------------------------------------------------------------------------------------------

    _votes(producer) {
        return new BigNumber(storage.mapGet('votes', producer) || '0');
    }

    // Moves votes of a voter; both sides are paid first for the votes that they had.
    _move(voter, producer, record, amount) {
        const mine = this._settledVoter(voter);
        this._choice(mine, producer).votes = amount.plus(this._choice(mine, producer).votes).toFixed(DECIMALS);
        this._saveVoter(voter, mine);
        if (record !== null) {
            this._settleCandidate(producer, record);
            this._save(producer, record);
            if (record.status !== APPLIED) {
                this._add('candidateVotes', amount);
            }
        }
        storage.mapPut('votes', producer, this._votes(producer).plus(amount).toFixed(DECIMALS), blockchain.publisher());
    }

    _settleCandidate(account, record) {
        const share = storage.get('candidateShare');
        if (record.status !== APPLIED) {
            record.bonus = this._grown(record.bonus, this._votes(account), record.share, share);
        }
        record.share = share;
    }

    _settledVoter(voter) {
        const text = storage.mapGet('voter', voter);
        const record = text === null ? { bonus: '0', choices: [] } : JSON.parse(text);
        for (const choice of record.choices) {
            const share = this._voterShare(choice.producer);
            record.bonus = this._grown(record.bonus, new BigNumber(choice.votes), choice.share, share);
            choice.share = share;
        }
        return record;
    }

    _saveVoter(voter, record) {
        record.choices = record.choices.filter(function (choice) { return !new BigNumber(choice.votes).isZero(); });
        storage.mapPut('voter', voter, JSON.stringify(record), blockchain.publisher());
    }

    _choice(record, producer) {
        for (const choice of record.choices) {
            if (choice.producer === producer) {
                return choice;
            }
        }
        const fresh = { producer: producer, votes: '0', share: this._voterShare(producer) };
        record.choices.push(fresh);
        return fresh;
    }

    _voterShare(producer) {
        return storage.mapGet('voterShare', producer) || '0';
    }

    _shareAmongVoters(producer, amount) {
        const share = new BigNumber(amount).div(this._votes(producer)).plus(this._voterShare(producer));
        storage.mapPut('voterShare', producer, share.toFixed(SHARE_DECIMALS), blockchain.publisher());
    }

    _grown(bonus, votes, from, to) {
        return new BigNumber(to).minus(from).times(votes).plus(bonus).toFixed(SHARE_DECIMALS);
    }

    _add(key, amount) {
        storage.put(key, new BigNumber(storage.get(key)).plus(amount).toFixed());
    }

    _cut(amount) {
        return new BigNumber(amount).toFixed(DECIMALS);
    }

    // -- money and authority ------------------------------------------------------------------------------------------

    _collect(payer, amount, memo) {
        if (payer === blockchain.contractName()) { // whose authority counts below: a transfer to itself moves nothing
            throw new Error('require auth failed > ' + payer);
        }
        const paid = new BigNumber(amount);
        if (!paid.isFinite() || !paid.gt(0) || !paid.eq(paid.toFixed(DECIMALS))) {
            throw new Error('invalid amount > ' + amount);
        }
        blockchain.callWithAuth('token.iost', 'transfer',
            ['iost', payer, blockchain.contractName(), paid.toFixed(DECIMALS), memo]);
    }

    _pay(account, amount) {
        const paid = new BigNumber(amount).toFixed(DECIMALS);
        if (!new BigNumber(paid).isZero()) {
            blockchain.callWithAuth('token.iost', 'transfer',
                ['iost', blockchain.contractName(), account, paid, 'bonus']);
        }
    }

    _voteCall(method, args) {
        return blockchain.callWithAuth('vote.iost', method, args)[0];
    }

    _requireAuth(account) {
        if (!blockchain.requireAuth(account, 'active')) {
            throw new Error('require auth failed > ' + account);
        }
    }

    _requireAdmin() {
        this._requireAuth(blockchain.contractOwner());
    }

    _requireBegun() {
        if (!storage.has('voteId')) {
            throw new Error('there are no producers yet');
        }
    }
}

module.exports = VoteProducer;
