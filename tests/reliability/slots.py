"""Slots of a cluster that move from one master to another, step by step, while it is asked."""

from __future__ import annotations


def masters(cluster, port):
    """The ids of the masters that are up, by their ports, as the server at a port sees them."""
    found = {}
    for line in cluster.say(port, "cluster", "nodes").splitlines():
        number, place, flags = line.split(" ")[:3]
        if "master" in flags and "fail" not in flags:
            found[int(place.partition("@")[0].rpartition(":")[2])] = number
    return found


def is_settled(cluster):
    """Whether all servers of the cluster see the same three masters."""
    seen = [masters(cluster, port) for port in cluster.ports]
    return len(seen[0]) == 3 and all(each == seen[0] for each in seen)


def of_entry(cluster, name):
    """The slot of an entry, and the port of the master that has it."""
    for port in masters(cluster, cluster.ports[0]):
        keys = cluster.say(port, "keys", f"*e:{name}").split()
        if keys:
            return int(cluster.say(port, "cluster", "keyslot", keys[0])), port
    raise AssertionError(f"no master has {name}")


class Move:
    """One slot on its way to the next master."""

    def __init__(self, cluster, slot, old):
        self._cluster, self._slot, self._old = cluster, slot, old
        self._ids = masters(cluster, cluster.ports[0])
        others = sorted(self._ids)
        self._new = others[(others.index(old) + 1) % len(others)]

    @classmethod
    def of(cls, cluster, slot):
        """The move of a slot, whoever has it."""
        for port in masters(cluster, cluster.ports[0]):
            for word in cluster.say(port, "cluster", "nodes").split("myself,")[1].split("\n")[0].split()[6:]:
                first, _, last = word.partition("-")
                if first.isdecimal() and int(first) <= slot <= int(last or first):
                    return cls(cluster, slot, port)
        raise AssertionError(f"no master has the slot {slot}")

    def _set(self, port, how, whom):
        said = self._cluster.say(port, "cluster", "setslot", self._slot, how, self._ids[whom])
        assert said == "OK", said

    def begin(self):
        """From here on the old master sends on, by ASK, whoever asks for what it does not have."""
        self._set(self._new, "importing", self._old)
        self._set(self._old, "migrating", self._new)

    def carry(self):
        """Brings all keys of the slot over."""
        keys = self._cluster.say(self._old, "cluster", "getkeysinslot", self._slot, 100_000).split()
        if keys:
            said = self._cluster.say(
                self._old, "migrate", "127.0.0.1", self._new, "", 0, 5000, "replace", "keys", *keys
            )
            assert said in ("OK", "NOKEY"), said

    def end(self):
        """From here on the old master sends everybody on, by MOVED."""
        while True:
            self.carry()
            self._set(self._new, "node", self._new)
            said = self._cluster.say(
                self._old, "cluster", "setslot", self._slot, "node", self._ids[self._new]
            )
            if said == "OK":
                break
            assert "still hold keys" in said, said
        for port in sorted(self._ids):
            self._take_over(port)

    def _take_over(self, port):
        return self._cluster.say(port, "cluster", "setslot", self._slot, "node", self._ids[self._new])
