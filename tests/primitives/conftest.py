"""What the tests of locks, semaphores and limiters share: both worlds, and the places where they lie."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import textwrap
import threading

import pytest
from everwarm import Cache, Timeout
from everwarm.testing import open_store


class Sync:
    """Verbs as threads call them."""

    def __call__(self, verb, *args, **keywords):
        return verb(*args, **keywords)

    def inside(self, thing, body):
        with thing as entered:
            return body(entered)


class Async:
    """The same verbs, awaited."""

    def __call__(self, verb, *args, **keywords):
        return asyncio.run(getattr(verb.__self__, "a" + verb.__name__)(*args, **keywords))

    def inside(self, thing, body):
        async def main():
            async with thing as entered:
                return body(entered)

        return asyncio.run(main())


@pytest.fixture(params=[Sync, Async], ids=["sync", "async"])
def do(request):
    return request.param()


@pytest.fixture
def refusal():
    """What the ``Timeout`` of an attempt says; nothing if it does not end."""

    def of(attempt):
        said = []

        def run():
            try:
                attempt()
            except Timeout as error:
                said.append(str(error))

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        thread.join(5)
        return "".join(said)

    return of


PLACES = {
    "memory": lambda clock, path: None,
    "tiered": lambda clock, path: ["memory://", open_store("memory://", clock=clock)],
    "disk": lambda clock, path: ["memory://", open_store(f"disk://{path}/store", clock=clock)],
}


@pytest.fixture(params=PLACES)
def cache(request, clock, tmp_path):
    """A cache whose store reads the manual clock, too."""
    made = Cache(PLACES[request.param](clock, tmp_path), clock=clock, namespace="shop")
    yield made
    made.close()


class Program:
    """Python code in a process of its own."""

    def __init__(self, code, *arguments):
        command = [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )

    def line(self):
        """What it prints next."""
        return self.process.stdout.readline().strip()

    def end(self):
        """What else it prints until it has ended."""
        said = self.process.communicate(timeout=120)[0].strip()
        assert self.process.returncode == 0
        return said

    def kill(self):
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def start():
    """Starts programs, and sees to their end."""
    programs = []

    def begin(code, *arguments):
        programs.append(Program(code, *arguments))
        return programs[-1]

    yield begin
    for program in programs:
        if program.process.poll() is None:
            program.kill()
