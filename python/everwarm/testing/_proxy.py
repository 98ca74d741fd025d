"""A TCP proxy in front of a server, in which connections suffer what networks do to them."""

from __future__ import annotations

from collections import namedtuple
from urllib.parse import urlsplit, urlunsplit

from everwarm import _native
from everwarm._errors import Closed, ConfigError

# Where a URL has no port.
_PORTS = {"redis": 6379, "rediss": 6379}


class Deed(namedtuple("Deed", "after connection way fault bytes")):
    """A fault that has befallen.

    * ``after``: seconds since the proxy's start.
    * ``connection``: its number, from 1; 0 for the proxy itself.
    * ``way``: ``"up"`` to the server, ``"down"`` to the client, None for what has no direction.
    * ``fault``: the name of the method.
    * ``bytes``: how many it was about.
    """

    __slots__ = ()


class FaultProxy:
    """A TCP proxy in front of the server of a URL, on a free port of this machine; for a ``with`` block.

    * ``url``: of one server, such as ``"redis://127.0.0.1:6379"``; other schemes than Redis's need a port.
    * ``seed``: the same seed does the same, where connections come in the same order and their bytes are read
      in the same chunks. A chunk is what is read from a socket at once.

    Give ``proxy.url`` to what is tested. Without faults the proxy passes on what it gets. Each method that is
    named after a fault puts it in force, beside the others and in the place of one of its kind and direction:

    * ``way``: ``"up"`` for bytes to the server, ``"down"`` for those to the client; both unless given.
    * ``chance``: how likely it befalls a chunk, a reply or a connection, from 0 to 1.
    * ``times``: how often at most.

    The proxy runs on a thread of its own, outside the interpreter: it disturbs neither loops nor timing.
    What goes by ways that it does not know of passes it by: the addresses that a Redis Cluster or Sentinel
    tells its clients are those of the servers themselves.

    Raises ``ConfigError`` for a URL or a fault that cannot be meant, ``OSError`` if there is no port or the
    server's name is not known, ``Closed`` when it is used after ``close()``. The idea is from Shopify's
    Toxiproxy (2014).

    >>> import socket
    >>> from everwarm.testing import FaultProxy
    >>> server = socket.create_server(("127.0.0.1", 0))
    >>> with FaultProxy("tcp://127.0.0.1:%d" % server.getsockname()[1]) as proxy:
    ...     client, (peer, _) = socket.create_connection(proxy.address), server.accept()
    ...     proxy.corrupt(times=1)
    ...     client.sendall(b"hello")
    ...     peer.recv(5) == b"hello", proxy.count("corrupt")
    (False, 1)
    >>> for one in (client, peer, server):
    ...     one.close()
    """

    __slots__ = ("_proxy", "_url")

    def __init__(self, url, *, seed=0):
        if type(seed) is not int or not 0 <= seed < 1 << 64:
            raise ConfigError("seed is a whole number from 0 on, below 2**64\nhint: write `seed=1`")
        parts = urlsplit(url)
        user, at, host = parts.netloc.rpartition("@")
        try:
            port = parts.port or _PORTS.get(parts.scheme)
        except ValueError:
            port = None
        if not parts.hostname or not port or "," in host:
            raise ConfigError(
                "a proxy stands before one server, of which the URL has to say host and port\n"
                'hint: write it as "redis://127.0.0.1:6379"'
            )
        self._proxy = _native.Proxy(parts.hostname, port, seed)
        self._url = urlunsplit(parts._replace(netloc=f"{user}{at}127.0.0.1:{self._proxy.port}"))

    def __enter__(self):
        return self

    def __exit__(self, *raised):
        self.close()

    def close(self):
        """Ends all connections, and the proxy."""
        self._proxy.close()

    @property
    def url(self):
        """The URL that was given, with the proxy's address in the place of the server's."""
        return self._url

    @property
    def address(self):
        """Host and port of the proxy."""
        return "127.0.0.1", self._proxy.port

    def delay(self, by, *, jitter=None, way=None, chance=1.0, times=None):
        """A chunk is sent later by ``by``, and by up to ``jitter`` more or less. The order stays."""
        by, jitter = _span("by", by), _span("jitter", jitter)
        self._set("delay", by=by, jitter=jitter, way=way, chance=chance, times=times)

    def bandwidth(self, per_second, *, way=None, chance=1.0, times=None):
        """No more than ``per_second`` bytes get through in a second."""
        self._set("bandwidth", per_second=per_second, way=way, chance=chance, times=times)

    def slices(self, of=1, *, apart=None, way=None, chance=1.0, times=None):
        """A chunk is sent in slices of so many bytes, each by itself and ``apart`` from the one before."""
        self._set("slices", of=of, apart=_span("apart", apart), way=way, chance=chance, times=times)

    def truncate(self, *, way=None, chance=1.0, times=None):
        """A chunk loses its end, somewhere, and the connection is closed."""
        self._set("truncate", way=way, chance=chance, times=times)

    def freeze(self, *, way=None, chance=1.0, times=None):
        """Nothing gets through; what was sent meanwhile arrives when it is lifted."""
        self._set("freeze", way=way, chance=chance, times=times)

    def half_open(self, *, way=None, chance=1.0, times=None):
        """What is sent is lost and nobody is told: the connection stays open, and silent for good."""
        self._set("half_open", way=way, chance=chance, times=times)

    def reset(self, *, way=None, chance=1.0, times=None):
        """A connection is reset instead of passing on a chunk; ``disconnect`` does not wait for one."""
        self._set("reset", way=way, chance=chance, times=times)

    def corrupt(self, *, way=None, chance=1.0, times=None):
        """A chunk has one bit flipped."""
        self._set("corrupt", way=way, chance=chance, times=times)

    def swap(self, *, chance=1.0, times=None):
        """Two replies of a Redis server that follow each other on a connection change places."""
        self._set("swap", chance=chance, times=times)

    def cut(self, after, *, way=None, chance=1.0, times=None):
        """A connection is reset when ``after`` bytes have passed it in one direction."""
        self._set("cut", after=after, way=way, chance=chance, times=times)

    def refuse(self):
        """Connections are refused, as if nothing listened; those that are open go on."""
        self._set("refuse")

    def hang(self, *, chance=1.0, times=None):
        """Connections are taken, and nothing more; they go on when it is lifted."""
        self._set("hang", chance=chance, times=times)

    def lift(self, fault):
        """Lifts one kind of fault, by the name of its method."""
        self._tell(f"lift {fault}")

    def calm(self):
        """Lifts all faults.

        What was held or late goes on at once; what is lost stays lost, a half-open connection silent.
        """
        self._tell("calm")

    def disconnect(self):
        """Resets all open connections, and waits until they are."""
        self._tell("disconnect")

    def count(self, fault):
        """How often a fault has befallen, by the name of its method."""
        return int(self._tell(f"count {fault}"))

    def log(self):
        """What has befallen, oldest first; the latest 10,000."""
        found = []
        for line in self._tell("log").splitlines()[1:]:
            after, connection, way, fault, size = line.split()
            found.append(Deed(float(after), int(connection), None if way == "-" else way, fault, int(size)))
        return found

    @property
    def connections(self):
        """How many connections are open."""
        return int(self._tell("connections"))

    @property
    def accepted(self):
        """How many connections there have been."""
        return int(self._tell("accepted"))

    def _set(self, fault, **terms):
        said = "".join(f" {key}={value}" for key, value in terms.items() if value is not None)
        self._tell(f"set {fault}{said}")

    def _tell(self, line):
        answer = self._proxy.tell(line)
        if answer is None:
            raise Closed("the proxy is closed\nhint: use it inside its `with` block")
        status, _, rest = answer.partition(" ")
        if status == "error":
            raise ConfigError(
                f"{rest}\nhint: faults have the names of methods, chance is from 0 to 1, times and sizes are "
                'whole numbers, way is "up" or "down"'
            )
        return rest

    def __repr__(self):
        return f"<FaultProxy on 127.0.0.1:{self._proxy.port}>"


def _span(keyword, duration):
    """A duration in the proxy's words; None if there is none."""
    return None if duration is None else f"{_native.span(keyword, duration):.9f}s"
