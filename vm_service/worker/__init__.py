"""A worker process: one sandbox, one compiler isolate, one channel to the manager, one to the state service.

In the order a batch meets them:

* ``channel``: framed messages between manager and worker
* ``service``: protobuf in, protobuf out: verifies, executes, commits, answers
* ``executor``: one batch: view, prefetch, kernel, compile stage
* ``prefetch``: which keys a batch will probably read, learned from those before
* ``state_reader``: what an executor asks of a store
* ``state_client``: the state service behind that
"""
