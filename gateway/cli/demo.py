"""The command behind `make run`: the three services on this machine, with sample contracts."""

import shlex
import signal
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.exit_codes import ExitCode
from gateway.cli.failures import CommandError, InputError
from gateway.cli.output import console
from gateway.client import Client
from gateway.demo import genesis, run
from gateway.demo.processes import (
    NotStartedError,
    PortBusyError,
    Program,
    ServiceFailedError,
    Services,
    check_ports,
    programs,
)

_WATCH_INTERVAL_S = 0.5


def demo(
    once: Annotated[bool, typer.Option("--once", help="Stop after the checks; exit 0 if all hold, else 1.")] = False,
    data_dir: Annotated[Path, typer.Option(help="Folder for state, keys and logs.")] = Path(".v8vm"),
    gateway_port: Annotated[int, typer.Option(help="Port of the gateway.")] = 7001,
    vm_port: Annotated[int, typer.Option(help="Port of the VM service.")] = 7002,
    state_port: Annotated[int, typer.Option(help="Port of the state service.")] = 7003,
) -> None:
    """Starts three services on loopback, publishes sample contracts, runs and checks transactions, keeps serving."""
    # Whoever stops this program in another way than Ctrl-C wants the services stopped as well; and a script that runs
    # it in the background starts it deaf to Ctrl-C.
    for stop in (signal.SIGINT, signal.SIGTERM):
        signal.signal(stop, signal.default_int_handler)
    wanted = programs(data_dir, gateway_port=gateway_port, vm_port=vm_port, state_port=state_port)
    try:
        check_ports(wanted)
        with Services(wanted, data_dir / "logs") as services:
            raise typer.Exit(_run(services, wanted, data_dir, once=once))
    except PortBusyError as error:
        raise InputError(str(error)) from None
    except NotStartedError as error:
        raise InputError(str(error)) from None
    except ServiceFailedError as error:
        sys.stderr.write(f"{error.log}\n")
        raise CommandError(str(error)) from None
    except run.DemoFailedError as error:
        raise CommandError(str(error)) from None
    except KeyboardInterrupt:
        console.print("\nstopped")


def _run(services: Services, wanted: tuple[Program, Program, Program], data_dir: Path, *, once: bool) -> int:
    state, _, gateway = wanted
    console.print("starting state, vm and gateway services ...")
    services.start()
    with Client(gateway.address) as client:
        accounts = genesis.prepare(client, state.address, data_dir)
        good = run.demonstrate(client, accounts, data_dir)
    if once:
        return ExitCode.OK if good else ExitCode.CHECK_FAILED
    _say_how_to_go_on(services, wanted, data_dir)
    while True:
        services.check_running()
        time.sleep(_WATCH_INTERVAL_S)


def _say_how_to_go_on(services: Services, wanted: tuple[Program, Program, Program], data_dir: Path) -> None:
    ids = run.known_contracts(data_dir)
    v8vm = _command(wanted[2])
    key = shlex.quote(str(data_dir / genesis.KEY_FOLDER / "alice.json"))
    console.print("\nServices")
    for program in wanted:
        console.print(f"  {program.name:<8} {program.address}  pid {services.pids[program.name]}", markup=False)
    console.print(f"  logs     {data_dir / 'logs'}", markup=False)
    console.print("\nTry, in another terminal:")
    for command in (
        f"{v8vm} status",
        f"{v8vm} call {ids['counter']} add '[5]' --key {key}",
        f"{v8vm} query {ids['counter']} get",
        f'{v8vm} call token.iost transfer \'["iost","alice","bobby","1.5","hello"]\' --key {key}',
        f"{v8vm} balance alice iost ram",
        f"{v8vm} state list m-{ids['token']}-balances-",
        f"{v8vm} contract show {ids['lucky_bet']}",
        f"{v8vm} events --since 0 --until-head --contract {ids['counter']}",
    ):
        # Not wrapped: these lines are for copying.
        console.print(f"  {command}", markup=False, soft_wrap=True)
    console.print("\nCtrl-C stops the services; the state stays.")


def _command(gateway: Program) -> str:
    """The command as it works from the present folder, with the address when it is not the default."""
    path = Path(sys.executable).with_name("v8vm")
    cwd = Path.cwd()
    text = str(path.relative_to(cwd)) if path.is_relative_to(cwd) else str(path)
    return text if gateway.port == 7001 else f"V8VM_GATEWAY={gateway.address} {text}"
