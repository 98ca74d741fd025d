"""Processes whose wall clock is off by so many seconds as the file `jump` in their directory says."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest

# What stands before the system's own, and changes what it says of the time of day.
SOURCE = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static long jump(void) {
    char said[32] = {0};
    int file = open("jump", O_RDONLY);
    if (file < 0) return 0;
    ssize_t got = read(file, said, sizeof said - 1);
    close(file);
    return got > 0 ? atol(said) : 0;
}

int clock_gettime(clockid_t id, struct timespec *now) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int said = real(id, now);
    if (id == CLOCK_REALTIME) now->tv_sec += jump();
    return said;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    struct timespec exact;
    int said = clock_gettime(CLOCK_REALTIME, &exact);
    now->tv_sec = exact.tv_sec;
    now->tv_usec = exact.tv_nsec / 1000;
    return said;
}
"""

# One that has its own jump, by decades: what is cached is no older and no younger for it.
SCRIPT = """
import os, sys, time
from pathlib import Path
from everwarm import Cache

os.chdir(sys.argv[2])

def jump(seconds):
    before = time.time()
    Path("jump").write_text(str(seconds))
    assert abs(time.time() - before) > 1e6, "the clock has not jumped"

shop = Cache([sys.argv[1]], namespace="shop")
memory = Cache()
policy = {"name": "double", "ttl": "1h", "depends_on": "nothing"}
functions = [cache(**policy)(lambda x: 2 * x) for cache in (shop, memory)]

def are_hits(x):
    for function in functions:
        found = function.call(x)
        assert (found.value, found.status) == (2 * x, "hit"), found
        assert 0 <= found.age < 60 and 3500 < found.ttl <= 3600, found

for function in functions:
    function(1)
are_hits(1)
for x, seconds in (2, 10**9), (3, -10**9):
    jump(seconds)
    are_hits(1)
    for function in functions:
        function(x)
    are_hits(x)
jump(0)
for x in (1, 2, 3):
    are_hits(x)
"""


def movable(directory):
    """The environment of such processes; where no compiler is, the test is left out."""
    compiler = shutil.which("cc")
    if compiler is None or sys.platform != "linux":
        pytest.skip("there is no C compiler here, or no Linux")
    source, library = directory / "jump.c", directory / "jump.so"
    source.write_text(SOURCE)
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    return {**os.environ, "LD_PRELOAD": str(library)}


def set_off(place, seconds):
    """Has the clock of the server that runs there be off by so much, from now on."""
    aside = place / "jump.new"
    aside.write_text(str(seconds))
    aside.rename(place / "jump")
