"""A store that is written in Python keeps the contract behind layers, and the layers keep theirs."""

from __future__ import annotations

import threading

import everwarm
import pytest
from entries import Entries
from everwarm.testing import conformance, open_store
from project import ROOT

BEHIND = [{"retry": True}, {"bulkhead": 2}, {"breaker": True, "retry": True, "bulkhead": 64}]


def own_store():
    namespace = {"__name__": "own_store"}
    exec((ROOT / "examples" / "own_store.py").read_text(), namespace)
    return namespace["DictionaryStore"], namespace["new_entries"]


# A breaker leaves a store alone that a busy machine makes slow.
@pytest.mark.parametrize("layers", BEHIND[:2], ids=lambda layers: "+".join(layers))
def test_a_store_in_python_keeps_its_own_behind(layers):
    store, new_entries = own_store()
    conformance.check_layers(lambda place: store(place.once(new_entries), place.clock), **layers)


@pytest.mark.parametrize("layers", BEHIND, ids=lambda layers: "+".join(layers))
@pytest.mark.parametrize("promise", conformance.promises("layers"))
def test_layers_keep_theirs_around_a_native_store(layers, promise):
    conformance.check_layers(lambda: open_store("memory://"), only=promise, **layers)


class Forgets(Entries):
    """The planted fault: a read that breaks off takes the entry with it: a second attempt finds nothing."""

    def get(self, name):
        if name in self.entries:
            del self.entries[name]
            raise ConnectionResetError
        return None


class Truncates(Entries):
    def set(self, name, data, ttl):
        self.entries[name] = data[:1000]


class Blocks(Entries):
    """The planted fault: it lets one in, and keeps the lock."""

    def __init__(self):
        super().__init__()
        self.lock = threading.Lock()

    def delete(self, name):
        if not self.lock.acquire(blocking=False):
            raise TimeoutError
        return super().delete(name)


@pytest.mark.parametrize(
    ("store", "said"),
    [
        (Forgets, "store::what_was_set_is_found: .*"),
        (Truncates, "layers::what_a_store_answers_passes: what was set through the layers is not what"),
        (Blocks, "layers::what_a_store_answers_passes: .*timeout"),
    ],
)
def test_planted_faults_are_found(store, said):
    promise = said.partition(": ")[0]
    conformance.check_layers(Entries, retry=True, only=promise)
    with pytest.raises(
        AssertionError, match=f"^1 promises of the store behind its layers are broken\n{said}"
    ):
        conformance.check_layers(store, retry=True, only=promise)


def test_what_cannot_be_checked_is_refused():
    with pytest.raises(everwarm.ConfigError, match="no layer to check\nhint: "):
        conformance.check_layers(Entries)
    with pytest.raises(everwarm.ConfigError, match="bulkhead is a number"):
        conformance.check_layers(Entries, bulkhead=0)
    with pytest.raises(everwarm.ConfigError, match="an? Entries cannot be called\nhint: give a callable"):
        conformance.check(Entries())
    with pytest.raises(everwarm.ConfigError, match="no promise 'store::all_is_well'\nhint: "):
        conformance.check(Entries, only="store::all_is_well")
    with pytest.raises(everwarm.ConfigError, match="no promise 'layers::a_change_is_made_once'\nhint: "):
        conformance.outcome(Entries, "layers::a_change_is_made_once")
