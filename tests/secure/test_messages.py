"""With a keyring nothing that goes to a server can be read, and no message counts without the right code."""

from __future__ import annotations

import threading
from contextlib import closing
from uuid import uuid4

import pytest
from eavesdropper import Wire
from everwarm import Cache, Keyring
from kit import KEY, OTHER
from servers import needed
from test_sealed import CANARY, TENANT, sing
from worlds import until

# They hear everything that a server says, and so what other interpreters do there at the same time.
pytestmark = [pytest.mark.once, pytest.mark.timeout(60)]


@pytest.fixture
def redis():
    return f"{needed('EVERWARM_TEST_REDIS')}?timeout=5s"


@pytest.fixture
def space():
    """A namespace that nobody else has."""
    return uuid4().hex


@pytest.mark.proves("Cache.keyring")
@pytest.mark.parametrize("tenant", [None, TENANT])
def test_a_canary_is_not_on_the_wire(redis, space, tenant):
    with closing(Wire(redis)) as wire:
        wire.send("MONITOR")
        wire.until(b"+OK")
        with Cache(redis, namespace=f"{CANARY}-{space}", tenant=tenant, keyring=Keyring(KEY)) as cache:
            sing(cache)
            if tenant is None:
                with cache.lock(CANARY), cache.semaphore(CANARY, 2):
                    cache.limiter(CANARY, rate="5/1m").acquire()
        seen = wire.listen(0.2)
    assert seen.count(b"lua") > 10 and b"PUBLISH" in seen.upper()
    for form in (CANARY.encode(), CANARY.upper().encode(), CANARY.encode().hex().encode()):
        assert form not in seen


def test_without_a_keyring_the_wire_shows_the_canary(redis, space):
    with closing(Wire(redis)) as wire, Cache(redis, namespace=space) as cache:
        wire.send("MONITOR")
        wire.until(b"+OK")
        cache.set(CANARY, CANARY)
        assert wire.until(b"PUBLISH").count(CANARY.encode()) > 2, "the test sees what is sent"


class Two:
    """Two processes' caches of one namespace, a value that both have, and who overhears and imitates them."""

    def __init__(self, redis, space, keyring):
        self.one = Cache(redis, namespace=space, keyring=keyring)
        self.other = Cache(redis, namespace=space, keyring=keyring)
        self.opened = [self.one, self.other]
        try:
            self.begin(redis)
        except BaseException:
            self.close()
            raise

    def begin(self, redis):
        self.attacker, self.ear = Wire(redis), Wire(redis)
        self.opened += [self.attacker, self.ear]
        self.ear.send("PSUBSCRIBE", "ew*")
        self.ear.until(b"psubscribe")
        self.price, self.known = (cache(name="price", ttl="1m")(lambda sku: 0) for cache in self.opened[:2])
        self.price.prime(0, "tea")
        self.known("tea")
        until(self.ear.messages)
        until(lambda: self.are_heard(redis, self.ear.messages()[-1][0]))
        for value in range(3):
            self.price.prime(value, "tea")
            until(lambda value=value: self.known("tea") == value)
        until(self.is_near)

    @staticmethod
    def are_heard(redis, channel):
        """Whether both listen to the messages: who begins after one was told takes a copy for it."""
        with closing(Wire(redis)) as wire:
            wire.send("PUBSUB", "NUMSUB", channel)
            return wire.until(b":").endswith(b":2\r\n")

    def is_near(self):
        """Whether the value is in memory."""
        return self.known.call("tea").tier == "memory"

    def publish(self, channel, payload):
        self.attacker.send("PUBLISH", channel, payload)
        self.attacker.listen()

    def refused(self):
        return self.other.tiers()[-1].refused.get("tampered", 0)

    def close(self):
        for opened in self.opened:
            opened.close()


@pytest.mark.proves("Cache.keyring")
def test_messages_that_were_forged_altered_or_sent_again_count_for_nothing(redis, space):
    with closing(Two(redis, space, Keyring(KEY))) as two:
        channel, payload = two.ear.messages()[-1]
        parts = payload.split(b" ")
        assert parts[0] == b"2" and b"price" not in payload
        number = int(parts[4])
        ahead = [*parts[:4], b"%d" % (number + 1), *parts[5:]]
        forged = [
            payload,
            b" ".join(ahead),
            b" ".join([*ahead[:-1], b"C"]),
            b" ".join([b"1", *ahead[1:5], b"C"]),
            b"anything",
        ]
        assert two.refused() == 0
        for count, message in enumerate(forged, 1):
            two.publish(channel, message)
            until(lambda count=count: two.refused() == count)
            assert two.is_near() and two.known("tea") == 2
        # What is told after that is heard as ever.
        two.price.prime(3, "tea")
        until(lambda: two.known("tea") == 3)
        assert two.refused() == len(forged)


def test_where_there_is_no_key_anybody_may_send_and_memory_lets_go(redis, space):
    with closing(Two(redis, space, None)) as two:
        channel, payload = two.ear.messages()[-1]
        head = payload.rsplit(b" ", 2)[0]
        two.publish(channel, b"%s %d C" % (head.rsplit(b" ", 1)[0], 1 << 20))
        until(lambda: not two.is_near())
        assert two.known("tea") == 2 and two.refused() == 0


def test_who_has_another_key_or_none_hears_nothing_wrong(redis, space):
    def cache(keyring):
        return Cache(redis, namespace=space, keyring=keyring)

    with cache(Keyring(KEY)) as one, cache(Keyring(OTHER)) as another, cache(None) as bare:
        for place in (another, bare):
            place.set("value", "mine", ttl=60)
        for number in range(20):
            one.set("value", number, ttl=60)
            one.invalidate_tags("value")
        for place in (another, bare):
            assert place.get("value") == "mine"
            assert place.tiers()[-1].refused == {}


def test_threads_that_tell_at_once_are_all_heard(redis, space):
    with closing(Two(redis, space, Keyring(KEY))) as two:

        def tell(thread):
            for number in range(50):
                two.one.set(f"{thread}", number, ttl=60)

        threads = [threading.Thread(target=tell, args=(thread,)) for thread in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        until(lambda: all(two.other.get(f"{thread}") == 49 for thread in range(8)))
        assert two.refused() == 0
