// The contract of the workload: lists that grow at their end, and balances whose sum is constant.
class Lists {
    init() {
        for (let place = 0; place < 6; place++) {
            storage.put('p' + place, '1000');
        }
    }

    // Runs one transaction's steps on this contract, in order; returns the lists that it looked at.
    run(id, steps) {
        const looked = [];
        for (const step of steps) {
            const kind = step[0];
            if (kind === 'append') {
                const values = this._list(step[1]);
                values.push(step[2]);
                storage.put('l' + step[1], JSON.stringify(values));
            } else if (kind === 'look') {
                looked.push(this._list(step[1]));
            } else if (kind === 'move') {
                this._move(step[1], step[2], step[3]);
            } else {
                throw new Error('asked to fail');
            }
        }
        if (id !== '') {
            blockchain.event(id);
        }
        return looked;
    }

    _list(key) {
        const text = storage.get('l' + key);
        return text === null ? [] : JSON.parse(text);
    }

    _move(source, target, amount) {
        const left = new Int64(storage.get(source)).minus(amount);
        if (left.isNegative()) {
            throw new Error('balance not enough');
        }
        storage.put(source, left.toString());
        storage.put(target, new Int64(storage.get(target)).plus(amount).toString());
    }
}

module.exports = Lists;
