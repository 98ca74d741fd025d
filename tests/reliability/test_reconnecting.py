"""N6: fifty processes lose their server at once, and do not come back all at once."""

from __future__ import annotations

import os
import selectors
import socket
import threading
import time

import pytest
from process import Process

pytestmark = [
    pytest.mark.once,
    pytest.mark.timeout(240),
    pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here"),
]

PROCESSES = 50
AWAY = 2.0
WINDOW = 0.1
# For a loaded machine, which may see late what came in time.
RECOVERY, SLACK = 5.0, 10.0

STORM = """
import os, signal, sys, time
from everwarm import Cache

url, count = sys.argv[1], int(sys.argv[2])
shop = Cache([url], namespace="shop")

@shop(name="double", ttl="1m")
def double(x):
    return 2 * x

double(0)
children = []
for number in range(count):
    child = os.fork()
    if child == 0:
        signal.alarm(60)
        x, was, ended = number * 1_000_000, None, 0
        while True:
            x += 1
            double(x)
            now = double.call(x).status == "hit"
            if now != was:
                os.write(1, b"%d %s\\n" % (number, b"well" if now else b"alone"))
                was = now
            time.sleep(0.05)
    children.append(child)
sys.stdin.readline()
for child in children:
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
"""


class Door:
    """Stands at a server's port while it is away: takes who knocks, sends them off, and notes when."""

    def __init__(self, port):
        self.knocks = []
        self._listener = socket.socket()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        end = time.monotonic() + 20
        while True:
            try:
                self._listener.bind(("127.0.0.1", port))
                break
            except OSError:
                assert time.monotonic() < end
                time.sleep(0.005)
        self._listener.listen(1024)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._take)
        self._thread.start()

    def _take(self):
        with selectors.DefaultSelector() as selector:
            selector.register(self._listener, selectors.EVENT_READ)
            while not self._over.is_set():
                if selector.select(0.05):
                    self._listener.accept()[0].close()
                    self.knocks.append(time.monotonic())

    def end(self):
        self._over.set()
        self._thread.join()
        self._listener.close()


def most_within(window, moments):
    """The most of these moments that lie within one window."""
    most = first = 0
    for last, moment in enumerate(moments):
        while moment - moments[first] > window:
            first += 1
        most = max(most, last - first + 1)
    return most


def awaited(storm, state):
    """Reads what the processes say until all of them are in this state; how long it took."""
    begun, states = time.monotonic(), {}
    while len(states) < PROCESSES or set(states.values()) != {state}:
        number, now = storm.hears().split()
        states[number] = now
    return time.monotonic() - begun


def test_fifty_processes_come_back_apart(server, ran):
    with Process(STORM, server.url, PROCESSES) as storm:
        awaited(storm, "well")
        server.kill()
        door = Door(server.port)
        time.sleep(AWAY)
        door.end()
        server.start()
        took = awaited(storm, "well")
        storm.tell("enough")
        assert storm.end() == (0, "")
    knocks = door.knocks
    most = most_within(WINDOW, [moment for moment in knocks if moment > knocks[0] + 0.5])
    ran("N6", f"{PROCESSES} processes", attempts=len(knocks), most=most, recovery=took)
    assert took < RECOVERY + SLACK
    assert len(knocks) > PROCESSES / 2, "nobody has tried"
    # One connection of each knocks, and once a second at last; that all do so at once would be a wave.
    assert most < PROCESSES
