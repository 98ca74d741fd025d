"""A computation whose key was invalidated meanwhile, and that asks for it again, waits for nobody."""

from __future__ import annotations

import time

import pytest

pytestmark = pytest.mark.timeout(60)


def test_who_asks_again_for_what_was_invalidated_does_not_wait_for_its_own_lease(place):
    shop = place.cache()
    asked = []

    @shop(name="price", ttl="1m", tags=["prices"])
    def price(key):
        asked.append(key)
        if len(asked) > 1:
            return 1
        shop.invalidate_tags("prices")
        return price(key) + 1

    began = time.monotonic()
    assert price("tea") == 2 and asked == ["tea", "tea"]
    assert time.monotonic() - began < 2
