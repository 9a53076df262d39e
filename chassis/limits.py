"""What the operating system must grant a service process: address space, open files, threads."""

import resource
import threading

LEAST_DESCRIPTORS = 64
"""Files and connections that a process must be allowed: a service at rest needs up to 40."""

WANTED_DESCRIPTORS = 4096
"""Files and connections that are asked for where the hard limit allows them: 1,000 callers, and a store's files."""

LEAST_ADDRESS_SPACE_BYTES = 2 << 30
"""Address space that a process must be allowed: gRPC ends it without a word where a thread finds none."""

LEAST_THREADS = 16
"""Threads that gRPC and a service start at once."""


def shortage() -> str:
    """Asks for more files where it may, and looks whether address space, files and threads suffice.

    Returns:
        What is missing and how to mend it, in one line; empty when nothing is.
    """
    return _missing_address_space() or _missing_descriptors() or _missing_threads()


def _missing_address_space() -> str:
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit == resource.RLIM_INFINITY or limit >= LEAST_ADDRESS_SPACE_BYTES:
        return ""
    least = LEAST_ADDRESS_SPACE_BYTES >> 20
    return f"only {limit >> 20} MiB of address space may be used, at least {least} are needed: raise ulimit -v"


def _missing_descriptors() -> str:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < (granted := min(WANTED_DESCRIPTORS, hard)):
        resource.setrlimit(resource.RLIMIT_NOFILE, (granted, hard))
        soft = granted
    if soft < LEAST_DESCRIPTORS:
        return f"only {soft} files may be open, at least {LEAST_DESCRIPTORS} are needed: raise ulimit -n"
    return ""


def _missing_threads() -> str:
    done = threading.Event()
    try:
        for _ in range(LEAST_THREADS):
            threading.Thread(target=done.wait, daemon=True).start()
    except RuntimeError as error:
        return f"{error}: raise the limit of processes (ulimit -u, pids of the container) or of memory (ulimit -v)"
    finally:
        done.set()
    return ""
