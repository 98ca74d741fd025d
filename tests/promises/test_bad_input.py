"""Bad input raises when a cache is built or a function decorated, not at call time, and says what to do."""

from __future__ import annotations

import asyncio
import math
import re
from datetime import timedelta

import everwarm
import pytest
from everwarm import Cache, ConfigError, Error, Keyed, Policy, UnknownOption, Unsupported, lru_cache
from everwarm.testing import ManualClock, clock, computed_times

HUNDRED_YEARS = 36_525 * 86_400


def refused(kind, meant, *parts):
    """An error of ``kind``, of the built-in class it means too, whose text has ``parts`` and a hint."""
    assert issubclass(kind, Error) and issubclass(kind, meant)
    return pytest.raises(kind, match="(?s)" + ".*".join(map(re.escape, (*parts, "\nhint: "))))


def load(user):
    raise AssertionError("nothing here is called")


class Price:
    def of(self):
        return 1


TTLS = {
    "NaN": math.nan,
    "negative": -1,
    "zero": 0,
    "zero point": 0.0,
    "infinite": math.inf,
    "negative infinite": -math.inf,
    "beyond floats": 10**400,
    "above a hundred years": HUNDRED_YEARS + 1,
    "text": "soon",
    "empty": "",
    "no unit": "90",
    "unknown unit": "3y",
    "capital": "5M",
    "space": "5 m",
    "negative text": "-5m",
    "zero text": "0s",
    "foreign digits": "٣s",
    "above a hundred years as text": "5300w",
    "true": True,
    "false": False,
    "zero delta": timedelta(0),
    "negative delta": timedelta(days=-1),
    "long delta": timedelta(days=36_526),
    "bytes": b"5m",
    "list": [5],
    "complex": 1j,
    "class": float,
}


@pytest.mark.parametrize("ttl", TTLS)
def test_a_ttl_that_cannot_be_meant(ttl):
    given = TTLS[ttl]
    for attempt in (
        lambda: Policy(ttl=given),
        lambda: Policy().replace(ttl=given),
        lambda: Cache()(ttl=given),
        lambda: Cache()(load, ttl=given),
        lambda: Cache()(Policy(ttl=3), ttl=given),
        lambda: Cache().set("a", 1, ttl=given),
        lambda: ManualClock().advance(given),
    ):
        with refused(ConfigError, ValueError, "duration"):
            attempt()


POLICIES = {
    "jitter below": ({"jitter": -0.1}, "jitter"),
    "jitter of one": ({"jitter": 1.0}, "jitter"),
    "jitter NaN": ({"jitter": math.nan}, "jitter"),
    "jitter text": ({"jitter": "a tenth"}, "jitter", "str"),
    "cache_none": ({"cache_none": "no"}, "cache_none", "str"),
    "when": ({"when": True}, "when=", "bool"),
    "key of no kind": ({"key": 3}, "key="),
    "key without fields": ({"key": "user"}, "names no parameter"),
    "key empty": ({"key": ""}, "names no parameter"),
    "key open brace": ({"key": "{user"}, "{user"),
    "key lone brace": ({"key": "user}"}, "user}"),
    "key empty field": ({"key": "{}"}, "empty field"),
    "key position": ({"key": "{0}"}, "`0`"),
    "key conversion": ({"key": "{user!r}"}, "user!r"),
    "key format": ({"key": "{user:>8}"}, "user:>8"),
    "tags text": ({"tags": "user:{user}"}, "tags="),
    "tags none": ({"tags": None}, "tags="),
    "tags number": ({"tags": 3}, "tags="),
    "tags of numbers": ({"tags": [3]}, "tag"),
    "tags of bytes": ({"tags": b"user"}, "tag"),
    "tags brace": ({"tags": ["{"]}, "{"),
    "tags_from_result": ({"tags_from_result": ["a"]}, "tags_from_result=", "list"),
    "version": ({"version": 2}, "version", "int"),
    "version none": ({"version": None}, "version", "NoneType"),
    "name": ({"name": 2}, "name", "int"),
    "name empty": ({"name": ""}, "name", "empty"),
}


@pytest.mark.parametrize("case", POLICIES)
def test_a_policy_that_cannot_be_meant(case):
    keywords, *parts = POLICIES[case]
    for attempt in (
        lambda: Policy(**keywords),
        lambda: Cache()(**keywords),
        lambda: Cache()(Policy(), **keywords),
    ):
        with refused(ConfigError, ValueError, *parts):
            attempt()


@pytest.mark.parametrize(
    "keywords", [{"key": "{usr}"}, {"key": "{usr.id}"}, {"tags": ["user:{usr.id}"]}, {"tags": ["a", "{usr}"]}]
)
def test_a_template_that_names_no_parameter(keywords):
    with refused(ConfigError, ValueError, "`usr`"):
        Cache()(**keywords)(load)
    with pytest.raises(ConfigError, match="its parameters are: user"):
        Cache()(**keywords)(load)


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("tll", "ttl"),
        ("TTL", "ttl"),
        ("jiter", "jitter"),
        ("cachenone", "cache_none"),
        ("tag", "tags"),
        ("verison", "version"),
    ],
)
def test_an_unknown_keyword_of_a_policy_names_the_nearest(given, meant):
    for attempt in (
        lambda: Policy(**{given: 1}),
        lambda: Cache()(**{given: 1}),
        lambda: Policy().replace(**{given: 1}),
    ):
        with refused(UnknownOption, TypeError, f'"{given}"') as caught:
            attempt()
        assert f'did you mean "{meant}"' in str(caught.value)


def test_an_unknown_keyword_that_is_near_to_none_names_all():
    with pytest.raises(UnknownOption, match="hint: the options are ttl, jitter, .*name"):
        Policy(colour=1)


@pytest.mark.parametrize(
    "given", [0, -1, "10", "", 1.5, 2.0, math.nan, True, None, 2**64, -(2**70), [10]], ids=repr
)
def test_a_bound_that_cannot_be_meant(given):
    with refused(ConfigError, ValueError, "max_entries", repr(given)):
        Cache(max_entries=given)


@pytest.mark.parametrize("given", [1, 2**40, 2**64 - 1])
def test_a_bound_takes_no_memory_before_it_is_used(given):
    cache = Cache(max_entries=given)
    cache.set("a", 1)
    assert cache.get("a") == 1


CACHES = {
    "namespace": ({"namespace": 3}, "namespace", "int"),
    "namespace none": ({"namespace": None}, "namespace", "NoneType"),
    "policy": ({"policy": {"ttl": 3}}, "policy", "dict"),
    "clock": ({"clock": 3}, "clock"),
    "eviction": ({"eviction": 3}, "eviction", "int"),
    "eviction none": ({"eviction": None}, "eviction", "NoneType"),
    "eviction unknown": ({"eviction": "random"}, "eviction", "no order that is known"),
}


@pytest.mark.parametrize(
    ("name", "hint"), [("s3fifo", 'did you mean "s3_fifo"?'), ("random", "the orders are adaptive, sieve")]
)
def test_an_order_that_is_not_known_names_those_that_are(name, hint):
    with pytest.raises(ConfigError, match=re.escape(f"hint: {hint}")):
        Cache(eviction=name)


@pytest.mark.parametrize("case", CACHES)
def test_a_cache_that_cannot_be_meant(case):
    keywords, *parts = CACHES[case]
    with refused(ConfigError, ValueError, *parts):
        Cache(**keywords)


def test_an_unknown_keyword_of_a_cache_names_the_nearest():
    with pytest.raises(UnknownOption, match='(?s)"max_entrys".*hint: did you mean "max_entries"'):
        Cache(max_entrys=3)
    with refused(UnknownOption, TypeError, '"maxsize"'):
        Cache(maxsize=3)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda cache: cache.set_many([1]), "set_many takes a mapping from keys to values, not list"),
        (lambda cache: asyncio.run(cache.aset_many(3)), "set_many takes a mapping .* not int"),
        (lambda cache: cache.scan(3), "scan takes the text that keys begin with, not int"),
        (lambda cache: cache.scan(b"user:"), "scan takes the text that keys begin with, not bytes"),
        (lambda cache: cache.get_many(3), "keys are a list of keys, not int"),
        (lambda cache: cache.delete_many(None), "keys are a list of keys, not NoneType"),
        (lambda cache: cache.compare_and_set("a", "1", 2), "a version is an int, not str"),
    ],
)
def test_what_object_verbs_do_not_take(call, message):
    with pytest.raises(TypeError, match=f"^{message}\nhint: "):
        call(Cache())


@pytest.mark.proves("Cache.stores")
@pytest.mark.parametrize(
    "stores",
    [
        "mongodb+srv://user:secret@host/0",
        ["mongodb+srv://user:secret@host/0"],
        ["disk:", "mongodb+srv://secret"],
    ],
    ids=repr,
)
def test_a_store_that_is_not_there_is_unsupported_and_keeps_its_secrets(stores):
    with refused(Unsupported, NotImplementedError, "client") as caught:
        Cache(stores)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("stores", "part"),
    [
        (object(), "no get and no set"),
        (3, "no get"),
        ([], "no tier"),
        (["disk:", "memory://"], "nearest tier"),
        ("disk:?write=later", "no way of writing 'later'"),
        ("disk:?ttl=soon", "soon"),
        ("file://relative", "file:"),
    ],
    ids=repr,
)
def test_what_is_no_store_is_refused_when_the_cache_is_built(stores, part):
    with refused(ConfigError, ValueError, part):
        Cache(stores)


@pytest.mark.parametrize("url", ["disk:?timeout=0.2", "file:///tmp/nowhere?timeout=1s"])
def test_a_store_that_answers_on_the_thread_that_asks_takes_no_time_limit(url):
    with refused(Unsupported, NotImplementedError, "no time limit"):
        Cache(["memory://", url])


def test_an_option_that_a_store_does_not_have_names_the_nearest():
    with refused(UnknownOption, TypeError, '"max_byte"') as caught:
        Cache("disk:?max_byte=1GB")
    assert 'did you mean "max_bytes"?' in str(caught.value)


@pytest.mark.proves("Policy.max_items")
@pytest.mark.parametrize("wrong", [0, -1, 2.5, True, None, "10"], ids=repr)
def test_max_items_is_a_number_of_at_least_one(wrong):
    with refused(ConfigError, ValueError, "max_items", "at least 1"):
        Cache()(max_items=wrong)


def test_max_items_of_what_yields_nothing_is_refused():
    with refused(ConfigError, ValueError, "max_items is not for load"):
        Cache()(max_items=5)(load)
    whole = Cache(policy=Policy(max_items=5))
    assert whole(load).policy.max_items == 5, "it is for those of its functions that yield"


def test_an_empty_tag_is_refused():
    with refused(ConfigError, ValueError, "a tag is empty"):
        Policy(tags=["user", ""])


@pytest.mark.parametrize(
    ("verb", "arguments", "keywords"),
    [
        ("set", ("a", 1), {"tll": 5}),
        ("set", (), {}),
        ("get", (), {}),
        ("get", (1, 2, 3, 4), {}),
        ("incr", (), {}),
    ],
)
def test_a_verb_that_is_given_something_else_says_its_name(verb, arguments, keywords):
    with pytest.raises(TypeError, match=rf"^[A-Za-z]+\.{verb}\(\) "):
        getattr(Cache(), verb)(*arguments, **keywords)


def test_the_testing_kit_refuses_what_is_none_of_its_own():
    with refused(ConfigError, ValueError, "computed_times takes a decorated function"):
        computed_times(3)
    with refused(ConfigError, ValueError, "clock takes a ManualClock"), clock(3):
        pass


def test_lru_cache_of_a_generator_function_is_unsupported():
    def generator(user):
        yield user

    with refused(Unsupported, NotImplementedError, "generator"):
        lru_cache(generator)


@pytest.mark.parametrize(
    "decorated", [3, "5m", [], object(), property(load), iter([])], ids=lambda thing: type(thing).__name__
)
def test_what_is_not_called_is_not_decorated(decorated):
    with refused(ConfigError, ValueError, "decorates functions", type(decorated).__name__):
        Cache()(decorated)
    with refused(ConfigError, ValueError, "decorates functions", type(decorated).__name__):
        Cache()(ttl=3)(decorated)


@pytest.mark.parametrize("decorated", [Price, int, Policy])
def test_a_class_is_not_decorated(decorated):
    with refused(ConfigError, ValueError, "decorates functions", decorated.__name__):
        Cache()(decorated)
    with refused(ConfigError, ValueError, "decorates functions", decorated.__name__):
        Cache()()(decorated)


@pytest.mark.parametrize("tags", ["one text", 3, [3], None], ids=repr)
def test_tags_of_an_object_are_a_list_of_texts(tags):
    with refused(ConfigError, ValueError, "tags"):
        Cache().set("a", 1, tags=tags)


def test_tags_to_invalidate_are_texts():
    for tags in ([3], ["a", 3], [[3]]):
        with refused(ConfigError, ValueError, "tags"):
            Cache().invalidate_tags(*tags)


@pytest.mark.parametrize("by", ["", 3, None], ids=repr)
def test_keyed_says_by_what(by):
    with refused(ConfigError, ValueError, "Keyed"):
        Keyed(by=by)


def test_each_error_is_the_built_in_it_means():
    meant = {
        "ConfigError": ValueError,
        "UnknownOption": TypeError,
        "KeyRefused": TypeError,
        "Unsupported": NotImplementedError,
        "Recursion": RecursionError,
        "Timeout": TimeoutError,
        "NotCached": LookupError,
        "Closed": RuntimeError,
        "StoreError": Exception,
    }
    for name, builtin in meant.items():
        assert issubclass(getattr(everwarm, name), Error) and issubclass(getattr(everwarm, name), builtin)


def test_arguments_that_do_not_fit_raise_the_functions_own_error(world, cache):
    @world.cached(cache)
    def load(key):
        raise AssertionError("never called")

    for args, kwargs in (((), {}), ((1, 2), {}), ((1,), {"key": 1}), ((), {"kee": 1})):
        for call in (load, load.call, load.refresh):
            with pytest.raises(TypeError, match=r"load\(\) (missing|takes|got)"):
                world.call(call, *args, **kwargs)
        for verb in (load.key, load.peek, load.invalidate):
            with pytest.raises(TypeError, match="do not fit(.|\n)*hint:"):
                verb(*args, **kwargs)
    stats = load.stats()
    assert (stats.calls, stats.bypass, stats.computations) == (12, 12, 0)
