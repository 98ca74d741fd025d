"""Entries that Rust and Python share: `crates/everwarm/examples/shared.rs` beside caches of here."""

from __future__ import annotations

import subprocess

import pytest
from everwarm import Cache
from served import serving
from servers import emptied, needed

pytestmark = [pytest.mark.once, pytest.mark.timeout(120)]


@pytest.fixture(params=["disk", "redis", "http"])
def url(request, tmp_path):
    """A store without anything of these tests' namespace."""
    disk = f"disk://{tmp_path}/store"
    match request.param:
        case "redis":
            yield emptied(needed("EVERWARM_TEST_REDIS"), "shop")
        case "http":
            with serving("--store", disk) as (url, _):
                yield url
        case _:
            yield disk


@pytest.fixture
def rust(url):
    """What the program prints: `cargo build -p everwarm --features disk,http,redis --example shared`."""
    program = needed("EVERWARM_TEST_SHARED")

    def run():
        done = subprocess.run([program, url], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    return run


@pytest.fixture
def shop(url):
    with Cache(url, namespace="shop") as cache:
        yield cache


def test_python_reads_what_rust_wrote(rust, shop):
    assert rust() == ["computed Ada 36", "lamp 40"]
    assert shop.get(7) == {"name": "Ada", "age": 36}

    @shop(name="shop.price", schema="", depends_on="nothing", tags=["sku:{sku}"])
    def price(sku):
        raise AssertionError("it is there")

    assert price("lamp") == 40


def test_rust_reads_what_python_wrote(rust, shop):
    @shop(name="shop.price", schema="", depends_on="nothing", tags=["sku:{sku}"])
    def price(sku):
        return 50

    price("lamp")
    shop.set(7, {"name": "Grace", "age": 85})
    assert rust() == ["found Grace 85", "lamp 50"]


def test_what_python_invalidates_rust_computes_anew(rust, shop):
    assert rust() == ["computed Ada 36", "lamp 40"]
    assert rust() == ["found Ada 36", "lamp 40"]
    shop.delete(7)
    shop.invalidate_tags("sku:lamp")
    assert rust()[0] == "computed Ada 36"


def test_what_is_none_of_its_values_rust_computes_anew(rust, shop):
    shop.set(7, ("a tuple", "is an extension"))
    assert rust()[0] == "computed Ada 36"
    assert shop.get_with_meta(7).value == {"name": "Ada", "age": 36}
