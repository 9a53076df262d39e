// Four in a row for two, with stakes: whoever first has four of their stones in a line takes the pot.
const WIDTH = 7;
const HEIGHT = 6;
const PATIENCE = 100; // blocks
const LINES = [[1, 0], [0, 1], [1, 1], [1, -1]];

class Board {
    constructor(text) {
        this.cells = text.split('');
    }

    static empty() {
        return new Board('.'.repeat(WIDTH * HEIGHT));
    }

    at(column, row) {
        const inside = column >= 0 && column < WIDTH && row >= 0 && row < HEIGHT;
        return inside ? this.cells[row * WIDTH + column] : null;
    }

    drop(column, stone) {
        for (let row = 0; row < HEIGHT; row++) {
            if (this.at(column, row) === '.') {
                this.cells[row * WIDTH + column] = stone;
                return row;
            }
        }
        return -1;
    }

    wins(column, row) {
        const stone = this.at(column, row);
        const run = (dx, dy) => {
            let length = 0;
            for (let k = 1; k < 4 && this.at(column + k * dx, row + k * dy) === stone; k++) {
                length++;
            }
            return length;
        };
        for (const line of LINES) {
            if (1 + run(line[0], line[1]) + run(-line[0], -line[1]) >= 4) return true;
        }
        return false;
    }

    get full() {
        return this.cells.indexOf('.') < 0;
    }

    toString() {
        return this.cells.join('');
    }
}

class FourInARow {
    init() {
        storage.put('games', '0');
    }

    _load(id) {
        const text = storage.get('game' + id);
        if (text === null) throw 'no such game';
        return JSON.parse(text);
    }

    _save(id, game) {
        storage.put('game' + id, JSON.stringify(game));
    }

    open(stake) {
        if (new Float64(stake).lt('0.01')) throw 'stake too small';
        const id = Number.parseInt(storage.get('games')) + 1;
        blockchain.deposit(tx.publisher, stake, 'stake of game ' + id);
        this._save(id, { players: [tx.publisher], stake: stake, board: Board.empty().toString(), moves: 0, state: 'open' });
        storage.put('games', id.toString());
        return id;
    }

    join(id) {
        const game = this._load(id);
        switch (game.state) {
            case 'open':
                break;
            case 'running':
                throw 'game is running';
            default:
                throw 'game is over';
        }
        if (game.players.includes(tx.publisher)) throw 'two players are needed';
        blockchain.deposit(tx.publisher, game.stake, 'stake of game ' + id);
        game.players.push(tx.publisher);
        game.state = 'running';
        game.seen = block.number;
        this._save(id, game);
    }

    move(id, column) {
        const game = this._load(id);
        if (game.state !== 'running') throw 'game is not running';
        const turn = game.moves % 2;
        if (game.players[turn] !== tx.publisher) throw `it is the turn of ${game.players[turn]}`;
        const board = new Board(game.board);
        const row = board.drop(column, 'XO'.charAt(turn));
        if (row < 0) throw 'column ' + column + ' is full or outside';
        game.board = board.toString();
        game.moves += 1;
        game.seen = block.number;
        if (board.wins(column, row)) {
            this._finish(id, game, tx.publisher);
        } else if (board.full) {
            this._finish(id, game, null);
        } else {
            this._save(id, game);
        }
        return game.state;
    }

    timeout(id) {
        const game = this._load(id);
        if (game.state !== 'running') throw 'game is not running';
        if (block.number - game.seen <= PATIENCE) throw 'wait for block ' + (game.seen + PATIENCE + 1);
        this._finish(id, game, game.players[(game.moves + 1) % 2]);
        return game.state;
    }

    _finish(id, game, winner) {
        const stake = new Float64(game.stake);
        if (winner === null) {
            game.state = 'drawn';
            game.players.forEach(player => blockchain.withdraw(player, stake, 'drawn'));
        } else {
            game.state = 'won by ' + winner;
            blockchain.withdraw(winner, stake.multi(2), 'won');
        }
        this._save(id, game);
        blockchain.event(JSON.stringify([id, game.state]));
    }

    show(id) {
        const game = this._load(id);
        const rows = [];
        for (let row = HEIGHT - 1; row >= 0; row--) {
            rows.push(game.board.slice(row * WIDTH, (row + 1) * WIDTH));
        }
        return rows.join('\n');
    }
}

module.exports = FourInARow;
