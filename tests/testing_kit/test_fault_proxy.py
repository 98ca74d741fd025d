"""Connections that suffer: each fault as a client sees it, through the methods that users have."""

from __future__ import annotations

import os
import socket
import threading
import time
from urllib.parse import urlsplit

import everwarm
import pytest
from everwarm import Closed, ConfigError
from everwarm.testing import FaultProxy
from servers import needed

PATIENT = 20
SILENCE = 0.06


class Echo:
    """A server that sends back what it hears."""

    def __init__(self):
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"tcp://127.0.0.1:{self._listener.getsockname()[1]}"
        self._threads = [threading.Thread(target=self._serve, daemon=True)]
        self._threads[0].start()

    def _serve(self):
        while True:
            try:
                peer, _ = self._listener.accept()
            except OSError:
                return
            self._threads.append(threading.Thread(target=self._answer, args=(peer,), daemon=True))
            self._threads[-1].start()

    def _answer(self, peer):
        with peer:
            try:
                while data := peer.recv(65536):
                    peer.sendall(data)
            except ConnectionError:
                pass

    def close(self):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(PATIENT)


@pytest.fixture
def server():
    made = Echo()
    yield made
    made.close()


@pytest.fixture
def proxy(server):
    with FaultProxy(server.url, seed=1) as made:
        yield made


class Client:
    """A connection through a proxy."""

    def __init__(self, proxy):
        self.socket = socket.create_connection(proxy.address, timeout=PATIENT)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self):
        return self

    def __exit__(self, *raised):
        self.socket.close()

    def hear(self, count):
        """So many bytes, or fewer and then the end."""
        heard = b""
        while len(heard) < count:
            some = self.socket.recv(count - len(heard))
            if not some:
                break
            heard += some
        return heard

    def ask(self, data, count=None):
        self.socket.sendall(data)
        return self.hear(len(data) if count is None else count)

    def silent(self, data):
        """Whether nothing comes back."""
        self.socket.sendall(data)
        self.socket.settimeout(SILENCE)
        try:
            self.socket.recv(1)
        except TimeoutError:
            return True
        finally:
            self.socket.settimeout(PATIENT)
        return False


def differ(one, other):
    """How many bits differ."""
    return sum(bin(a ^ b).count("1") for a, b in zip(one, other, strict=True))


def test_without_faults_bytes_pass(proxy):
    with Client(proxy) as client:
        assert client.ask(b"hello") == b"hello"
        assert (proxy.connections, proxy.accepted, proxy.log()) == (1, 1, [])


@pytest.mark.proves("delay.way", "delay.jitter")
def test_delay_jitters_one_way(proxy):
    proxy.delay("40ms", jitter="40ms", way="down")
    with Client(proxy) as client:
        took = []
        for _ in range(10):
            begun = time.monotonic()
            assert client.ask(b"a") == b"a"
            took.append(time.monotonic() - begun)
    assert {deed.way for deed in proxy.log()} == {"down"}
    assert proxy.count("delay") == 10
    assert min(took) < 0.03 < max(took)


def test_bandwidth(proxy):
    proxy.bandwidth(10_000, way="up")
    with Client(proxy) as client:
        begun = time.monotonic()
        assert client.ask(b"a" * 1_000) == b"a" * 1_000
        assert time.monotonic() - begun >= 0.09


@pytest.mark.proves("slices.apart")
def test_slices(proxy):
    proxy.slices(2, apart=0.1, way="down")
    with Client(proxy) as client:
        begun = time.monotonic()
        assert client.ask(b"0123456789") == b"0123456789"
        assert time.monotonic() - begun >= 0.4


def test_truncate_and_cut_end_the_connection(proxy):
    proxy.truncate(way="down")
    with Client(proxy) as client:
        heard = client.ask(b"0123456789")
        assert len(heard) < 10 and b"0123456789".startswith(heard)
        assert proxy.log()[-1][2:] == ("down", "truncate", 10 - len(heard))
    proxy.calm()
    proxy.cut(4)
    with Client(proxy) as client, pytest.raises(ConnectionResetError):
        client.ask(b"0123456789")
        client.socket.recv(1)
    assert proxy.count("cut") == 1


def test_freeze_and_half_open(proxy):
    with Client(proxy) as client, Client(proxy) as other:
        proxy.freeze()
        assert client.silent(b"a")
        proxy.lift("freeze")
        assert client.hear(1) == b"a"
        proxy.half_open(way="down")
        assert client.silent(b"b")
        proxy.calm()
        assert client.silent(b"c")
        assert other.ask(b"d") == b"d"
    assert (proxy.count("freeze"), proxy.count("half_open")) == (1, 1)


@pytest.mark.proves("reset.times")
def test_reset_and_disconnect(proxy):
    proxy.reset(times=1)
    with Client(proxy) as client, pytest.raises(ConnectionResetError):
        client.ask(b"a")
    with Client(proxy) as client:
        try:
            assert client.ask(b"a") == b"a"
        except ConnectionResetError:
            pytest.fail("it was reset more than once")
        proxy.disconnect()
        assert proxy.connections == 0
        with pytest.raises(ConnectionResetError):
            client.socket.recv(1)


@pytest.mark.proves("corrupt.way", "corrupt.chance", "FaultProxy.seed")
def test_corrupt_by_chance_and_seed(server):
    def run(seed):
        with FaultProxy(server.url, seed=seed) as proxy, Client(proxy) as client:
            proxy.corrupt(way="up", chance=0.3)
            heard = [client.ask(b"abc") for _ in range(100)]
            assert {deed.way for deed in proxy.log()} == {"up"}
            assert sum(differ(one, b"abc") for one in heard) == proxy.count("corrupt")
            assert 15 < proxy.count("corrupt") < 50
            return heard

    assert run(1) == run(1)
    assert run(1) != run(2)


def test_swap(proxy):
    proxy.swap(times=1)
    with Client(proxy) as client:
        assert client.ask(b"+one\r\n+two\r\n") == b"+two\r\n+one\r\n"
    assert proxy.count("swap") == 1


def test_refuse_and_hang(proxy):
    proxy.refuse()
    with pytest.raises(ConnectionRefusedError):
        Client(proxy)
    proxy.calm()
    proxy.hang()
    with Client(proxy) as client:
        assert client.silent(b"a")
        proxy.lift("hang")
        assert client.hear(1) == b"a"
    assert (proxy.count("refuse"), proxy.count("hang")) == (1, 1)


def test_the_url_is_the_servers_with_the_proxys_address(server):
    port = urlsplit(server.url).port
    with FaultProxy(f"redis://user:secret@127.0.0.1:{port}/3?timeout=1s") as proxy:
        host, own = proxy.address
        assert proxy.url == f"redis://user:secret@{host}:{own}/3?timeout=1s"
        assert "secret" not in repr(proxy)


@pytest.mark.parametrize(
    "url", ["", "redis://", "tcp://127.0.0.1", "redis://a:1,b:2/0", "redis+unix:///a.sock", "redis://a:port"]
)
def test_a_url_without_one_server_is_refused(url):
    with pytest.raises(ConfigError, match="\nhint: "):
        FaultProxy(url)


def test_what_cannot_be_meant_is_refused(proxy):
    for call in (
        lambda: proxy.corrupt(chance=2),
        lambda: proxy.corrupt(times=-1),
        lambda: proxy.corrupt(way="left"),
        lambda: proxy.slices(0),
        lambda: proxy.bandwidth(0.5),
        lambda: proxy.delay("soon"),
        lambda: proxy.lift("rain"),
        lambda: proxy.count("rain"),
        lambda: FaultProxy("tcp://127.0.0.1:1", seed=-1),
    ):
        with pytest.raises(ConfigError, match="\nhint: "):
            call()


def test_closing_ends_everything_and_says_so(server):
    proxy = FaultProxy(server.url)
    with Client(proxy) as client:
        assert client.ask(b"a") == b"a"
        proxy.close()
        assert client.hear(1) == b""
    with pytest.raises(ConnectionRefusedError):
        Client(proxy)
    with pytest.raises(Closed, match="\nhint: "):
        proxy.calm()
    proxy.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_forked_child_lets_go_of_it(proxy):
    with Client(proxy) as client:
        assert client.ask(b"a") == b"a"
        child = os.fork()
        if child == 0:
            proxy.close()
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        assert client.ask(b"b") == b"b"


def test_it_goes_on_while_the_interpreter_is_busy(proxy):
    """The client's timing is the proxy's, not that of other threads."""
    ended = threading.Event()
    busy = [threading.Thread(target=lambda: [None for _ in iter(ended.is_set, True)]) for _ in range(2)]
    for thread in busy:
        thread.start()
    try:
        with Client(proxy) as client:
            assert client.ask(b"a" * 100_000) == b"a" * 100_000
    finally:
        ended.set()
        for thread in busy:
            thread.join()


class TestWithRedis:
    """The same in front of a real server."""

    @pytest.fixture
    def proxy(self):
        with FaultProxy(needed("EVERWARM_TEST_REDIS"), seed=1) as made:
            yield made

    def test_replies_change_places(self, proxy):
        proxy.swap(times=1)
        with Client(proxy) as client:
            assert client.ask(b"ECHO one\r\nECHO two\r\n", 18) == b"$3\r\ntwo\r\n$3\r\none\r\n"

    def test_it_freezes(self, proxy):
        with Client(proxy) as client:
            assert client.ask(b"PING\r\n", 7) == b"+PONG\r\n"
            proxy.freeze()
            assert client.silent(b"PING\r\n")
            proxy.calm()
            assert client.hear(7) == b"+PONG\r\n"


def test_the_name_is_public():
    assert "FaultProxy" in everwarm.testing.__all__
