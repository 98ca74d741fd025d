"""What entries are called: a name that is remembered is that of its own function."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Celsius:
    degrees: int


@dataclass
class Fahrenheit:
    degrees: int


def test_functions_of_one_name_are_called_by_their_own_schemas(place):
    cache = place.cache(memory=False)

    @cache(ttl=60, name="weather")
    def warm(city) -> Celsius:
        return Celsius(20)

    @cache(ttl=60, name="weather")
    def hot(city) -> Fahrenheit:
        return Fahrenheit(90)

    for _ in range(3):
        assert (warm("Rome"), hot("Rome")) == (Celsius(20), Fahrenheit(90))
    assert warm.key("Rome") != hot.key("Rome")


def test_more_keys_than_are_remembered_keep_their_names(place):
    cache = place.cache(memory=False)
    keys = range(5_000)
    chosen = [f"key {number}" for number in keys if number % 50 == 0]
    for key in chosen:
        cache.set(key, key)
    for number in keys:
        assert cache.exists(f"key {number}") == (number % 50 == 0)
    assert cache.get_many(chosen) == dict(zip(chosen, chosen, strict=True))
