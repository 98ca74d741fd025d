"""Generator functions: what they yield is recorded as it is consumed, and replayed from then on.

The call gives a generator, ours, that does nothing until it is first asked for an item. Then it takes its
turn as a call does: it replays what is stored, waits for who records, or leads and records. A leader is
paused wherever its consumer pauses, so the consumer's context *holds* the lead meanwhile: what it asks for
before it goes on must not wait for that lead, and runs on its own instead.
"""

from __future__ import annotations

from everwarm import _native
from everwarm._behind import begin, begin_task
from everwarm._drive import ORDINARY, _chain, _held, _hosts, _running_loop, arrival, asked, asker
from everwarm._errors import Unsupported
from everwarm._function import Function
from everwarm._result import result


class Items(tuple):
    """What a generator has yielded, with what it returned."""

    returned = None

    def __new__(cls, items=(), returned=None):
        self = super().__new__(cls, items)
        if returned is not None:
            self.returned = returned
        return self

    def __reduce__(self):
        return Items, (tuple(self), self.returned)


# What followers get from a leader whose items were too many: each runs the function for itself.
_too_many = Items()


class Replayed(Function):
    """A decorated generator function, or asynchronous generator function.

    A call gives a generator of its own, which takes neither ``send`` nor ``throw``. To the other verbs the
    value is the tuple of all items.

    >>> from everwarm import Cache
    >>> @Cache()
    ... def lines(text: str):
    ...     yield from text.split()
    >>> list(lines("a b")), list(lines("a b")), lines.stats().computations
    (['a', 'b'], ['a', 'b'], 1)
    >>> lines.peek("a b").value
    ('a', 'b')
    """

    __slots__ = ()

    def __call__(self, /, *args, **kwargs):
        return self._value(ORDINARY, args, kwargs)

    def _value(self, plan, args, kwargs, told=None):
        # The function's own generator is made here, so that the call refuses arguments which do not fit.
        stream = self.__wrapped__(*args, **kwargs)
        driver = replay_async if hasattr(stream, "__anext__") else replay
        return driver(self, stream, (args, kwargs), plan, told)

    def _result(self, plan, args, kwargs):
        told = []
        stream = self._value(plan, args, kwargs, told)
        if hasattr(stream, "__anext__"):
            return self._described_later(stream, args, kwargs, told)
        return self._described(tuple(stream), args, kwargs, told)

    async def _described_later(self, stream, args, kwargs, told):
        return self._described(tuple([item async for item in stream]), args, kwargs, told)

    def _described(self, items, args, kwargs, told):
        turn, stored = told[0] if told else (None, items)
        items = items if stored is None else stored
        return result(*_native.described(self, self._namespace, args, kwargs, items, turn))

    def prime(self, value, /, *args, **kwargs):
        """Stores the items of an iterable as what the call yields."""
        super().prime(Items(value), *args, **kwargs)


def replay(function, stream, call, plan, told):
    """The items of a call: those that are stored, or those of ``stream``, the function's own generator."""
    turn = _turn(function, call, plan)
    if (behind := turn.behind()) is not None:
        begin(_Whole(function), *call, behind)
    stored = _stored(turn, told)
    if stored is not None:
        with _one_way:
            for item in stored:
                _consumed((yield item))
        return stored.returned
    recorder = _Recorder(function, turn, told)
    try:
        while True:
            with recorder:
                try:
                    item = next(stream)
                except StopIteration as end:
                    recorder.finish(end.value)
                    return end.value
            recorder.take(item)
            with _one_way:
                _consumed((yield item))
    finally:
        try:
            stream.close()
        finally:
            recorder.hand_over()


async def replay_async(function, stream, call, plan, told):
    """As ``replay``, for an asynchronous generator."""
    turn = await _turn_async(function, call, plan)
    if (behind := turn.behind()) is not None:
        begin_task(_WholeLater(function), *call, behind)
    stored = _stored(turn, told)
    if stored is not None:
        with _one_way:
            for item in stored:
                _consumed((yield item))
        return
    recorder = _Recorder(function, turn, told, _running_loop())
    try:
        while True:
            with recorder:
                try:
                    item = await stream.__anext__()
                except StopAsyncIteration:
                    recorder.finish()
                    return
            recorder.take(item)
            with _one_way:
                _consumed((yield item))
    finally:
        try:
            await stream.aclose()
        finally:
            recorder.hand_over()


def _turn(function, call, plan):
    """The turn of a call: past stores that are asked, and past who computes already."""
    again = False
    while True:
        turn = _native.begin(function, *call, plan, again, True)
        if turn.state == "ask":
            from everwarm._bell import asked_here

            asked_here(turn.ask)
        if turn.leader is None or turn.wait():
            return turn
        again = True


async def _turn_async(function, call, plan):
    """As ``_turn``, for a task."""
    again = False
    while True:
        turn = _native.begin(function, *call, plan, again)
        if turn.ask(asker()) is not None:
            await asked(turn)
        if turn.leader is None or await arrival(turn):
            return turn
        again = True


def _stored(turn, told):
    """The items that a turn gives, if the function need not run."""
    if turn.past and told is not None:
        told.append((turn, None))
    if turn.past or turn.lead is not None:
        return None
    items = turn.value()
    if items is _too_many:
        return None
    if told is not None:
        told.append((turn, items))
    return items


class _Whole:
    """A generator function as one that gives all items at once: what is computed in the background."""

    __slots__ = ("_cache", "_function")

    def __init__(self, function):
        self._function = function
        self._cache = function._cache

    def __wrapped__(self, /, *args, **kwargs):
        items, stream = [], self._function.__wrapped__(*args, **kwargs)
        while len(items) <= self._function.policy.max_items:
            try:
                items.append(next(stream))
            except StopIteration as end:
                return Items(items, end.value)
        raise _more_than_stored(self._function)


class _WholeLater(_Whole):
    """As ``_Whole``, of an asynchronous generator function."""

    __slots__ = ()

    async def __wrapped__(self, /, *args, **kwargs):
        items = []
        async for item in self._function.__wrapped__(*args, **kwargs):
            items.append(item)
            if len(items) > self._function.policy.max_items:
                raise _more_than_stored(self._function)
        return Items(items)


def _more_than_stored(function):
    return Unsupported(
        f"{function.__qualname__} now yields more than its max_items, so the old items cannot be replaced\n"
        "hint: raise `max_items`, or leave the windows out"
    )


class _Recorder:
    """A leader's items up to here; entered for each step of the function's own generator."""

    __slots__ = ("before", "host", "inside", "items", "lead", "limit", "told", "turn")

    def __init__(self, function, turn, told, host=None):
        self.turn = turn
        self.lead = turn.lead
        self.limit = function.policy.max_items
        self.told = told
        self.items = []
        if self.lead is not None:
            _hosts[self.lead] = host

    def __enter__(self):
        self.before = self.inside = _chain.get()
        if self.lead is not None:
            self.inside = (*self.before, self.lead)
            _chain.set(self.inside)

    def __exit__(self, kind, error, traceback):
        if error is not None and self.lead is not None:
            self.turn.fail(error)
            self.leave()
        # A generator that is closed by the garbage collector may find itself in somebody else's context.
        if _chain.get() is self.inside:
            _chain.set(self.before)

    def take(self, item):
        """Records an item, which the consumer gets now: until it comes back, its context holds the lead."""
        if self.lead is None:
            return
        if len(self.items) == self.limit:
            self.turn.refuse(_too_many)
            self.leave()
            return
        self.items.append(item)
        held = _held.get()
        if self.lead not in held:
            _held.set((*filter(_hosts.__contains__, held), self.lead))

    def finish(self, returned=None):
        """Ends the computation with all items."""
        if self.lead is not None:
            items = Items(self.items, returned)
            self.turn.settle(items)
            if self.told is not None:
                self.told.append((self.turn, items))
            self.leave()

    def hand_over(self):
        """Lets who waits begin anew, if the consumer has left early."""
        if self.lead is not None:
            self.turn.fail(GeneratorExit())
            self.leave()

    def leave(self):
        """The lead has ended: nothing is recorded from here on."""
        _hosts.pop(self.lead, None)  # a fork may have emptied it
        held = _held.get()
        if self.lead in held:
            _held.set(tuple(lead for lead in held if lead != self.lead))
        self.lead = None
        self.items = None


class _OneWay:
    """Where the consumer has an item: nothing but the request for the next, or the end, comes back."""

    __slots__ = ()

    def __enter__(self):
        pass

    def __exit__(self, kind, error, traceback):
        if error is not None and not isinstance(error, (GeneratorExit, Unsupported)):
            raise _unsupported("an error cannot be thrown") from error


_one_way = _OneWay()


def _consumed(sent):
    if sent is not None:
        raise _unsupported("a value cannot be sent")


def _unsupported(what):
    return Unsupported(
        f"{what} into a generator that a cache may replay\n"
        "hint: only iterate over it, or call the function's `uncached`"
    )
