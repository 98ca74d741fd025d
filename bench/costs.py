"""What a call to each store costs beside its usual client alone: `python bench/costs.py --help` says how."""

from __future__ import annotations

import argparse
import asyncio
import datetime
import logging
import os
import platform
import secrets
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import calls
import environment
import report
from alone import Asked, Client, Room
from calls import MANY, Call, Clock, Effort, Ours
from costed import Costs, overview, page
from kinds import KINDS, Told
from peers import Attempt

ROOT = Path(__file__).resolve().parent.parent
ROUNDS, CALLS, SIZE = calls.FULL.rounds, calls.FULL.calls, len(calls.VALUE)
MEASURED = f"Medians of {ROUNDS} rounds of up to {CALLS} calls of one thread, values of {SIZE} bytes,"
HOW = (
    f"{MEASURED} without memory in front, one call after another, all in turns. `processor` is the time of "
    "all threads of this process, on an average; × is ours ÷ the client's, taken within a round, with "
    "quartiles. Servers share the machine unless their URLs were given. How to read this: bench/README.md."
)


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Measure what a call to a store costs beside its client.")
    parser.add_argument("kinds", nargs="*", metavar="kind", help=f"{', '.join(KINDS)} (default: all)")
    parser.add_argument("--quick", action="store_true", help="few short rounds, not to be quoted")
    parser.add_argument("--no-build", action="store_true", help="measure the Everwarm installed before")
    parser.add_argument("--here", action="store_true", help="with this interpreter's Everwarm and clients")
    parser.add_argument("--pages", action="store_true", help="print what the pages under docs/guide say, too")
    options = parser.parse_args()
    if unknown := set(options.kinds) - set(KINDS):
        parser.error(f"no kind {', '.join(sorted(unknown))}; hint: kinds are {', '.join(KINDS)}")
    return options


def measure(name: str, told: Told, effort: Effort) -> Costs:
    """Measure a kind of stores; who cannot take part is named with the reason."""
    kind = KINDS[name]
    costs = Costs(name, kind.title)
    with Attempt("everwarm", costs.left_out), kind.reached(told) as place, ExitStack() as closing:
        costs.stand_in = place.stand_in
        room = Room(place.url, f"bench_{secrets.token_hex(4)}")
        clock = Clock(effort, asyncio.new_event_loop())
        closing.callback(clock.runner.close)
        # Opened before ours, and so closed after it: they take out what a cache leaves at a server.
        clients = {client: opened(client, room, clock, closing, costs) for client in kind.clients}
        ours = Ours(kind.own(room), room.name)
        tidied(closing, ours.close, "everwarm", costs)
        costs.calls = ours.calls()
        for call_name, call in costs.calls.items():
            clock.insist(call_name, call)
        every = dict(costs.calls)
        for client, asked in clients.items():
            if asked is not None:
                every |= entered(client, asked, room, clock, costs)
        took = clock.measure(every)
        ours.check(clock.asked[calls.COMPUTED])
        costs.took = took
    return costs


def opened(client: Client, room: Room, clock: Clock, closing: ExitStack, costs: Costs) -> Asked | None:
    """Open a client until the stack is closed, or note why it cannot take part."""
    with Attempt(client.name, costs.left_out):
        asked: Asked = clock.run(client.opened(room))
        tidied(closing, lambda: clock.run(asked.close()), client.name, costs)
        return asked
    if not client.awaited:
        costs.left_out[client.name] += "; tables or keys of Everwarm's stay at the server, emptied"
    return None


def tidied(closing: ExitStack, close: Callable[[], object], name: str, costs: Costs) -> None:
    """Close at the end of the stack; what fails then is noted, and hides no error and no interruption."""

    @closing.callback
    def _close() -> None:
        with Attempt(f"{name}, when it was closed", costs.left_out):
            close()


def entered(client: Client, asked: Asked, room: Room, clock: Clock, costs: Costs) -> dict[str, Call]:
    """Return a client's calls, having put every value and got it back, or nothing, and note why."""
    with Attempt(client.name, costs.left_out):
        names = [f"{room.name}-n{number}" for number in range(MANY)]
        for name in names:
            clock.run(asked.set(name, calls.VALUE))
        found = calls.of_client(client, asked, names)
        for call_name, call in found.items():
            clock.insist(call_name, call)
        costs.clients.append(client)
        if asked.server and not costs.stand_in:
            costs.server = asked.server
        return found
    return {}


def main() -> None:
    """Enter the private environment, measure, print and write the report."""
    options = arguments()
    if not options.here and not environment.is_inside(ROOT):
        python = environment.prepare(ROOT, build=not options.no_build, names=environment.CLIENTS)
        os.execv(python, [str(python), str(Path(__file__).resolve()), *sys.argv[1:]])
    logging.getLogger().addHandler(logging.NullHandler())
    # Taken out of the environment: to a cache, a variable that begins so is a setting that does not exist.
    told = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith("EVERWARM_")}
    kinds = [kind for kind in KINDS if kind in (options.kinds or KINDS)]
    today = datetime.date.today().isoformat()
    title = f"# What each store costs beside its usual client, {today}, CPython {platform.python_version()}"
    commit = (
        environment.built_from(ROOT) if environment.is_inside(ROOT) else "unknown: not built by this script"
    )
    head = report.machine(commit, environment.pinned(environment.CLIENTS))
    print(f"{title}\n\n{HOW}\n\n{head}\n", flush=True)
    every = []
    for kind in kinds:
        costs = measure(kind, told, calls.QUICK if options.quick else calls.FULL)
        print(costs.markdown() + "\n", flush=True)
        every.append(costs)
    compared = [costs for costs in every if costs.clients]
    endings = [f"## Everwarm ÷ the client alone\n\n{overview(compared)}"] if compared else []
    print(*endings)
    if options.pages:
        print(
            "",
            *(page(costs, MEASURED, today) for costs in every if costs.took and costs.client_of(False)),
            sep="\n\n",
        )
    if options.quick:
        print("\nA quick run: not to be quoted, and not written to a file.", file=sys.stderr)
        return
    parts = [title, HOW, head, *(costs.markdown() for costs in every), *endings]
    part = "" if kinds == list(KINDS) else "-" + "-".join(kinds)
    file = ROOT / "bench" / "results" / f"{today}-{platform.python_version()}-costs{part}.md"
    file.write_text("\n\n".join(parts) + "\n", encoding="utf-8")
    print(f"\nwritten to {file.relative_to(ROOT)}", file=sys.stderr)


if __name__ == "__main__":
    main()
