"""Attacks on money and authority, held against a model: `python -m tests.fault.tokens --count 2000 [--seed N]`."""
