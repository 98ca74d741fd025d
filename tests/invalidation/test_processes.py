"""C1 across processes: on one `disk:` directory an invalidation wins at once here, and soon elsewhere.

Each of four processes runs a seeded script over a versioned source in a shared file. A write raises the
version of its keys, invalidates, and then raises their floor, with the time at which it did. A read must not
be below the floor that this process set itself, nor below one that another set longer ago than the bound.
"""

from __future__ import annotations

import struct
import subprocess
import sys
import textwrap
import time

import pytest

pytestmark = pytest.mark.chance

WORKER = """
    import mmap, random, sys, time
    from everwarm import Cache

    store, shared, seed, seconds, bound, deaf = sys.argv[1:]
    seed, seconds, bound = int(seed), float(seconds), float(bound)
    with open(shared, "r+b") as file:
        memory = memoryview(mmap.mmap(file.fileno(), 0))
    # One number is stored at once; `struct` would show zeros in between.
    numbers, times = memory.cast("q"), memory.cast("d")
    chance = random.Random(seed)
    cache = Cache(f"disk://{store}", namespace="shop")
    KEYS, WRITERS = (0, 1), 4
    mine = {key: 0 for key in KEYS}

    # For each process and key: the version it wrote last, and two floors with the times of both. A time is
    # written before its floor and read after it: at worst a floor seems younger than it is.
    def at(writer, key):
        return (writer * len(KEYS) + key) * 5

    def versions(key):
        return tuple(numbers[at(writer, key)] for writer in range(WRITERS))

    @cache(name="load", depends_on="nothing", tags=["all", "key:{key}"], index=["key"])
    def load(key: int) -> tuple[int, ...]:
        found = versions(key)
        if chance.random() < 0.3:
            time.sleep(chance.random() * 0.002)
        return found

    def in_a_unit(key):
        with cache.unit_of_work(mark_before=chance.random() < 0.5):
            load.invalidate_where(key=key)

    WRITES = [
        (load.invalidate, False),
        (lambda key: load.invalidate_where(key=key), False),
        (lambda key: cache.invalidate_tags(f"key:{key}"), False),
        (lambda key: cache.invalidate_tags("all"), True),
        (in_a_unit, False),
        (lambda key: load.clear(), True),
        (lambda key: cache.clear(), True),
    ]
    me = seed % WRITERS

    def write(key):
        verb, meets_all = chance.choice(WRITES)
        keys = KEYS if meets_all else (key,)
        for key_ in keys:
            mine[key_] += 1
            numbers[at(me, key_)] = mine[key_]
        if deaf == "no":
            verb(key)
        for key_ in keys:
            # The older floor stays until the younger one is as old as the bound.
            place = at(me, key_)
            if time.monotonic() - times[place + 4] > bound:
                times[place + 2], numbers[place + 1] = times[place + 4], numbers[place + 3]
                times[place + 4] = time.monotonic()
                numbers[place + 3] = mine[key_]

    def floors(key):
        now = time.monotonic()
        for writer in range(WRITERS):
            place = at(writer, key)
            old, young = numbers[place + 1], numbers[place + 3]
            since, when = times[place + 2], times[place + 4]
            floor = young if now - when > bound else old if now - since > bound else 0
            yield mine[key] if writer == me else floor

    reads, ends = 0, time.monotonic() + seconds
    while time.monotonic() < ends:
        key = chance.choice(KEYS)
        if chance.random() < 0.1:
            write(key)
        else:
            least = list(floors(key))
            value = load(key)
            reads += 1
            if any(found < floor for found, floor in zip(value, least)):
                print("wrong", key, value, least, flush=True)
        if chance.random() < 0.05:
            time.sleep(chance.random() * 0.01)
    stats = load.stats()
    print("reads", reads, "hits", stats.hits, "computations", stats.computations, flush=True)
"""


def play(path, seed, *, deaf="no", bound=1.5, seconds=4.0):
    """What the processes said."""
    shared = path / "versions"
    shared.write_bytes(struct.pack("qqdqd", 0, 0, 0.0, 0, time.monotonic()) * 8)
    command = [sys.executable, "-c", textwrap.dedent(WORKER), str(path / "store"), str(shared)]
    workers = [
        subprocess.Popen(
            [*command, str(seed + number), str(seconds), str(bound), deaf],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(4)
    ]
    told = [worker.communicate(timeout=120) for worker in workers]
    assert [worker.returncode for worker in workers] == [0] * 4, told
    return [line for out, _ in told for line in out.splitlines()]


@pytest.mark.once
@pytest.mark.parametrize("seed", range(0, 12, 4))
def test_c1_on_one_directory(tmp_path, seed):
    said = play(tmp_path, seed)
    assert [line for line in said if line.startswith("wrong")] == []
    assert all(int(line.split()[3]) > 0 for line in said), "there were hits"


@pytest.mark.once
def test_the_checker_sees_writes_that_do_nothing(tmp_path):
    said = play(tmp_path, 0, deaf="yes", seconds=0.5)
    assert [line for line in said if line.startswith("wrong")]
