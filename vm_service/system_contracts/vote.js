// vote.iost: votes on anything. A voter deposits iost here; a vote counts as long as its iost stay.
//
//   count              number of votes so far; their ids are 1, 2, 3 ...
//   map vote           id -> {owner, description, resultNumber, minVote, anyOption, freezeTime, canVote, deleted}
//   map option_<id>    option -> {declared, removed, round, votes, staked}
//   map ballot_<id>    account -> [{option, staked, counted, round}]
//
// `staked` is the iost that can be taken back, `votes` and `counted` are the part of it that counts. They differ once
// the owner has cleared an option: a new round of the option begins, and earlier deposits do not count in it.
const DECIMALS = 8; // of iost
const MAX_OPTIONS = 250; // a map lists 257 fields at most, and a result needs every option
const MAX_CHOICES = 30; // options of one account at a time
const SECOND_NS = 1000000000;

class Vote {
    init() {
        storage.put('count', '0');
    }

    // Opens a vote and returns its id. `info` has resultNumber (options in a result), minVote (iost that an option
    // needs to be in it, default 0), options (default none), anyOption (whether voters may add options, default false)
    // and freezeTime (seconds for which iost stay frozen after unvote, default 0).
    newVote(owner, description, info) {
        this._requireAuth(owner);
        const vote = {
            owner: owner,
            description: description,
            resultNumber: this._whole(info.resultNumber, 1, MAX_OPTIONS, 'resultNumber'),
            minVote: this._minVote(info.minVote),
            anyOption: info.anyOption === true,
            freezeTime: info.freezeTime === undefined ? 0 : this._freezeTime(info.freezeTime),
            canVote: true,
            deleted: false
        };
        const id = new BigNumber(storage.get('count')).plus(1).toFixed(0);
        storage.put('count', id);
        this._saveVote(id, vote);
        for (const option of info.options || []) {
            this._declare(id, option, false);
        }
        blockchain.receipt(JSON.stringify([id, owner, description, info]));
        return id;
    }

    // Adds an option, or one again that was removed. With `clear`, earlier votes for it count no longer.
    addOption(id, option, clear) {
        this._owned(id);
        this._declare(id, option, clear);
        blockchain.receipt(JSON.stringify([id, option, clear]));
    }

    // Removes an option; its iost stay until voters take them back. Without `force`, an option of the result is kept.
    removeOption(id, option, force) {
        const vote = this._owned(id);
        const entry = this._option(id, option);
        if (entry.removed) {
            throw new Error('option was removed > ' + option);
        }
        if (!force && this._ranks(id, vote, option)) {
            throw new Error('option is in the result > ' + option);
        }
        entry.declared = false;
        entry.removed = true;
        this._saveOption(id, option, entry);
        blockchain.receipt(JSON.stringify([id, option, force]));
    }

    // Tells what an option has: {votes, removed}.
    getOption(id, option) {
        this._vote(id);
        const entry = this._option(id, option);
        return { votes: entry.votes, removed: entry.removed };
    }

    // Deposits iost of `account` for an option.
    vote(id, account, option, amount) {
        const vote = this._open(id);
        this._requireVoter(vote, account);
        if (!vote.canVote) {
            throw new Error('no votes are taken now > ' + id);
        }
        const stake = this._amount(amount);
        const entry = this._optionFor(id, vote, option);
        const ballot = this._ballot(id, account);
        const choice = this._choiceFor(ballot, option, entry.round);
        blockchain.callWithAuth('token.iost', 'transfer',
            ['iost', account, blockchain.contractName(), stake.toFixed(DECIMALS), 'vote ' + id]);
        choice.staked = stake.plus(choice.staked).toFixed(DECIMALS);
        choice.counted = stake.plus(choice.counted).toFixed(DECIMALS);
        entry.staked = stake.plus(entry.staked).toFixed(DECIMALS);
        entry.votes = stake.plus(entry.votes).toFixed(DECIMALS);
        this._saveOption(id, option, entry);
        this._saveBallot(id, account, ballot);
        blockchain.receipt(JSON.stringify([id, account, option, stake.toFixed(DECIMALS)]));
    }

    // Gives iost back, those first that do not count; they stay frozen for the freezeTime of a vote that goes on.
    unvote(id, account, option, amount) {
        const vote = this._vote(id);
        this._requireVoter(vote, account);
        const stake = this._amount(amount);
        const entry = this._option(id, option);
        const ballot = this._ballot(id, account);
        const choice = this._choice(ballot, option);
        if (choice === null || stake.gt(choice.staked)) {
            throw new Error('fewer iost were voted > ' + (choice === null ? '0' : choice.staked));
        }
        this._startRound(choice, entry.round);
        const left = new BigNumber(choice.staked).minus(stake);
        const counted = left.lt(choice.counted) ? left : new BigNumber(choice.counted);
        entry.votes = counted.minus(choice.counted).plus(entry.votes).toFixed(DECIMALS);
        entry.staked = new BigNumber(entry.staked).minus(stake).toFixed(DECIMALS);
        choice.staked = left.toFixed(DECIMALS);
        choice.counted = counted.toFixed(DECIMALS);
        this._saveOption(id, option, entry);
        this._saveBallot(id, account, ballot);
        this._giveBack(id, vote, account, stake.toFixed(DECIMALS));
        blockchain.receipt(JSON.stringify([id, account, option, stake.toFixed(DECIMALS)]));
    }

    // Lists what an account voted for: [{option, votes, staked}].
    getVote(id, account) {
        this._vote(id);
        const rows = [];
        for (const choice of this._ballot(id, account)) {
            const entry = this._option(id, choice.option);
            this._startRound(choice, entry.round);
            rows.push({ option: choice.option, votes: choice.counted, staked: choice.staked });
        }
        return rows;
    }

    // Lists the first resultNumber options: [{option, votes}], most votes first, equal ones by name.
    getResult(id) {
        return this._result(id, this._open(id));
    }

    setCanVote(id, canVote) {
        const vote = this._owned(id);
        vote.canVote = canVote;
        this._saveVote(id, vote);
        blockchain.receipt(JSON.stringify([id, canVote]));
    }

    setFreezeTime(id, seconds) {
        const vote = this._owned(id);
        vote.freezeTime = this._freezeTime(seconds);
        this._saveVote(id, vote);
        blockchain.receipt(JSON.stringify([id, seconds]));
    }

    // Ends a vote: only unvote remains, and frees iost at once.
    delVote(id) {
        const vote = this._owned(id);
        vote.deleted = true;
        this._saveVote(id, vote);
        blockchain.receipt(JSON.stringify([id]));
    }

    can_update(data) {
        this._requireAuth(blockchain.contractOwner());
        return true;
    }

    // -- votes --------------------------------------------------------------------------------------------------------

    _vote(id) {
        const text = storage.mapGet('vote', id);
        if (text === null) {
            throw new Error('vote does not exist > ' + id);
        }
        return JSON.parse(text);
    }

    _open(id) {
        const vote = this._vote(id);
        if (vote.deleted) {
            throw new Error('vote was deleted > ' + id);
        }
        return vote;
    }

    _owned(id) {
        const vote = this._open(id);
        this._requireAuth(vote.owner);
        return vote;
    }

    _saveVote(id, vote) {
        storage.mapPut('vote', id, JSON.stringify(vote), blockchain.publisher());
    }

    // -- options ------------------------------------------------------------------------------------------------------

    _find(id, option) {
        const text = storage.mapGet('option_' + id, option);
        return text === null ? null : JSON.parse(text);
    }

    _option(id, option) {
        const entry = this._find(id, option);
        if (entry === null) {
            throw new Error('option does not exist > ' + option);
        }
        return entry;
    }

    // The option that is voted for; it is made where voters may add options.
    _optionFor(id, vote, option) {
        const entry = this._find(id, option);
        if (entry === null) {
            if (!vote.anyOption) {
                throw new Error('option does not exist > ' + option);
            }
            return this._newOption(id, false);
        }
        if (entry.removed) {
            throw new Error('option was removed > ' + option);
        }
        return entry;
    }

    _newOption(id, declared) {
        if (storage.mapLen('option_' + id) >= MAX_OPTIONS) {
            throw new Error('too many options, at most ' + MAX_OPTIONS);
        }
        return { declared: declared, removed: false, round: 0, votes: '0', staked: '0' };
    }

    _declare(id, option, clear) {
        let entry = this._find(id, option);
        if (entry === null) {
            entry = this._newOption(id, true);
        } else if (entry.declared) {
            throw new Error('option exists > ' + option);
        }
        entry.declared = true;
        entry.removed = false;
        if (clear) {
            entry.round = entry.round + 1;
            entry.votes = '0';
        }
        this._saveOption(id, option, entry);
    }

    // An option that the owner did not declare, or removed, goes with its last iost.
    _saveOption(id, option, entry) {
        if (!entry.declared && new BigNumber(entry.staked).isZero()) {
            if (storage.mapHas('option_' + id, option)) {
                storage.mapDel('option_' + id, option);
            }
            return;
        }
        storage.mapPut('option_' + id, option, JSON.stringify(entry), blockchain.publisher());
    }

    // -- ballots ------------------------------------------------------------------------------------------------------

    _ballot(id, account) {
        const text = storage.mapGet('ballot_' + id, account);
        return text === null ? [] : JSON.parse(text);
    }

    _saveBallot(id, account, ballot) {
        const left = ballot.filter(function (choice) { return !new BigNumber(choice.staked).isZero(); });
        if (left.length > 0) {
            storage.mapPut('ballot_' + id, account, JSON.stringify(left), blockchain.publisher());
        } else {
            storage.mapDel('ballot_' + id, account);
        }
    }

    _choice(ballot, option) {
        for (const choice of ballot) {
            if (choice.option === option) {
                return choice;
            }
        }
        return null;
    }

    _choiceFor(ballot, option, round) {
        let choice = this._choice(ballot, option);
        if (choice === null) {
            if (ballot.length >= MAX_CHOICES) {
                throw new Error('too many options of one account, at most ' + MAX_CHOICES);
            }
            choice = { option: option, staked: '0', counted: '0', round: round };
            ballot.push(choice);
        }
        this._startRound(choice, round);
        return choice;
    }

    _startRound(choice, round) {
        if (choice.round !== round) {
            choice.round = round;
            choice.counted = '0';
        }
    }

    _giveBack(id, vote, account, amount) {
        const from = blockchain.contractName();
        const memo = 'unvote ' + id;
        if (vote.deleted || vote.freezeTime === 0) {
            blockchain.callWithAuth('token.iost', 'transfer', ['iost', from, account, amount, memo]);
            return;
        }
        const free = block.time + vote.freezeTime * SECOND_NS;
        blockchain.callWithAuth('token.iost', 'transferFreeze', ['iost', from, account, amount, free, memo]);
    }

    // -- results ------------------------------------------------------------------------------------------------------

    _result(id, vote) {
        const rows = [];
        for (const option of storage.mapKeys('option_' + id)) {
            const entry = this._option(id, option);
            const votes = new BigNumber(entry.votes);
            if (!entry.removed && !votes.isZero() && votes.gte(vote.minVote)) {
                rows.push({ option: option, votes: votes.toFixed(DECIMALS) });
            }
        }
        // All have the same number of decimals, so a longer text is a larger number; texts compare for less gas.
        rows.sort(function (a, b) {
            if (a.votes === b.votes) {
                return a.option < b.option ? -1 : 1;
            }
            if (a.votes.length !== b.votes.length) {
                return b.votes.length - a.votes.length;
            }
            return a.votes > b.votes ? -1 : 1;
        });
        return rows.slice(0, vote.resultNumber);
    }

    _ranks(id, vote, option) {
        for (const row of this._result(id, vote)) {
            if (row.option === option) {
                return true;
            }
        }
        return false;
    }

    // -- checks -------------------------------------------------------------------------------------------------------

    _requireAuth(account) {
        if (!blockchain.requireAuth(account, 'active')) {
            throw new Error('require auth failed > ' + account);
        }
    }

    // Votes of a contract are cast through that contract only: it keeps accounts of them.
    _requireVoter(vote, account) {
        this._requireAuth(account);
        if (vote.owner.includes('.') || vote.owner.startsWith('Contract')) {
            this._requireAuth(vote.owner);
        }
    }

    _amount(text) {
        const amount = new BigNumber(text);
        if (!amount.isFinite() || !amount.gt(0) || !amount.eq(amount.toFixed(DECIMALS))) {
            throw new Error('invalid amount > ' + text);
        }
        return amount;
    }

    _minVote(given) {
        const votes = new BigNumber(given === undefined ? 0 : given);
        if (!votes.isFinite() || votes.isNegative()) {
            throw new Error('invalid minVote > ' + given);
        }
        return votes.toFixed(DECIMALS);
    }

    _freezeTime(seconds) {
        return this._whole(seconds, 0, 10 * 365 * 24 * 3600, 'freezeTime');
    }

    _whole(number, least, most, name) {
        if (typeof number !== 'number' || number % 1 !== 0 || number < least || number > most) {
            throw new Error('invalid ' + name + ', not a whole number from ' + least + ' to ' + most + ' > ' + number);
        }
        return number;
    }
}

module.exports = Vote;
