"""What an attacker has who can listen to a Redis server and publish there: one connection, in its words."""

from __future__ import annotations

import re
import socket
import time
from urllib.parse import urlsplit


class Wire:
    """A connection to a server that is asked in its own words."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.socket = socket.create_connection((parts.hostname, parts.port), 10)
        self.seen = b""

    def send(self, *words: str | bytes) -> None:
        """Sends a command."""
        encoded = [word.encode() if isinstance(word, str) else word for word in words]
        bulk = b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in encoded)
        self.socket.sendall(b"*%d\r\n%s" % (len(encoded), bulk))

    def listen(self, span: float = 0.05) -> bytes:
        """All that has come so far, and comes until it has been silent for so long."""
        self.socket.settimeout(span)
        try:
            while chunk := self.socket.recv(1 << 16):
                self.seen += chunk
        except TimeoutError:
            pass
        return self.seen

    def until(self, awaited: bytes) -> bytes:
        """All that has come once this is there."""
        end = time.monotonic() + 10
        while awaited not in self.listen():
            assert time.monotonic() < end, self.seen
        return self.seen

    def messages(self) -> list[tuple[bytes, bytes]]:
        """Channel and content of the messages that came to a subscriber by pattern."""
        pattern = rb"pmessage\r\n\$\d+\r\n[^\r]*\r\n\$\d+\r\n([^\r]*)\r\n\$\d+\r\n([^\r]*)\r\n"
        return re.findall(pattern, self.listen())

    def close(self) -> None:
        self.socket.close()
