"""`make run`: publishes, runs and checks; finds its state again; says what is wrong with a port."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gateway.demo.run import known_contracts
from tests.support.node import free_ports

pytestmark = pytest.mark.timeout(240)


def command(folder: Path, ports: list[int], *flags: str) -> list[str]:
    gateway, vm, state = ports
    return [
        *(sys.executable, "-m", "gateway.cli.main", "demo", *flags, f"--data-dir={folder}"),
        *(f"--gateway-port={gateway}", f"--vm-port={vm}", f"--state-port={state}"),
    ]


def test_the_demonstration_holds_twice_on_the_same_state(tmp_path: Path) -> None:
    ports = free_ports(3)
    contracts: list[dict[str, str]] = []
    for _ in range(2):
        done = subprocess.run(
            command(tmp_path, ports, "--once"), capture_output=True, text=True, timeout=110, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert "FAILED" not in done.stdout
        assert "Traceback" not in done.stderr
        contracts.append(known_contracts(tmp_path))
        for port in ports:
            with socket.socket() as probe:
                assert probe.connect_ex(("127.0.0.1", port)) != 0, "a service was left behind"
    assert contracts[0] == contracts[1]


def test_it_keeps_serving_until_ctrl_c_and_its_suggestions_work(tmp_path: Path) -> None:
    ports = free_ports(3)
    with (tmp_path / "out.txt").open("w+") as out:
        process = subprocess.Popen(
            command(tmp_path, ports), stdout=out, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            text = wait_for(tmp_path / "out.txt", "Ctrl-C stops", process)
            assert f"127.0.0.1:{ports[0]}" in text
            suggested = [line.strip() for line in text.splitlines() if "/v8vm " in line]
            assert len(suggested) >= 8
            for line in suggested:
                done = subprocess.run(line, shell=True, capture_output=True, text=True, timeout=60, check=False)
                assert (done.returncode, done.stderr) == (0, ""), line
                assert done.stdout
        finally:
            os.killpg(process.pid, signal.SIGINT)
            assert process.wait(60) == 0
    assert "stopped" in (tmp_path / "out.txt").read_text()


def wait_for(file: Path, text: str, process: subprocess.Popen[bytes]) -> str:
    deadline = time.monotonic() + 110
    while time.monotonic() < deadline and process.poll() is None:
        if text in (content := file.read_text()):
            return content
        time.sleep(0.2)
    raise AssertionError(file.read_text())


def test_a_busy_port_is_named(tmp_path: Path) -> None:
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        taken = busy.getsockname()[1]
        vm, state = free_ports(2)
        done = subprocess.run(
            command(tmp_path, [taken, vm, state], "--once"), capture_output=True, text=True, timeout=60, check=False
        )
    assert done.returncode == 2
    assert f"port {taken} of the gateway service cannot be used" in done.stderr
    assert "--gateway-port" in done.stderr
    assert done.stderr.count("\n") == 1
