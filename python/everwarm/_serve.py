"""`everwarm serve`: any store behind HTTP, from this process, until it is told to end."""

from __future__ import annotations

import argparse
import os
import signal
from typing import Any

from everwarm import _native, _url
from everwarm._errors import ConfigError

_ROOM = {"max_entries": "10000", "max_bytes": "", "eviction": "adaptive"}


def add_to(commands: Any) -> None:
    """Adds the command to those of a parser."""
    parser = commands.add_parser(
        "serve",
        help="serve a store over HTTP",
        description="Serves a store over HTTP until it is interrupted or terminated. Clients name it by its "
        'URL: Cache("http://host:8080").',
    )
    parser.set_defaults(run=run)
    add = parser.add_argument
    add(
        "--store", default="memory://", metavar="URL", help="the store: disk:///dir, redis://host (memory://)"
    )
    add("--listen", default="127.0.0.1:8080", metavar="HOST:PORT", help="where to listen (127.0.0.1:8080)")
    token = parser.add_mutually_exclusive_group()
    token.add_argument("--token-env", metavar="NAME", help="the variable that has the token, or several")
    token.add_argument("--token-file", metavar="PATH", help="the file that has the token, or one a line")
    add("--open", action="store_true", help="let everybody ask who can connect, without a token")
    add("--certificate", metavar="PATH", help="encrypt: the server's certificate and those above it, in PEM")
    add("--key", metavar="PATH", help="the key of the certificate, in PEM")
    add("--max-body", default="64MiB", metavar="SIZE", help="how large a value may be, at most (64MiB)")
    add(
        "--connections", type=int, default=1024, metavar="COUNT", help="how many, at most; others wait (1024)"
    )
    add("--grace", default="10s", metavar="TIME", help="how long answers may take once it is to end (10s)")


def run(said: argparse.Namespace) -> None:
    """Serves until a signal says that it is to end."""
    grace = _native.seconds(said.grace) or 0.0
    # A byte stays until it is read. A signal just before a thread waits for a lock would not be seen.
    told, tells = os.pipe()
    os.set_blocking(tells, False)
    signal.set_wakeup_fd(tells, warn_on_full_buffer=False)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    server = start(said)
    print(f"serving {_url.shown(said.store)} at {server.url}", flush=True)
    os.read(told, 1)
    server.end(grace)


def start(said: argparse.Namespace) -> Any:
    """The server that a command line says.

    Raises ``ConfigError`` for what cannot be meant, ``StoreError`` where store or address cannot be had.
    """
    if (said.certificate is None) != (said.key is None):
        raise ConfigError("a certificate needs its key, and the key its certificate\nhint: give both of them")
    if said.connections < 1:
        raise ConfigError("connections is a number of at least 1\nhint: write `--connections 1024`")
    identity = None if said.certificate is None else (said.certificate, said.key)
    most = _native.size("--max-body", said.max_body), said.connections
    access = _tokens(said), said.open, identity
    return _native.serve((said.store, said.listen), _room(said.store), access, most)


def _room(store: str) -> tuple[object, object, object] | None:
    """What a store in memory may hold; None for another store, whose URL is checked."""
    if not store.startswith("memory:"):
        _native.check_store(store)
        return None
    place, options = _url.parted(store)
    if place != "memory://":
        raise ConfigError('memory has no host and no path\nhint: write `"memory://?max_entries=100"`')
    for name in options:
        if name not in _ROOM:
            raise ConfigError(_native.unknown_option(name, list(_ROOM)))
    told = {**_ROOM, **options}
    entries = told["max_entries"]
    whole = int(entries) if entries.isascii() and entries.isdigit() else entries
    return whole, told["max_bytes"] or None, told["eviction"]


def _tokens(said: argparse.Namespace) -> list[str]:
    """The tokens, of which a request has to have one."""
    if said.token_env is not None:
        text = os.environ.get(said.token_env, "")
        where = f"the variable {said.token_env}"
    elif said.token_file is not None:
        where = f"the file {said.token_file}"
        try:
            with open(said.token_file, encoding="utf-8") as file:
                text = file.read()
        except OSError as error:
            raise ConfigError(f"{where} cannot be read: {error.strerror}\nhint: name another one") from None
    else:
        return []
    tokens = text.split()
    if not tokens:
        raise ConfigError(f"{where} has no token\nhint: put one there, such as `openssl rand -hex 32` gives")
    return tokens
