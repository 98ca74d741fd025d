"""Adds up the closing lines of the test runners into one line: `tests: N passed, N failed, N skipped`.

Tests that failed at first and passed when they were run again have a line each before it.
"""

import re
import sys
from collections import Counter
from pathlib import Path

PYTEST = re.compile(r"^=* ?((?:\d+ [a-z]+(?:, )?)+) in [\d.]+s", re.MULTILINE)
NEXTEST = re.compile(r"^ +Summary \[.*?\] +\d+ tests? run: (.*)$", re.MULTILINE)
CARGO = re.compile(r"^test result: \w+\. (.*?); \d+ measured", re.MULTILINE)
AGAIN = re.compile(r"^ +FLAKY \d+/\d+ \[.*?\] \(.*?\) (.*)$|^_+ RERUN (\S+) _+$", re.MULTILINE)
COUNT = re.compile(r"(\d+) ([a-z]+)")

MEANING = {
    "passed": "passed",
    "xfailed": "passed",
    "failed": "failed",
    "error": "failed",
    "errors": "failed",
    "skipped": "skipped",
    "ignored": "skipped",
}


def tally(output: str) -> Counter[str]:
    """What the closing lines in `output` count."""
    counts: Counter[str] = Counter()
    for form in (PYTEST, NEXTEST, CARGO):
        for line in form.findall(output):
            for number, word in COUNT.findall(line):
                if word in MEANING:
                    counts[MEANING[word]] += int(number)
    return counts


def run_again(output: str) -> list[str]:
    """The tests in `output` that passed, but not at once."""
    return ["".join(names) for names in AGAIN.findall(output)]


def main(logs: str) -> int:
    """Prints the sum over all logs; fails where nothing passed or something failed."""
    total: Counter[str] = Counter()
    named: set[str] = set()
    for log in sorted(Path(logs).glob("*.log")):
        output = log.read_text()
        total += tally(output)
        for name in run_again(output):
            if name not in named:
                print(f"FAILED AT FIRST: {name}, see {log}")
            named.add(name)
    print(f"tests: {total['passed']} passed, {total['failed']} failed, {total['skipped']} skipped")
    return 0 if total["passed"] and not total["failed"] else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
