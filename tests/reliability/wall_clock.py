"""A process whose wall clock jumps by as many seconds as its variable JUMP says."""

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
#include <stdlib.h>
#include <time.h>

int clock_gettime(clockid_t id, struct timespec *now) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int said = real(id, now);
    const char *jump = getenv("JUMP");
    if (id == CLOCK_REALTIME && jump) now->tv_sec += atol(jump);
    return said;
}
"""

SCRIPT = """
import os, sys, time
from everwarm import Cache

def jump(seconds):
    before = time.time()
    os.environ["JUMP"] = str(seconds)
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


def jumping(directory):
    """The environment of a process whose wall clock jumps; where no compiler is, the test is left out."""
    compiler = shutil.which("cc")
    if compiler is None or sys.platform != "linux":
        pytest.skip("there is no C compiler here, or no Linux")
    source, library = directory / "jump.c", directory / "jump.so"
    source.write_text(SOURCE)
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    return {**os.environ, "LD_PRELOAD": str(library)}
