"""The command `v8vm`: its own commands, and the groups that other installed packages offer.

A package offers a group by an entry point of group `v8vm.commands`: name = "module:typer_app".
"""

import functools
import itertools
import os
import signal
import sys
from collections.abc import Sequence
from importlib.metadata import entry_points, version
from typing import Annotated, Any

import typer

from gateway.cli import accounts, backup, checking, exit_codes, inspecting, keys, sending, state, status
from gateway.cli.demo import demo
from gateway.cli.exit_codes import ExitCode
from gateway.cli.failures import InputError, report_of

NAME = "v8vm"
ENTRY_POINTS = "v8vm.commands"

app = typer.Typer(
    name=NAME,
    help="Publishes, calls and inspects contracts of a V8VM node.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"{NAME} {version(NAME)}")
        raise typer.Exit


@app.callback()
def root(
    show_version: Annotated[
        bool,
        typer.Option("--version", help="Show the version and exit.", is_eager=True, callback=_show_version),
    ] = False,
) -> None:
    """Publishes, calls and inspects contracts of a V8VM node."""


for command in (
    sending.publish,
    sending.call,
    sending.query,
    sending.trace,
    inspecting.receipt,
    accounts.balance,
    inspecting.events,
    status.status,
    backup.backup,
    inspecting.workers,
):
    app.command()(command)
app.command()(demo)
inspecting.contract_app.command("check")(checking.contract_check)
inspecting.contract_app.command("abi")(checking.contract_abi)
for group in (sending.tx_app, state.app, inspecting.contract_app, accounts.app, keys.app):
    app.add_typer(group)


def collect() -> None:
    """Adds the groups of other packages."""
    for entry in sorted(entry_points(group=ENTRY_POINTS), key=lambda entry: entry.name):
        try:
            group: typer.Typer = entry.load()
        except ImportError as error:
            # An operator's machine has only the packages it uses.
            _add_unavailable(entry.name, error)
            continue
        alone = group.registered_callback
        if alone and alone.callback and not group.registered_commands and not group.registered_groups:
            # A group without commands of its own is a command: its options may then stand behind its arguments.
            app.command(entry.name)(alone.callback)
        else:
            app.add_typer(group, name=entry.name)


def _add_unavailable(name: str, error: ImportError) -> None:
    reason = f"not available on this machine: {error}"

    @app.command(name, help=f"({reason})", context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
    def explain(context: typer.Context) -> None:
        raise InputError(f"{context.info_name} is {reason}")


@functools.cache
def _command() -> Any:  # noqa: ANN401 - typer's classes of commands are private
    """Builds the whole command; every command and group names the exit codes at the end of its help."""
    collect()
    command = typer.main.get_command(app)
    waiting = [command]
    while waiting:
        item = waiting.pop()
        item.epilog = exit_codes.summary()
        waiting += getattr(item, "commands", {}).values()
    return command


def run(arguments: Sequence[str]) -> int:
    """Runs one command line; returns its exit code. Expected failures are one line on standard error."""
    try:
        code = _command()(args=list(arguments), prog_name=NAME, standalone_mode=False)
    except SystemExit as ended:
        if not isinstance(ended.__context__, BrokenPipeError):
            raise
        _give_up_output()
        return ExitCode.PIPE_CLOSED
    except Exception as error:
        report = report_of(error)
        if report is None:
            raise
        # Read from the command line, since a usage error ends the command before its options are known.
        as_json = "--json" in itertools.takewhile(lambda argument: argument != "--", arguments)
        sys.stderr.write((report.json() if as_json else report.line()) + "\n")
        return report.exit_code
    return code if isinstance(code, int) else ExitCode.OK


def _give_up_output() -> None:
    """Points standard output at nothing, so that flushing it at exit does not fail again."""
    with open(os.devnull, "wb") as nothing:
        os.dup2(nothing.fileno(), sys.stdout.fileno())


def main() -> None:
    """Runs the command line and ends the process with an exit code of `ExitCode`."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:  # set while modules were loaded (`start`)
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        code = run(sys.argv[1:])
        sys.stdout.flush()
    except KeyboardInterrupt:
        code = ExitCode.INTERRUPTED
    except BrokenPipeError:
        _give_up_output()
        code = ExitCode.PIPE_CLOSED
    if code == ExitCode.INTERRUPTED:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # another Ctrl-C must not disturb the end of the process
    sys.exit(code)


if __name__ == "__main__":
    main()
