"""Processes that run a script at once."""

from __future__ import annotations

import subprocess
import sys
import textwrap


def run(script, *arguments, count=1):
    """What as many processes print that run a script at once."""
    code = textwrap.dedent(script)
    command = [sys.executable, "-c", code, *map(str, arguments)]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(count)]
    printed = []
    try:
        for process in started:
            printed.append(process.communicate(timeout=60)[0].split())
            assert process.returncode == 0
    finally:
        for process in started:
            process.kill()
            process.communicate()
    return printed


BUSY_PARENT = """
import asyncio, os, signal, sys, threading, warnings
from everwarm import Cache

warnings.simplefilter("ignore", DeprecationWarning)
url, children = sys.argv[1], int(sys.argv[2])
shop = Cache([url], namespace="shop")

@shop(name="double")
def double(x: int) -> int:
    return 2 * x

@shop(name="triple")
async def triple(x: int) -> int:
    return 3 * x

going = True

def busy(first):
    x = first
    while going:
        x += 1
        double(x)

async def busy_tasks():
    x = 0
    while going:
        x += 10
        await asyncio.gather(*map(triple, range(x, x + 10)))

def does_all(number):
    for x in range(7, 10):
        assert double(x) == 2 * x
    assert asyncio.run(triple(number)) == 3 * number
    shop.set(f"of {number}", number)
    assert shop.get(f"of {number}") == number and shop.ping()
    assert not any(tier.errors for tier in shop.tiers()), shop.tiers()

# Nothing was asked yet: the first forks pass while all that is made once is being made.
threads = [threading.Thread(target=busy, args=(10_000_000 * n,), daemon=True) for n in (1, 2)]
threads.append(threading.Thread(target=lambda: asyncio.run(busy_tasks()), daemon=True))
for thread in threads:
    thread.start()
for number in range(children):
    child = os.fork()
    if child == 0:
        signal.alarm(30)
        code = 1
        try:
            does_all(number)
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0, status
    assert shop.get(f"of {number}") == number
going = False
for thread in threads:
    thread.join()
does_all(children)
print("done")
"""


def has_children_that_work(url, children):
    """Whether a busy parent's children, forked from its first moments on, do all that it can."""
    return run(BUSY_PARENT, url, children) == [["done"]]
