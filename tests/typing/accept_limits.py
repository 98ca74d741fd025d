"""Limits of computations and what background work did."""

from datetime import timedelta

from everwarm import BackgroundStats, Cache, Policy, background_stats

shop = Cache(max_computations=8, on_background_error=lambda error: print(type(error)))


@shop(hard_timeout="500ms", on_timeout="discard", wait_timeout=5, max_computations=2, on_cancel="continue")
def price(sku: str) -> int:
    return len(sku)


limits: Policy = Policy(hard_timeout=timedelta(seconds=1), on_timeout="store", on_cancel="hand_over")
told: BackgroundStats = background_stats()
queued: int = told.queued
