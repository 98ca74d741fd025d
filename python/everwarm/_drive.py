"""What an awaited call does when it is no hit: lead, or wait for who leads."""

from __future__ import annotations

import sys
from _collections import deque  # without the cost of importing `collections`
from _weakref import ref
from contextvars import ContextVar
from time import monotonic
from types import MemberDescriptorType

from everwarm import _native

# The leads that the current context computes for, so that no call waits for itself.
_chain: ContextVar[tuple[int, ...]] = ContextVar("everwarm_chain", default=())

# The leads of paused generators that go on when the current context does: it waits for none of them.
_held: ContextVar[tuple[int, ...]] = ContextVar("everwarm_held", default=())

# The loop of each lead that outlasts a call, or None. A leader whose loop has stopped never arrives.
_hosts = {}

# One inbox per loop, so that however many wait, a leader wakes a loop once.
_inboxes = {}

# Seconds after which a waiting task asks whether its leader can still arrive.
_ASK = 0.5


# The plan of a call that is told nothing.
ORDINARY = _native.Plan()


async def drive(function, args, kwargs, plan=ORDINARY, described=False):
    """The value of an awaited call; described, with how it was had."""
    again = False
    deadline = None
    while True:
        turn = _native.begin(function, args, kwargs, plan, again)
        if turn.apart and deadline is None:
            from everwarm._limits import Deadline

            deadline = Deadline(turn.hard_limit)
        loop = _running_loop()
        if loop is not None and deadline is None and (look := turn.looking()) is not None:
            await _looked(turn, look, loop)
        if turn.ask(None if loop is not None else _native.Ring()) is not None:
            await asked(turn, deadline)
        lead = turn.lead
        if lead is not None:
            if turn.crowded():
                await _admission(turn, deadline)
            if turn.lead is None:  # there was an old value to serve instead
                value = turn.value()
            elif deadline is None:
                value = await computed(function, args, kwargs, turn, lead)
            else:
                value = await deadline.computed(function, args, kwargs, turn)
            break
        behind = turn.behind()
        if behind is not None:
            from everwarm._behind import begin_task

            begin_task(function, args, kwargs, behind)
        if turn.leader is None or await arrival(turn, deadline):
            # Whoever is woken is resumed through every coroutine between: here is none of ours.
            value = await function.__wrapped__(*args, **kwargs) if turn.past else turn.value()
            break
        again = True
    return (value, turn) if described else value


async def arrival(turn, deadline=None):
    """Waits for who computes; False if the call has to begin anew. The leader's error is raised."""
    limit = monotonic() + turn.wait_limit
    has_waited = False
    while (arrived := turn.arrived()) is None:
        left = limit - monotonic()
        if left <= 0 or (has_waited and leader_is_gone(turn.leader)):
            turn.take_over()
            return False
        if deadline is None and left >= _ASK:
            await _wake(turn)
        else:
            await _woken(turn, left, deadline)
        has_waited = True
    return arrived


def asker():
    """Who asks first: nobody on a loop of asyncio's; elsewhere this thread, which stores may block."""
    return None if _running_loop() is not None else _native.Ring()


async def _looked(turn, look, loop):
    """Waits for the first look of a turn at its stores, which is one with those of other tasks."""
    lead = turn.led
    _hosts[lead] = loop
    try:
        await awaitable(look, loop)
    except BaseException as error:
        turn.fail(error)  # a traceback may keep the turn for long
        raise
    finally:
        _hosts.pop(lead, None)  # a fork may have emptied it


async def asked(turn, deadline=None):
    """Waits for the stores of a turn, and for another process that computes, but not for ever."""
    from everwarm._bell import rest, ring

    own, lead, limit = ring(), turn.led, turn.wait_limit
    end = None if limit is None else monotonic() + limit
    _hosts[lead] = _running_loop()
    try:
        while (seconds := turn.ask(own)) is not None:
            if end is not None:
                left = end - monotonic()
                if left <= 0:
                    turn.go_alone()
                    return
                seconds = min(seconds, left)
            if deadline is not None:
                seconds = min(seconds, deadline.left(turn))
            await rest(own, seconds)
    except BaseException as error:
        turn.fail(error)  # a traceback may keep the turn for long
        raise
    finally:
        _hosts.pop(lead, None)  # a fork may have emptied it


async def _admission(turn, deadline):
    """Waits until a lead has its permits.

    Who waits for the lead gets the error of a wait that was too long.
    """
    limit = monotonic() + turn.wait_limit
    try:
        while turn.crowded():
            left = limit - monotonic()
            if left <= 0:
                error = turn.too_crowded()
                if error is None:
                    return
                raise error
            await _woken(turn, left, deadline)
    except BaseException as error:
        turn.give_up(error)
        raise


async def _woken(turn, left, deadline):
    """Waits until there is something to look at, for ``left`` seconds at most.

    Raises ``Timeout`` once the call's own time is over.
    """
    if deadline is not None:
        left = min(left, deadline.left(turn))
    future = _wake(turn)
    if left >= _ASK:
        await future
        return
    timer = _running_loop().call_later(left, _wake_up, ref(future))
    try:
        await future
    finally:
        timer.cancel()


async def computed(function, args, kwargs, turn, lead):
    """The value of a turn that leads; where somebody waits, the old one if that stands for an error."""
    before = _chain.get()
    chain = (*before, lead)
    _hosts[lead] = _running_loop()
    _chain.set(chain)
    try:
        value = await function.__wrapped__(*args, **kwargs)
    except BaseException as error:
        nobody_waits = turn.is_behind
        if turn.fail(error) and not nobody_waits:
            return turn.value()
        raise
    else:
        if turn.settle(value, _running_loop() is not None) is not None:
            await _stored(turn)
        return value
    finally:
        # A coroutine that is closed by the garbage collector may find itself in somebody else's context.
        if _chain.get() is chain:
            _chain.set(before)
        _hosts.pop(lead, None)  # a fork may have emptied it


async def _stored(turn):
    """Waits until the stores have a value that was computed."""
    from everwarm._bell import rest, ring

    own = ring()
    try:
        while (seconds := turn.ask(own)) is not None:
            await rest(own, seconds)
    except BaseException as error:
        turn.fail(error)  # whether it is stored is not known: who waits for it begins anew
        raise


def _wake(turn):
    """What a follower awaits: the end of the computation, or the time to ask whether it can still end."""
    loop = _running_loop()
    if loop is None:
        from everwarm._errors import Unsupported

        raise Unsupported(
            "waiting for another task's computation needs asyncio or trio\n"
            "hint: run the call on an event loop of asyncio's, or within trio.run"
        )
    inbox = _inbox(loop)
    future = loop.create_future()
    # The task holds its future; whoever wakes it must not, or a task that is lost would never be collected.
    waiter = ref(future)
    turn.register(inbox.post, waiter)
    inbox.waiting.append(waiter)
    if inbox.timer is None:
        inbox.timer = loop.call_later(_ASK, inbox.ask)
    return future


def _pause(seconds):
    """What a leader awaits while another process computes."""
    loop = _running_loop()
    if loop is None:
        from everwarm._errors import Unsupported

        raise Unsupported(
            "waiting for another process's computation needs asyncio or trio\n"
            "hint: run the call on an event loop of asyncio's, or within trio.run"
        )
    future = loop.create_future()
    loop.call_later(seconds, _wake_up, ref(future))
    return future


def _wake_up(waiter):
    future = waiter()
    if future is not None and not future.done():
        future.set_result(None)


def leader_is_gone(lead):
    """Whether the loop that a leader lives on has stopped, so that nobody will run it on."""
    loop = _hosts.get(lead)
    return loop is not None and (loop.is_closed() or not loop.is_running())


def own_copy(error):
    """A follower's own copy of its leader's error, so that no traceback is shared between threads or grows.

    The copy has the same class, arguments, attributes and cause, and the leader's traceback. An exception
    that cannot be copied faithfully is raised itself.
    """
    kind = type(error)
    try:
        # A class that takes its arguments as they are kept can be made from them; its own `__init__` is
        # not run again.
        copy = kind.__new__(kind, *error.args)
        if kind.__init__ in _BUILTIN_INITS:
            copy.__init__(*error.args)
        copy.__dict__.update(error.__dict__)
        if hasattr(error, "__notes__"):
            copy.__notes__ = list(error.__notes__)
        # What is kept in slots, such as the file name of an OSError, is in neither.
        for place in _slots(kind):
            if hasattr(error, place):
                _carry(copy, place, getattr(error, place))
        faithful = copy.args == error.args and str(copy) == str(error)
    except Exception:
        faithful = False
    if not faithful:
        return error
    copy.__cause__ = error.__cause__
    copy.__context__ = error.__context__
    copy.__suppress_context__ = error.__suppress_context__
    return copy.with_traceback(error.__traceback__)


def _slots(kind):
    """The names of what instances of a class keep in slots."""
    return [
        name
        for base in kind.__mro__
        for name, kept in vars(base).items()
        if type(kept) is MemberDescriptorType
    ]


def _carry(copy, place, value):
    try:
        # Setting None where None is read may not be the same as leaving it out: an OSError shows the
        # file names it was given.
        if getattr(copy, place, _missing) is not value:
            setattr(copy, place, value)
    except AttributeError:
        pass  # read-only: the class has made it of its arguments


_missing = object()

_BUILTIN_INITS = frozenset(
    kind.__init__
    for kind in vars(__import__("builtins")).values()
    if isinstance(kind, type) and issubclass(kind, BaseException)
)


class _Inbox:
    """The futures that tasks of a loop wait for, held weakly: those to be woken by its next turn, and all.

    One timer serves all who wait: now and then it has each of them ask whether its leader can still arrive.
    """

    __slots__ = ("futures", "loop", "posted", "timer", "waiting")

    def __init__(self, loop):
        self.loop = loop
        self.futures = deque()
        self.posted = False
        self.waiting = []
        self.timer = None

    def ask(self):
        """Wakes all who wait; on the loop's own thread."""
        self.timer = None
        waiting, self.waiting = self.waiting, []
        self.futures.extend(waiting)
        self.open()

    def post(self, future):
        """Has a future woken, given by weak reference; from any thread."""
        self.futures.append(future)
        if not self.posted:
            self.posted = True
            try:
                self.loop.call_soon_threadsafe(self.open)
            except RuntimeError:  # the loop is closed, and so nobody waits on it any more
                self.futures.clear()

    def open(self):
        """Wakes all that have been posted; on the loop's own thread."""
        self.posted = False
        futures = self.futures
        while futures:
            future = futures.popleft()()
            if future is not None and not future.done():
                future.set_result(None)


def _inbox(loop):
    inbox = _inboxes.get(id(loop))
    if inbox is None or inbox.loop is not loop:
        for key in [key for key, old in _inboxes.items() if old.loop.is_closed()]:
            del _inboxes[key]
        inbox = _inboxes[id(loop)] = _Inbox(loop)
    return inbox


def _running_loop():
    """The loop that the running task is on: of asyncio's, or what stands for one of trio's; or None."""
    modules = sys.modules
    asyncio = modules.get("asyncio")
    loop = None if asyncio is None else asyncio._get_running_loop()
    trio = modules.get("trio.lowlevel")
    if trio is None or not getattr(trio, "in_trio_task", _no)():
        return loop
    from everwarm._trio import running_loop

    return running_loop(loop)


def awaitable(errand, loop):
    """What waits until an errand has its value: asyncio's tasks take what it yields, trio's do not."""
    trio = sys.modules.get("everwarm._trio")
    return trio.done(errand) if trio is not None and type(loop) is trio.Loop else errand


def _no():
    """What a trio answers that is too old to be asked, or is just being imported."""
    return False


def _library(loop):
    """asyncio, or what stands for it where a loop is trio's."""
    modules = sys.modules
    trio = modules.get("everwarm._trio")
    return trio if trio is not None and type(loop) is trio.Loop else modules["asyncio"]


def _after_fork():
    """In a forked child the parent's leaders and loops are not there."""
    _hosts.clear()
    _inboxes.clear()
    bell = sys.modules.get("everwarm._bell")
    if bell is not None:
        bell._after_fork()
    _native.at_fork("child")
