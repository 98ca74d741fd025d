"""Each store keeps the contract as Python sees it: the native ones, and one that is written in Python."""

from __future__ import annotations

import everwarm
import pytest
from everwarm.testing import conformance, open_store
from project import ROOT, script
from servers import needed

FACETS = ("counters", "conditional", "leases", "scan", "touch")
VERBS = """get set delete clear get_many set_many delete_many sweep ping close incr set_if delete_if
    lease renew release set_leased scan expire longest_name largest_value ttl_precision""".split()


class ThroughPython:
    """A native store of which nothing is known but its methods, as if its user had written it."""

    def __init__(self, store):
        for verb in VERBS:
            setattr(self, verb, getattr(store, verb))


def memory(place):
    return ThroughPython(place.once(lambda: open_store("memory://")).again())


def file(place):
    return ThroughPython(open_store(f"file://{place.directory}?max_bytes=32MB"))


def disk(place):
    return ThroughPython(open_store(f"disk://{place.directory}"))


def sqlite(place):
    return ThroughPython(open_store(f"sqlite://{place.directory}/cache.db"))


def promises(*suites):
    return [name for suite in suites for name in conformance.promises(suite)]


@pytest.mark.once
@pytest.mark.parametrize("promise", promises("store", *FACETS))
@pytest.mark.parametrize("opened", [memory, disk, file, sqlite])
def test_a_native_store_keeps(opened, promise):
    assert conformance.outcome(opened, promise) is None


stores = script("stores")


@pytest.fixture(params=stores.KINDS, ids=lambda kind: kind.name)
def kind(request, monkeypatch):
    """A store of the page, whose server can be asked."""
    if request.param.variable:
        monkeypatch.setenv(request.param.variable, needed(request.param.variable))
    return request.param


@pytest.mark.once
def test_natively_it_keeps_the_same(kind):
    """The object that `open_store` gives is taken for the store that it is."""
    opened, offered = stores.opener(kind), stores.read()[kind.name]["said"]["facets"]
    some = {suite: promises(suite)[:2] for suite in ("generations", "notify", "suspend")}
    some["generations"] += [name for name in promises("generations") if "many_entries" in name]
    for suite, names in {**some, "health": promises("health")}.items():
        expected = None if suite in offered else False
        assert {conformance.outcome(opened, name) for name in names} == {expected}, suite


@pytest.mark.once
def test_the_page_says_what_it_says_of_itself(kind):
    kept = stores.read()[kind.name]
    assert kept["said"] == stores.told(kind), "hint: make stores"
    offered = {suite for suite, count in kept["came"].items() if count}
    assert offered == {"store", *kept["said"]["facets"]}


@pytest.mark.once
def test_the_page_is_made_of_what_was_kept():
    assert stores.PAGE.read_text() == stores.page(stores.read())
    assert "BROKEN" not in stores.PAGE.read_text()


def own_store():
    namespace = {"__name__": "own_store"}
    exec((ROOT / "examples" / "own_store.py").read_text(), namespace)
    return namespace["DictionaryStore"], namespace["new_entries"]


@pytest.mark.parametrize("promise", promises("store", "counters", "scan"))
def test_a_store_in_python_keeps(promise):
    store, new_entries = own_store()
    opened = conformance.outcome(lambda place: store(place.once(new_entries), place.clock), promise)
    assert opened is None


def test_facets_without_methods_are_not_offered():
    store, _ = own_store()
    for suite in ("conditional", "leases", "touch", "generations", "notify", "suspend", "health"):
        assert {conformance.outcome(store, name) for name in conformance.promises(suite)} == {False}


def test_a_suite_that_there_is_not_is_no_empty_one():
    with pytest.raises(everwarm.ConfigError, match='no suite "sacn"\nhint: the suites are store, .*scan'):
        conformance.promises("sacn")
