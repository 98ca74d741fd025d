"""What a cache takes where it was told nothing, from where, and what is refused."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from contextvars import ContextVar

import everwarm
import pytest
from everwarm import Cache, ConfigError, Keyring, Policy, UnknownOption, Unsupported, cache, configure
from everwarm.testing import ManualClock

KEY = "8f1c2e0b7a9d4453c6e1f2037b8a99d5e4c3b2a1908f7e6d5c4b3a2918070605"


def ttl_of(decorator):
    """The lifetime that an entry gets."""
    function = decorator(lambda key: key)
    function(1)
    return function.peek(1).ttl


def taken(of, name):
    field = of.describe()[name]
    return field.value, field.source


# Each layer in front of those below it. The last is the default.
ORDER = ["argument", "configure", "environment EVERWARM_MAX_ENTRIES", "pyproject", "default"]


@pytest.mark.proves("configure.max_entries")
@pytest.mark.proves("Cache.max_entries")
@pytest.mark.parametrize("first", range(len(ORDER)), ids=ORDER)
def test_the_first_layer_that_says_something_wins(first, monkeypatch, project, tmp_path):
    arguments = {}
    if first <= 3 and sys.version_info >= (3, 11):
        project("[tool.everwarm]\nmax_entries = 4\n")
    elif first == 3:
        pytest.skip("CPython 3.10 reads no TOML by itself")
    if first <= 2:
        monkeypatch.setenv("EVERWARM_MAX_ENTRIES", "3")
    if first <= 1:
        configure(max_entries=2)
    if first == 0:
        arguments["max_entries"] = 1
    made = Cache(**arguments)
    wanted = [1, 2, 3, 4, 10_000][first]
    source = ORDER[first].replace("pyproject", str(tmp_path / "pyproject.toml"))
    assert taken(made, "max_entries") == (wanted, source)
    assert made.max_entries == wanted
    for key in range(wanted + 1):
        made.set(key, key)
    assert made.stats().entries == wanted, "the table is bound by what is described"


@pytest.mark.proves("configure.max_bytes")
def test_bytes_that_are_configured_bound_a_cache(monkeypatch):
    configure(max_bytes="1KiB")
    made = Cache()
    made.set("a", b"x" * 2_000)
    assert (made.max_bytes, made.exists("a"), made.stats().refused) == (1_024, False, 1)
    monkeypatch.setenv("EVERWARM_MAX_BYTES", "2048")
    assert taken(Cache.from_env(), "max_bytes") == (2_048, "environment EVERWARM_MAX_BYTES")


@pytest.mark.proves("configure.eviction")
def test_an_order_that_is_configured_is_that_of_a_cache(monkeypatch):
    configure(eviction="lru", max_entries=2)
    made = Cache()
    made.set_many({"a": 1, "b": 2})
    made.get("a")
    made.set("c", 3)
    assert (made.eviction, made.exists("a"), made.exists("b")) == ("lru", True, False)
    monkeypatch.setenv("EVERWARM_EVICTION", "lur")
    with pytest.raises(ConfigError, match='(?s)EVERWARM_EVICTION.*did you mean "lru"'):
        Cache.from_env()


@pytest.mark.proves("configure.ttl")
def test_a_ttl_that_is_configured_reaches_what_was_decorated_before(monkeypatch):
    seen = cache(lambda key: key)
    lasting = cache(ttl=None)(lambda key: key)
    own = cache(ttl=5)(lambda key: key)
    configure(ttl="1m")
    cache.set("a", 1)
    for function in (seen, lasting, own):
        function(1)
    assert (seen.peek(1).ttl or 0) > 59
    assert lasting.peek(1).ttl is None
    assert 4 < own.peek(1).ttl <= 5
    seen.prime(3, 2)
    assert 59 < seen.peek(2).ttl <= 60 and seen.peek(1).ttl <= 60
    assert cache.policy == Policy(ttl="1m") and seen.policy == Policy()


def test_a_ttl_of_the_object_verbs_is_the_configured_one():
    clock = ManualClock()
    configure(ttl=10)
    made = Cache(clock=clock)
    made.set("a", 1)
    made.set("b", 1, ttl=None)
    clock.advance(10)
    assert "a" not in made and "b" in made


@pytest.mark.proves("Policy.ttl")
def test_call_decorator_policy_cache_configuration_environment(monkeypatch):
    monkeypatch.setenv("EVERWARM_TTL", "60")
    clock = ManualClock()
    assert ttl_of(Cache(clock=clock)) == 60
    configure(ttl=50)
    assert ttl_of(Cache(clock=clock)) == 50
    shop = Cache(policy=Policy(ttl=40, cache_none=False), clock=clock)
    assert ttl_of(shop) == 40
    assert ttl_of(shop(Policy(ttl=30))) == 30
    assert ttl_of(shop(Policy(ttl=30), ttl=20)) == 20
    assert ttl_of(shop(Policy(jitter=0.0))) == 40, "what a policy leaves out is the cache's"
    assert shop(Policy(jitter=0.1))(len).policy == Policy(ttl=40, cache_none=False, jitter=0.1)
    assert taken(shop, "ttl") == (40, "argument policy")
    configure(ttl=None)
    assert ttl_of(Cache(clock=clock)) is None, "None says no expiry"


@pytest.mark.proves("configure.namespace")
@pytest.mark.proves("Cache.namespace")
def test_a_namespace_that_is_configured_is_in_stored_names():
    @cache
    def load(key):
        return key

    configure(namespace="shop")
    assert load.key(1).startswith("shop:")
    assert cache.namespace == "shop"
    assert Cache(namespace="").namespace == ""


@pytest.mark.proves("configure.disabled")
@pytest.mark.parametrize("way", ["configure", "environment"])
def test_a_process_can_be_disabled(way, monkeypatch):
    if way == "configure":
        configure(disabled=True)
    else:
        monkeypatch.setenv("EVERWARM_DISABLED", "1")

    @cache
    def load(key):
        return object()

    assert load(1) is not load(1)
    cache.set("a", 1)
    assert cache.get("a", "default") == "default" and "a" not in cache
    assert load.call(1).status == "bypass" and load.peek(1) is None
    assert load.stats().bypass == 3 and cache.stats().entries == 0


@pytest.mark.proves("configure.stores")
@pytest.mark.proves("Cache.stores")
def test_options_ride_in_the_url(monkeypatch):
    made = Cache("memory://?max_entries=3")
    assert taken(made, "max_entries") == (3, "argument (URL)")
    assert taken(made, "stores") == ("memory://?max_entries=3", "argument")
    assert Cache("memory://?max_entries=3", max_entries=5).max_entries == 5
    assert Cache(["memory://"]).max_entries == 10_000
    configure("memory://?max_entries=6")
    assert Cache().max_entries == 6
    assert Cache(stores=None).max_entries == 6
    monkeypatch.setenv("EVERWARM_URL", "memory://?max_entries=8")
    monkeypatch.setenv("EVERWARM_MAX_ENTRIES", "9")
    assert Cache.from_env().max_entries == 9


def test_a_later_configure_adds_to_an_earlier_one():
    configure(max_entries=5, ttl=3)
    configure(ttl=4)
    assert (taken(cache, "max_entries"), taken(cache, "ttl")) == ((5, "configure"), (4, "configure"))


def test_configure_comes_before_the_first_use():
    cache(len)
    repr(cache)
    cache.describe()
    configure(ttl=3)
    cache.get("a")
    with pytest.raises(ConfigError, match=r"(?s)first use, in .*test_configuration\.py:\d+.*hint: "):
        configure(ttl=4)
    assert taken(cache, "ttl") == (3, "configure")


def test_a_cache_of_ones_own_that_was_used_does_not_hinder():
    Cache().set("a", 1)
    configure(ttl=3)
    assert taken(cache, "ttl") == (3, "configure")


def test_threads_that_use_a_cache_at_once_find_one_table():
    made = Cache()
    barrier = threading.Barrier(8)
    tables = []

    def use():
        barrier.wait()
        tables.append(made._resolve())

    threads = [threading.Thread(target=use) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(tables) == 8 and len(set(map(id, tables))) == 1


@pytest.mark.parametrize("used_before", [False, True])
def test_threads_that_use_a_function_at_once_find_one_home(used_before):
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for _ in range(100):
            load = cache(lambda key: key)
            if used_before:
                load(1)
                cache._leave()
            barrier = threading.Barrier(4)

            def use(load=load, barrier=barrier):
                barrier.wait()
                load(1)

            threads = [threading.Thread(target=use) for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert (load.stats().calls, load.stats().computations) == (4, 1)
            cache._leave()
    finally:
        sys.setswitchinterval(before)


# What cannot be meant.


@pytest.mark.parametrize(
    ("keywords", "nearest"),
    [({"max_entrys": 1}, "max_entries"), ({"TTL": 1}, "ttl"), ({"disable": True}, "disabled")],
)
def test_a_setting_that_does_not_exist_names_the_nearest(keywords, nearest):
    for attempt in (lambda: configure(**keywords), lambda: Cache.from_dict(keywords)):
        with pytest.raises(UnknownOption, match=f'hint: did you mean "{nearest}"'):
            attempt()


@pytest.mark.parametrize(
    "settings",
    [
        {"namespace": 3},
        {"max_entries": 0},
        {"max_entries": "10"},
        {"ttl": "soon"},
        {"disabled": "yes"},
        {"stores": "memory://host"},
        {"stores": "memory://?max_entries=ten"},
        {"stores": "memory://?max_entries=0"},
        {"stores": "memory://?max_entries=1&max_entries=2"},
        {"stores": "memory://?&"},
        {"stores": "memory"},
        {"stores": "memroy://"},
        {"stores": ""},
    ],
    ids=str,
)
def test_a_value_that_cannot_be_meant_is_refused_when_said(settings):
    with pytest.raises(ConfigError, match="(?s)configure.*\nhint: "):
        configure(**settings)
    with pytest.raises(ConfigError, match="(?s)from_dict.*\nhint: "):
        Cache.from_dict(settings)
    assert taken(cache, "max_entries")[1] == "default", "nothing of it is kept"


@pytest.mark.parametrize(
    "stores",
    [
        "mongodb+srv://u:hush@h/0",
        "mongodb+srv://h/0?token=hush",
        ["memory://", "mongodb+srv://h/0"],
    ],
    ids=str,
)
def test_a_store_that_is_not_built_in_is_unsupported(stores):
    for attempt in (
        lambda: Cache(stores),
        lambda: configure(stores),
        lambda: Cache.from_dict({"stores": stores}),
    ):
        with pytest.raises(
            Unsupported, match="no client for mongodb\\+srv: URLs\nhint: pip install "
        ) as caught:
            attempt()
        assert "hush" not in str(caught.value)


def test_an_unknown_scheme_names_the_nearest_and_keeps_secrets():
    with pytest.raises(ConfigError, match='(?s)no store.*did you mean "rediss"') as caught:
        Cache("rediss2://user:hush@host/0?password=hush")
    assert "hush" not in str(caught.value)


def test_an_unknown_option_of_a_url_names_the_nearest():
    with pytest.raises(ConfigError, match='"max_entries"'):
        Cache("memory://?max_entires=3&password=hush")


# The environment.


@pytest.mark.parametrize(
    ("name", "text", "part"),
    [
        ("EVERWARM_TLL", "5", 'did you mean "EVERWARM_TTL"'),
        ("EVERWARM_COLOUR", "5", "EVERWARM_URL"),
        ("EVERWARM_MAX_ENTRIES", "many", "EVERWARM_MAX_ENTRIES"),
        ("EVERWARM_MAX_ENTRIES", "0", "EVERWARM_MAX_ENTRIES"),
        ("EVERWARM_TTL", "soon", "EVERWARM_TTL"),
        ("EVERWARM_TTL", "nan", "EVERWARM_TTL"),
        ("EVERWARM_DISABLED", "perhaps", "EVERWARM_DISABLED"),
        ("EVERWARM_URL", "memroy://", "EVERWARM_URL"),
    ],
)
def test_an_environment_that_cannot_be_meant_raises_where_a_cache_is_built_or_a_function_decorated(
    name, text, part, monkeypatch
):
    monkeypatch.setenv(name, text)
    for attempt in (lambda: cache(len), lambda: cache(ttl=3), Cache, Cache.from_env, lambda: cache.get("a")):
        with pytest.raises(ConfigError, match=f"(?s){part}.*hint|hint.*{part}"):
            attempt()


@pytest.mark.parametrize(("text", "wanted"), [("60", 60.0), ("1.5", 1.5), ("1h30m", "1h30m"), ("", None)])
def test_a_ttl_of_the_environment(text, wanted, monkeypatch):
    monkeypatch.setenv("EVERWARM_TTL", text)
    assert taken(cache, "ttl") == (wanted, "environment EVERWARM_TTL" if text else "default")


@pytest.mark.parametrize("text", ["none", " None "])
@pytest.mark.parametrize("setting", ["ttl", "max_entries", "max_bytes"])
def test_none_in_the_environment_lifts_what_the_project_file_says(setting, text, monkeypatch, project):
    if sys.version_info < (3, 11):
        pytest.skip("CPython 3.10 reads no TOML by itself")
    project("[tool.everwarm]\nttl = 5\nmax_entries = 3\nmax_bytes = 10_000\n")
    monkeypatch.setenv(f"EVERWARM_{setting.upper()}", text)
    assert taken(cache, setting) == (None, f"environment EVERWARM_{setting.upper()}")
    assert (ttl_of(cache) if setting == "ttl" else getattr(cache, setting)) is None


@pytest.mark.parametrize("variable", ["EVERWARM_FORMAT", "EVERWARM_FOO", "EVERWARM_"])
def test_a_variable_that_is_near_to_none_is_told_all_of_them(variable, monkeypatch):
    monkeypatch.setenv(variable, "1")
    with pytest.raises(ConfigError, match="hint: the settings are EVERWARM_URL, EVERWARM_NAMESPACE, "):
        Cache()


@pytest.mark.parametrize("prefix", [3, None, ""])
def test_a_prefix_of_variables_is_a_text(prefix):
    with pytest.raises(ConfigError, match="(?s)prefix.*hint: "):
        Cache.from_env(prefix)


@pytest.mark.parametrize(
    ("text", "wanted"), [("1", True), ("TRUE", True), ("on", True), ("0", False), ("no", False)]
)
def test_a_flag_of_the_environment(text, wanted, monkeypatch):
    monkeypatch.setenv("EVERWARM_DISABLED", text)
    assert taken(cache, "disabled") == (wanted, "environment EVERWARM_DISABLED")


def test_variables_that_are_no_settings_are_left_alone(monkeypatch):
    monkeypatch.setenv("EVERWARM_TRACES", "/somewhere")
    monkeypatch.setenv("EVERWARMER", "1")
    assert cache(len)("a") == 1


def test_an_import_never_fails():
    environment = {**os.environ, "EVERWARM_TLL": "5"}
    code = "import everwarm\ntry: everwarm.Cache()\nexcept everwarm.ConfigError: print('said')"
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("said\n", "")


@pytest.mark.proves("from_env.prefix")
def test_a_cache_of_other_variables(monkeypatch):
    monkeypatch.setenv("SHOP_CACHE_TTL", "30")
    monkeypatch.setenv("SHOP_CACHE_NAMESPACE", "shop")
    monkeypatch.setenv("EVERWARM_TTL", "60")
    shop = Cache.from_env("SHOP_CACHE_")
    assert taken(shop, "ttl") == (30.0, "environment SHOP_CACHE_TTL")
    monkeypatch.setenv("SHOP_CACHE_NAMESPACE", "later")
    assert shop.namespace == "shop", "it is read when the cache is built"
    monkeypatch.setenv("SHOP_CACHE_TLL", "30")
    with pytest.raises(ConfigError, match="SHOP_CACHE_TTL"):
        Cache.from_env("SHOP_CACHE_")


# Mappings and project files.


def test_a_cache_from_a_mapping():
    made = Cache.from_dict({"namespace": "shop", "max_entries": 3, "policy": {"ttl": 5, "jitter": 0.1}})
    assert made.policy == Policy(ttl=5, jitter=0.1)
    assert taken(made, "max_entries") == (3, "from_dict")
    assert (
        Cache.from_dict({"ttl": 7}).policy == Policy() and taken(Cache.from_dict({"ttl": 7}), "ttl")[0] == 7
    )
    assert Cache.from_dict({"policy": Policy(ttl=5)}).policy.ttl == 5
    with pytest.raises(UnknownOption, match='"jitter"'):
        Cache.from_dict({"policy": {"jiter": 0.1}})
    for policy in (3, "5m", None):
        with pytest.raises(ConfigError, match="policy.*\nhint: "):
            Cache.from_dict({"policy": policy})
    with pytest.raises(ConfigError, match="mapping.*\nhint: "):
        Cache.from_dict("ttl")


needs_toml = pytest.mark.skipif(sys.version_info < (3, 11), reason="CPython 3.10 reads no TOML by itself")


@needs_toml
def test_the_project_file_is_found_upwards_and_the_nearest_counts(project, tmp_path, monkeypatch):
    project('[tool.everwarm]\nttl = "5m"\nnamespace = "outer"\n')
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    assert taken(Cache(), "namespace") == ("outer", str(tmp_path / "pyproject.toml"))
    (tmp_path / "a" / "pyproject.toml").write_text("[project]\nname = 'inner'\n")
    monkeypatch.chdir(tmp_path / "a")
    assert taken(Cache(), "namespace") == ("", "default")


@needs_toml
@pytest.mark.parametrize(
    "text",
    [
        '[tool.everwarm]\nttl = "5m"\n',
        '[project]\nname = "a"\r\n\r\n  [ tool . everwarm ]\r\nttl = "5m"\r\n',
        '[tool]\neverwarm = {ttl = "5m"}\n',
        '[tool]\neverwarm.ttl = "5m"\n',
        '[tool."everwarm"]\nttl = "5m"\n',
        "['tool'.'everwarm']\nttl = '5m'\n",
        'tool.everwarm.ttl = "5m"\n',
        'tool = {everwarm = {ttl = "5m"}}\n',
    ],
    ids=repr,
)
def test_the_section_may_be_written_in_any_way_that_toml_has(text, project, tmp_path):
    project(text)
    assert taken(Cache(), "ttl") == ("5m", str(tmp_path / "pyproject.toml"))


@needs_toml
@pytest.mark.parametrize(
    "text", ['[project]\ndependencies = ["everwarm"]\nthis is', "# [tool.everwarm]\nthis is"]
)
def test_a_file_that_only_names_everwarm_is_not_parsed(text, project):
    project(text)
    assert taken(Cache(), "ttl") == (None, "default")


@needs_toml
@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("[tool.everwarm]\ntll = 5\n", 'did you mean "ttl"'),
        ("[[tool.everwarm]]\nttl = 5\n", "`everwarm` is no table"),
        ("tool = 'everwarm'\n", "`tool` is no table"),
        ("[tool.everwarm]\nttl = 0\n", "duration"),
        ("[tool.everwarm]\nttl = \n", "no TOML"),
        ("[tool.everwarm.policy]\nttl = 3\n", "policy"),
    ],
)
def test_a_project_file_that_cannot_be_meant(text, part, project):
    project(text)
    for attempt in (lambda: cache(len), Cache):
        with pytest.raises(ConfigError, match=f"(?s)pyproject.toml.*{part}"):
            attempt()


@pytest.mark.skipif(sys.version_info >= (3, 11), reason="newer CPython reads TOML")
def test_a_project_file_without_a_reader_is_unsupported_only_if_it_is_needed(project, monkeypatch):
    monkeypatch.setitem(sys.modules, "tomli", None)
    project("[tool.other]\n")
    assert cache(len)("a") == 1
    project("[tool.everwarm]\nttl = 5\n")
    with pytest.raises(Unsupported, match="hint: pip install tomli"):
        Cache()


def test_a_project_file_without_a_section_is_not_parsed(project):
    project("this is no TOML")
    assert cache(len)("a") == 1


# What is shown.


def test_a_description_is_a_table_and_asking_is_no_use():
    configure(ttl="5m")
    made = Cache(max_entries=3, policy=Policy(jitter=0.1), clock=ManualClock())
    assert str(made.describe()).splitlines() == [
        "stores                 memory://           default",
        "namespace              ''                  default",
        "max_entries            3                   argument",
        "max_bytes              None                default",
        "eviction               adaptive            default",
        "ttl                    5m                  configure",
        "disabled               False               default",
        "keyring                None                default",
        "tiers                  memory              default",
        "policy                 Policy(jitter=0.1)  argument",
        "format                 msgpack             default",
        "compression            None                default",
        "compression_threshold  1KiB                default",
        "max_value              16MiB               default",
        "on_tamper              miss                default",
        "tenant                 None                default",
        "strict                 False               default",
        "max_computations       None                default",
        "max_without_lease      None                default",
        "clock                  ManualClock         argument",
    ]
    assert repr(made) == "<everwarm.Cache: not used yet>"
    made.get("a")
    before = made.describe()
    configure(ttl="9m")
    assert made.describe() == before and hash(before) == hash(made.describe())
    with pytest.raises(AttributeError, match="frozen"):
        before.fields = {}


def test_a_description_shows_what_becomes_of_values_and_no_secret(tmp_path):
    class Shout:
        name = "shout"
        dumps, loads = staticmethod(lambda value: b""), staticmethod(lambda data: None)

    made = Cache(
        ["memory://?max_entries=3", f"disk://{tmp_path}/store?write=behind&ttl=10m"],
        format=Shout(),
        compression="zstd:9",
        keyring=Keyring(KEY),
        on_tamper="raise",
        tenant=ContextVar("org"),
        strict=True,
    )
    wanted = {
        "tiers": ("memory, disk (ttl=600, write=behind)", "argument"),
        "format": ("shout", "argument"),
        "compression": ("zstd:9", "argument"),
        "compression_threshold": ("1KiB", "default"),
        "on_tamper": ("raise", "argument"),
        "tenant": ("org", "argument"),
        "strict": (True, "argument"),
    }
    assert {name: taken(made, name) for name in wanted} == wanted
    text = str(made.describe())
    assert KEY not in text and "<Keyring: 1 seals>" in text.replace(
        str(made.describe()["keyring"].value.ids[0]), "1"
    )
    assert taken(Cache.from_dict({"stores": [f"file://{tmp_path}"]}), "tiers") == ("file", "from_dict")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("memory://?max_entries=3", "memory://?max_entries=3"),
        ("redis://user:hush@host:1/0", "redis://***@host:1/0"),
        ("redis://:hu@sh?hush@host/0", "redis://***@host/0"),
        ("https://host/path?token=hush&max_entries=3", "https://host/path?token=***&max_entries=3"),
        ("hush", "***"),
        (["memory://", "redis://a:hush@b"], "memory://, redis://***@b"),
    ],
    ids=str,
)
def test_a_url_is_shown_without_its_secrets(url, shown):
    assert everwarm._url.shown(url, ["max_entries"]) == shown
