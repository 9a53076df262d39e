"""Runs hostile contracts in executors of their own: `python -m tests.fault.attacks FILE [--jobs N] [--json FILE]`.

FILE is a JSON list of payloads: {name, class, code, expect, accept?, then_code?}; fields that are absent or null are
empty, others are notes. `code` is published as a contract whose ABI has one method, `run`, and called, in a child
process with the limits of production. It is contained when

* its ending is one that `accept` (default: `expect`) lists: `error` (refused or failed), `gas`, `memory` (stopped by
  the heap limit), `isolated` (it returned);
* `then_code`, published and called on the same executor, returns `ok`, or ends as it does without the payload (probes
  written for another library may ask for names that contracts do not have here), but never with a leak;
* the child took the next payload, and no text that leaves the chain tells anything of the host.

One line for each payload that is not contained (name, class, got, accepted); the last line counts. Exits with 1 when
any is not. `attack_service.py` runs the same files against a whole VM service.
"""

import argparse
import json
import queue
import re
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

REPLY_SECONDS = 40.0
"""Two transactions, two compilations and two stops take 9 s at most; the rest is for a busy machine."""

LEAKED = ("LEAK", "unmetered")
"""What `then_code` returns when it sees something of the payload."""

SHOWN_CHARS = 300


@dataclass(frozen=True)
class Verdict:
    """What became of a payload."""

    name: str
    payload_class: str
    got: str
    accepted: Sequence[str]
    contained: bool
    detail: str = ""
    gas: int = 0
    cpu_s: float = 0.0

    def __str__(self) -> str:
        line = f"{self.name}\t{self.payload_class}\tgot {self.got}\taccepted {', '.join(self.accepted)}\t{self.detail}"
        return "".join(unit if unit.isprintable() or unit == "\t" else ascii(unit)[1:-1] for unit in line)


def load(path: Path) -> list[dict[str, Any]]:
    """Reads a payload file. Code of thousands of equal parts may be given as `code_parts`: a list of [text, times]."""
    return [complete(payload, number) for number, payload in enumerate(json.loads(path.read_bytes()))]


def complete(payload: Mapping[str, Any], number: int = 0) -> dict[str, Any]:
    """Returns {name, class, code, accept, then_code} of a payload, whatever it leaves out."""
    parts = payload.get("code_parts") or []
    accepted = payload.get("accept") or payload.get("expect") or []
    return {
        "name": str(payload.get("name") or f"payload {number}"),
        "class": str(payload.get("class") or ""),
        "code": _text(payload.get("code")) or "".join(text * times for text, times in parts),
        "accept": [accepted] if isinstance(accepted, str) else list(accepted),
        "then_code": None if payload.get("then_code") is None else _text(payload["then_code"]),
    }


def _text(value: object) -> str:
    return "" if value is None else value if isinstance(value, str) else json.dumps(value)


def nameless(text: str) -> str:
    """Returns a text without the ids of contracts, which differ from publishing to publishing."""
    return re.sub(r"Contract[1-9A-Za-z]{20,}", "Contract", text)


class Child:
    """A process that runs payloads, and how it ended."""

    def __init__(self, flags: Sequence[str] = ()) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.fault.attack_child", *flags],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._errors: list[str] = []
        for read in (self._read_lines, self._read_errors):
            threading.Thread(target=read, daemon=True).start()
        self.ended = self._line() != "ready\n"
        if self.ended:
            raise RuntimeError(f"the child did not start: {self.last_words()}")

    def _read_lines(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line)
        self._lines.put("")

    def _read_errors(self) -> None:
        assert self._process.stderr is not None
        self._errors.extend(self._process.stderr)

    def _line(self) -> str | None:
        try:
            return self._lines.get(timeout=REPLY_SECONDS)
        except queue.Empty:
            return None

    def run(self, code: str, then_code: str | None = None, **options: int) -> dict[str, Any]:
        """Runs a payload; returns {first, then}. The child may have ended afterwards. Options: of `Chain.run`."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps({"code": code, "then_code": then_code, **options}) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            return self._dead()
        line = self._line()
        if line is None:
            self.stop()
            return _no_answer("wedged", f"no answer in {REPLY_SECONDS} s")
        if not line:
            return self._dead()
        answer: dict[str, Any] = json.loads(line)
        self.ended = answer["first"]["fatal"] or bool(answer["then"] and answer["then"]["fatal"])
        return answer

    def _dead(self) -> dict[str, Any]:
        self.stop()
        return _no_answer("killed", f"exit code {self._process.returncode}: {self.last_words()}")

    def last_words(self) -> str:
        """What it wrote to stderr, the end of it."""
        return "".join(self._errors[-5:])[-SHOWN_CHARS:]

    def stop(self) -> None:
        """Ends the process."""
        self.ended = True
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe is not None:
                pipe.close()


def _no_answer(kind: str, text: str) -> dict[str, Any]:
    first = {"kind": kind, "text": text, "gas": 0, "cpu_s": 0.0, "call_cpu_s": 0.0, "fatal": True, "leaks_host": False}
    return {"first": first, "then": None}


class Runner:
    """Runs payloads one after the other, on a new child whenever one has ended."""

    def __init__(self, flags: Sequence[str] = ()) -> None:
        self._flags = flags
        self._child: Child | None = None
        self._controls: dict[str, dict[str, Any]] = {}

    def run(self, code: str, **options: int) -> dict[str, Any]:
        """Runs one contract, once more on a fresh worker when it took too long, as the manager does."""
        ending: dict[str, Any] = self._ready().run(code, **options)["first"]
        if ending["kind"] == "timeout":
            ending = self._ready().run(code, **options)["first"]
        return ending

    def _ready(self) -> Child:
        if self._child is None or self._child.ended:
            self.close()
            self._child = Child(self._flags)
        return self._child

    def close(self) -> None:
        """Ends the child."""
        if self._child is not None:
            self._child.stop()
            self._child = None

    def judge(self, payload: Mapping[str, Any]) -> Verdict:
        """Runs one payload, as `load` gives it, and says whether it was contained."""
        then_code = payload["then_code"]
        answer = self._ready().run(payload["code"], then_code)
        if answer["first"]["kind"] == "timeout":  # as the manager does: once more on a fresh worker
            answer = self._ready().run(payload["code"], then_code)
        if then_code is not None and answer["then"] is None:  # the worker was replaced
            answer["then"] = self._ready().run(then_code)["first"]
        first, then = answer["first"], answer["then"]
        accepted = payload["accept"]
        problem = "" if then_code is None else self._problem(then_code, then)
        got = first["kind"]
        if first["leaks_host"]:
            got = f"{got}, tells of the host"
        elif problem:
            got = f"{got}, then {then['kind']}"
        detail = (problem or first["text"]).replace("\n", "\\n")[:SHOWN_CHARS]
        return Verdict(
            payload["name"], payload["class"], got, accepted, got in accepted, detail, first["gas"], first["cpu_s"]
        )

    def _problem(self, then_code: str, then: dict[str, Any]) -> str:
        """What is wrong with the transaction after the payload; empty when nothing is."""
        if then["kind"] == "isolated" and then["text"] == "ok":
            return ""
        if then["kind"] == "isolated" and then["text"].startswith(LEAKED):
            return f"then: {then['text']}"
        control = self._control(then_code)
        if (then["kind"], nameless(then["text"])) == (control["kind"], nameless(control["text"])):
            return ""
        return f"then: {then['kind']} {then['text']!r}, without the payload: {control['kind']} {control['text']!r}"

    def _control(self, then_code: str) -> dict[str, Any]:
        if then_code not in self._controls:
            child = Child(self._flags)
            self._controls[then_code] = child.run(then_code)["first"]
            child.stop()
        return self._controls[then_code]


def run_payloads(payloads: Sequence[Mapping[str, Any]], jobs: int) -> Iterator[Verdict]:
    """Yields the verdicts, in the order in which they are found."""
    waiting: queue.SimpleQueue[Mapping[str, Any]] = queue.SimpleQueue()
    verdicts: queue.SimpleQueue[Verdict] = queue.SimpleQueue()
    for payload in payloads:
        waiting.put(payload)
    threads = [threading.Thread(target=_work, args=(waiting, verdicts), daemon=True) for _ in range(jobs)]
    for thread in threads:
        thread.start()
    for _ in payloads:
        yield verdicts.get()
    for thread in threads:
        thread.join()


def _work(waiting: "queue.SimpleQueue[Mapping[str, Any]]", verdicts: "queue.SimpleQueue[Verdict]") -> None:
    runner = Runner()
    try:
        while True:
            payload = waiting.get_nowait()
            try:
                verdicts.put(runner.judge(payload))
            except Exception as error:  # noqa: BLE001 - one payload that cannot be judged must not hide the others
                runner.close()
                detail = f"{type(error).__name__}: {error}"[:SHOWN_CHARS]
                verdicts.put(Verdict(payload["name"], payload["class"], "unjudged", payload["accept"], False, detail))
    except queue.Empty:
        pass
    finally:
        runner.close()


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.fault.attacks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("file", type=Path, help="payload file")
    parser.add_argument("--jobs", type=int, default=2, help="payloads at once")
    parser.add_argument("--json", type=Path, help="write all verdicts there as JSON")
    parser.add_argument("--only", action="append", metavar="NAME", help="a payload, instead of all; may be repeated")
    options = parser.parse_args(arguments)
    if not options.file.is_file():
        parser.error(f"no such file: {options.file}")
    payloads = load(options.file)
    if options.only:
        payloads = [payload for payload in payloads if payload["name"] in options.only]
    verdicts = []
    for verdict in run_payloads(payloads, options.jobs):
        verdicts.append(verdict)
        if not verdict.contained:
            print(verdict, flush=True)
    contained = sum(verdict.contained for verdict in verdicts)
    print(f"{contained} contained, {len(verdicts) - contained} not")
    if options.json:
        options.json.write_text(json.dumps([asdict(verdict) for verdict in verdicts], indent=1) + "\n", "utf-8")
    return 0 if contained == len(verdicts) else 1


if __name__ == "__main__":
    sys.exit(main())
