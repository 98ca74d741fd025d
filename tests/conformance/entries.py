"""A store as short as a user may write it."""


class Entries:
    """Bytes in a dictionary, without ttls."""

    def __init__(self):
        self.entries = {}

    def get(self, name):
        data = self.entries.get(name)
        return None if data is None else (data, None)

    def set(self, name, data, ttl):
        self.entries[name] = data

    def delete(self, name):
        return self.entries.pop(name, None) is not None

    def clear(self, prefix):
        for name in [name for name in self.entries if name.startswith(prefix)]:
            del self.entries[name]
