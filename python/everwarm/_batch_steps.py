"""How a batch gets what memory does not have: one body, which a thread drives as well as a task.

A batch leads some of its ids and waits for who leads the others. It first computes all that it leads, and
settles that, and only then waits: so no two batches wait for each other.
"""

from __future__ import annotations

from everwarm import _bell, _native
from everwarm._drive import ORDINARY, _chain, _hosts, _running_loop, arrival
from everwarm._result import result


class Compute:
    """The function is to be called."""

    __slots__ = ("args", "function", "kwargs")

    def __init__(self, function, args, kwargs):
        self.function, self.args, self.kwargs = function, args, kwargs

    def done(self):
        return self.function(*self.args, **self.kwargs)

    adone = done


class Ring:
    """What is woken once stores have answered."""

    __slots__ = ()

    def done(self):
        return _native.Ring()

    async def adone(self):
        return _bell.ring()


class Rest:
    """Stores are waited for, until they call a ring or for some seconds."""

    __slots__ = ("ring", "seconds")

    def __init__(self, ring, seconds):
        self.ring, self.seconds = ring, seconds

    def done(self):
        self.ring.rest(self.seconds)

    def adone(self):
        return _bell.rest(self.ring, self.seconds)


class Wait:
    """Somebody else computes: whether with a value; None if waiting would close a circle."""

    __slots__ = ("turn",)

    def __init__(self, turn):
        self.turn = turn

    def done(self):
        return self.turn.wait() if self.turn.block() else None

    def adone(self):
        return arrival(self.turn)


class Behind:
    """Steps are to be done in the background; nobody waits for them."""

    __slots__ = ("one", "steps")

    def __init__(self, steps, one):
        self.steps, self.one = steps, one

    def done(self):
        from everwarm._background import submit
        from everwarm._behind import context_of

        submit(lambda: drive(self.steps), context=context_of(self.one), owner=self.one._cache)

    async def adone(self):
        from everwarm._background import spawn
        from everwarm._behind import context_of

        spawn(adrive(self.steps), context=context_of(self.one), owner=self.one._cache)


def drive(steps):
    """What the steps come to, on a thread."""
    go_on, told = steps.send, None
    while True:
        try:
            wish = go_on(told)
        except StopIteration as end:
            return end.value
        try:
            go_on, told = steps.send, wish.done()
        except BaseException as error:
            go_on, told = steps.throw, error


async def adrive(steps):
    """What the steps come to, in a task."""
    go_on, told = steps.send, None
    while True:
        try:
            wish = go_on(told)
        except StopIteration as end:
            return end.value
        try:
            go_on, told = steps.send, await wish.adone()
        except BaseException as error:
            go_on, told = steps.throw, error


def alone(function, call):
    """The value of the only id of a call."""
    found = yield Compute(function, call.args, call.kwargs)
    return call.read(found, (0,))[0]


def answer(batch, call, plan=ORDINARY):
    """What a call of a batch gives."""
    place = (call.stands(), call.place)
    looked = _native.look(batch._one, place, call.args, call.kwargs, plan is ORDINARY)
    if looked is None:
        # The function itself says best what does not fit.
        return (yield Compute(batch.__wrapped__, call.args, call.kwargs))
    values, missing = looked
    if missing:
        parts = yield from _filled(batch, call, missing, plan)
        for part in parts:
            for place in part.places:
                values[place] = part.value
    return call.answer(values)


def results(batch, call, plan=ORDINARY):
    """The same, each as a ``Result``."""
    place = (call.stands(), call.place)
    looked = _native.look(batch._one, place, call.args, call.kwargs, False)
    if looked is None:
        return (yield Compute(batch.__wrapped__, call.args, call.kwargs))
    one = batch._one
    parts = yield from _filled(batch, call, looked[1], plan)
    found = [None] * len(call.ids)
    for part in parts:
        told = _native.described(one, one._namespace, part.args, part.kwargs, part.value, part.turn)
        for place in part.places:
            found[place] = result(*told)
    return found if call.kind in (list, tuple) else dict(zip(call.ids, found, strict=True))


class _Part:
    """The part of a batch that is one entry: its turn, and the places of its id."""

    __slots__ = ("args", "is_done", "kwargs", "lead", "places", "turn", "value")

    def __init__(self, places, args, kwargs, turn=None):
        self.places, self.args, self.kwargs, self.turn = places, args, kwargs, turn
        self.lead = self.value = None
        self.is_done = False
        if turn is not None:
            self.stay()

    def begin(self, one, plan, again=False, blocks=False):
        self.turn = _native.begin(one, self.args, self.kwargs, plan, again, blocks)
        self.stay()

    def stay(self):
        """Says where it leads, while its stores are asked."""
        self.lead = self.turn.led
        if self.lead is not None:
            _hosts[self.lead] = _running_loop()

    def leave(self):
        _hosts.pop(self.lead, None)  # a fork may have emptied it

    def computes(self):
        return not self.is_done and (self.turn.lead is not None or self.turn.past)

    def finish(self, value):
        self.value, self.is_done = value, True
        self.leave()

    def give_up(self):
        """Hands a lead over, at once: a traceback may keep this for long."""
        if self.turn is not None and not self.is_done:
            self.turn.fail(GeneratorExit())
            self.leave()


def _filled(batch, call, missing, plan):
    """The parts with their values."""
    parts = [_Part(places, *call.of_each(places[0])) for places in missing]
    try:
        for part in parts:
            part.begin(batch._one, plan)
        if plan is ORDINARY:
            yield from _fetched(parts)
        yield from _begun_behind(batch, call, parts)
        yield from _finished(batch, call, parts, plan)
        yield from _begun_behind(batch, call, parts)
    except BaseException:
        for part in parts:
            part.give_up()
        raise
    return parts


def _fetched(parts):
    """Asks the stores for all that is led, in one step."""
    fetch = _native.Fetch([part.turn for part in parts])
    try:
        yield from _asked(fetch.ask)
    except BaseException:
        fetch.give_up()
        raise


def _asked(ask):
    """Asks by ``ask(ring)`` until it gives None, waiting in between."""
    ring = yield Ring()
    while (seconds := ask(ring)) is not None:
        yield Rest(ring, seconds)


def _begun_behind(batch, call, parts):
    """Has all old values computed anew in the background, in one call."""
    behind = []
    for part in parts:
        turn = part.turn.behind()
        if turn is not None:
            behind.append(_Part(part.places, part.args, part.kwargs, turn))
    if behind:
        yield Behind(_refreshed(batch, call, behind), batch._one)


def _refreshed(batch, call, parts):
    try:
        yield from _asked(lambda ring: min(_left(parts, ring), default=None))
        led = [part for part in parts if part.turn.lead is not None]
        if led:
            failed = yield from _computed(batch, call, led)
            if failed is not None:
                raise failed
    except BaseException:
        for part in parts:
            part.give_up()
        raise
    finally:
        for part in parts:
            part.leave()


def _left(parts, ring):
    """After how many seconds the stores of each part are to be asked again, where they have not answered."""
    return [left for part in parts if (left := part.turn.ask(ring)) is not None]


def _finished(batch, call, parts, plan):
    ring = yield Ring()
    while parts:
        rests = _left(parts, ring)
        led = [part for part in parts if part.computes()]
        waits = [part for part in parts if part.turn.leader is not None]
        if led:
            yield from _computed(batch, call, led)
        elif rests:
            yield Rest(ring, min(rests))
        elif waits:
            part = waits[0]
            arrived = yield Wait(part.turn)
            if not arrived:
                part.begin(batch._one, plan, again=True, blocks=arrived is None)
        for part in parts:
            if not part.is_done and part.turn.state == "value":
                part.finish(part.turn.value())
        parts = [part for part in parts if not part.is_done]


def _computed(batch, call, led):
    """Computes what is led, in as few calls as there may be; the last error that old values stand for."""
    leads = [part.turn.lead for part in led if part.turn.lead is not None]
    loop = _running_loop() if batch._is_async else None
    before = _chain.get()
    chain = (*before, *leads)
    _hosts.update(dict.fromkeys(leads, loop))
    _chain.set(chain)
    by_place = {part.places[0]: part for part in led}
    failed = None
    try:
        for places in call.split(list(by_place), batch._chunk):
            some = [by_place[place] for place in places]
            try:
                found = yield Compute(batch.__wrapped__, *call.of_some(places))
                values = call.read(found, places)
            except BaseException as error:
                if not _all_fell_back(some, error):
                    raise
                failed = error
            else:
                yield from _settle(batch, some, values)
    finally:
        # Steps that are closed by the garbage collector may find themselves in somebody else's context.
        if _chain.get() is chain:
            _chain.set(before)
        for lead in leads:
            _hosts.pop(lead, None)  # a fork may have emptied it
    return failed


def _all_fell_back(parts, error):
    """Ends the computation of each with an error; whether there are values in the place of all."""
    for part in parts:
        if part.turn.fail(error):
            part.finish(part.turn.value())
    return all(part.is_done for part in parts)


def _settle(batch, parts, values):
    """Ends the computation of each, and raises at the end what one of them raised."""
    turns = []
    for part, value in zip(parts, values, strict=True):
        part.finish(value)
        turns.append(part.turn)
    storing = _native.Storing(batch._one, turns, values)
    try:
        yield from _asked(storing.ask)
    except BaseException:
        storing.give_up()
        raise
