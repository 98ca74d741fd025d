"""The pool of threads: bounded, lazy, and told of."""

from __future__ import annotations

import logging
import signal
import threading
from contextvars import ContextVar

import pytest
from everwarm import Cache, ConfigError, _background, background_stats
from everwarm._background import QUEUE, THREADS, submit

who = ContextVar("who", default="nobody")

PATIENCE = 20.0


def ended(pool):
    """Everything is done that was submitted."""
    with pool.changed:
        assert pool.changed.wait_for(lambda: not pool.queue and not pool.running, PATIENCE)
    return background_stats()


def test_work_is_done_on_a_daemon_thread_of_the_pool(pool):
    seen = []
    assert submit(lambda: seen.append(threading.current_thread()))
    stats = ended(pool)
    assert (stats.done, stats.failed, stats.refused) == (1, 0, 0)
    assert seen[0].daemon and seen[0].name == "everwarm-background"


def test_threads_are_used_again(pool):
    seen = set()
    for _ in range(50):
        submit(lambda: seen.add(threading.get_ident()))
        ended(pool)
    assert len(seen) == 1


def test_a_thread_without_work_ends(pool, monkeypatch):
    monkeypatch.setattr(_background, "_IDLE", 0.01)
    threads = []
    submit(lambda: threads.append(threading.current_thread()))
    ended(pool)
    threads[0].join(PATIENCE)
    assert not threads[0].is_alive() and pool.threads == 0
    submit(lambda: threads.append(threading.current_thread()))
    assert ended(pool).done == 2


def test_threads_and_queue_are_bounded_and_what_is_refused_is_counted(pool, held):
    for _ in range(THREADS):
        assert submit(held)
    held.has_begun(THREADS)
    seen = []
    for n in range(QUEUE):
        assert submit(lambda n=n: seen.append(n))
    assert not submit(lambda: seen.append("one too many"))
    stats = background_stats()
    assert (stats.running, stats.queued, stats.refused) == (THREADS, QUEUE, 1)
    assert pool.threads == THREADS
    held.go.set()
    assert ended(pool).done == THREADS + QUEUE
    assert sorted(seen) == list(range(QUEUE))


def test_work_of_work_that_is_waited_for_finds_a_thread(pool):
    """Nested to any depth, it cannot use the pool up."""

    def nested(depth):
        if depth:
            done = threading.Event()
            assert _background.start(lambda: (nested(depth - 1), done.set()), None)
            with _background.waiting():
                assert done.wait(PATIENCE)

    for _ in range(4):
        submit(lambda: nested(THREADS))
    stats = ended(pool)
    assert (stats.done, stats.failed) == (4 * (THREADS + 1), 0)


def test_the_context_is_copied_or_empty(pool):
    seen = []
    who.set("Ada")
    submit(lambda: (seen.append(who.get()), who.set("changed")))
    ended(pool)
    submit(lambda: seen.append(who.get()), context="empty")
    ended(pool)
    assert seen == ["Ada", "nobody"]
    assert who.get() == "Ada"


def test_work_is_no_part_of_the_computation_that_submits_it(pool):
    """So it may ask for the key that is being computed: it waits, and is no circle."""
    cache, seen = Cache(), []

    @cache
    def outer(x):
        submit(lambda: seen.append(outer(x)))
        while background_stats().running == 0 or outer.stats().followers == 0:
            assert outer.stats().cycles == 0
        return x

    assert outer(1) == 1
    ended(pool)
    assert seen == [1]


def test_an_error_is_counted_and_logged(pool, caplog):
    submit(lambda: 1 / 0)
    stats = ended(pool)
    assert (stats.done, stats.failed) == (1, 1)
    with caplog.at_level(logging.ERROR):
        submit(lambda: 1 / 0)
        ended(pool)
        _wait(lambda: caplog.records)
    assert caplog.records[-1].name == "everwarm"
    assert caplog.records[-1].exc_info[0] is ZeroDivisionError


@pytest.mark.proves("Cache.on_background_error")
def test_a_caches_listener_is_told_of_an_error(pool):
    told, heard = [], threading.Event()
    cache = Cache(on_background_error=lambda error: (told.append(error), heard.set()))
    submit(lambda: 1 / 0, owner=cache)
    assert heard.wait(5), "the listener was not told"
    assert [type(error) for error in told] == [ZeroDivisionError]


def test_a_listener_that_fails_harms_nobody(pool, caplog):
    def fails(error):
        raise LookupError

    cache = Cache(on_background_error=fails)
    submit(lambda: 1 / 0, owner=cache)
    _wait(lambda: caplog.records)
    seen = []
    submit(lambda: seen.append(1))
    ended(pool)
    assert seen == [1]


def test_a_listener_is_a_callable():
    with pytest.raises(ConfigError, match="on_background_error= takes a callable, not int\nhint: "):
        Cache(on_background_error=3)


def test_an_exit_in_work_ends_neither_thread_nor_process(pool):
    def leaves():
        raise SystemExit(3)

    submit(leaves)
    assert ended(pool).failed == 1
    seen = []
    submit(lambda: seen.append(1))
    ended(pool)
    assert seen == [1]


def test_work_can_be_taken_back_until_it_begins(pool, held):
    for _ in range(THREADS):
        submit(held)
    held.has_begun(THREADS)
    seen = []
    work = _background.start(lambda: seen.append(1), None)
    assert _background.withdraw(work) and not _background.withdraw(work)
    held.go.set()
    assert ended(pool).dropped == 1
    assert seen == []


def test_close_waits_for_the_work_of_its_cache_and_no_other(pool, held):
    mine, other, seen = Cache(), Cache(), []
    submit(held, owner=other)
    submit(held, owner=mine)
    held.has_begun(2)
    threading.Timer(0.05, lambda: (seen.append("go"), held.go.set())).start()
    mine.close()
    assert seen == ["go"]


def test_close_drops_what_has_not_begun(pool, held, monkeypatch):
    cache, other, seen = Cache(), Cache(), []
    for _ in range(THREADS):
        submit(held)
    held.has_begun(THREADS)
    submit(lambda: seen.append("mine"), owner=cache)
    submit(lambda: seen.append("other's"), owner=other)
    _background.join(cache, 0.01)
    assert background_stats().dropped == 1
    held.go.set()
    ended(pool)
    assert seen == ["other's"]


def test_work_that_closes_its_cache_does_not_wait_for_itself(pool):
    cache, done = Cache(), threading.Event()
    submit(lambda: (_background.join(cache, PATIENCE), done.set()), owner=cache)
    assert done.wait(PATIENCE / 2)


def test_a_wait_sees_signals(pool, held):
    cache = Cache()
    submit(held, owner=cache)
    held.has_begun()
    timer = threading.Timer(0.05, signal.pthread_kill, (threading.get_ident(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        _background.join(cache, PATIENCE)
    timer.join()


def test_a_crowd_of_threads_submits_and_nothing_is_lost(pool):
    seen, lock = [], threading.Lock()

    def work(n):
        with lock:
            seen.append(n)

    def submits(first):
        for n in range(first, first + 9):
            assert submit(lambda n=n: work(n))

    threads = [threading.Thread(target=submits, args=(9 * n,)) for n in range(100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    stats = ended(pool)
    assert sorted(seen) == list(range(900))
    assert (stats.done, stats.refused, stats.dropped) == (900, 0, 0)
    assert pool.threads <= THREADS


def _wait(condition):
    tick, deadline = threading.Event(), PATIENCE
    while not condition() and deadline > 0:
        tick.wait(0.005)
        deadline -= 0.005
    assert condition()
