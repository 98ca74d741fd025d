"""A store of a user's own in front of one of memory's, for tests that say how it answers."""

from __future__ import annotations

from everwarm.testing import open_store


class OwnStore:
    """Forwards its verbs; each comes past ``_ask`` first, where a test's class may fail or wait."""

    def __init__(self):
        self.store = open_store("memory://")
        self.asked = 0

    def _ask(self):
        self.asked += 1

    def get(self, name):
        self._ask()
        return self.store.get(name)

    def set(self, name, data, ttl):
        self._ask()
        self.store.set(name, data, ttl)

    def delete(self, name):
        self._ask()
        return self.store.delete(name)

    def clear(self, prefix):
        self._ask()
        return self.store.clear(prefix)
