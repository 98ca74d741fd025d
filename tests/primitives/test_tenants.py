"""Locks and limiters of tenants, and of caches whose names are secret."""

from __future__ import annotations

import secrets
from contextvars import ContextVar, copy_context

import pytest
from everwarm import Cache, Keyring, TenantMissing


def test_names_are_those_of_a_tenant():
    tenant = ContextVar("tenant")
    cache = Cache(tenant=tenant)
    lock, api = cache.lock("nightly"), cache.limiter("api", rate="1/1h")
    with pytest.raises(TenantMissing):
        lock.acquire(wait=0)

    def of(name):
        tenant.set(name)
        return lock.acquire(wait=0), bool(api.try_acquire()), bool(api.try_acquire())

    assert copy_context().run(of, "ada") == (True, True, False)
    assert copy_context().run(of, "bob") == (True, True, False)
    with pytest.raises(TenantMissing):
        api.try_acquire()


def test_secret_names_are_in_no_store(tmp_path):
    keyring = Keyring(secrets.token_bytes(32))
    cache = Cache(f"disk://{tmp_path}/store", namespace="hidden-namespace", keyring=keyring)
    api = cache.limiter("hidden-limiter", rate="5/1h")
    with cache.lock("hidden-lock"), cache.semaphore("hidden-semaphore", 2):
        assert api.try_acquire(key="hidden-key")
    cache.close()
    stored = b"".join(file.read_bytes() for file in (tmp_path / "store").rglob("*") if file.is_file())
    assert b"!" in stored and b"hidden" not in stored
