"""Redis servers whose wall clocks are off by as many seconds as a file `jump` beside what they keep says."""

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


def movable(directory):
    """The environment of such servers; where no compiler is, the test is left out."""
    compiler = shutil.which("cc")
    if compiler is None or sys.platform != "linux":
        pytest.skip("there is no C compiler here, or no Linux")
    source, library = directory / "jump.c", directory / "jump.so"
    source.write_text(SOURCE)
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    return {**os.environ, "LD_PRELOAD": str(library)}


def set_off(place, seconds):
    """Has the clock of the server that keeps its files there be off by so much, from now on."""
    aside = place / "jump.new"
    aside.write_text(str(seconds))
    aside.rename(place / "jump")
