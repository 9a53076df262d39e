"""The state service: the one writer of the chain's state. Versions, branches, two cache levels, journal.

Modules, in the order data meets them:

- `__main__`, `config`, `service`: start, settings, the life of the process;
- `server`, `inspection`, `admin`: what is on the wire; `convert`: protobuf to model and back, every check of form;
- `store`: the parts put together;
- `reader`: reads at a view; `committer`: commit, finalise, discard;
- `tree`: L2, the commits not yet folded; `cache`: L1, the newest folded values;
- `journal`: group commit, the durable record; `flusher`: folds versions; `history`: what outlives folding;
- `feed`: change feed and events from the same records;
- `recovery`: opening a store and replaying its journal; `verification`: checking it against itself;
- `checkpoints`, `transfer`, `cli`: copies, JSON lines, and the offline tools `v8vm store`;
- `storage`: the engine interface; `memory`: the reference engine; `rocks`: RocksDB, with `rocks_errors`, `head_record`
  and `writer_lock` around it;
- `commitment`, `records`, `keys`, `model`, `errors`: hash chain, byte grammar, keys, nouns, failures;
- `figures`, `metrics`: what can be watched.
"""
