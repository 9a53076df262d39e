"""The state service: the one writer of the chain's state. Versions, branches, two cache levels, journal.

Modules, in the order data meets them:

- `__main__`, `config`, `service`: start, settings, the life of the process;
- `server`, `inspection`: what is on the wire; `convert`: protobuf to model and back, every check of form;
- `store`: the parts put together;
- `reader`: reads at a view; `committer`: commit, finalise, discard;
- `tree`: L2, the commits not yet folded; `cache`: L1, the newest folded values;
- `journal`: group commit, the durable record; `flusher`: folds versions into the store; `history`: what outlives
  folding;
- `feed`: change feed and events from the same records;
- `recovery`: opening a store and replaying its journal;
- `storage`: the engine interface; `rocks`: RocksDB; `memory`: the reference engine; `head_record`, `writer_lock`: its
  guards;
- `commitment`, `records`, `keys`, `model`, `errors`, `metrics`: hash chain, byte grammar, keys, nouns, failures,
  figures.
"""
