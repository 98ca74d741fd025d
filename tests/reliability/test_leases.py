"""S2, S4: processes that want one value at once, and those whose leader is killed or frozen."""

from __future__ import annotations

import concurrent.futures
import contextlib
import statistics
import time

import pytest
from everwarm import Cache
from everwarm.testing import FaultProxy
from process import PATIENCE, TAKEOVER, Holder, Process
from servers import emptied, needed
from worlds import until

pytestmark = [pytest.mark.once, pytest.mark.timeout(240)]

REDIS = "EVERWARM_TEST_REDIS"
ROUNDS, PROCESSES, CALLERS = 30, 8, 50
COMPUTATION = 0.2
# How often a holder is replaced whose round the store has spoilt.
TRIES = 3
# More than a connection that is made anew hears before it is asked on.
ANSWERS = 20
# Beyond the computation, for who is served last of 400 callers; and what a loaded machine is given on top.
# All of them, in eight processes, are woken by one message, and run one after another on the machine's
# processors: the best round shows what the cache takes, the usual one what the machine takes as well.
OVERHEAD, LOADED = 0.1, 0.4

ASKING = """
import asyncio, sys, threading, time
from everwarm import Cache

url, callers = sys.argv[1], int(sys.argv[2])
shop = Cache([url], namespace="shop")
computed = []

@shop(name="slow", depends_on="nothing")
def slow(x):
    computed.append(x)
    time.sleep(COMPUTATION)
    return 2 * x

@shop(name="slow", depends_on="nothing")
async def later(x):
    computed.append(x)
    await asyncio.sleep(COMPUTATION)
    return 2 * x

got = []

def ask(barrier, x):
    barrier.wait()
    got.append(slow(x))

async def tasks(count, x):
    got.extend(await asyncio.gather(*(later(x) for _ in range(count))))

slow(-1), asyncio.run(later(-2))
print("ready", flush=True)
for line in sys.stdin:
    x = int(line)
    computed.clear(), got.clear()
    threads = callers // 5
    barrier = threading.Barrier(threads + 1)
    started = [threading.Thread(target=ask, args=(barrier, x)) for _ in range(threads)]
    for thread in started:
        thread.start()
    # All processes begin at a whole tenth of a second.
    time.sleep(0.3 - time.time() % 0.1)
    begun = time.monotonic()
    barrier.wait()
    asyncio.run(tasks(callers - threads, x))
    for thread in started:
        thread.join()
    took = time.monotonic() - begun
    assert got == [2 * x] * callers, got
    print(len(computed), took, flush=True)
stats = slow.stats().calls + later.stats().calls
assert stats == shop.stats().calls == shop.stats().hits + shop.stats().misses
"""


def test_processes_that_want_one_value_compute_it_once(ran):
    url = f"{emptied(needed(REDIS), 'shop')}"
    source = ASKING.replace("COMPUTATION", str(COMPUTATION))
    overheads = []
    with contextlib.ExitStack() as stack:
        asking = [stack.enter_context(Process(source, url, CALLERS)) for _ in range(PROCESSES)]
        assert [each.hears() for each in asking] == ["ready"] * PROCESSES
        for x in range(ROUNDS):
            for each in asking:
                each.tell(x)
            said = [each.hears().split() for each in asking]
            assert sum(int(computed) for computed, _ in said) == 1, f"computed {said}"
            overheads.append(max(float(took) for _, took in said) - COMPUTATION)
    usual = statistics.median(overheads)
    ran("S2", f"{ROUNDS} times", overhead=usual, longest=max(overheads), least=min(overheads))
    assert min(overheads) <= OVERHEAD and usual <= OVERHEAD + LOADED


def test_a_holder_that_is_gone_is_taken_over_once(ran):
    url, times = emptied(needed(REDIS), "shop"), 10
    cache = Cache([url], namespace="shop")
    computed = []

    @cache(name="slow", depends_on="nothing")
    def slow(x):
        computed.append(x)
        return 2 * x

    def taken_over(x):
        """How long it took after the holder of a key was gone; others ask for it as well.

        None where its store failed the holder, which then may have no lease, or those who asked: then they
        compute for themselves, nothing is taken over, and nothing newer is stored.
        """
        with Holder(url, "slow", x) as holder:
            begun = holder.killed() if x % 2 else holder.frozen()
            with concurrent.futures.ThreadPoolExecutor(3) as callers:
                assert list(callers.map(slow, [x] * 3)) == [2 * x] * 3
            took = time.monotonic() - begun
            newer, errors = slow.peek(x), cache.tiers()[-1].errors
            assert newer or errors, f"nothing was stored after {took} s"
            if x % 2 == 0:
                stored, store = holder.goes_on()
                assert stored == 0 or not newer, f"a late value was stored: {store}, after {took} s: {errors}"
        if holder.failures or not newer:
            return None
        assert slow.call(x).value == 2 * x
        return took

    def one(number):
        for x in range(number, TRIES * times, times):
            took = taken_over(x)
            if took is not None:
                return took
        raise AssertionError(f"the store failed {TRIES} times: {cache.tiers()}")

    with concurrent.futures.ThreadPoolExecutor(times) as rounds:
        took = list(rounds.map(one, range(times)))
    assert len(set(computed)) == len(computed) >= times, "one takeover for each"
    assert 3 < min(took) and max(took) < TAKEOVER
    ran("S4", f"{times} holders", shortest=min(took), longest=max(took), repeated=len(computed) - times)
    stats = slow.stats()
    assert stats.calls == stats.hits + stats.misses == 3 * len(computed) + times
    cache.close()


def test_a_holder_that_had_no_lease_stores_nothing():
    url = emptied(needed(REDIS), "shop")
    cache = Cache([url], namespace="shop")

    @cache(name="slow", depends_on="nothing")
    def slow(x):
        return 2 * x

    with FaultProxy(url) as proxy:
        proxy.hang()
        with Holder(proxy.url, "slow", 1) as holder:
            assert holder.failures > 0
            proxy.calm()
            holder.frozen()
            assert slow(1) == 2
            stored, store = holder.goes_on()
            assert stored == 0, f"a late value was stored: {store}"
    result = slow.call(1)
    assert (result.value, result.status) == (2, "hit")
    cache.close()


def test_an_answer_that_is_lost_ends_no_wait():
    url = emptied(needed(REDIS), "shop")
    with FaultProxy(url) as proxy:
        cache = Cache([proxy.url], namespace="shop")
        # So that each answer is counted.
        proxy.delay("1ms", way="down")

        @cache(name="slow", depends_on="nothing")
        def slow(x):
            return 2 * x

        def hears():
            count = proxy.count("delay") + ANSWERS
            until(lambda: proxy.count("delay") >= count or waiting.done())

        with Holder(url, "slow", 1) as holder, concurrent.futures.ThreadPoolExecutor(1) as callers:
            waiting = callers.submit(slow, 1)
            until(lambda: cache.tiers()[-1].misses == 1)
            hears()
            # Other connections than that on which is asked may be the one that is reset.
            while not cache.tiers()[-1].errors:
                proxy.reset(times=1)
                hears()
            stored, _ = holder.goes_on()
            assert stored == 1 and waiting.result(PATIENCE) == -1
        assert sum(cache.tiers()[-1].errors.values()) == 1
        cache.close()
