"""Nobody is ever given what is another tenant's: in memory, in stores, by any verb."""

from __future__ import annotations

import asyncio
from contextvars import ContextVar

import pytest
from everwarm import Cache, ConfigError, Keyring, Policy, TenantMissing
from everwarm.testing import assert_computed
from kit import KEY, entries

TENANT: ContextVar[object] = ContextVar("tenant")


class User:
    def __init__(self, org):
        self.org = org

    def __cache_key__(self):
        return "the same for all"


@pytest.fixture(params=["memory", "file", "disk", "sealed memory", "sealed disk"])
def cache(request, place):
    """A cache whose tenant is that of the context; tests begin without one."""
    kind = request.param.split()[-1]
    stores = "memory://" if kind == "memory" else f"{kind}://{place / kind}"
    keyring = Keyring(KEY) if "sealed" in request.param else None
    with Cache(stores, tenant=TENANT, keyring=keyring) as made:
        yield made


class As:
    """A block that runs as a tenant."""

    def __init__(self, tenant):
        self.tenant = tenant

    def __enter__(self):
        self.token = TENANT.set(self.tenant)

    def __exit__(self, *_):
        TENANT.reset(self.token)


@pytest.mark.proves("Cache.tenant")
def test_a_function_sees_its_tenants_entries_alone(cache):
    @cache(name="cart")
    def cart(user: int) -> str:
        return f"{TENANT.get()}'s"

    for _ in range(2):
        for tenant in ("acme", "umbrella", 7, "7", b"7"):
            with As(tenant):
                assert cart(1) == f"{tenant}'s"
    assert cart.stats().computations == 5 and cart.stats().hits == 5


def test_objects_are_their_tenants_alone(cache):
    for tenant in ("acme", "umbrella"):
        with As(tenant):
            assert cache.get("k") is None and "k" not in cache and list(cache.scan()) == []
            cache.set("k", tenant, tags=["t"])
            cache.set_many({"l": tenant, "m": tenant})
            assert cache.incr("count") == 1
    for tenant in ("acme", "umbrella"):
        with As(tenant):
            assert cache.get("k") == tenant
            assert cache.get_many(["k", "l", "m", "n"]) == {"k": tenant, "l": tenant, "m": tenant}
            assert sorted(cache.scan()) == ["count", "k", "l", "m"] and list(cache.scan("k")) == ["k"]
            assert cache.get_with_meta("k").tags == ("t",) and cache.incr("count") == 2
            assert cache.get_or_compute("k", lambda: 1 / 0) == tenant
    with As("acme"):
        assert cache.delete("k") and cache.get("k") is None
    with As("umbrella"):
        assert cache.get("k") == "umbrella"


def test_in_tasks_each_has_its_own(cache):
    @cache(name="cart")
    async def cart() -> str:
        await asyncio.sleep(0)
        return TENANT.get()

    async def visit(tenant):
        TENANT.set(tenant)
        await cache.aset("k", tenant)
        return [await cart(), await cart(), await cache.aget("k")]

    async def visits():
        return await asyncio.gather(*(visit(tenant) for tenant in ("acme", "umbrella", "acme")))

    with assert_computed(cart, 2):
        assert asyncio.run(visits()) == [["acme"] * 3, ["umbrella"] * 3, ["acme"] * 3]


def fill(cache, function):
    for tenant in ("acme", "umbrella"):
        with As(tenant):
            function(1)
            cache.set("k", tenant, tags=["t"])


def left(cache, function):
    """Of both tenants, whether the call and the object are there."""
    found = []
    for tenant in ("acme", "umbrella"):
        with As(tenant):
            found.append((function.peek(1) is not None, cache.get("k") is not None))
    return found


THERE, GONE = (True, True), (False, False)


@pytest.fixture
def cart(cache):
    @cache(name="cart", tags=["t"])
    def cart(user: int) -> object:
        return TENANT.get()

    fill(cache, cart)
    assert left(cache, cart) == [THERE, THERE]
    return cart


def knows_tags(cache):
    """Whether the last store tells tags apart; a `file:` store lets the whole namespace go."""
    return "file" not in str(cache.describe()["stores"].value)


def test_a_tenants_tag_is_its_own(cache, cart):
    with As("acme"):
        cache.invalidate_tags("t")
    acme, umbrella = left(cache, cart)
    assert acme == GONE and (umbrella == THERE or not knows_tags(cache))


def test_who_has_no_tenant_speaks_for_all(cache, cart):
    cache.invalidate_tags("t")
    assert left(cache, cart) == [GONE, GONE]
    fill(cache, cart)
    cache.clear()
    assert left(cache, cart) == [GONE, GONE]


def test_a_tenant_clears_what_is_its_own(cache, cart):
    with As("acme"):
        cache.clear()
    acme, umbrella = left(cache, cart)
    assert acme == GONE and (umbrella == THERE or not knows_tags(cache))
    fill(cache, cart)
    with As("umbrella"):
        cart.clear()
    if knows_tags(cache):
        assert left(cache, cart) == [THERE, (False, True)]


def test_a_tenant_invalidates_its_own_call(cache, cart):
    with As("acme"):
        cart.invalidate(1)
        assert cart.peek(1) is None
    with As("umbrella"):
        assert cart.peek(1).value == "umbrella"


@pytest.mark.parametrize("nobody", [None, ""])
def test_without_a_tenant_calls_go_past_and_are_counted(cache, nobody):
    @cache(name="cart")
    def cart(user: int) -> str:
        return "computed"

    assert cart(1) == cart(1) == "computed"
    with As(nobody):
        assert cart(1) == "computed"
        cache.set("k", 1)
        assert cache.get("k", "default") == "default"
        assert cache.get_or_compute("k", lambda: 2) == 2 and list(cache.scan()) == []
        assert not cache.add("k", 1) and cache.get_many(["k"]) == {} and cache.ttl("k") is None
    assert (cart.stats().bypass, cart.stats().computations, cart.stats().entries) == (3, 0, 0)
    with As("acme"):
        assert cache.get("k") is None and cart.peek(1) is None


def test_without_a_tenant_a_coroutine_function_goes_past(cache):
    @cache(name="cart")
    async def cart(user: int) -> str:
        return "computed"

    assert asyncio.run(_twice(cart)) == ["computed", "computed"]
    assert (cart.stats().bypass, cart.stats().entries) == (2, 0)


async def _twice(function):
    return [await function(1), await function(1)]


def test_what_is_nobodys_cannot_be_let_go(cache, cart):
    for verb in (
        lambda: cache.delete("k"),
        lambda: cache.mark_stale("k"),
        lambda: cart.invalidate(1),
        lambda: cart.peek(1),
    ):
        with pytest.raises(TenantMissing, match="has no tenant\nhint: "):
            verb()
    assert left(cache, cart) == [THERE, THERE]


@pytest.mark.parametrize(
    "tenant",
    [
        "org",
        "{org}",
        "{user.org}",
        lambda org, user: org,
        lambda org, user: user.org,
    ],
    ids=str,
)
@pytest.mark.proves("Policy.tenant")
def test_the_tenant_may_be_taken_from_the_call(tenant):
    """The key leaves the tenant out, so that only the tenant tells the entries apart."""

    @Cache()(tenant=tenant, key=lambda org, user: "one key for all")
    def cart(org: str | None, user: User) -> str:
        return f"{user.org}'s"

    with assert_computed(cart, 2):
        for _ in range(2):
            assert cart("acme", User("acme")) == "acme's"
            assert cart(org="umbrella", user=User("umbrella")) == "umbrella's"
    assert cart(None, User(None)) == "None's" and cart.stats().bypass == 1


def test_a_template_with_text_is_a_tenant_of_that_text():
    cache = Cache()

    @cache(tenant="org:{org}", tags=["t"], key=lambda org: 1)
    def cart(org: str | None) -> str | None:
        return org

    assert [cart("a"), cart("b"), cart("a"), cart(None)] == ["a", "b", "a", None]
    assert (cart.stats().computations, cart.stats().bypass) == (2, 1)
    cache.invalidate_tags("t")
    assert cart.peek("a") is cart.peek("b") is None


def test_a_lookup_error_of_the_callable_says_that_there_is_none():
    seen = {"a": "acme"}

    @Cache()(tenant=lambda user: seen[user])
    def cart(user: str) -> str:
        return user

    assert cart("a") == "a" and cart("b") == "b"
    assert (cart.stats().computations, cart.stats().bypass) == (1, 1)

    @Cache()(tenant=lambda user: 1 / 0)
    def broken(user: str) -> str:
        return user

    with pytest.raises(ZeroDivisionError):
        broken("a")


def test_a_functions_tenant_goes_before_the_caches():
    @Cache(tenant=TENANT)(tenant="org")
    def cart(org: str) -> str:
        return org

    with As("umbrella"):
        cart("acme")
    assert cart("acme") == "acme" and cart.stats().hits == 1


@pytest.mark.parametrize(
    ("given", "wrong"),
    [
        ("nobody", "names `nobody`"),
        ("{nobody}", "names `nobody`"),
        ("{{org}}", "names no parameter"),
        (3, "not int"),
        ("{", "lone"),
    ],
)
def test_a_policys_tenant_is_checked_when_it_decorates(given, wrong):
    with pytest.raises(ConfigError, match=wrong) as raised:
        Cache()(tenant=given)(lambda org: org)
    assert "\nhint: " in str(raised.value)


@pytest.mark.parametrize("given", ["org", lambda: "acme", 3])
def test_a_caches_tenant_is_a_context_variable(given):
    with pytest.raises(ConfigError, match="ContextVar"):
        Cache(tenant=given)


def test_a_tenant_that_no_key_can_have_raises():
    @Cache()(tenant="org", key=lambda org: 1)
    def cart(org: object) -> int:
        return 1

    with pytest.raises(TypeError, match="tenant="):
        cart(object())


def test_a_policy_with_a_tenant_is_a_policy():
    assert Policy(tenant="org") == Policy(tenant="org") != Policy(tenant="user")
    assert eval(repr(Policy(tenant="org"))) == Policy(tenant="org")


def test_explaining_names_no_entry_of_another_tenant(cache):
    @cache(name="cart")
    def cart(user: int) -> int:
        return user

    with As("acme"):
        cart(1), cart(3)
        if cart.stats().entries:
            assert cart.explain(2).argument == "user"
    with As("umbrella"):
        assert cart.explain(1).argument is None and cart.explain(1).reason != "fresh"


def test_a_listener_is_told_the_users_own_key():
    told = []
    with Cache(tenant=TENANT, on_remove=lambda key, value, cause: told.append((key, value, cause))) as cache:
        with As("acme"):
            cache.set(("user", 7), "x")
            cache.delete(("user", 7))
    assert told == [(("user", 7), "x", "deleted")]


def test_stored_entries_of_two_tenants_are_not_exchanged(place):
    with Cache([f"file://{place}"], tenant=TENANT, keyring=Keyring(KEY)) as cache:
        with As("acme"):
            cache.set("k", "acme's")
            (mine,) = entries(place)
        with As("umbrella"):
            cache.set("k", "umbrella's")
            (yours,) = [entry for entry in entries(place) if entry.path != mine.path]
            yours.plant(mine.envelope)
            assert cache.get("k") is None
        with As("acme"):
            assert cache.get("k") == "acme's"
