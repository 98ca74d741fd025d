"""A pytest plugin that makes one keyword do nothing and asks the tests that prove it to notice.

``pytest -p inert --inert set.ttl`` runs the tests marked ``@pytest.mark.proves("set.ttl")`` in a process
where ``ttl`` never reaches ``set``, so that its default counts. It passes if each of them fails by an
assertion: a test that passes proves nothing, one that dies of another error does not say what was missing.
``scripts/keywords.py --inert`` does it for every keyword.
"""

from __future__ import annotations

import functools
import inspect

import pytest

# What stands in the place of a given value where the default would be refused or mean something else.
INSTEAD = {
    "invalidates.tags": lambda given: _nothing,
    "invalidates.keys": lambda given: _nothing,
    "chaos.seed": lambda given: 1,
    "Keyed.by": lambda given: _nothing,
    "limiter.rate": lambda given: "7/1h",
    # Without parentheses, what comes first is the decorated function.
    "lru_cache.maxsize": lambda given: given if callable(given) else 128,
}


def _nothing(*_, **__):
    return ()


def pytest_addoption(parser):
    parser.addoption("--inert", metavar="OWNER.KEYWORD", help="run its proofs while it does nothing")


def pytest_configure(config):
    said = config.getoption("--inert")
    if said:
        make_inert(said)
        config.pluginmanager.register(Verdicts(said))


def make_inert(said):
    """Has the keyword of an owner do nothing in this process, at the place where users pass it."""
    import everwarm
    from everwarm import _using, testing

    owner, keyword = said.split(".")
    if owner == "using":
        _drop_option(_using.Using, keyword)
    elif owner in ("Cache", "Policy"):
        _drop(getattr(everwarm, owner), "__init__", said)
    elif hasattr(everwarm, owner):
        _drop(everwarm, owner, said)
    elif hasattr(testing, owner):
        _drop(testing, owner, said)
    else:
        for verb in (owner, f"a{owner}"):
            for place in (everwarm.Cache, everwarm.Result, testing.FaultProxy):
                if hasattr(place, verb):
                    _drop(place, verb, said)


def _drop(place, name, said):
    """Replaces a callable by one that takes the keyword and does not pass it on."""
    whole = getattr(place, name)
    keyword = said.split(".")[1]
    signature = inspect.signature(whole)
    # The name of what collects all other keywords, as `configure` has it.
    rest = next((p.name for p in signature.parameters.values() if p.kind is p.VAR_KEYWORD), None)

    @functools.wraps(whole)
    def inert(*args, **keywords):
        try:
            bound = signature.bind(*args, **keywords)
        except TypeError:
            return whole(*args, **keywords)  # which says best what does not fit
        for given in (bound.arguments, bound.arguments.get(rest, {})):
            if keyword in given:
                value = given.pop(keyword)
                if said in INSTEAD:
                    given[keyword] = INSTEAD[said](value)
        return whole(*bound.args, **bound.kwargs)

    setattr(place, name, inert)


def _drop_option(using, option):
    """The same for an option of ``using``, which takes them all as one mapping."""
    whole = using.__init__

    def inert(self, function, before, options):
        whole(self, function, before, {name: options[name] for name in options if name != option})

    using.__init__ = inert


class Verdicts:
    """Runs the proofs of one keyword, and turns what becomes of them into a verdict."""

    def __init__(self, said):
        self.said = said
        # Of each test function, over all its parameters.
        self.endings = {}

    def pytest_collection_modifyitems(self, config, items):
        proofs = [item for item in items if any(self.said in m.args for m in item.iter_markers("proves"))]
        config.hook.pytest_deselected(items=[item for item in items if item not in proofs])
        items[:] = proofs

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_makereport(self, item, call):
        yield
        endings = self.endings.setdefault(item.nodeid.partition("[")[0], set())
        if call.excinfo is not None:
            failed = call.excinfo.errisinstance((AssertionError, pytest.fail.Exception))
            endings.add("red" if failed and call.when == "call" else f"died of {call.excinfo.typename}")

    def verdict(self, test):
        """Red if the test has noticed, by an assertion, in one of its forms."""
        endings = self.endings[test]
        return "red" if "red" in endings else next(iter(endings), "GREEN")

    def pytest_sessionfinish(self, session):
        verdicts = {self.verdict(test) for test in self.endings}
        session.exitstatus = int(verdicts != {"red"})

    def pytest_terminal_summary(self, terminalreporter):
        for test in self.endings:
            terminalreporter.write_line(f"inert {self.said}: {self.verdict(test)} {test}")
