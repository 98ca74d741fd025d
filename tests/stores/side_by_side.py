"""Processes that run a script at once."""

from __future__ import annotations

import subprocess
import sys
import textwrap


def run(script, *arguments, count=1):
    """What as many processes print that run a script at once."""
    code = textwrap.dedent(script)
    command = [sys.executable, "-c", code, *map(str, arguments)]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(count)]
    printed = []
    try:
        for process in started:
            printed.append(process.communicate(timeout=60)[0].split())
            assert process.returncode == 0
    finally:
        for process in started:
            process.kill()
            process.communicate()
    return printed
