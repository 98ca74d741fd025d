"""What a decorated coroutine function gives is taken wherever a coroutine is: a hit, a miss, a follower."""

from __future__ import annotations

import asyncio
import collections.abc
import contextlib
import copy
import functools
import gc
import inspect
import pickle
import pydoc
import sys
import types
import weakref

import pytest
from everwarm import Cache
from everwarm.testing import assert_computed

pytestmark = pytest.mark.timeout(60)

shop = Cache()


@shop
async def price(sku: str, amount: int = 1) -> list:
    """What so many of it cost."""
    await asyncio.sleep(0)
    return [sku, amount]


@shop
def area(radius: int, *, unit: str = "m") -> list:
    """How large it is."""
    return [radius, unit]


class Model:
    """A class with cached methods; equal where it is the same."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __reduce__(self):
        return _model, (self.number,)

    @shop
    def method(self, x: int) -> tuple:
        """A method."""
        return self.number, x

    @shop
    async def later(self, x: int) -> tuple:
        """A method that is awaited."""
        await asyncio.sleep(0)
        return self.number, x

    @classmethod
    @shop
    def made(cls, x: int) -> tuple:
        """A class method."""
        return cls.__name__, x

    @staticmethod
    @shop
    def free(x: int) -> tuple:
        """A static method."""
        return ("free", x)


@functools.lru_cache
def _model(number: int) -> Model:
    return Model(number)


@pytest.fixture(autouse=True)
def empty():
    shop.clear()
    yield
    shop.clear()


class Calls:
    """Calls of one function that are hits, misses or followers."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.value = object()
        self._leaders: list[asyncio.Future] = []

        @Cache()
        async def function(x):
            if self.kind == "follower":
                await self._go.wait()
            else:
                await asyncio.sleep(0)
            return self.value

        self.function = function

    @contextlib.asynccontextmanager
    async def ready(self):
        """Sees to it that inside the block calls are of the kind; a leader ends when the loop is idle."""
        self._go = asyncio.Event()
        if self.kind == "hit":
            self.function.prime(self.value, 1)
        if self.kind == "follower":
            leader = asyncio.ensure_future(self.function(1))
            await asyncio.sleep(0)
            asyncio.get_running_loop().call_later(0.01, self._go.set)
        before = self.function.stats()
        yield lambda: self.function(1)
        after = self.function.stats()
        if self.kind == "hit":
            assert after.hits == before.hits + 1
        if self.kind == "miss":
            assert after.computations == before.computations + 1
        if self.kind == "follower":
            assert after.followers == before.followers + 1
            assert await leader is self.value

    def run(self, take):
        """The result of `take`, an async function that gets an awaitable."""

        async def main():
            async with self.ready() as call:
                return await take(call())

        return asyncio.run(main())


@pytest.fixture(params=["hit", "miss", "follower"])
def calls(request):
    return Calls(request.param)


async def _await(awaitable):
    return await awaitable


async def _create_task(awaitable):
    return await asyncio.create_task(awaitable)


async def _ensure_future(awaitable):
    return await asyncio.ensure_future(awaitable)


async def _gather(awaitable):
    return (await asyncio.gather(awaitable))[0]


async def _wait_for(awaitable):
    return await asyncio.wait_for(awaitable, 10)


async def _wait(awaitable):
    done, _ = await asyncio.wait([asyncio.create_task(awaitable)])
    return done.pop().result()


async def _shield(awaitable):
    return await asyncio.shield(awaitable)


async def _as_completed(awaitable):
    for first in asyncio.as_completed([awaitable]):
        return await first


async def _threadsafe(awaitable):
    return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(awaitable, asyncio.get_running_loop()))


async def _delegated(awaitable):
    class Delegates:
        def __await__(self):
            return (yield from awaitable.__await__())

    return await Delegates()


async def _generator_based(awaitable):
    @types.coroutine
    def generator():
        return (yield from awaitable)

    return await generator()


async def _task_group(awaitable):
    async with asyncio.TaskGroup() as group:
        task = group.create_task(awaitable)
    return task.result()


async def _runner_task(awaitable):
    task = asyncio.get_running_loop().create_task(awaitable, name="price")
    assert task.get_name() == "price"
    return await task


async def _eager(awaitable):
    loop = asyncio.get_running_loop()
    loop.set_task_factory(asyncio.eager_task_factory)
    try:
        return await loop.create_task(awaitable)
    finally:
        loop.set_task_factory(None)


async def _anyio(awaitable):
    import anyio

    got = []

    async def take():
        got.append(await awaitable)

    async with anyio.create_task_group() as group:
        group.start_soon(take)
    return got[0]


TAKERS = [
    _await,
    _create_task,
    _ensure_future,
    _gather,
    _wait_for,
    _wait,
    _shield,
    _as_completed,
    _threadsafe,
    _delegated,
    _generator_based,
    _runner_task,
    # Skipped inside, it would leave its coroutine without an await.
    pytest.param(_anyio, marks=pytest.mark.libraries),
]
if sys.version_info >= (3, 11):
    TAKERS.append(_task_group)
if sys.version_info >= (3, 12):
    TAKERS.append(_eager)


@pytest.mark.parametrize("take", TAKERS, ids=lambda take: take.__name__.strip("_"))
def test_it_is_taken_for_a_coroutine(take, calls):
    assert calls.run(take) is calls.value


def test_a_task_group_of_anyio_takes_the_function_itself():
    anyio = pytest.importorskip("anyio")

    async def main():
        for _ in range(2):
            async with anyio.create_task_group() as group:
                group.start_soon(price, "sku")
                group.start_soon(price, "sku", 1)
        return await price("sku")

    assert anyio.run(main) == ["sku", 1]
    assert price.stats().computations >= 1


def test_runners_take_hits_and_misses():
    anyio = pytest.importorskip("anyio")
    with assert_computed(price, 1):
        assert asyncio.run(price("run")) == ["run", 1]
        assert asyncio.run(price("run")) == ["run", 1]
        loop = asyncio.new_event_loop()
        assert loop.run_until_complete(price("run")) == ["run", 1]
        loop.close()
        assert anyio.run(price, "run") == ["run", 1]


def test_its_type_is_a_coroutine(calls):
    async def kind(awaitable):
        assert isinstance(awaitable, collections.abc.Coroutine)
        assert isinstance(awaitable, collections.abc.Awaitable)
        assert asyncio.iscoroutine(awaitable)
        assert inspect.isawaitable(awaitable)
        return await awaitable

    assert calls.run(kind) is calls.value


def test_it_can_be_awaited_once(calls):
    async def twice(awaitable):
        value = await awaitable
        with pytest.raises(RuntimeError, match="cannot reuse already awaited coroutine"):
            await awaitable
        return value

    assert calls.run(twice) is calls.value


def hit(value):
    """The awaitable of a hit on `value`."""

    @Cache()
    async def function():
        raise AssertionError("primed")

    function.prime(value)
    return function()


def coroutine(value):
    """What it has to behave as."""

    async def function():
        return value

    return function()


def outcome(act, *arguments):
    """What a step gave or raised, in comparable form."""
    try:
        return "gave", act(*arguments)
    except BaseException as error:
        return "raised", type(error), str(error)


class Thrown(Exception):
    pass


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore:coroutine")
@pytest.mark.parametrize(
    "steps",
    [
        [("send", None)],
        [("send", None), ("send", None)],
        [("close",)],
        [("close",), ("close",)],
        [("close",), ("send", None)],
        [("send", None), ("close",)],
        [("throw", Thrown("boo"))],
        [("throw", Thrown)],
        [("throw", Thrown, Thrown("boo"))],
        [("throw", Thrown, "boo")],
        [("throw", Thrown, None, None)],
        [("throw", Thrown("boo")), ("send", None)],
        [("throw", GeneratorExit())],
        [("throw", asyncio.CancelledError())],
        [("send", None), ("throw", Thrown("boo"))],
        [("close",), ("throw", Thrown("boo"))],
        [("throw", 3)],
    ],
    ids=lambda steps: ", ".join(
        f"{name} {' '.join(str(getattr(given, '__name__', type(given).__name__)) for given in rest)}".strip()
        for name, *rest in steps
    ),
)
def test_a_hit_behaves_as_a_coroutine_that_returns_at_once(steps):
    mine, theirs = hit(5), coroutine(5)
    for name, *arguments in steps:
        got = outcome(getattr(mine, name), *arguments)
        expected = outcome(getattr(theirs, name), *arguments)
        assert got == expected, (name, arguments)
    theirs.close()


def test_a_traceback_that_is_thrown_is_kept():
    try:
        raise Thrown
    except Thrown as error:
        thrown, trace = error, error.__traceback__
    with contextlib.suppress(Thrown):
        hit(5).throw(Thrown, thrown.with_traceback(None), trace)
    assert thrown.__traceback__ is not None
    frames = []
    step = thrown.__traceback__
    while step is not None:
        frames.append(step.tb_lineno)
        step = step.tb_next
    assert trace.tb_lineno in frames


VALUES = {
    "None": None,
    "a tuple": (1, 2),
    "an empty tuple": (),
    "an exception": ValueError("a value"),
    "an exception class": ValueError,
    "StopIteration": StopIteration("inner"),
    "StopAsyncIteration": StopAsyncIteration(),
    "CancelledError": asyncio.CancelledError(),
    "a coroutine function": price,
    "False": False,
}


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
@pytest.mark.parametrize(
    "take", [_await, _create_task, _delegated, _generator_based], ids=lambda take: take.__name__
)
def test_any_value_is_given_as_it_is(value, take):
    async def main():
        @Cache()
        async def function():
            return value

        got = [await take(function()) for _ in range(3)]
        assert function.stats().computations == 1
        return got

    assert all(got is value for got in asyncio.run(main()))


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
def test_any_value_travels_in_stop_iteration(value):
    for step in (lambda awaitable: awaitable.send(None), lambda awaitable: awaitable.__await__().__next__()):
        with pytest.raises(StopIteration) as caught:
            step(hit(value))
        assert caught.value.value is value


def test_next_ends_as_an_iterator_does():
    assert next(iter(hit(5).__await__()), "end") == "end"
    assert next(hit(None).__await__(), "end") == "end"


def test_a_stop_iteration_that_is_held_never_changes():
    held = []
    for number in range(5):
        try:
            hit([number]).send(None)
        except StopIteration as stop:
            held.append(stop)
    assert [stop.value for stop in held] == [[0], [1], [2], [3], [4]]


class Value:
    pass


@pytest.mark.parametrize("take", TAKERS, ids=lambda take: take.__name__.strip("_"))
def test_no_value_is_kept_after_its_hit(take):
    calls = Calls("hit")
    calls.value = Value()
    watched = weakref.ref(calls.value)
    assert isinstance(calls.run(take), Value)
    calls.function.clear()
    calls.value = None
    gc.collect()
    assert watched() is None


def test_no_value_is_kept_by_a_step_that_is_caught():
    value = Value()
    watched = weakref.ref(value)
    awaitable = hit(value)
    with contextlib.suppress(StopIteration):
        awaitable.send(None)
    del value, awaitable
    gc.collect()
    assert watched() is None


def test_no_value_is_kept_by_an_awaitable_that_is_dropped():
    value = Value()
    watched = weakref.ref(value)
    awaitable = hit(value)
    del value
    gc.collect()
    assert watched() is not None
    del awaitable
    assert watched() is None


def test_stop_iteration_out_of_the_function_is_the_error_that_python_makes_of_it():
    @Cache()
    async def function():
        raise StopIteration(3)

    with pytest.raises(RuntimeError, match="StopIteration"):
        asyncio.run(function())

    @Cache()
    def plain():
        raise StopIteration(3)

    with pytest.raises(StopIteration):
        plain()


def test_values_that_take_turns_in_one_loop_are_not_mixed_up():
    @Cache()
    async def function(x):
        await asyncio.sleep(0)
        return [x]

    async def reader(seed):
        for step in range(200):
            x = (seed * 7 + step) % 50
            assert await function(x) == [x]

    async def main():
        await asyncio.gather(*(reader(seed) for seed in range(20)))

    asyncio.run(main())
    assert function.stats().computations == 50


def test_a_hit_whose_task_is_cancelled_before_its_first_step():
    async def main():
        @Cache()
        async def function():
            return "value"

        await function()
        task = asyncio.create_task(function())
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return await function()

    assert asyncio.run(main()) == "value"


@pytest.mark.parametrize("victim", ["leader", "follower"])
def test_who_is_cancelled_leaves_the_others_their_value(victim):
    async def main():
        go = asyncio.Event()
        begun = []

        @Cache()
        async def function():
            begun.append(asyncio.current_task())
            await go.wait()
            return "value"

        tasks = [asyncio.create_task(function()) for _ in range(4)]
        while function.stats().followers < 3:
            await asyncio.sleep(0)
        gone = tasks.pop(0 if victim == "leader" else 2)
        gone.cancel()
        with pytest.raises(asyncio.CancelledError):
            await gone
        go.set()
        assert await asyncio.gather(*tasks) == ["value"] * 3
        return len(begun)

    assert asyncio.run(main()) == (2 if victim == "leader" else 1)


def test_eager_tasks_lead_follow_and_hit():
    if sys.version_info < (3, 12):
        pytest.skip("eager tasks came with 3.12")

    async def main():
        asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
        tasks = [asyncio.create_task(price("eager")) for _ in range(5)]
        values = await asyncio.gather(*tasks)
        done = asyncio.create_task(price("eager"))
        assert done.done()
        return values, await done

    with assert_computed(price, 1):
        values, last = asyncio.run(main())
    assert all(value is last for value in values)


def _coroutine_marks(function):
    marks = [inspect.iscoroutinefunction]
    if sys.version_info < (3, 14):
        marks.append(asyncio.iscoroutinefunction)
    return [mark(function) for mark in marks]


@pytest.mark.parametrize(
    "function",
    [
        price,
        Model(1).later,
        Model.later,
        functools.partial(price, "sku"),
        functools.partial(Model(1).later, 3),
    ],
    ids=["function", "bound", "on the class", "partial", "partial of bound"],
)
def test_a_coroutine_function_is_known_as_one(function):
    assert all(_coroutine_marks(function))


@pytest.mark.parametrize(
    "function", [area, Model(1).method, Model.made, Model.free, functools.partial(area, 1)]
)
def test_a_plain_function_is_not_taken_for_one(function):
    assert not any(_coroutine_marks(function))


def test_the_signature_is_the_functions():
    assert str(inspect.signature(price)) == "(sku: 'str', amount: 'int' = 1) -> 'list'"
    assert inspect.signature(area) == inspect.signature(area.__wrapped__)
    assert list(inspect.signature(Model(1).method).parameters) == ["x"]
    assert list(inspect.signature(Model(1).later).parameters) == ["x"]
    assert list(inspect.signature(Model.method).parameters) == ["self", "x"]
    assert list(inspect.signature(Model.made).parameters) == ["x"]
    assert list(inspect.signature(Model.free).parameters) == ["x"]


@pytest.mark.parametrize("function", [price, area, Model.method, Model.later, Model.free])
def test_it_has_what_wraps_gives(function):
    wrapped = function.__wrapped__
    for name in functools.WRAPPER_ASSIGNMENTS:
        if hasattr(wrapped, name):
            assert getattr(function, name) == getattr(wrapped, name), name
    assert function.__code__ is wrapped.__code__
    assert inspect.unwrap(function) is wrapped
    assert inspect.getsource(function) == inspect.getsource(wrapped)
    assert inspect.getdoc(function) == wrapped.__doc__


def test_attributes_of_the_function_and_of_ones_own():
    def marked(x):
        return x

    marked.mark = "set before"
    function = Cache()(marked)
    assert function.mark == "set before"
    function.other = "set after"
    assert function.other == "set after"


def test_bound_methods_have_what_methods_have():
    model = Model(4)
    bound = model.method
    assert bound.__self__ is model
    assert bound.__func__ is Model.method
    assert bound.__name__ == "method"
    assert bound.__qualname__ == "Model.method"
    assert bound.__doc__ == "A method."
    assert bound == model.method and hash(bound) == hash(model.method)
    assert bound != Model(4).method


@pytest.mark.parametrize(
    "function, name",
    [
        (price, "price"),
        (area, "area"),
        (Model.method, "method"),
        (Model(1).method, "method"),
        (Model.made, "made"),
    ],
)
def test_help_says_what_it_says_of_the_function(function, name):
    text = pydoc.render_doc(function, renderer=pydoc.plaintext)
    assert inspect.getdoc(function) in text
    assert name in text


def test_help_of_a_class_shows_its_cached_methods():
    text = pydoc.render_doc(Model, renderer=pydoc.plaintext)
    for doc in ("A method.", "A method that is awaited.", "A class method.", "A static method."):
        assert doc in text


@pytest.mark.parametrize("function", [price, area, Model.method, Model.later, Model.free])
def test_pickle_and_copy_give_the_function_itself(function):
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        assert pickle.loads(pickle.dumps(function, protocol)) is function
    assert copy.copy(function) is function
    assert copy.deepcopy(function) is function


def test_bound_methods_are_pickled_with_their_instance():
    bound = _model(6).method
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        again = pickle.loads(pickle.dumps(bound, protocol))
        assert again == bound
        assert again(2) == (6, 2)
    assert copy.copy(bound) == bound
    assert pickle.loads(pickle.dumps(Model.made))(3) == ("Model", 3)


def _later():
    return asyncio.run(Model(1).later(2))


@pytest.mark.parametrize(
    "call, value",
    [
        (lambda: Model(1).method(2), (1, 2)),
        (_later, (1, 2)),
        (lambda: Model.made(2), ("Model", 2)),
        (lambda: Model(1).made(2), ("Model", 2)),
        (lambda: Model.free(2), ("free", 2)),
        (lambda: Model(1).free(2), ("free", 2)),
        (lambda: functools.partial(area, 3)(unit="km"), [3, "km"]),
    ],
)
def test_methods_of_all_kinds_are_called_as_without_a_cache(call, value):
    assert [call(), call()] == [value, value]


def test_fastapi_takes_endpoints_and_dependencies():
    fastapi = pytest.importorskip("fastapi")
    testclient = pytest.importorskip("fastapi.testclient")
    computed = []
    cache = Cache()
    app = fastapi.FastAPI()

    @cache
    async def user(name: str):
        computed.append("user")
        await asyncio.sleep(0)
        return {"name": name}

    @cache
    def settings(debug: int = 0):
        computed.append("settings")
        return {"debug": debug}

    def endpoint(name: str, amount: int = 1):
        computed.append("endpoint")
        return {"name": name, "amount": amount}

    async def later(name: str, amount: int = 1):
        computed.append("later")
        await asyncio.sleep(0)
        return {"name": name, "amount": amount}

    def depending(found, given):
        return {**found, **given}

    depending.__annotations__ = {"found": dict, "given": dict}
    depending.__defaults__ = (fastapi.Depends(user), fastapi.Depends(settings))
    # The annotations of this module are texts, which FastAPI would look up at the level of the module.
    app.get("/plain/{name}")(cache(endpoint))
    app.get("/later/{name}")(cache(later))
    app.get("/depending/{name}")(depending)
    with testclient.TestClient(app) as client:
        for _ in range(3):
            assert client.get("/plain/a?amount=2").json() == {"name": "a", "amount": 2}
            assert client.get("/later/a?amount=2").json() == {"name": "a", "amount": 2}
            assert client.get("/depending/a?debug=1").json() == {"name": "a", "debug": 1}
        assert client.get("/plain/a?amount=wrong").status_code == 422
        assert (
            client.get("/openapi.json").json()["paths"]["/plain/{name}"]["get"]["parameters"][1]["name"]
            == "amount"
        )
    assert sorted(computed) == ["endpoint", "later", "settings", "user"]
