"""Judges a history: `python -m tests.fault.consistency.check HISTORY`; exit code 1 when there is an anomaly."""

import sys
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.fault.consistency import answers, elle, record, streams
from tests.fault.consistency.elle import Observed
from tests.fault.consistency.history import Commit, History, Read, Reorganised, Sent

SHOWN = 3
"""Anomalies of one kind that are printed whole."""


@dataclass(slots=True)
class Findings:
    """Anomalies with their evidence, and how much there was to judge."""

    anomalies: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))
    counts: dict[str, object] = field(default_factory=dict)

    def report(self, kind: str, **evidence: object) -> None:
        """Takes an anomaly."""
        self.anomalies[kind].append(evidence)

    @property
    def passed(self) -> bool:
        """Whether nothing was found."""
        return not self.anomalies

    def __str__(self) -> str:
        lines = [f"{name}: {count}" for name, count in self.counts.items()]
        for kind, found in self.anomalies.items():
            lines.append(f"ANOMALY {kind}: {len(found)}")
            lines += [f"    {str(evidence)[:600]}" for evidence in found[:SHOWN]]
        return "\n".join([*lines, f"anomalies: {sum(map(len, self.anomalies.values()))}"])


def check(history: History) -> Findings:
    """Judges a history by every rule."""
    found = Findings()
    sent = history.all(Sent)
    by_hash = {item.tx_hash: item for item in sent}
    commits = sorted(history.all(Commit), key=lambda item: item.version)
    done = record.replay(commits, by_hash, found.report)
    chain = answers.Chain(done, history.all(Reorganised))
    lasting = [read for read in history.all(Read) if not chain.may_be_void(read.version, read.start)]
    record.check_reads(lasting, done, found.report)
    seen = [
        Observed(f"read at {read.version}", key, values, transaction=False)
        for read in lasting
        for key, values in read.lists.items()
    ]
    judged = elle.analyse(answers.collect(sent, chain), seen, found.report)
    verdicts = answers.check_answers(history, done, chain, found.report)
    answers.check_real_time(history, done, chain, found.report)
    answers.check_finality(history, found.report)
    delivered = streams.check_streams(history, done, commits[0].version if commits else 1, found.report)
    found.counts = {
        "transactions": len(sent),
        "versions": len(commits),
        "reads": len(lasting),
        "verdicts": verdicts,
        "elle": judged,
        "streams": delivered,
    }
    return found


def main() -> int:
    """Judges the file that the command line names."""
    found = check(History.load(Path(sys.argv[1])))
    print(found)
    return 0 if found.passed else 1


if __name__ == "__main__":
    sys.exit(main())
