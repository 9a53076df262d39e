// auth.iost: accounts, their permissions and groups.
//
// A record is JSON in map `auth`, field = account: {id, referrer, groups, permissions}. A permission has items (a public
// key, or account@permission), each with a weight, names of groups, and the threshold that weights must reach.
const MAP = 'auth';
const WELL_KNOWN = ['active', 'owner'];
const KEY_MIN_LENGTH = 40; // base58 of a public key; account names are far shorter
const SIGN_UP_PLEDGE = '10'; // iost pledged for the gas of a new account

class Account {
    init() {}

    // Creates an account with one key for each of `owner` and `active`; the publisher pledges iost for its gas.
    signUp(id, owner, active) {
        this._checkId(id);
        if (storage.mapHas(MAP, id)) {
            throw new Error('id existed > ' + id);
        }
        this._checkKey(owner);
        this._checkKey(active);
        const record = { id: id, referrer: '', groups: {}, permissions: {} };
        if (block.number !== 0) {
            record.referrer = blockchain.publisher();
        }
        record.permissions.active = this._permission('active', 1, [this._item(active, 1)]);
        record.permissions.owner = this._permission('owner', 1, [this._item(owner, 1)]);
        this._save(record);
        if (block.number !== 0) {
            blockchain.callWithAuth('gas.iost', 'pledge', [blockchain.publisher(), id, SIGN_UP_PLEDGE]);
        }
        blockchain.receipt(JSON.stringify([id, owner, active]));
    }

    addPermission(id, permission, threshold) {
        const record = this._owned(id);
        this._checkName(permission);
        if (record.permissions[permission] !== undefined) {
            throw new Error('permission already exist');
        }
        this._checkPositive(threshold);
        record.permissions[permission] = this._permission(permission, threshold, []);
        this._done(record, [id, permission, threshold]);
    }

    dropPermission(id, permission) {
        const record = this._owned(id);
        if (WELL_KNOWN.includes(permission)) {
            throw new Error('drop active or owner is forbidden');
        }
        this._find(record, permission);
        delete record.permissions[permission];
        this._done(record, [id, permission]);
    }

    // Adds an item, or changes its weight. `member` is a public key or account@permission.
    assignPermission(id, permission, member, weight) {
        const record = this._owned(id);
        this._put(this._find(record, permission).items, member, weight);
        this._done(record, [id, permission, member, weight]);
    }

    revokePermission(id, permission, member) {
        const record = this._owned(id);
        const found = this._find(record, permission);
        found.items = this._without(found.items, member);
        this._done(record, [id, permission, member]);
    }

    addGroup(id, group) {
        const record = this._owned(id);
        this._checkName(group);
        if (record.groups[group] !== undefined) {
            throw new Error('group already exist');
        }
        record.groups[group] = { name: group, items: [] };
        this._done(record, [id, group]);
    }

    dropGroup(id, group) {
        const record = this._owned(id);
        this._group(record, group);
        delete record.groups[group];
        for (const name of Object.keys(record.permissions)) {
            const permission = record.permissions[name];
            permission.groups = permission.groups.filter(function (member) { return member !== group; });
        }
        this._done(record, [id, group]);
    }

    assignGroup(id, group, member, weight) {
        const record = this._owned(id);
        this._put(this._group(record, group).items, member, weight);
        this._done(record, [id, group, member, weight]);
    }

    revokeGroup(id, group, member) {
        const record = this._owned(id);
        const found = this._group(record, group);
        found.items = this._without(found.items, member);
        this._done(record, [id, group, member]);
    }

    assignPermissionToGroup(id, permission, group) {
        const record = this._owned(id);
        const found = this._find(record, permission);
        this._group(record, group);
        if (!found.groups.includes(group)) {
            found.groups.push(group);
        }
        this._done(record, [id, permission, group]);
    }

    revokePermissionInGroup(id, permission, group) {
        const record = this._owned(id);
        const found = this._find(record, permission);
        if (!found.groups.includes(group)) {
            throw new Error('group not found');
        }
        found.groups = found.groups.filter(function (name) { return name !== group; });
        this._done(record, [id, permission, group]);
    }

    can_update(data) {
        if (!blockchain.requireAuth(blockchain.contractOwner(), 'active')) {
            throw new Error('require auth failed');
        }
        return true;
    }

    // -- records ------------------------------------------------------------------------------------------------------

    _owned(id) {
        if (!blockchain.requireAuth(id, 'owner')) {
            throw new Error('require auth failed');
        }
        const text = storage.mapGet(MAP, id);
        if (text === null) {
            throw new Error('account not exist > ' + id);
        }
        return this._filled(JSON.parse(text));
    }

    // Records written by other means may leave empty lists out.
    _filled(record) {
        record.groups = record.groups || {};
        for (const name of Object.keys(record.permissions)) {
            const permission = record.permissions[name];
            permission.groups = permission.groups || [];
            permission.items = permission.items || [];
        }
        return record;
    }

    _save(record) {
        storage.mapPut(MAP, record.id, JSON.stringify(record));
    }

    _done(record, receipt) {
        for (const name of WELL_KNOWN) {
            this._checkReachable(record, record.permissions[name]);
        }
        this._save(record);
        blockchain.receipt(JSON.stringify(receipt));
    }

    _permission(name, threshold, items) {
        return { name: name, groups: [], items: items, threshold: threshold };
    }

    _item(member, weight) {
        const at = member.indexOf('@');
        if (at < 0) {
            this._checkKey(member);
            return { id: member, permission: '', is_key_pair: true, weight: weight };
        }
        return { id: member.slice(0, at), permission: member.slice(at + 1), is_key_pair: false, weight: weight };
    }

    _same(item, member) {
        return item.is_key_pair ? item.id === member : item.id + '@' + item.permission === member;
    }

    _put(items, member, weight) {
        this._checkPositive(weight);
        const fresh = this._item(member, weight);
        for (let i = 0; i < items.length; i++) {
            if (this._same(items[i], member)) {
                items[i] = fresh;
                return;
            }
        }
        items.push(fresh);
    }

    _without(items, member) {
        const same = this._same;
        const left = items.filter(function (item) { return !same(item, member); });
        if (left.length === items.length) {
            throw new Error('item not found');
        }
        return left;
    }

    _find(record, permission) {
        const found = record.permissions[permission];
        if (found === undefined) {
            throw new Error('unknown permission > ' + permission);
        }
        return found;
    }

    _group(record, group) {
        const found = record.groups[group];
        if (found === undefined) {
            throw new Error('group not found');
        }
        return found;
    }

    // -- checks -------------------------------------------------------------------------------------------------------

    // An account for which no key could act would be lost for ever.
    _checkReachable(record, permission) {
        let weight = this._weight(permission.items);
        for (const group of permission.groups) {
            weight += this._weight(this._group(record, group).items);
        }
        if (weight < permission.threshold) {
            throw new Error('threshold of ' + permission.name + ' could not be reached');
        }
    }

    _weight(items) {
        let weight = 0;
        for (const item of items) {
            weight += item.weight;
        }
        return weight;
    }

    _checkId(id) {
        if (block.number === 0) {
            return;
        }
        if (id.length < 5 || id.length > 11) {
            throw new Error('id invalid. id length should be between 5,11 > ' + id);
        }
        for (const char of id) {
            if (!(char >= 'a' && char <= 'z' || char >= '0' && char <= '9' || char === '_')) {
                throw new Error('id invalid. id contains invalid character > ' + char);
            }
        }
    }

    _checkName(name) {
        if (name.length < 1 || name.length > 32) {
            throw new Error('name invalid. length should be between 1,32 > ' + name);
        }
        for (const char of name) {
            const letter = char >= 'a' && char <= 'z' || char >= 'A' && char <= 'Z';
            if (!(letter || char >= '0' && char <= '9' || char === '_')) {
                throw new Error('name invalid. name contains invalid character > ' + char);
            }
        }
    }

    _checkKey(key) {
        if (key.length < KEY_MIN_LENGTH) {
            throw new Error('invalid public key > ' + key);
        }
    }

    _checkPositive(number) {
        if (number < 1) {
            throw new Error('weight and threshold should be positive, got ' + number);
        }
    }
}

module.exports = Account;
