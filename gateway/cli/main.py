"""The command `v8vm`: its own commands, and the groups that other installed packages offer.

A package offers a group by an entry point of group `v8vm.commands`: name = "module:typer_app".
"""

import sys
from importlib.metadata import entry_points

import typer

from chassis.errors import RemoteError
from gateway.cli import inspecting, keys, sending
from gateway.cli.demo import demo
from gateway.cli.options import InputError
from gateway.client import CompileError, TransactionError
from gateway.client.key_files import KeyFileError

EXIT_FAILED = 1
ENTRY_POINTS = "v8vm.commands"

app = typer.Typer(
    name="v8vm",
    help="Publishes, calls and inspects contracts of a V8VM node.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

for command in (
    sending.publish,
    sending.call,
    sending.query,
    inspecting.receipt,
    inspecting.balance,
    inspecting.events,
    inspecting.status,
    inspecting.workers,
):
    app.command()(command)
app.command()(demo)
for group in (sending.tx_app, inspecting.state_app, inspecting.contract_app, inspecting.account_app, keys.app):
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


def main() -> None:
    """Runs the command line; ends the process with 0, with 1 and one line why, or with 2 for wrong usage."""
    collect()
    try:
        app()
    except RemoteError as error:
        # An incident is what finds the trace of a bug in the log of its service.
        incident = error.metadata.get("incident")
        _fail(f"{error.reason}: {error.message}" + (f" (incident {incident})" if incident else ""))
    except TransactionError as error:
        _fail(f"{error.name}: {error.message}")
    except (CompileError, InputError, KeyFileError) as error:
        _fail(str(error))


def _fail(message: str) -> None:
    sys.stderr.write(f"v8vm: {' '.join(message.split())}\n")
    sys.exit(EXIT_FAILED)


if __name__ == "__main__":
    main()
