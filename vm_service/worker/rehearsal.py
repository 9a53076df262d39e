"""Does once what a worker will do later, so that everything Python and its libraries load on first use is loaded.

A confined process opens no files. Encodings, OpenSSL's providers and error details are found here, before the filter;
what is missed shows as PermissionError in the first batch that needs it, and belongs here.
"""

import codecs
import linecache
import logging

import grpc
from google.rpc import status_pb2

from chassis.errors import RemoteError, ServiceError, explain
from iost.chain.v1 import transaction_pb2
from vm_service import host, transactions
from vm_service.signatures import ED25519, SECP256K1, verify
from vm_service.worker.process import rss_bytes

ENCODINGS = ("utf-8", "utf-16-le", "ascii", "latin-1", "idna", "unicode_escape", "raw_unicode_escape")


def rehearse() -> None:
    """Loads what is loaded lazily; changes nothing."""
    for name in ENCODINGS:
        codecs.lookup(name)
    "\ud800".encode("utf-16-le", "surrogatepass")
    host.sha3("")
    host.ripemd160_hex("00")
    for algorithm, key_bytes in ((ED25519, 32), (SECP256K1, 33)):
        verify(algorithm, bytes(32), bytes(63) + b"\1", b"\2" + bytes(key_bytes - 1))
    transactions.canonical_forms(transaction_pb2.Transaction())
    ServiceError("", metadata={"": ""}).to_status()
    RemoteError(status_pb2.Status(), grpc.StatusCode.UNAVAILABLE).to_status()
    _log_a_trace()
    linecache.clearcache()
    rss_bytes()


def _log_a_trace() -> None:
    """Formats an exception as a logged one is, without logging it."""
    try:
        raise ValueError
    except ValueError as error:
        logging.Formatter().formatException((type(error), error, error.__traceback__))
    explain(ServiceError(""), "")
