"""Three services with sample contracts on this machine: what `make run` starts.

- `processes`: the services as processes: ports, start, health, stop;
- `bound`: a service that ends with its parent;
- `genesis`: accounts with keys, and the first version of the chain;
- `plan`: the transactions, and what must become of each;
- `run`: publishes, sends, shows, checks;
- `contracts/`: the sample contracts, with their ABI files.
"""
