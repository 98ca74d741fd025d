"""The cache: a decorator for functions and a table of its own entries, within one bound."""

from __future__ import annotations

import atexit

from everwarm import _config, _native, _options, _tenant, _tiers
from everwarm._callables import check as check_callable
from everwarm._errors import ConfigError
from everwarm._first_use import FromFirstUse, place_of_use
from everwarm._function import decorate
from everwarm._load import load, ready
from everwarm._objects import Objects
from everwarm._policy import Policy, check_format
from everwarm._presets import Preset
from everwarm._result import WhatIf, stats, tier_stats
from everwarm._sealing import SEALING, Sealing


class Cache(Objects):
    """A bounded cache in this process's memory: it decorates functions, and has entries of its own.

    * ``stores``: a URL such as ``"disk:"``, which has memory in front of it, or the tiers themselves, near to
      far: URLs, store objects, ``Tier``; the last one may be ``Moving``.
    * ``namespace``: the first part of stored names.
    * ``max_entries``: how many entries its functions and its own verbs may hold together, at least 1; None
      for no such bound, where there is one of bytes.
    * ``max_bytes``: how much these may weigh together: bytes, ``"256MB"``, ``"1GiB"``, or None for no such
      bound.
    * ``weigher``: a function of a value that gives its weight in bytes; None: an estimate of the memory
      that it takes.
    * ``on_remove``: a function of key, value and cause, called after each entry that has left.
    * ``eviction``: which entries leave for want of room: ``"adaptive"``, ``"sieve"``, ``"s3_fifo"``,
      ``"lru"``, ``"lfu"``, ``"fifo"`` or ``"ttl"``.
    * ``policy``: the default ``Policy`` of its functions, and that of its own entries.
    * ``on_background_error``: a function of the error, called when work in the background failed; None: the
      log ``everwarm`` has it.
    * ``clock``: an ``everwarm.testing.ManualClock`` that it reads instead of the system's.
    * ``format``: how values are written in stores, unless a policy says otherwise: ``"msgpack"``,
      ``"json"``, ``"arrow"``, ``"pickle"``, ``(dumps, loads)``, or an object with both.
    * ``compression``: how values are compressed in stores: ``"lz4"``, ``"zstd"``, ``"gzip"``, the latter two
      with a level as in ``"zstd:9"``, or None.
    * ``compression_threshold``: from how many bytes on they are.
    * ``max_value``: a value of more bytes is not stored: at most 1 GiB.
    * ``keyring``: the ``Keyring`` that entries are sealed with, in memory too; stores then learn neither
      values nor keys, tags, tenants or names.
    * ``on_tamper``: what becomes of an entry that was changed without the key: ``"miss"``, or ``"raise"`` a
      ``StoreError`` of kind ``"tampered"`` and leave it where it is.
    * ``tenant``: a ``ContextVar`` that says whose entries a call or a verb may meet.
    * ``max_computations``: how many computations of its functions and of ``get_or_compute`` run at once;
      None: as many as are asked for.
    * ``strict``: whether what cannot be done is raised: a value that stores cannot have, an invalidation that
      a store has not taken, a tenant that is missing, a store that cannot be opened for a reason that does
      not pass by itself.

    What is left out is taken from ``everwarm.configure``, the environment or ``pyproject.toml`` when the
    cache is used for the first time; ``describe()`` shows it.

    Raises ``ConfigError`` for values that cannot be meant, ``Unsupported`` for stores that are not there.

    >>> from everwarm import Cache
    >>> shop = Cache(namespace="shop", max_entries=1_000)
    >>> @shop(ttl="5m", tags=["sku:{sku}"])
    ... def price(sku: str) -> int:
    ...     return len(sku)
    >>> price("ab"), price("ab"), price.stats().computations
    (2, 2, 1)
    >>> shop.invalidate_tags("sku:ab")
    >>> price("ab"), price.stats().computations
    (2, 2)
    """

    @_options.known
    def __init__(
        self,
        stores=None,
        *,
        namespace="",
        max_entries=10_000,
        max_bytes=None,
        eviction="adaptive",
        weigher=None,
        policy=None,
        on_remove=None,
        on_background_error=None,
        clock=None,
        format="msgpack",
        compression=None,
        compression_threshold="1KiB",
        max_value="16MiB",
        keyring=None,
        on_tamper="miss",
        tenant=None,
        strict=False,
        max_computations=None,
    ):
        _config.check()
        settings = {
            "stores": stores,
            "namespace": namespace,
            "max_entries": max_entries,
            "max_bytes": max_bytes,
            "eviction": eviction,
            "keyring": keyring,
        }
        said = {name: value for name, value in settings.items() if name in self._said}
        if policy is not None and not isinstance(policy, Policy):
            raise ConfigError(
                f"policy is a Policy, not {type(policy).__name__}\nhint: write `policy=Policy(ttl=60)`"
            )
        if clock is not None and not isinstance(clock, _native.Hand):
            raise ConfigError("clock is an everwarm.testing.ManualClock\nhint: write `clock=ManualClock()`")
        listeners = ("on_remove", on_remove), ("on_background_error", on_background_error)
        for name, told in ("weigher", weigher), *listeners:
            if told is not None and not callable(told):
                kind, form = type(told).__name__, _FORMS[name]
                raise ConfigError(f"{name}= takes a callable, not {kind}\nhint: write `{name}={form}`")
            if told is not None:
                check_callable(name, told, _FORMS[name], _FORMS[name].count(",") + 1)
        if format != "msgpack":
            check_format(format)
        sealing = Sealing(
            compression=compression,
            compression_threshold=compression_threshold,
            max_value=max_value,
            on_tamper=on_tamper,
        )
        _tenant.check(tenant, strict)
        own = _config.layer(said, "argument")
        if max_entries is None:
            _native.check_bounds(None, _config.fill(own)["max_bytes"].value, "adaptive")
        self._begin(own, policy, clock, weigher, on_remove, format)
        self._sealing, self._tenant, self._strict = sealing, tenant, strict
        self._on_background_error = on_background_error
        _native.check_computations(max_computations)
        self._max_computations = max_computations
        sealing.codec(_config.fill(own)["keyring"].value)
        self._check(self._policy, "policy=")
        ready("stores" in own)

    def _begin(self, own, policy=None, clock=None, weigher=None, on_remove=None, format="msgpack"):
        self._own = own
        self._policy = self.policy = Policy() if policy is None else policy
        self._clock, self._weigher, self._on_remove = clock, weigher, on_remove
        self._format, self._depends_on = format, "nothing"
        self._sealing, self._tenant, self._strict = SEALING, None, False
        self._on_background_error = self._max_computations = None
        # What is to be encrypted, if anything is.
        self._encrypts = None
        # Clocks that tests hold it with.
        self._hands = []

    @classmethod
    def _of(cls, own, policy=None):
        made = cls.__new__(cls)
        made._begin(own, policy)
        made._check(made._policy, "policy=")
        return made

    @classmethod
    def from_env(cls, prefix="EVERWARM_"):
        """A cache as the environment's variables ``{prefix}URL``, ``{prefix}TTL`` and so on say.

        Raises ``ConfigError`` for a variable with that prefix that is no setting.
        """
        _config.check()
        return cls._of(_config.environment(prefix))

    @classmethod
    def from_dict(cls, mapping):
        """A cache as a mapping says: settings by name, and a policy's fields under ``policy``.

        Raises ``UnknownOption`` for a key that is neither.

        >>> from everwarm import Cache
        >>> shop = Cache.from_dict({"namespace": "shop", "policy": {"ttl": "5m"}})
        >>> shop.namespace, shop.policy
        ('shop', Policy(ttl='5m'))
        """
        _config.check()
        settings = _mapping(mapping, "what is given")
        policy = settings.pop("policy", {})
        _options.refuse_unknown(settings, (*_config.SETTINGS, "policy"))
        if not isinstance(policy, Policy):
            policy = Policy(**_mapping(policy, "policy"))
        return cls._of(_config.layer(settings, "from_dict"), policy)

    def __call__(self, function=None, /, **keywords):
        """Decorates a function, or gives the decorator for a policy.

        ``@cache``, ``@cache(ttl=60)`` and ``@cache(policy, ttl=3)`` are its three forms.
        """
        _config.check()
        if function is None or isinstance(function, Policy):
            policy = self._policy if function is None else self._policy.replace(**function._sayings())
            policy = policy.replace(**keywords) if keywords else policy
            return lambda wrapped: decorate(self, _decoratable(wrapped), policy)
        wrapped = _decoratable(function)
        return decorate(self, wrapped, self._policy.replace(**keywords) if keywords else self._policy)

    @property
    def minimal(self):
        """Decorates with the defaults, whatever the cache's policy and configuration say."""
        return Preset(self, "minimal")

    @property
    def production(self):
        """Decorates for services: entries expire, and not all at once."""
        return Preset(self, "production")

    @property
    def dev(self):
        """Decorates for work on the code: what changes is soon seen."""
        return Preset(self, "dev")

    @property
    def test(self):
        """Decorates for tests: nothing is left to chance."""
        return Preset(self, "test")

    @property
    def local(self):
        """Decorates for values that hold as long as the process does."""
        return Preset(self, "local")

    @property
    def secure(self):
        """Decorates for values that nobody else may read: nothing of them leaves the process unsealed."""
        return Preset(self, "secure")

    def _check(self, policy, what):
        """Raises ``ConfigError`` for a policy that cannot be kept to, as far as that is known by now."""
        pickles = (self._format if policy.format is None else policy.format) == "pickle"
        if policy.encrypted:
            if pickles:
                raise ConfigError(
                    f"{what} is to be encrypted, and pickled\n"
                    'hint: write `format="msgpack"`, or another format'
                )
            self._encrypts = self._encrypts or what
            if "_table" in self.__dict__:
                self._refuse_plain(self._first[1]["keyring"].value)
        if pickles and "stores" in self._own and _config.fill(self._own)["keyring"].value is None:
            from everwarm._stored import refuse_pickles

            refuse_pickles(self._own["stores"].value)

    def _refuse_plain(self, keyring):
        if self._encrypts is not None and keyring is None:
            raise ConfigError(
                f"{self._encrypts} is to be encrypted, and the cache has no keyring\n"
                'hint: write `Cache(..., keyring=Keyring.from_env("SHOP_KEY"))`, or set EVERWARM_KEY'
            )

    def describe(self):
        """Each field, its value and where that was taken from, as a ``Description``; its text is a table.

        Asking does not count as a use: until the first one it says what would be taken now.
        """
        settings = self._first[1] if "_first" in self.__dict__ else self._filled()
        return _config.Description(fields=load("everwarm._described").fields(self, settings))

    def _filled(self):
        own = self._own
        if "ttl" in self._policy._said and not callable(self._policy.ttl):
            own = {**own, "ttl": _config.Taken(value=self._policy.ttl, source="argument policy")}
        return _config.fill(own)

    def _resolve(self):
        """The table; made at the first use, from what is configured by then."""
        table = self.__dict__.get("_table")
        if table is not None:
            return table
        taken = self._filled()
        stores = taken["stores"].value
        keyring = taken["keyring"].value
        self._refuse_plain(keyring)
        self._stores, self._codec = stores, self._sealing.codec(keyring)
        self._depends_on = _tiers.dependence(stores)
        tiers = _tiers.shared(stores, _config.MEMORY_OPTIONS)
        ready(bool(tiers))
        table = _native.Table(
            taken["max_entries"].value,
            taken["max_bytes"].value,
            self._clock,
            eviction=taken["eviction"].value,
            weigher=self._weigher,
            on_remove=self._on_remove,
            namespace=taken["namespace"].value,
            max_entry_bytes=self._policy.max_entry_bytes,
            ttl=taken["ttl"].value,
            disabled=taken["disabled"].value,
            memory=_tiers.memory_span(stores, _config.MEMORY_OPTIONS),
            tiers=tiers,
            beside=_tiers.beside(stores),
            format=_stored_format(self) if tiers or keyring is not None else None,
            codec=self._codec,
            tenant=self._tenant,
            strict=self._strict,
            max_computations=self._max_computations,
        )
        # Of several threads that come here at once the first decides.
        table, taken, place = self.__dict__.setdefault("_first", (table, taken, place_of_use()))
        if taken["ttl"].source != "default":
            self.policy = self._policy.replace(ttl=taken["ttl"].value)
        self.namespace = taken["namespace"].value
        self.max_entries = taken["max_entries"].value
        self.max_bytes = _native.size("max_bytes", taken["max_bytes"].value)
        self.eviction = taken["eviction"].value
        for hand in self._hands:
            hand.attach(table)
        self._table = table
        if table.is_shared():
            from everwarm._sweeper import watch

            watch(table)
        return table

    _table, namespace, max_entries, max_bytes, eviction = (FromFirstUse() for _ in range(5))

    def _hold(self, hand):
        """Has it read a test's clock, whether it is used already or not."""
        self._hands.append(hand)
        if "_table" in self.__dict__:
            hand.attach(self._table)

    def _let_go(self, hand):
        self._hands.remove(hand)
        if "_table" in self.__dict__:
            hand.detach(self._table)

    def _leave(self):
        """Forgets entries, counters and configuration, as if it had never been used; its functions follow."""
        first = self.__dict__.pop("_first", None)
        for name in ("_table", "namespace", "max_entries", "max_bytes", "eviction"):
            self.__dict__.pop(name, None)
        self.policy = self._policy
        if first is not None:
            first[0].leave()

    def batch(self, function=None, /, *, argument=None, chunk=None, collect=None, **keywords):
        """Decorates a function over many ids, each of which is an entry of its own; gives a ``Batch``.

        * ``argument``: the parameter that takes the ids: a list, tuple, set or mapping; None: the first one.
        * ``chunk``: how many ids one call of the function takes at most; None: as many as are missing.
        * ``collect``: how long ``load`` waits for others before it calls the function for all of them, or
          until they are a ``chunk``: seconds, ``"2ms"``, a ``timedelta``; None: not at all.

        The function gives a mapping from ids to values, or, for a list or tuple, a list in their order.
        Further keywords are those of ``cache(...)``; what they are told of a call they are told of each id.

        Raises ``ConfigError`` for what cannot take ids; a call raises ``BatchMismatch`` if the function's
        values do not answer to the ids. The idea is from DataLoader, and from dogpile's
        ``get_or_create_multi``.

        >>> from everwarm import Cache
        >>> shop = Cache()
        >>> @shop.batch(ttl="5m", chunk=500)
        ... def prices(skus: list[str], currency: str = "EUR") -> dict[str, int]:
        ...     return {sku: len(sku) for sku in skus if sku != "none"}
        >>> prices(["lamp", "none", "tv", "lamp"])
        [4, None, 2, 4]
        """
        from everwarm._batch import batch

        _config.check()
        policy = self._policy
        if isinstance(function, Policy):
            policy, function = policy.replace(**function._sayings()), None
        policy = policy.replace(**keywords) if keywords else policy
        if function is None:
            return lambda wrapped: batch(self, _decoratable(wrapped), policy, argument, chunk, collect)
        return batch(self, _decoratable(function), policy, argument, chunk, collect)

    def invalidates(self, *, tags=(), keys=(), delay=None):
        """Decorates a writer: after it has returned without an exception, ``tags`` and ``keys`` are gone.

        * ``tags``: texts and templates over the writer's parameters, or a function of its arguments.
        * ``keys``: keys of this cache's own entries, texts and templates; or a function of the writer's
          arguments that gives any keys, and calls of decorated functions as ``(function, *args)``.
        * ``delay``: a duration after which they are let go once more, for replicas that lag.

        Inside a ``unit_of_work`` it waits for that one's end; a generator has returned when it is exhausted.
        Both are made before the writer runs: what they raise is raised then, and nothing is written.
        Raises ``ConfigError`` for templates that name no parameter, and if neither is given.

        >>> from everwarm import Cache
        >>> shop, stock = Cache(), {"lamp": 3}
        >>> @shop
        ... def available(sku: str) -> int:
        ...     return stock[sku]
        >>> @shop.invalidates(keys=lambda sku, count: [(available, sku)])
        ... def restock(sku: str, count: int) -> None:
        ...     stock[sku] = count
        >>> available("lamp"), restock("lamp", 5), available("lamp")
        (3, None, 5)
        """
        from everwarm._invalidates import writer

        return lambda wrapped: writer(self, wrapped, (tags, keys), delay)

    def unit_of_work(self, *, delay=None, mark_before=False, timeout="30s"):
        """A ``with`` or ``async with`` block whose invalidations wait for its end, for database transactions.

        * ``delay``: a duration after which all of it is invalidated once more, for replicas that lag.
        * ``mark_before``: whether tags are marked in the stores as soon as they are invalidated inside: until
          the block ends nothing is stored under them, in any process, though this one be killed.
        * ``timeout``: after so long such a mark ends as by an invalidation.

        What is invalidated inside, by verbs and by ``@cache.invalidates``, is done after the block; if it
        raises, nothing is done. Calls inside go past this cache: nothing is read, nothing is stored. A unit
        inside of another is part of it.

        Raises ``ConfigError`` for a duration that cannot be meant, ``Unsupported`` for ``mark_before`` with a
        store that cannot keep it.

        >>> from everwarm import Cache
        >>> shop, stock = Cache(), {"lamp": 3}
        >>> @shop(tags=["{sku}"])
        ... def available(sku: str) -> int:
        ...     return stock[sku]
        >>> available("lamp")
        3
        >>> with shop.unit_of_work():
        ...     stock["lamp"] = 2
        ...     shop.invalidate_tags("lamp")
        ...     available("lamp")
        2
        >>> available("lamp"), available.stats().bypass
        (2, 1)
        """
        from everwarm._unit_of_work import UnitOfWork

        return UnitOfWork(self, delay, mark_before, timeout)

    def lock(self, name, *, ttl="30s", wait=None):
        """A ``Lock`` of this name, among all who share the cache's last store, within namespace and tenant.

        * ``ttl``: for how long it is held by who has died; a holder that lives renews it. A second at
          least.
        * ``wait``: how long ``with`` and ``acquire`` wait for it; 0 for not at all, None for as long as it
          takes.

        Making it uses the cache. Raises ``Unsupported`` if the store has no leases or counters.
        """
        from everwarm._lock import Lock

        return Lock(self, name, ttl, wait)

    def semaphore(self, name, permits, *, ttl="30s", wait=None):
        """A ``Semaphore`` of this name with so many permits, from 1 to 1,000; in all else as ``lock``.

        Who asks with fewer permits than others sees as many as it asks with.
        """
        from everwarm._semaphore import Semaphore

        return Semaphore(self, name, permits, ttl, wait)

    def limiter(self, name, *, rate, kind="token_bucket", burst=None, wait=None):
        """A ``Limiter`` of this name, among all who share the last store, within namespace and tenant.

        * ``rate``: how many in how long: ``"100/1m"``.
        * ``kind``: ``"token_bucket"``, where permits come back evenly; ``"fixed_window"``, which begins with
          its first permit; ``"sliding_window"``, which allows so many in any span of the period.
        * ``burst``: how many a token bucket holds; as many as the rate has, if left out.
        * ``wait``: how long ``with``, ``acquire`` and decorated functions wait; 0 for not at all, None for
          as long as it takes.

        Making it uses the cache. Raises ``Unsupported`` if the store has no conditional writes.
        """
        from everwarm._limiter import Limiter

        return Limiter(self, name, rate, kind, burst, wait)

    def stats(self):
        """The counters of all its functions and of its own verbs, as ``Stats``."""
        return stats(self._resolve().stats())

    def tiers(self):
        """What each tier behind memory did for this cache in this process, near to far, as ``TierStats``."""
        return tuple(tier_stats(told) for told in self._resolve().tiers())

    def health(self, level="basic"):
        """How the cache and each of its tiers are, as ``Health``: true if all is well.

        * ``level``: ``"ping"`` asks the stores whether they answer; ``"basic"`` what they say of themselves,
          too: what they hold, their bounds and versions; ``"full"`` how they are set up, too, and what is not
          as it is recommended.

        All stores are asked at once, and waited for one second at most; those that answer on the thread that
        asks cannot be ended. What was found is given again for five seconds. It never raises because of a
        store. Raises ``ConfigError`` for a level that does not exist.

        >>> from everwarm import Cache
        >>> Cache().health("full")
        <Health ok: memory ok>
        """
        return load("everwarm._health").of(self, level)

    async def ahealth(self, level="basic"):
        """As ``health``, awaited."""
        return await load("everwarm._health").aof(self, level)

    def copy_to(self, other, *, after=None, progress=None, rate=None):
        """Copies what the last store holds of this namespace to the last store of another cache: ``Copied``.

        * ``other``: a ``Cache`` with another store and the same namespace.
        * ``after``: the ``place`` of a copy that was broken off, to go on from there.
        * ``progress``: a function that is called with a ``Copied`` after every page; what it raises ends
          the copy.
        * ``rate``: how many entries it looks at in a second, at most; None for no such bound.

        Both may be in use. Entries keep what is left of their ttl, and their tags. What the other store has
        of the same age or younger stays. What has expired or was invalidated is not copied. At the end all
        that the other store has of the namespace is held against this one: what was deleted or invalidated
        here before that began is gone there after it. What is changed here later does not reach the other
        store.

        Raises ``Unsupported`` for entries sealed with a keyring, other namespaces, and stores that cannot
        list their names; ``StoreError`` for a store that does not answer, also after some tries.

        >>> import tempfile
        >>> from everwarm import Cache
        >>> old, new = (Cache(f"disk://{tempfile.mkdtemp()}/store", namespace="shop") for _ in range(2))
        >>> old.set("greeting", "hello", ttl="1h")
        >>> old.copy_to(new).copied, new.get("greeting")
        (1, 'hello')
        """
        return load("everwarm._copy").copy(self, other, after, progress, rate)

    async def acopy_to(self, other, *, after=None, progress=None, rate=None):
        """As ``copy_to``, awaited."""
        return await load("everwarm._copy").acopy(self, other, after, progress, rate)

    def what_if(self):
        """What the hit ratio would be at half and at twice the cache's bounds, as ``WhatIf``.

        It counts from the first time it is asked for.
        """
        half, same, twice, lookups, sampled = self._resolve().what_if()
        return WhatIf(half=half, same=same, twice=twice, lookups=lookups, sampled=sampled)

    def __repr__(self):
        if "_table" not in self.__dict__:
            return "<everwarm.Cache: not used yet>"
        name = f" {self.namespace!r}" if self.namespace else ""
        held = self.stats()
        entries = f"{held.entries} of {self.max_entries}" if self.max_entries else f"{held.entries}"
        weight = f", {held.bytes} of {self.max_bytes} bytes" if self.max_bytes else ""
        return f"<everwarm.Cache{name}: {entries} entries{weight}>"


def _decoratable(function):
    if isinstance(function, type):
        raise ConfigError(
            f"a cache decorates functions, not classes such as {function.__qualname__}\n"
            "hint: decorate its methods, or a function that makes an instance"
        )
    if callable(function) or isinstance(function, (classmethod, staticmethod)):
        return function
    raise ConfigError(
        f"a cache decorates functions, not {type(function).__name__}\n"
        "hint: write `@cache` above `def`, or `@cache(ttl=60)`"
    )


def _stored_format(cache):
    from everwarm._stored import of_objects

    return of_objects(cache)


_FORMS = {
    "weigher": "lambda value: len(value)",
    "on_remove": "lambda key, value, cause: ...",
    "on_background_error": "lambda error: ...",
}


def _mapping(given, what):
    if not hasattr(given, "keys"):
        raise ConfigError(f'{what} is a mapping, not {type(given).__name__}\nhint: write `{{"ttl": "5m"}}`')
    return dict(given)


atexit.register(_native.end_listeners)


cache = Cache._of({})
