"""The command `v8vm`: publish, call and inspect contracts of a running node.

- `main`: the command itself, command groups of other packages, errors as one line;
- `options`: options that several commands share;
- `connection`: the client of one command;
- `output`: tables for people, JSON for programs;
- `plain`: messages as plain JSON values;
- `sending`: publish, call, query, tx;
- `inspecting`: receipt, state, contract, balance, account, events, status, workers;
- `keys`: key files;
- `demo`: the services with sample contracts (`make run`).
"""
