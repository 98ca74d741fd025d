"""``from_redis_py``: a tier on the server that a client of redis-py is connected to.

The client itself is not used, and its library not imported: what it was told is read from it.
"""

from __future__ import annotations

from everwarm import _native, _url
from everwarm._errors import ConfigError, Unsupported
from everwarm._load import load
from everwarm._tier import Tier

# What is read of a client's options, and must not be left out without a word.
_KEPT_OUT = {
    "decode_responses": "values are bytes here",
    "retry": "a read is done once more, by the layer of that name",
    "retry_on_error": "a read is done once more, by the layer of that name",
    "retry_on_timeout": "a read is done once more, by the layer of that name",
    "socket_timeout": "`timeout=` bounds an operation, 50 ms if left out",
    "socket_connect_timeout": "a connection is made within a second",
    "client_name": "connections have no name",
    "health_check_interval": "connections are looked at as they are used",
    "redis_connect_func": "nothing of yours runs on a connection",
    "connection_class": "nothing of yours runs on a connection",
    "ssl_ciphers": "those of the system's TLS library are used",
    "ssl_min_version": "it is 1.2",
    "ssl_check_hostname": "the certificate must have the name of the host",
}
# What says nothing: it is off, or as the library has it.
_UNSAID = {
    "decode_responses": (False,),
    "retry_on_error": ([],),
    "retry_on_timeout": (False,),
    "socket_timeout": (5,),
    "socket_connect_timeout": (5,),
    "client_name": ("",),
    "health_check_interval": (0,),
    "ssl_check_hostname": (True,),
}
# What would be another connection without it.
_NEEDED = {
    "ssl_ca_path": "name one file with all authorities: `ssl_ca_certs=`",
    "ssl_ca_data": "write the authorities into a file, and name that: `ssl_ca_certs=`",
    "ssl_password": "give the key without a password, in a file that only this user may read",
    "ssl_validate_ocsp": "leave it out",
    "ssl_validate_ocsp_stapled": "leave it out",
    "ssl_include_verify_flags": "leave it out: revoked certificates are the system's to refuse",
    "ssl_exclude_verify_flags": "leave it out",
}
# What a cluster's client was told that would be other connections.
_OF_CLUSTERS = {
    "read_from_replicas": "leave it out: replicas are not read here",
    "load_balancing_strategy": "leave it out: replicas are not read here",
    "address_remap": "have the servers announce addresses that can be reached: `cluster-announce-ip`",
}


def from_redis_py(client, *, hear=None, connect_timeout=None, **options):
    """A ``Tier`` on the server, the Sentinel or the cluster that a client of redis-py was told of.

    * ``client``: a ``redis.Redis``, ``redis.RedisCluster``, their twins of ``redis.asyncio``, or what
      ``Sentinel.master_for(...)`` gives. It is not used, and may be closed.
    * ``hear``, ``connect_timeout``: as in a URL, ``"tracking"`` and ``"2s"`` for instance.
    * ``options``: those of a ``Tier``, such as ``timeout="100ms"``.

    Host, port, database, user, password, socket, certificates, sentinels and the cluster's servers are taken
    over. What has no meaning here, such as ``decode_responses``, is named in the log ``everwarm``.

    Raises ``ConfigError`` for what is no such client, ``Unsupported`` where it would be another connection:
    for a credential provider, for replicas, and for servers that are not verified.

    >>> from everwarm import Cache, from_redis_py
    >>> class Pool:                                  # stands in for that of `redis.Redis(host="cache", db=2)`
    ...     connection_kwargs = {"host": "cache", "port": 6379, "db": 2, "password": "secret"}
    ...     connection_class = object
    >>> class Client:
    ...     connection_pool = Pool()
    >>> from_redis_py(Client(), timeout="100ms").timeout
    0.1
    """
    nodes, pool = getattr(client, "nodes_manager", None), getattr(client, "connection_pool", None)
    if nodes is not None:
        url = _of_cluster(client, nodes)
    elif hasattr(pool, "sentinel_manager"):
        url = _of_sentinel(client, pool)
    elif hasattr(pool, "connection_kwargs"):
        url = _of_server(client, pool)
    else:
        raise ConfigError(
            f"from_redis_py takes a client of redis-py, not {type(client).__name__}\n"
            'hint: pass the `redis.Redis(...)` itself; of Sentinel what `master_for("name")` gives'
        )
    asked = {"hear": hear, "connect_timeout": connect_timeout}
    url = _url.joined(url, {name: value for name, value in asked.items() if value is not None})
    _native.check_store(url)
    return Tier(url, **options)


def _of_server(client, pool):
    said = _Said(client, {**pool.connection_kwargs, "connection_class": pool.connection_class})
    is_encrypted = _speaks_tls(pool.connection_class)
    path, options = said.get("path"), said.tls() if is_encrypted else {}
    user = said.user()
    if path is not None:
        options = {"db": said.get("db") or 0}
        url = f"redis+unix://{user}{_quoted(path, '/')}"
    else:
        scheme = "rediss" if is_encrypted else "redis"
        url = f"{scheme}://{user}{said.address()}/{said.get('db') or 0}"
    return said.finished(url, options)


def _of_sentinel(client, pool):
    if not pool.is_master:
        raise Unsupported(
            "this client reads from replicas, which are not read here\n"
            f'hint: pass what `master_for("{pool.service_name}")` gives'
        )
    said = _Said(client, pool.connection_kwargs)
    pools = [sentinel.connection_pool for sentinel in pool.sentinel_manager.sentinels]
    first = _Said(client, pools[0].connection_kwargs)
    is_encrypted = _speaks_tls(pool.connection_class)
    if is_encrypted != _speaks_tls(pools[0].connection_class):
        raise Unsupported(
            "the sentinels and the servers are not both encrypted, which one connection cannot be\n"
            "hint: use TLS with both, or with neither"
        )
    options = {**said.tls(), "tls": "true"} if is_encrypted else {}
    name, password = first.credentials()
    if password is not None:
        options["sentinel_password"] = password
        if name is not None:
            options["sentinel_username"] = name
    hosts = ",".join(_Said(client, each.connection_kwargs).address() for each in pools)
    place = f"{hosts}/{_quoted(pool.service_name)}/{said.get('db') or 0}"
    return said.finished(f"redis+sentinel://{said.user()}{place}", options)


def _of_cluster(client, nodes):
    for name, hint in _OF_CLUSTERS.items():
        if getattr(client, name, None) or getattr(nodes, name, None):
            raise _unlike(name, type(client).__name__, hint)
    given = getattr(nodes, "connection_kwargs", None)
    given = client.connection_kwargs if given is None else given
    # Its own way to begin a connection is none of its user's.
    said = _Said(client, {name: value for name, value in given.items() if name != "redis_connect_func"})
    is_encrypted = bool(said.get("ssl")) or _speaks_tls(said.get("connection_class"))
    options = {**said.tls(), "tls": "true"} if is_encrypted else {}
    places = list(nodes.startup_nodes.values())
    hosts = ",".join(_address(node.host, node.port) for node in places)
    return said.finished(f"redis+cluster://{said.user()}{hosts}", options)


class _Said:
    """The options that a client was given."""

    def __init__(self, client, options):
        self._name = type(client).__name__
        self._options = options

    def get(self, name):
        return self._options.get(name)

    def address(self):
        return _address(self.get("host") or "localhost", self.get("port") or 6379)

    def credentials(self):
        """User and password; each may be None."""
        provider = self.get("credential_provider")
        if provider is not None:
            # One of the library's has but what it was given; others may have something else each time.
            if type(provider).__name__ != "UsernamePasswordCredentialProvider":
                raise Unsupported(
                    f"nobody could ask the {type(provider).__name__} of this {self._name} for credentials\n"
                    "hint: give a user with a password that stays, in the URL of a store"
                )
            return _text(provider.username) or None, _text(provider.password)
        return _text(self.get("username")), _text(self.get("password"))

    def user(self):
        """Who asks, as URLs have it."""
        name, password = self.credentials()
        if name is None and password is None:
            return ""
        # Of a user who needs no password any is taken.
        return f"{_quoted(name or '')}:{_quoted(password or '')}@"

    def tls(self):
        """The options of an encrypted connection, as URLs have them."""
        # To the library None is a wish, too.
        if self._options.get("ssl_cert_reqs", "required") in (None, "none", 0):
            raise self._unverified()
        for name, hint in _NEEDED.items():
            if self.get(name):
                raise _unlike(name, self._name, hint)
        cert = self.get("ssl_certfile")
        key = self.get("ssl_keyfile") or cert
        found = {"ca": self.get("ssl_ca_certs"), "cert": cert, "key": key if cert else None}
        return {name: str(path) for name, path in found.items() if path}

    def _unverified(self):
        return Unsupported(
            f"this {self._name} does not verify its server, and here that is always done\n"
            "hint: name who signed the certificate: `ssl_ca_certs=`"
        )

    def finished(self, url, options):
        """The URL; what is left out of it is told."""
        left = [name for name in _KEPT_OUT if self._says(name)]
        if left:
            load("everwarm._report").left_out(self._name, [(name, _KEPT_OUT[name]) for name in left])
        return _url.joined(url, options)

    def _says(self, name):
        value = self.get(name)
        # Those of the library are there in every client.
        if name == "retry":
            return value is not None and not _is_its_own(type(value))
        if name == "connection_class":
            return value is not None and not _is_its_own(value)
        return value is not None and value not in _UNSAID.get(name, ())


def _unlike(option, client, hint):
    return Unsupported(f"{option} of this {client} has no likeness here\nhint: {hint}")


def _is_its_own(kind):
    return getattr(kind, "__module__", "").partition(".")[0] in ("redis", "valkey", "builtins")


def _speaks_tls(kind):
    return "SSL" in getattr(kind, "__name__", "")


def _address(host, port):
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _quoted(text, kept=""):
    from urllib.parse import quote

    return quote(text, safe=kept)


def _text(given):
    return given.decode() if isinstance(given, bytes) else None if given is None else str(given)
