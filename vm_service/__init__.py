"""The VM service: compiles and runs contracts in worker processes."""
