"""VMManager: the owner of all workers of one VM service.

In the order a request meets them:

* ``entrance``: gathers requests, leases a worker, retries after a loss, blames who ended two workers
* ``pool``: the set of workers: lease, return, retire
* ``supervisor``: spawns, watches, kills and replaces worker processes
"""
