"""`index=` and `invalidate_where`: entries go by some of the values that their calls had."""

from __future__ import annotations

from contextvars import ContextVar
from itertools import combinations
from typing import Annotated

import pytest
from everwarm import Cache, ConfigError, NotKeyed, Policy, UnknownOption
from worlds import Gate, until

PARAMETERS = ("a", "b", "c", "d")


def gone(function, *args, **keywords):
    return function.peek(*args, **keywords) is None


@pytest.mark.proves("Policy.index")
@pytest.mark.parametrize("index", [("user",), ["user", "number"], True], ids=["one", "two", "all"])
def test_what_was_called_with_the_value_is_gone(world, cache, index):
    @world.cached(cache(index=index, name="page"))
    def page(user, number):
        return f"{user}/{number}"

    for call in ((3, 1), (3, 2), (4, 1)):
        world.call(page, *call)
    try:
        page.invalidate_where(user=3)
    except ConfigError as error:
        pytest.fail(str(error))
    assert gone(page, 3, 1) and gone(page, 3, 2) and not gone(page, 4, 1)
    assert world.call(page, 3, 1) == "3/1"


def test_every_choice_of_four_parameters(cache):
    calls = [tuple(mask >> place & 1 for place in range(4)) for mask in range(16)]

    @cache(index=PARAMETERS, name="f")
    def f(a, b, c, d):
        return a, b, c, d

    for size in range(1, 5):
        for chosen in combinations(PARAMETERS, size):
            for call in calls:
                f(*call)
            f.invalidate_where(**dict.fromkeys(chosen, 1))
            met = {call for call in calls if all(call[PARAMETERS.index(name)] == 1 for name in chosen)}
            assert {call for call in calls if gone(f, *call)} == met


def test_values_are_told_apart_as_in_keys(cache):
    @cache(index=("x",), name="f")
    def f(x, y=0):
        return x

    values = [1, 1.0, True, "1", b"1", (1,), None, frozenset({1})]
    for value in values:
        f(value), f(value, 1)
    f.invalidate_where(x=1)
    assert [gone(f, value) for value in values] == [True] + [False] * 7
    f.invalidate_where(x=frozenset({1}))
    assert gone(f, frozenset({1}), 1) and not gone(f, None)


def test_a_default_that_was_left_out_counts(cache):
    @cache(index=("kind",), name="f")
    def f(x, *, kind="plain"):
        return x

    f(1), f(2, kind="plain"), f(3, kind="other")
    f.invalidate_where(kind="plain")
    assert gone(f, 1) and gone(f, 2, kind="plain") and not gone(f, 3, kind="other")


def test_a_load_that_began_before_stays_out(world, cache):
    gate, runs = Gate(), []

    @world.cached(cache(index=("x",), name="f"))
    def f(x):
        runs.append(x)
        if len(runs) == 1:
            yield gate
        return len(runs)

    first = world.start(f, 1)
    gate.is_reached()
    f.invalidate_where(x=1)
    gate.open()
    first.result(10)
    assert gone(f, 1)
    assert world.call(f, 1) == 2


def test_it_is_awaited_too(world, cache):
    @cache(index=("x",))
    def f(x):
        return x

    f(1)
    if world.is_async:
        world.call(f.ainvalidate_where, x=1)
    else:
        f.invalidate_where(x=1)
    assert gone(f, 1)


def test_what_was_primed_is_met(cache):
    @cache(index=("x",))
    def f(x):
        return x

    f.prime(7, 1)
    f.invalidate_where(x=1)
    assert gone(f, 1)


def test_its_tags_are_not_shown(cache):
    @cache(index=True, tags=["t"])
    def f(x, y):
        return x

    f(1, 2)
    assert f.peek(1, 2).tags == ("t",)


def test_methods(cache):
    class Shop:
        @cache(index=("sku",))
        def price(self, sku):
            return sku

        @cache(index=("self", "sku"))
        def stock(self, sku):
            return sku

        @cache(index=True)
        @classmethod
        def size(cls, sku):
            return sku

        @staticmethod
        @cache(index=True)
        def tax(sku):
            return sku

    one, other = Shop(), Shop()
    for shop in one, other:
        shop.price(1), shop.stock(1)
    one.price.invalidate_where(sku=1)
    assert gone(one.price, 1) and gone(other.price, 1), "the instance is not indexed"
    one.stock.invalidate_where(sku=1)
    assert gone(one.stock, 1) and not gone(other.stock, 1)
    Shop.stock.invalidate_where(self=other)
    assert gone(other.stock, 1)
    Shop.size(1), Shop.tax(1)
    Shop.size.invalidate_where(sku=1), Shop.tax.invalidate_where(sku=1)
    assert gone(Shop.size, 1) and gone(Shop.tax, 1)


def test_another_process_sees_it(tmp_path):
    def shop():
        made = Cache([f"disk://{tmp_path}/store"], namespace="shop")

        @made(name="f", depends_on="nothing", index=("y", "x"))
        def f(x, y):
            return x

        return f

    one, other = shop(), shop()
    one(1, 2), one(1, 3)
    assert not gone(other, 1, 2)
    other.invalidate_where(y=2)
    until(lambda: gone(one, 1, 2))
    assert not gone(one, 1, 3)


@pytest.mark.parametrize("stores", [None, "disk"])
def test_a_tenant_meets_its_own(tmp_path, stores):
    tenant = ContextVar("tenant", default=None)
    cache = Cache(stores and f"disk://{tmp_path}/store", namespace="shop", tenant=tenant)

    @cache(index=PARAMETERS, name="f")
    def f(a, b, c, d):
        return a

    def each(work):
        found = []
        for name in "one", "two":
            token = tenant.set(name)
            found.append(work())
            tenant.reset(token)
        return found

    each(lambda: f(1, 2, 3, 4))
    token = tenant.set("one")
    f.invalidate_where(a=1, d=4)
    tenant.reset(token)
    assert each(lambda: gone(f, 1, 2, 3, 4)) == [True, False]
    f.invalidate_where(c=3)
    assert each(lambda: gone(f, 1, 2, 3, 4)) == [True, True], "who has no tenant speaks for all"
    cache.close()


@pytest.mark.parametrize(
    ("index", "said"),
    [
        ("x", "a list of names, not one text"),
        (3, "not int"),
        (False, "not bool"),
        ((1,), "takes the names of parameters"),
    ],
)
def test_what_is_no_index(index, said):
    with pytest.raises(ConfigError, match=f"(?s){said}.*hint: "):
        Policy(index=index)


def test_an_index_that_does_not_fit_the_function():
    def f(a, b, c, d, e, other: Annotated[int, NotKeyed]):
        pass

    for policy, said in (
        ({"index": ("x",)}, "`x`, which is no parameter"),
        ({"index": ("other",)}, "no parameter that is part of the key"),
        ({"index": True}, "at most 4 parameters, and 5 are named"),
        ({"index": ("a",), "key": "{a}"}, "key= tells calls apart"),
    ):
        with pytest.raises(ConfigError, match=f"(?s){said}.*hint: "):
            Cache()(**policy)(f)


def test_bad_calls(cache):
    @cache(index=("x",))
    def f(x, y):
        return x

    with pytest.raises(UnknownOption, match="(?s)y.*hint: .*x"):
        f.invalidate_where(y=1)
    with pytest.raises(ConfigError, match="(?s)no argument.*hint: .*x"):
        f.invalidate_where()
    with pytest.raises(ConfigError, match="(?s)has no index.*hint: "):
        cache(lambda x: x).invalidate_where(x=1)
