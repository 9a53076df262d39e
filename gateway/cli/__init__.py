"""The command `v8vm`: publish, call and inspect contracts of a running node.

- `start`: the first function that runs;
- `main`: the command itself, command groups of other packages, exit codes;
- `exit_codes`: the one table of exit codes;
- `failures`: errors of commands, for people and programs;
- `options`: options that several commands share;
- `connection`: the client of one command;
- `output`: tables for people, JSON for programs;
- `abi_files`: ABI files and what is wrong with them;
- `plain`: messages as plain JSON values;
- `sending`: publish, call, query, trace, tx;
- `checking`: contract check, contract abi;
- `inspecting`: receipt, contract, events, workers;
- `state`, `accounts`: cells; accounts and balances;
- `hints`: similar names for a name that does not exist;
- `texts`: ids cut in the middle, control characters made visible;
- `keys`: key files;
- `demo`: the services with sample contracts (`make run`).
"""
