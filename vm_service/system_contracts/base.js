// base.iost: what the chain does by itself, by the base transaction at the head of a block. No account can send one.
//
//   map produced     witness -> number of its blocks
const ELECTION_BLOCKS = 1200; // an election every ten minutes, at two blocks a second

class Base {
    init() {}

    // `data` = {parent: [witness, gas, ...]}: the parent block, which is counted and rewarded unless it names no witness.
    // A block whose base transaction fails is no block, so nothing here depends on what may be missing.
    exec(data) {
        if (blockchain.publisher() !== 'base.iost') {
            throw new Error('only the base transaction of a block may call exec');
        }
        const witness = data.parent[0];
        if (witness !== '') {
            const produced = new BigNumber(storage.mapGet('produced', witness) || '0').plus(1);
            storage.mapPut('produced', witness, produced.toFixed(0));
            blockchain.callWithAuth('bonus.iost', 'issueContribute', [data]);
        }
        if (block.number % ELECTION_BLOCKS === 0 && storage.globalHas('vote_producer.iost', 'voteId')) {
            blockchain.callWithAuth('vote_producer.iost', 'stat', []);
        }
    }

    can_update(data) {
        if (!blockchain.requireAuth(blockchain.contractOwner(), 'active')) {
            throw new Error('require auth failed');
        }
        return true;
    }
}

module.exports = Base;
