"""The table of failures: what users are promised in each situation.

``scripts/failures.py`` makes a page of it. The tests of ``test_failures`` are its rows, each under the
name of the situation.
"""

from __future__ import annotations

# Each situation: what the caller gets, and within which bound.
TABLE = {
    "store down at start, dies mid-call, comes back": (
        "the computed value, and no exception",
        "50 ms for each operation until the breaker opens, nothing after; used again within 5 s",
    ),
    "store slow (brown-out)": (
        "the computed value, or the old one where there is one",
        "slow calls open the breaker",
    ),
    "half-open or frozen connection": (
        "the computed value; the connection is replaced",
        "two time limits of an operation",
    ),
    "failover, resharding, READONLY, LOADING, OOM, MOVED, ASK, NOSCRIPT, authentication or TLS failure": (
        "the computed value; the failure is counted by its kind. MOVED, ASK and NOSCRIPT are no failures. "
        "What a failover lost is never served by the process that invalidated or deleted it",
        "50 ms for each operation until the breaker opens; used again within 5 s",
    ),
    "set fails (disk full, too large, read-only, not encodable)": (
        "the value, which is not stored; counted, and logged once with a hint",
        "–",
    ),
    "another process stands still in the midst of a write to `disk:`": (
        "what is stored, from a read that waits for nothing; else the computed value, not stored and counted",
        "one wait of 50 ms for the process until somebody writes again",
    ),
    "corrupt, truncated, foreign, unknown-version, wrong-key entry": (
        "a miss; counted by what is wrong. What a later version wrote is left as it is by whoever reads it",
        "–",
    ),
    "tampered entry under encryption": (
        'a miss, counted as `tampered`; `on_tamper="raise"` raises, and keeps the evidence',
        "–",
    ),
    "leader raises": (
        "each follower gets that error once; nothing is stored unless `negative_ttl` says so",
        "–",
    ),
    "leader cancelled, killed, frozen": (
        "the value, from who takes over; a late value of the former leader is refused",
        "at once in one process; among processes the lease's 5 s and one more",
    ),
    "lease store down": (
        "one computation for each key in the process, and no more at once than `max_computations`; "
        "than 64 of a cache, where that is not said",
        "–",
    ),
    "waiting too long": (
        "the old value where there is one, else the call computes for itself",
        "`wait_timeout`",
    ),
    "bus down or gap": (
        "nothing that is older than the bound: memory lets go of what it cannot confirm",
        "2 s",
    ),
    "key cannot be built": ("`TypeError` at the call, which says what to add", "–"),
    "tenant missing": ("the computed value, past the cache, and counted; `strict` raises", "–"),
    "bad configuration": ("an error when built or decorated, never at a call", "–"),
    "memory budget reached": ("the value; others are evicted", "never more than the budget and a tenth"),
    "clock jumps, suspend": (
        "what is alive by the monotonic clock: nothing lives for ever, nothing expires all at once",
        "–",
    ),
    "fork, gunicorn --preload, celery prefork, multiprocessing": (
        "the value, in the parent and in the child",
        "–",
    ),
    "SIGINT in a blocking call": (
        "`KeyboardInterrupt`, whatever the `timeout=` of the store; one of those who wait computes",
        "100 ms",
    ),
    "interpreter exit with work in flight": ("the exit code that it would have", "2 s"),
}


def shows(situation):
    """Says which row of the table a test shows."""
    assert situation in TABLE, f"there is no row {situation!r}"
    return lambda test: test
