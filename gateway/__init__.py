"""The gateway: the one door to a node's VM, and the tools that use it.

In the order a call meets them:

- `client/`: the Python client library;
- `cli/`: the command `v8vm`;
- `server`: the process: channels, servicers, health;
- `forwarding`: calls that pass through as bytes;
- `gathering`: concurrent single transactions that share a batch; `company`: which of them may;
- `routing`: which VM service takes a call;
- `inspection`, `contracts`: calls that the gateway answers itself, from state;
- `state_names`, `state_values`, `balances`: names, values and amounts as people read them;
- `demo/`: three services with sample contracts on this machine (`make run`).
"""
