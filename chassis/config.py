"""Configuration: environment variables and flags become one frozen dataclass, or the process refuses to start.

A service describes its settings as a dataclass that extends `ServerConfig`; every field is made by `setting`, which
demands a unit, a default and the reason for that default. From the same table come the parsing, `--help`,
`--print-config` and docs/configuration.md.

The value of a field is, in order of precedence: flag `--heap-bytes=N`, variable `V8VM_<SERVICE>_HEAP_BYTES`, default. A
variable of this service that names no field, or a value that cannot be read, ends the process with exit code 2 and one
line on stderr: a misspelt limit must not pass as the default. Only this module and `*/config.py` read the environment.
"""

import argparse
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar, cast, get_type_hints

T = TypeVar("T")
C = TypeVar("C", bound="ServerConfig")

LARGEST = {"TCP port": 65535}
"""Largest value by unit: gRPC takes a larger port modulo 65536, without a word."""

KEEPALIVE_MS = 30_000
"""How often clients of this product ping; a server that asks for less would throw them out."""

PREFIX = "V8VM_"
"""Every variable of this product starts so."""

EXIT_USAGE = 2
"""Exit code of a process that was started wrongly: nothing to retry, someone must change its configuration."""


class ConfigError(Exception):
    """The configuration cannot be used; the message is one line and names the variable or flag."""


def setting(
    default: T,
    *,
    unit: str,
    help: str,
    reason: str,
    minimum: float | None = None,
    maximum: float | None = None,
    choices: Sequence[str] = (),
) -> T:
    """Declares one field of a configuration dataclass.

    Args:
        default: value when neither flag nor variable is given.
        unit: unit of the value, or what kind of text it is ("host name", "path").
        help: what the setting does; a sentence without a full stop.
        reason: why the default is what it is.
        minimum: smallest value allowed, for numbers.
        maximum: largest value allowed, for numbers.
        choices: the only texts allowed, for text.

    Returns:
        A dataclass field; typed as its value so that annotations read naturally.
    """
    return field(
        default=default,
        metadata={
            "unit": unit,
            "help": help,
            "reason": reason,
            "minimum": minimum,
            "maximum": maximum,
            "choices": tuple(choices),
        },
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerConfig:
    """Settings that every service has, so that operators find the same words everywhere."""

    host: str = setting(
        "127.0.0.1", unit="host name", help="address to listen on", reason="loopback: exposing a service is a decision"
    )
    port: int = setting(0, unit="TCP port", help="port to listen on", reason="0 takes any free port", minimum=0)
    metrics_port: int = setting(
        0,
        unit="TCP port",
        help="port of the metrics page",
        reason="0 is off: a second open port is a decision",
        minimum=0,
    )
    log_level: str = setting(
        "info",
        unit="level",
        help="least severe event to log",
        reason="info logs changes of the process, never single requests",
        choices=("debug", "info", "warning", "error"),
    )
    max_message_bytes: int = setting(
        64 << 20,
        unit="bytes",
        help="largest gRPC message, either way",
        reason="room for a block of 10,000 transactions with receipts at 6 kB each",
        minimum=1 << 20,
    )
    ping_interval_ms: int = setting(
        10_000,
        unit="milliseconds",
        help="least time between keep-alive pings of a client; one that pings more often loses its connection",
        reason="clients in Go and Java ping every 10 s at most; those of this product ping every 30 s",
        minimum=0,
        maximum=KEEPALIVE_MS,
    )
    drain_ms: int = setting(
        10_000,
        unit="milliseconds",
        help="time for calls in flight to finish after SIGTERM, before they are cancelled",
        reason="a third of the 30 s that Kubernetes grants before it kills",
        minimum=0,
    )


@dataclass(frozen=True, slots=True)
class Setting:
    """One row of the table of settings of a service, as documentation and parser see it."""

    name: str
    variable: str
    flag: str
    kind: type
    default: object
    unit: str
    help: str
    reason: str
    minimum: float | None
    maximum: float | None
    choices: tuple[str, ...]


def settings_of(config_type: type[ServerConfig], service: str) -> tuple[Setting, ...]:
    """Lists the settings of a service in the order of declaration.

    Raises:
        TypeError: a field was not declared with `setting` or has a type that cannot be parsed; a bug in the service.
    """
    kinds = get_type_hints(config_type)
    rows = []
    for item in fields(config_type):
        kind = kinds[item.name]
        if "reason" not in item.metadata or item.default is MISSING or kind not in _PARSERS:
            raise TypeError(f"{service} setting {item.name}: needs setting() and a type that has a parser, not {kind}")
        variable = f"{PREFIX}{service}_{item.name}".upper()
        flag = f"--{item.name.replace('_', '-')}"
        rows.append(Setting(item.name, variable, flag, kind, item.default, **item.metadata))
    return tuple(rows)


def _parse_bool(text: str) -> bool:
    return {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}[
        text.lower()
    ]


def _parse_list(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


# Type of a field -> parser of its text, and what an error message tells the reader to write.
_PARSERS: dict[Any, tuple[Callable[[str], object], str]] = {
    int: (int, "a whole number"),
    float: (float, "a number"),
    bool: (_parse_bool, "true or false"),
    str: (str, "text"),
    Path: (Path, "a path"),
    tuple[str, ...]: (_parse_list, "texts with commas between"),
}


def _parse(row: Setting, text: str, origin: str) -> object:
    parser, expected = _PARSERS[row.kind]
    try:
        value = parser(text)
    except (ValueError, KeyError):
        raise ConfigError(f"{origin}={text!r}: expected {expected} ({row.unit})") from None
    if row.minimum is not None and not cast("float", value) >= row.minimum:  # so that NaN is refused as well
        raise ConfigError(f"{origin}={text!r}: must be at least {row.minimum} ({row.unit})")
    largest = LARGEST.get(row.unit) if row.maximum is None else row.maximum
    if largest is not None and cast("float", value) > largest:
        raise ConfigError(f"{origin}={text!r}: must be at most {largest} ({row.unit})")
    if row.choices and value not in row.choices:
        raise ConfigError(f"{origin}={text!r}: must be one of {', '.join(row.choices)}")
    return value


def parse(config_type: type[C], service: str, flags: Mapping[str, str], environment: Mapping[str, str]) -> C:
    """Builds the configuration of a service.

    Args:
        config_type: dataclass of settings.
        service: short name, as in the variables: "vm", "state", "gateway".
        flags: field name -> text given on the command line.
        environment: the process environment.

    Raises:
        ConfigError: unknown variable, unreadable value, or refused by `__post_init__` of the dataclass (as ValueError).
    """
    rows = settings_of(config_type, service)
    own = {name for name in environment if name.startswith(f"{PREFIX}{service}_".upper())}
    if unknown := own - {row.variable for row in rows}:
        raise ConfigError(f"{min(unknown)}: no such setting; see --help")
    values: dict[str, Any] = {}
    for row in rows:
        if row.name in flags:
            values[row.name] = _parse(row, flags[row.name], row.flag)
        elif row.variable in environment:
            values[row.name] = _parse(row, environment[row.variable], row.variable)
    try:
        return config_type(**values)
    except ValueError as error:
        raise ConfigError(str(error)) from error


def render(config: ServerConfig, service: str) -> str:
    """Renders effective values as lines `VARIABLE=value`, which `parse` reads back to an equal configuration."""
    values = {row.variable: getattr(config, row.name) for row in settings_of(type(config), service)}
    return "\n".join(
        f"{variable}={','.join(value) if isinstance(value, tuple) else value}" for variable, value in values.items()
    )


def load(config_type: type[C], service: str, argv: Sequence[str] | None = None) -> C:
    """Reads flags (`argv`, else those of this process) and environment; serves `--help` and `--print-config`.

    Raises:
        SystemExit: 0 after `--help` or `--print-config`; 2, with one line on stderr, when configured wrongly.
    """
    parser = argparse.ArgumentParser(
        prog=f"python -m {config_type.__module__.partition('.')[0]}",
        description=(config_type.__doc__ or "").partition("\n")[0],
        formatter_class=argparse.RawTextHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--print-config", action="store_true", help="print the effective settings and exit\n\n")
    for row in settings_of(config_type, service):
        text = f"{row.help}\n[{row.unit}; default {row.default}: {row.reason}]\n{row.variable}\n\n".replace("%", "%%")
        parser.add_argument(row.flag, dest=row.name, metavar="VALUE", help=text)
    given = vars(parser.parse_args(argv))
    print_only = given.pop("print_config")
    try:
        flags = {name: text for name, text in given.items() if text is not None}
        config = parse(config_type, service, flags, os.environ)
    except ConfigError as error:
        parser.exit(EXIT_USAGE, f"{parser.prog}: {error}\n")
    if print_only:
        sys.stdout.write(render(config, service) + "\n")
        parser.exit()
    return config


def failpoints() -> str:
    """Reads the failpoints asked for (`V8VM_FAILPOINTS`); empty outside of tests."""
    return os.environ.get(f"{PREFIX}FAILPOINTS", "")


def quiet_grpc_core() -> None:
    """Keeps gRPC's C core from writing lines of its own to stderr, unless the operator set its verbosity."""
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
