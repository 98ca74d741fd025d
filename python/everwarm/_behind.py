"""Computations behind an old value: begun for a caller who was given that value and waits for nothing."""

from __future__ import annotations

from everwarm._drive import _chain, asked, computed


def begin(function, args, kwargs, turn):
    """Has the value of a turn that leads computed on the pool. Without room there a later call begins it."""
    from everwarm._background import submit

    submit(
        lambda: _compute(function, args, kwargs, turn), context=context_of(function), owner=function._cache
    )


def begin_task(function, args, kwargs, turn):
    """As ``begin``, of a coroutine function: a task of the running loop."""
    from everwarm._background import spawn

    spawn(_compute_in_task(function, args, kwargs, turn), context=context_of(function), owner=function._cache)


def context_of(function):
    """Whose context variables a refresh of this function, or of a cache's own entry, has."""
    owner = function if hasattr(function, "policy") else function._cache
    return owner.policy.refresh_context


def _compute(function, args, kwargs, turn):
    from everwarm._bell import asked_here

    asked_here(turn.ask)
    lead = turn.lead
    if lead is None or turn.crowded():
        return  # somebody else computes it, or others leave no room: a later call begins it
    _chain.set((lead,))
    try:
        value = function.__wrapped__(*args, **kwargs)
    except BaseException as error:
        turn.fail(error)
        raise
    turn.settle(value)


async def _compute_in_task(function, args, kwargs, turn):
    if turn.ask() is not None:
        await asked(turn)
    lead = turn.lead
    if lead is not None and not turn.crowded():
        await computed(function, args, kwargs, turn, lead)
