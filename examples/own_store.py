"""A store of one's own, in Python, held to the contract of stores.

Run it: python examples/own_store.py
"""

import threading
import time

from everwarm.testing import conformance


def new_entries():
    """What the handles on one place share."""
    return {}, threading.RLock()


class DictionaryStore:
    """Bytes in a dictionary, with ttls, counters and a scan."""

    def __init__(self, shared=None, clock=time.monotonic):
        self._entries, self._lock = shared or new_entries()
        self._clock = clock

    def get(self, name):
        data, until = self._entries.get(name, (b"", 0.0))
        if until is None:
            return data, None
        left = until - self._clock()
        return (data, left) if left > 0 else None

    def set(self, name, data, ttl):
        with self._lock:
            self._entries[name] = (data, None if ttl is None else self._clock() + ttl)

    def delete(self, name):
        with self._lock:
            was = self.get(name) is not None
            self._entries.pop(name, None)
            return was

    def clear(self, prefix):
        with self._lock:
            names = [name for name in self._entries if name.startswith(prefix)]
            return sum(self.delete(name) for name in names)

    # What follows is the facet `counters`: one method.
    def incr(self, name, by, initial, ttl):
        with self._lock:
            there = self.get(name)
            number = (initial if there is None else int(there[0])) + by
            if not -(2**63) <= number < 2**63:
                raise OverflowError("a counter has 64 bits")
            if there is not None:
                ttl = there[1]
            self.set(name, b"%d" % number, ttl)
            return number

    # And this is `scan`: names in their order, page by page.
    def scan(self, prefix, after, limit):
        with self._lock:
            names = sorted(name for name in self._entries if name.startswith(prefix) and self.get(name))
        if after is not None:
            names = [name for name in names if name > after]
        page = names[:limit]
        return page, page[-1] if len(names) > limit else None


def main():
    # Each call opens a handle; those on one place share their entries, and its clock: nothing is waited for.
    conformance.check(lambda place: DictionaryStore(place.once(new_entries), place.clock))
    kept = len([name for suite in ("store", "counters", "scan") for name in conformance.promises(suite)])
    print(f"DictionaryStore keeps all {kept} promises of store, counters and scan.")


if __name__ == "__main__":
    main()
