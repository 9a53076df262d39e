"""Where the command `v8vm` begins: before its modules are loaded, so that Ctrl-C is quiet from the first moment."""

import signal


def main() -> None:
    """Loads and runs the command. While modules are loaded, Ctrl-C ends the process at once and without a word."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from gateway.cli.main import main as run  # half a second, which Ctrl-C must not meet in the middle of an import

    run()


if __name__ == "__main__":
    main()
