"""P1: a child that is forked while threads and loops compute and wait can do all that its parent can."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import textwrap
import urllib.request
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.timeout(120),
    pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here"),
]

PRELUDE = """
import asyncio, os, signal, sys, threading, time, warnings
from everwarm import Cache
from everwarm.testing import ManualClock

# CPython 3.12 and later warn of forks with threads, which is what these tests are about.
warnings.simplefilter("ignore", DeprecationWarning)

cache = Cache()

def child(work):
    # Forks; whether `work` went well in the child within its time.
    number = os.fork()
    if number == 0:
        # Ends a child that hangs; faulthandler's watchdog would itself hang in children of children.
        signal.alarm(20)
        code = 1
        try:
            work()
            code = 0
        except BaseException:
            import traceback
            traceback.print_exc()
        finally:
            os._exit(code)
    return number

def ended(number):
    _, status = os.waitpid(number, 0)
    assert os.waitstatus_to_exitcode(status) == 0, status

@cache
def echo(x):
    return [x]
"""


def script(body: str) -> str:
    return PRELUDE + textwrap.dedent(body)


def test_a_child_of_a_busy_parent_does_all_that_its_parent_can(run):
    run(
        script(
            """
            ended_all = threading.Event()

            @cache
            def held(x):
                ended_all.wait()
                return "held"

            @cache
            async def later(x):
                await asyncio.sleep(0)
                return [x]

            @cache
            async def held_later(x):
                while not ended_all.is_set():
                    await asyncio.sleep(0.001)
                return "held"

            @cache(ttl=0.5, tags=["soon"])
            def soon(x):
                return [x]

            def hammer(seed):
                n = seed
                while not ended_all.is_set():
                    n += 1
                    echo(n % 50)
                    soon(n % 50)
                    echo.invalidate(n % 50)
                    cache.invalidate_tags("soon")

            async def loop():
                async def reader(n):
                    while not ended_all.is_set():
                        await later(n % 7)
                        later.invalidate(n % 7)
                        n += 1
                await asyncio.gather(*(reader(n) for n in range(5)), *(held_later(1) for _ in range(3)))

            threads = [threading.Thread(target=hammer, args=(n * 100,)) for n in range(2)]
            threads += [threading.Thread(target=held, args=(1,)) for _ in range(3)]
            threads += [threading.Thread(target=asyncio.run, args=(loop(),)) for _ in range(2)]
            for thread in threads:
                thread.start()
            echo("kept")
            while held.stats().followers < 2 or held_later.stats().followers < 4:
                time.sleep(0.001)

            def work():
                # A hit of the parent's, and misses.
                assert echo("kept") == ["kept"]
                assert echo.stats().hits > 0
                for n in range(20):
                    assert echo(n) == [n]
                # The parent's leads run nowhere here: the child leads, and threads of its own follow.
                ended_all.set()
                before = held.stats()
                assert held(1) == "held"
                assert held.stats().followers == before.followers
                assert asyncio.run(held_later(1)) == "held"
                assert asyncio.run(later(3)) == [3]
                led = threading.Event()
                @cache
                def leads(x):
                    while leads.stats().followers < 3:
                        time.sleep(0.001)
                    return [x]
                own = [threading.Thread(target=leads, args=(1,)) for _ in range(4)]
                for thread in own:
                    thread.start()
                for thread in own:
                    thread.join()
                assert leads.stats().computations == 1
                # What is invalidated is gone, what expires too.
                echo.invalidate("kept")
                assert echo.peek("kept") is None
                cache.invalidate_tags("soon")
                echo.clear()
                soon("child")
                cache.clear()
                assert cache.stats().entries == 0

            for n in range(100):
                ended(child(work))
            ended_all.set()
            for thread in threads:
                thread.join()
            """
        )
    )


def test_the_sweeper_runs_in_the_child_too(run):
    run(
        script(
            """
            cache.set("inherited", 1, ttl=0.2)
            def sweepers():
                return sum(thread.name == "everwarm-sweeper" for thread in threading.enumerate())
            assert sweepers() == 1

            def work():
                cache.set("own", 1, ttl=0.2)
                assert sweepers() == 1
                until = time.monotonic() + 15
                while cache.stats().entries:
                    assert time.monotonic() < until
                    time.sleep(0.01)
                assert cache.stats().expired >= 2

            def inheriting():
                # Without any entry of its own the child lets go of what it has inherited.
                until = time.monotonic() + 15
                while cache.stats().entries:
                    assert time.monotonic() < until
                    time.sleep(0.01)

            children = [child(work), child(inheriting)]
            for number in children:
                ended(number)
            """
        )
    )


def test_a_lead_that_the_child_inherits_settles_to_nothing(run):
    run(
        script(
            """
            forked = []

            @cache
            def forks(x):
                number = os.fork()
                forked.append(number)
                return "child" if number == 0 else "parent"

            got = forks(1)
            if forked == [0]:
                # The child's value is its caller's alone: nobody else gets it, and its own calls begin anew.
                ok = got == "child" and forks.peek(1) is None
                os._exit(0 if ok else 1)
            ended(forked[0])
            assert got == "parent"
            assert forks.peek(1).value == "parent"
            assert forks(1) == "parent"
            """
        )
    )


def test_a_lead_that_is_awaited_and_that_the_child_inherits(run):
    run(
        script(
            """
            forked = []

            @cache
            async def forks(x):
                await asyncio.sleep(0)
                number = os.fork()
                forked.append(number)
                await asyncio.sleep(0)
                return "child" if number == 0 else "parent"

            def driven(coroutine):
                # A child has no running loop, so this is driven by hand.
                try:
                    while True:
                        coroutine.send(None)
                except StopIteration as stop:
                    return stop.value

            got = driven(forks(1))
            if forked == [0]:
                ok = got == "child" and forks.peek(1) is None and echo(1) == [1]
                os._exit(0 if ok else 1)
            ended(forked[0])
            assert got == "parent"
            assert forks.peek(1).value == "parent"
            """
        )
    )


def test_children_of_children_and_their_exit(run):
    run(
        script(
            """
            cache.set("soon", 1, ttl=60)
            def deeper(depth):
                assert echo("root") == ["root"]
                echo(depth)
                if depth:
                    ended(child(lambda: deeper(depth - 1)))
            echo("root")
            deeper(5)
            # A child that ends as an interpreter does, not by `os._exit`.
            number = os.fork()
            if number == 0:
                echo("child")
                sys.exit(5)
            _, status = os.waitpid(number, 0)
            assert os.waitstatus_to_exitcode(status) == 5
            """
        )
    )


@pytest.mark.parametrize("method", ["fork", "forkserver", "spawn"])
def test_multiprocessing(method, tmp_path):
    """Decorated functions of a module go to workers by name, and serve there."""
    (tmp_path / "pricing.py").write_text(
        textwrap.dedent(
            """
            import os
            from everwarm import cache

            @cache(ttl=60)
            def price(x):
                return os.getpid(), x

            @cache
            def plain(x):
                return x * 2

            def both(x):
                first = price(x)
                assert price(x) is first
                assert price.stats().hits > 0
                return plain(x)
            """
        )
    )
    (tmp_path / "main.py").write_text(
        textwrap.dedent(
            """
            import multiprocessing, sys, threading, warnings
            import pricing

            if __name__ == "__main__":
                warnings.simplefilter("ignore", DeprecationWarning)
                pricing.price(1)
                context = multiprocessing.get_context(sys.argv[1])
                with context.Pool(3) as pool:
                    assert pool.map(pricing.both, range(60)) == [x * 2 for x in range(60)]
                    assert pool.map(pricing.plain, range(60)) == [x * 2 for x in range(60)]
                process = context.Process(target=pricing.price, args=(1,))
                process.start()
                process.join()
                assert process.exitcode == 0
            """
        )
    )
    ended = _python(tmp_path, "main.py", method)
    assert (ended.returncode, ended.stderr) == (0, "")


def test_process_pools(tmp_path):
    (tmp_path / "main.py").write_text(
        textwrap.dedent(
            """
            import multiprocessing, sys, warnings
            from concurrent.futures import ProcessPoolExecutor
            from everwarm import cache

            @cache
            def double(x):
                return x * 2

            if __name__ == "__main__":
                warnings.simplefilter("ignore", DeprecationWarning)
                double(1)
                with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("fork")) as pool:
                    assert list(pool.map(double, range(30))) == [x * 2 for x in range(30)]
            """
        )
    )
    ended = _python(tmp_path, "main.py")
    assert (ended.returncode, ended.stderr) == (0, "")


def _python(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=_environment(folder),
        capture_output=True,
        text=True,
        timeout=60,
    )


def _environment(folder: Path) -> dict[str, str]:
    import everwarm

    packages = str(Path(everwarm.__file__).parent.parent)
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), packages])}


def test_gunicorn_with_preload(tmp_path):
    """Workers forked from an application that has filled its cache and has a sweeper."""
    gunicorn = Path(sys.executable).parent / "gunicorn"
    if not gunicorn.exists():
        assert not os.environ.get("CI") or os.environ.get("TESTS_CORE_ONLY"), (
            "CI must run this: gunicorn is missing"
        )
        pytest.skip("gunicorn is missing")
    (tmp_path / "shop.py").write_text(
        textwrap.dedent(
            """
            import os
            from everwarm import cache

            loaded = os.getpid()

            @cache(ttl=3600)
            def price(x):
                return f"{os.getpid()} {x}"

            price("before")

            def application(environ, start_response):
                path = environ["PATH_INFO"].strip("/")
                start_response("200 OK", [("Content-Type", "text/plain")])
                first, again = price(path), price(path)
                return [f"{loaded} {os.getpid()} {first} {first is again}".encode()]
            """
        )
    )
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        listener.listen()
        process = subprocess.Popen(
            [gunicorn, "--preload", "-w", "3", "--bind", f"fd://{listener.fileno()}", "shop:application"],
            cwd=tmp_path,
            env=_environment(tmp_path),
            pass_fds=[listener.fileno()],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            served = set()
            for n in range(120):
                loaded, worker, computed, x, same = _page(port, f"page{n % 10}")
                assert (computed, x, same) == (worker, f"page{n % 10}", "True")
                served.add(worker)
                # What was there before the fork is a hit in each worker.
                assert _page(port, "before")[2:] == [loaded, "before", "True"]
                if len(served) == 3:
                    break
        finally:
            process.terminate()
            out, _ = process.communicate(timeout=30)
    assert process.returncode == 0, out
    assert served, out
    assert "Traceback" not in out, out


def _page(port: int, path: str) -> list[str]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/{path}", timeout=30) as answer:
        return answer.read().decode().split()


def test_a_child_that_ends_as_any_interpreter_does_keeps_its_exit_code(run, tmp_path):
    # Half of them with a thread that computes, and each with a sweeper that has only just begun.
    run(
        script(
            """
            stores = ["memory://", f"disk://{sys.argv[1]}"]
            places = [Cache(), Cache(stores, namespace="forked")]
            over = threading.Event()

            def hammer(place):
                @place(name="busy", ttl=0.2, stale_while_revalidate=5, tags=["soon"])
                def busy(x):
                    return [x]
                n = 0
                while not over.is_set():
                    n += 1
                    busy(n % 50)
                    if n % 9 == 0:
                        place.invalidate_tags("soon")

            threads = [threading.Thread(target=hammer, args=(place,)) for place in places]
            for thread in threads:
                thread.start()

            def leave(n):
                # SystemExit passes out of the script.
                signal.alarm(20)
                place = places[n % 2]
                started = threading.Event()

                @place(name=f"last{n}", ttl=60)
                def last(x):
                    started.set()
                    while x:
                        time.sleep(0.001)
                    return [x]

                assert last(0) == [0]
                if n % 4 < 2:
                    threading.Thread(target=last, args=(1,), daemon=True).start()
                    started.wait()
                sys.exit(7)

            for n in range(40):
                number = os.fork()
                if number == 0:
                    leave(n)
                _, status = os.waitpid(number, 0)
                assert os.waitstatus_to_exitcode(status) == 7, (n, status)
            over.set()
            for thread in threads:
                thread.join()
            """
        ),
        str(tmp_path),
    )


@pytest.mark.parametrize("stores", ["memory://, disk://", "disk://"], ids=["memory", "bare"])
def test_a_child_of_a_parent_that_is_busy_on_disk_works(run, tmp_path, stores):
    run(
        script(
            """
            stores = sys.argv[1].replace("disk://", f"disk://{sys.argv[2]}").split(", ")
            shop, over = Cache(stores, namespace="forked"), threading.Event()

            @shop(name="slow", ttl="1m", tags=["soon"])
            def stored(x):
                return [x]

            @shop(name="later", ttl="1m")
            async def later(x):
                return [x]

            def hammer(n):
                while not over.is_set():
                    n += 1
                    assert stored(n % 50) == [n % 50]
                    stored.invalidate(n % 50)
                    shop.set("greeting", n)
                    if n % 9 == 0:
                        shop.invalidate_tags("soon")

            async def loop():
                n = 0
                while not over.is_set():
                    n += 1
                    assert await later(n % 7) == [n % 7]
                    later.invalidate(n % 7)

            threads = [threading.Thread(target=hammer, args=(n * 100,)) for n in range(3)]
            threads.append(threading.Thread(target=asyncio.run, args=(loop(),)))
            shop.set("greeting", 0)
            for thread in threads:
                thread.start()

            def work():
                for n in range(10):
                    assert stored(n) == [n]
                assert asyncio.run(later(3)) == [3]
                key = f"own-{os.getpid()}"
                shop.set(key, 1)
                assert shop.incr(key) == 2 and shop.get(key) == 2
                stored.invalidate(1)
                assert stored(1) == [1] and shop.get("greeting") is not None
                assert not shop.tiers()[-1].errors, shop.tiers()

            for n in range(100):
                ended(child(work))
            over.set()
            for thread in threads:
                thread.join()
            assert not shop.tiers()[-1].errors, shop.tiers()
            """
        ),
        stores,
        str(tmp_path / "store"),
    )


def test_a_sweeper_that_begins_when_the_exit_has_rung_keeps_nobody_waiting(run):
    run(
        textwrap.dedent(
            """
            import threading
            from everwarm import _sweeper

            _sweeper._PERIOD = 60.0
            _sweeper._ending = True
            sweeper = threading.Thread(target=_sweeper._run, daemon=True)
            sweeper.start()
            sweeper.join(10)
            assert not sweeper.is_alive()
            """
        )
    )
