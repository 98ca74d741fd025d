"""The scripts that start servers for tests: all of them answer, and nothing is left of them."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import time
from pathlib import Path

import pytest
from conftest import loud_skip
from everwarm.testing import open_store
from project import ROOT

pytestmark = pytest.mark.once

SCRIPTS = ROOT / "scripts" / "servers"
UNAVAILABLE = 69


@pytest.fixture
def room():
    """A directory for temporary files whose name is short: sockets lie below it."""
    made = Path(tempfile.mkdtemp(prefix="ew"))
    yield made
    for left in made.glob("everwarm-servers.*"):
        script("down", left)
    shutil.rmtree(made)


def script(name, *words, env=None):
    command = [str(SCRIPTS / name), *map(str, words)]
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=120, check=False)


def up(room, *kinds):
    """The variables that `up` prints."""
    done = script("up", *kinds, env={**os.environ, "TMPDIR": str(room)})
    if done.returncode == UNAVAILABLE:
        loud_skip(done.stderr.strip())
    assert done.returncode == 0, done.stderr
    return dict(re.findall(r"^export (\w+)='([^']*)'$", done.stdout, re.MULTILINE))


def processes(room):
    """The command lines of the processes that run with files of that directory."""
    listed = subprocess.run(
        ["ps", "-ww", "-ax", "-o", "command="], capture_output=True, text=True, check=True
    )
    return [line for line in listed.stdout.splitlines() if f"{room}/" in line]


def says(servers, *words):
    """What redis-cli prints."""
    command = [servers["REDIS_CLI"], "--no-auth-warning", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False).stdout.strip()


def hosts(url):
    """The hosts of a URL that has several."""
    return [host.rpartition(":") for host in url.split("//")[1].split("/")[0].split(",")]


def test_all_servers_answer_and_none_is_left(room):
    servers = up(room)
    kinds = ("POSTGRES", "MARIADB", "MARIADB_APART", "MOTO", "DYNALITE")
    there = [kind for kind in kinds if f"EVERWARM_TEST_{kind}" in servers]
    stand_in = 2 * ("EVERWARM_TEST_MONGODB" in servers)
    assert len(processes(room)) == 1 + 1 + 6 + 6 + 4 + len(there) + stand_in

    assert says(servers, "-u", servers["EVERWARM_TEST_REDIS"], "ping") == "PONG"
    assert says(servers, "-s", servers["EVERWARM_TEST_REDIS_UNIX"].partition("://")[2], "ping") == "PONG"

    tls = ["--cacert", servers["EVERWARM_TEST_REDIS_CA"], "-u", servers["EVERWARM_TEST_REDIS_TLS"]]
    assert says(servers, *tls, "ping") == "PONG"
    assert "NOPERM" in says(servers, *tls, "keys", "*")
    assert "NOAUTH" in says(servers, *tls[:3], re.sub("//.*@", "//", tls[3]), "ping")
    certificate = ["--cert", servers["EVERWARM_TEST_REDIS_CERT"], "--key", servers["EVERWARM_TEST_REDIS_KEY"]]
    assert says(servers, *tls, *certificate, "ping") == "PONG"

    nodes = hosts(servers["EVERWARM_TEST_REDIS_CLUSTER"])
    assert len(nodes) == 6
    for _, _, port in nodes:
        assert says(servers, "-c", "-p", port, "set", f"key {port}", port) == "OK"
    told = [says(servers, "-p", port, "cluster", "nodes") for _, _, port in nodes]
    assert all(len(re.findall(r"\bmaster\b.*connected", text)) == 3 for text in told)

    url = servers["EVERWARM_TEST_REDIS_SENTINEL"]
    name = url.split("/")[-2]
    masters = {
        says(servers, "-p", port, "sentinel", "get-master-addr-by-name", name) for _, _, port in hosts(url)
    }
    assert len(hosts(url)) == 3 and len(masters) == 1
    assert "connected_slaves:2" in says(servers, "-p", masters.pop().split()[1], "info", "replication")

    url = servers["EVERWARM_TEST_MEMCACHED_SEVERAL"].partition("?")[0]
    for _, _, port in hosts(url):
        assert meta(port, b"mn") == b"MN"
    assert len(hosts(url)) == 3 and servers["EVERWARM_TEST_MEMCACHED"] in url
    assert "?ca=" in servers["EVERWARM_TEST_MEMCACHED_TLS"]

    done = script("down", env={**os.environ, **servers})
    assert done.returncode == 0, done.stderr
    assert processes(room) == [] and list(room.iterdir()) == []


def meta(port, command):
    """What a Memcached at a port says to a command."""
    with socket.create_connection(("127.0.0.1", int(port)), 10) as connection:
        connection.sendall(command + b"\r\n")
        return connection.recv(100).strip()


@pytest.mark.parametrize("kind", ["postgres", "mariadb", "mongodb"])
def test_a_database_that_was_killed_starts_again_and_has_forgotten_nothing(room, kind):
    servers = up(room, kind)
    server = Path(servers["EVERWARM_TEST_SERVERS"], kind, "one")

    def asked():
        url = servers[f"EVERWARM_TEST_{kind.upper()}"]
        store = open_store(f"{url}{'&' if '?' in url else '?'}connect_timeout=10s")
        try:
            return store.incr("starts", 1)
        finally:
            store.close()

    assert asked() == 1
    os.kill(int((server / "pid").read_text()), signal.SIGKILL)
    again = script("again", server)
    assert again.returncode == 0, again.stderr
    assert asked() == 2
    assert script("down", servers["EVERWARM_TEST_SERVERS"]).returncode == 0
    assert processes(room) == [] and list(room.iterdir()) == []


def test_a_server_that_was_killed_starts_again_and_one_that_is_frozen_ends(room):
    servers = up(room, "redis")
    server = Path(servers["EVERWARM_TEST_SERVERS"], "redis", "one")
    assert says(servers, "-u", servers["EVERWARM_TEST_REDIS"], "set", "a", "1") == "OK"
    os.kill(int((server / "pid").read_text()), signal.SIGKILL)
    assert script("again", server).returncode == 0
    assert says(servers, "-u", servers["EVERWARM_TEST_REDIS"], "get", "a") == ""
    assert says(servers, "-u", servers["EVERWARM_TEST_REDIS"], "ping") == "PONG"
    assert script("again", server).returncode == 1

    os.kill(int((server / "pid").read_text()), signal.SIGSTOP)
    assert script("down", servers["EVERWARM_TEST_SERVERS"]).returncode == 0
    assert processes(room) == [] and list(room.iterdir()) == []


def test_a_memcached_that_was_killed_starts_again_at_its_port(room):
    servers = up(room, "memcached")
    server = Path(servers["EVERWARM_TEST_SERVERS"], "memcached", "one")
    port = servers["EVERWARM_TEST_MEMCACHED"].rpartition(":")[2]
    assert meta(port, b"ms a 1\r\nb") == b"HD"
    assert script("again", server).returncode == 1
    os.kill(int((server / "pid").read_text()), signal.SIGKILL)
    assert script("again", server).returncode == 0
    assert meta(port, b"mg a") == b"EN"
    assert script("down", servers["EVERWARM_TEST_SERVERS"]).returncode == 0
    assert processes(room) == [] and list(room.iterdir()) == []


def program(file, text):
    file.write_text(text)
    file.chmod(file.stat().st_mode | stat.S_IXUSR)
    return str(file)


def silent(room):
    """An environment whose servers run and never answer."""
    server = program(room / "server", "#!/bin/sh\nwhile :; do sleep 1; done\n")
    return {**os.environ, "TMPDIR": str(room), "REDIS_SERVER": server, "REDIS_CLI": "false"}


def test_nothing_is_left_of_servers_that_do_not_start(room):
    done = script("up", env={**silent(room), "SERVERS_PATIENCE": "1"})
    assert (done.returncode, done.stdout) == (1, ""), done.stderr
    assert "did not start" in done.stderr
    assert processes(room) == [] and [file.name for file in room.iterdir()] == ["server"]


def test_nothing_is_left_when_the_start_is_interrupted(room):
    begun = subprocess.Popen(
        [SCRIPTS / "up"], env=silent(room), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    deadline = time.monotonic() + 30
    while sum("redis.conf" in line for line in processes(room)) < 4:
        assert begun.poll() is None and time.monotonic() < deadline
    begun.send_signal(signal.SIGTERM)
    printed = begun.communicate(timeout=30)
    assert (begun.returncode, printed[0]) == (143, b"")
    assert processes(room) == [] and [file.name for file in room.iterdir()] == ["server"]


def test_where_there_is_no_redis_it_is_said(room):
    for tool in ("bash", "dirname", "env"):
        found = shutil.which(tool)
        assert found is not None
        (room / tool).symlink_to(found)
    done = script("up", env={"PATH": str(room), "HOME": str(room), "SERVERS_CACHE": str(room / "no")})
    assert done.returncode == UNAVAILABLE
    assert "no redis-server" in done.stderr and "hint: " in done.stderr


def test_what_is_not_known_is_refused(room):
    assert "hint: redis guarded" in script("up", "oracle").stderr
    (room / "precious").mkdir()
    done = script("down", room / "precious")
    assert done.returncode == 1 and "not made by" in done.stderr
    assert (room / "precious").exists()
