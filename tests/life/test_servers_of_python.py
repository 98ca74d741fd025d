"""P1: real servers of Python over Redis, whose workers come from a process that has live connections."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
import urllib.request
import uuid
from importlib.util import find_spec
from pathlib import Path

import pytest
from conftest import loud_skip
from servers import emptied, needed

pytestmark = [pytest.mark.timeout(120), pytest.mark.libraries]

# What each application says of one page: who loaded it, who answers, and who computed the page.
SHOP = """
import asyncio, os, sys
from everwarm import Cache

loaded = os.getpid()
shop = Cache(os.environ["SHOP_URL"], namespace=os.environ["SHOP_NAMESPACE"])

@shop(name="page", ttl="1h")
def page(path: str) -> str:
    return f"{os.getpid()} {path}"

@shop(name="later", ttl="1h")
async def later(path: str) -> str:
    await asyncio.sleep(0.001)
    return f"{os.getpid()} {path}"

def told(found):
    return f"{loaded} {os.getpid()} {found}"
"""


@pytest.fixture
def environment(tmp_path):
    """The environment of a server whose application is `shop` and which has a namespace of its own."""
    import everwarm

    server = needed("EVERWARM_TEST_REDIS")
    namespace = f"life-{uuid.uuid4().hex[:8]}"
    packages = str(Path(everwarm.__file__).parent.parent)
    path = os.pathsep.join([str(tmp_path), packages, os.environ.get("PYTHONPATH", "")])
    yield {
        **os.environ,
        "PYTHONPATH": path.rstrip(os.pathsep),
        "SHOP_URL": f"{server}?timeout=5s",
        "SHOP_NAMESPACE": namespace,
    }
    emptied(server, namespace)


class Served:
    """A server that runs, and answers on a port."""

    def __init__(self, command, environment, folder):
        if find_spec(command[0]) is None:
            loud_skip(f"{command[0]} is missing")
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen()
            self.port = listener.getsockname()[1]
            descriptor = listener.fileno()
            self._process = subprocess.Popen(
                [sys.executable, "-m", *(word.format(descriptor=descriptor) for word in command)],
                cwd=folder,
                env=environment,
                pass_fds=[descriptor],
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )

    def page(self, path):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/{path}", timeout=60) as answer:
            return answer.read().decode().split()

    def end(self):
        """What it has said, once it has ended as it is told to."""
        self._process.send_signal(signal.SIGTERM)
        try:
            said, _ = self._process.communicate(timeout=30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            said, _ = self._process.communicate()
            pytest.fail(f"it does not end:\n{said}")
        assert "Traceback" not in said, said
        return self._process.returncode


def share(served, pages):
    """Asks for pages until each of two workers has answered: whoever computed one, all have the same."""
    computed, workers = {}, set()
    end = time.monotonic() + 60
    while len(workers) < 2 or len(computed) < pages:
        assert time.monotonic() < end, (workers, computed)
        for number in range(pages):
            loaded, worker, by, path = served.page(f"page{number}")
            assert path == f"page{number}" and by == computed.setdefault(path, by), "it was computed twice"
            workers.add(worker)
    assert set(computed.values()) <= workers
    return loaded, workers


def test_gunicorn_forks_workers_from_an_application_that_is_loaded(environment, tmp_path):
    (tmp_path / "shop.py").write_text(
        SHOP
        + textwrap.dedent(
            """
            assert page("before") == f"{loaded} before" and shop.ping()

            def application(environ, start_response):
                start_response("200 OK", [("Content-Type", "text/plain")])
                return [told(page(environ["PATH_INFO"].strip("/"))).encode()]
            """
        )
    )
    command = ["gunicorn", "--preload", "-w", "2", "--bind", "fd://{descriptor}", "shop:application"]
    served = Served(command, environment, tmp_path)
    loaded, workers = share(served, 10)
    assert loaded not in workers
    # What was there before the fork is a hit in each worker.
    assert served.page("before")[2:] == [loaded, "before"]
    assert served.end() == 0


def test_uvicorn_spawns_workers_with_loops_of_their_own(environment, tmp_path):
    (tmp_path / "shop.py").write_text(
        SHOP
        + textwrap.dedent(
            """
            async def application(scope, receive, send):
                assert scope["type"] == "http"
                found = told(await later(scope["path"].strip("/")))
                headers = [(b"content-type", b"text/plain")]
                await send({"type": "http.response.start", "status": 200, "headers": headers})
                await send({"type": "http.response.body", "body": found.encode()})
            """
        )
    )
    command = ["uvicorn", "--workers", "2", "--fd", "{descriptor}", "--lifespan", "off", "shop:application"]
    served = Served(command, environment, tmp_path)
    share(served, 10)
    served.end()


def test_celery_forks_workers_from_a_process_that_has_connections(environment, tmp_path):
    if find_spec("celery") is None:
        loud_skip("celery is missing")
    # Who works and who asks share folders instead of a broker.
    for folder in ("queue", "results"):
        (tmp_path / folder).mkdir()
    (tmp_path / "shop.py").write_text(
        SHOP
        + textwrap.dedent(
            """
            from celery import Celery

            app = Celery("shop", broker="filesystem://", backend=f"file://{os.getcwd()}/results")
            folders = {"data_folder_in": "queue", "data_folder_out": "queue", "processed_folder": "queue"}
            app.conf.update(broker_transport_options={**folders, "control_folder": "queue"})
            page("before")
            shop.ping()

            @app.task
            def told_of(path):
                return told(page(path)) + " " + told(asyncio.run(later(path)))
            """
        )
    )
    options = ["--pool", "prefork", "-c", "2", "-l", "WARNING", "--without-gossip", "--without-mingle"]
    worker = subprocess.Popen(
        [sys.executable, "-m", "celery", "-A", "shop", "worker", *options, "--without-heartbeat"],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    asking = """
    from shop import told_of
    sent = [told_of.delay(f"page{number % 5}") for number in range(20)]
    for result in sent:
        print(result.get(timeout=60))
    """
    try:
        asked = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(asking)],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=90,
        )
        assert asked.returncode == 0, asked.stderr
    finally:
        worker.send_signal(signal.SIGTERM)
        said, _ = worker.communicate(timeout=60)
    assert worker.returncode == 0 and "Traceback" not in said, said
    lines = [line.split() for line in asked.stdout.splitlines()]
    assert len(lines) == 20
    computed = {}
    for loaded, answered, by, path, *_, by_later, path_later in lines:
        assert loaded != answered and path == path_later
        assert computed.setdefault(path, (by, by_later)) == (by, by_later), "it was computed twice"


@pytest.mark.parametrize("method", ["fork", "forkserver", "spawn"])
def test_multiprocessing(method, environment, tmp_path):
    """Each of its ways to begin a process, from one that has connections and a loop that has used them."""
    (tmp_path / "shop.py").write_text(SHOP)
    (tmp_path / "main.py").write_text(
        textwrap.dedent(
            """
            import asyncio, multiprocessing, sys, warnings
            from shop import later, page, shop

            def both(number):
                return page(f"page{number % 5}"), asyncio.run(later(f"page{number % 5}"))

            if __name__ == "__main__":
                warnings.simplefilter("ignore", DeprecationWarning)
                first = both(0)
                with multiprocessing.get_context(sys.argv[1]).Pool(3) as pool:
                    found = pool.map(both, range(30), chunksize=1)
                assert found[0] == first and len(set(found)) == 5, found
                assert both(1) == found[1] and shop.ping()
                print("done")
            """
        )
    )
    ended = subprocess.run(
        [sys.executable, "main.py", method],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=90,
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "done\n", "")
