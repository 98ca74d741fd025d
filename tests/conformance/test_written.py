"""Stores written in Python: what is wrong with one is said when it is opened, or found by the suite."""

from __future__ import annotations

import errno

import everwarm
import pytest
from entries import Entries
from everwarm.testing import ManualClock, conformance, open_store


def broken(store, name):
    """How a promise is broken."""
    kept = conformance.outcome(store, name)
    assert isinstance(kept, str), kept
    return kept


def test_a_forgotten_ttl_is_found():
    said = broken(Entries, "store::after_its_ttl_a_value_is_not_found")
    assert "is found after its ttl" in said
    with pytest.raises(AssertionError, match=r"^1 promises of the store are broken\nstore::after_its_ttl"):
        conformance.check(Entries, only="store::after_its_ttl_a_value_is_not_found")


class ClearsAll(Entries):
    def clear(self, prefix):
        self.entries.clear()


class Truncates(Entries):
    def set(self, name, data, ttl):
        self.entries[name] = data[:1000]


class ConfusesNames(Entries):
    def set(self, name, data, ttl):
        super().set(name.strip(), data, ttl)

    def get(self, name):
        return super().get(name.strip())


class DeletesSilently(Entries):
    def delete(self, name):
        super().delete(name)
        return True


@pytest.mark.parametrize(
    ("store", "promise"),
    [
        (ClearsAll, "store::clear_takes_its_prefix_and_no_other"),
        (Truncates, "store::what_was_set_is_found"),
        (ConfusesNames, "store::two_names_are_never_one_entry"),
        (DeletesSilently, "store::deleting_what_is_not_there_says_false"),
    ],
)
def test_planted_faults_are_found(store, promise):
    assert conformance.outcome(Entries, promise) is None
    broken(store, promise)


def without(*methods):
    return type("Lacking", (Entries,), dict.fromkeys(methods))


class Inherits(everwarm.Store):
    def get(self, name):
        return None


class Awaits(Entries):
    async def get(self, name):
        return None


@pytest.mark.parametrize(
    ("store", "said"),
    [
        (without("get"), "the store Lacking has no method get\nhint: "),
        (without("clear"), "the store Lacking has no method clear\nhint: "),
        (Inherits, "the store Inherits has no method set\nhint: "),
        (object, "the store object has no method get\nhint: "),
        (Awaits, "the method get of the store Awaits is a coroutine function\nhint: "),
        (
            type("Partial", (Entries,), {"lease": lambda *_: None}),
            "the store Partial has a part of leases without the method renew\n"
            "hint: give it all of lease, renew, release, set_leased, or none",
        ),
        (
            type("Lasting", (Entries,), {"durability": "eternal"}),
            "the store Lasting has a durability that does not exist\nhint: ",
        ),
    ],
)
def test_what_is_no_store_is_refused(store, said):
    kept = broken(store, "store::it_says_what_it_is")
    assert kept.startswith("the store does not open: ConfigError: ") and said in kept


@pytest.mark.parametrize(
    ("raised", "kind"),
    [
        (TimeoutError(), "timeout"),
        (ConnectionResetError(), "transient"),
        (PermissionError(), "authentication"),
        (MemoryError(), "capacity"),
        (OSError(errno.ENOSPC, "no room"), "capacity"),
        (OSError(errno.EIO, "broken"), "transient"),
        (NotImplementedError(), "capability"),
        (ValueError("the password is hunter2"), "permanent"),
        (everwarm.StoreError("no", kind="corruption"), "corruption"),
        (everwarm.Closed("gone"), "closed"),
    ],
)
def test_what_it_raises_is_a_failure_of_a_kind(raised, kind):
    class Raises(Entries):
        def get(self, name):
            raise raised

    said = broken(Raises, "store::what_was_set_is_found")
    name = type(raised).__name__
    assert said.startswith(f"the store failed ({kind}): the store ")
    assert f"Raises raised {name} in get\nhint: " in said
    assert "hunter2" not in said


@pytest.mark.parametrize(
    "given", [b"bytes", (1, None), ("text", None), (b"bytes", "soon"), (b"", None, -1), 7]
)
def test_what_it_may_not_give_is_a_failure(given):
    class Gives(Entries):
        def get(self, name):
            return given

    said = broken(Gives, "store::what_was_set_is_found")
    assert "gave something else in get than it may\nhint: get gives None, or (bytes, seconds left" in said


def test_an_interrupt_is_for_the_caller():
    class Interrupted(Entries):
        def get(self, name):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        conformance.outcome(Interrupted, "store::deleting_what_is_not_there_says_false")


def test_limits_are_those_it_names():
    class Narrow(Entries):
        longest_name = 300
        largest_value = 1_000

    for promise in conformance.promises("store"):
        if "too_l" in promise or "long_names" in promise:
            assert conformance.outcome(Narrow, promise) is None


@pytest.mark.parametrize("url", ["memory://", "file"])
def test_open_store(url, tmp_path):
    clock = ManualClock()
    store = open_store(f"file://{tmp_path}" if url == "file" else url, clock=clock)
    store.set("name", b"value", 10.0)
    clock.advance(4)
    data, left, version = store.again().get("name")
    assert (data, left) == (b"value", 6.0)
    assert store.set_if("name", b"next", None, version) is not None
    assert store.set_if("name", b"last", None, "absent") is None
    assert store.lease("name", 5, 1.0) is None and store.lease("name", 6, 1.0) == 1.0
    assert store.incr("counter", 2) == 2
    assert store.scan("c") == (["counter"], None)
    assert store.expire("counter", 1) and store.ping() is None
    clock.advance(1)
    assert store.get("counter") is None
    with pytest.raises(everwarm.StoreError, match="no number") as raised:
        store.incr("name")
    assert raised.value.kind == "permanent"
    with pytest.raises(everwarm.ConfigError, match="above 0"):
        store.set("name", b"", -1)
    with pytest.raises(everwarm.ConfigError, match="a version"):
        store.set_if("name", b"", None, "sometimes")
    store.close()
    with pytest.raises(everwarm.Closed):
        store.get("name")


@pytest.mark.parametrize("url", ["memory:", "memory://host", "disc:", "file:relative", "file:///x?max=1"])
def test_what_is_no_url_of_a_native_store_is_refused(url):
    with pytest.raises((everwarm.ConfigError, everwarm.UnknownOption), match="\nhint: "):
        open_store(url)
