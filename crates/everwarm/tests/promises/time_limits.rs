//! Time limits: what a call is given when its time is over, and what becomes of the computation, in threads and in tasks.

use std::future::{pending, ready};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use everwarm::duration::{hours, millis, secs};
use everwarm::testing::ManualClock;
use everwarm::{Builder, Cache, Error, ErrorKind, cached};

use crate::clock::turn;

/// How a computation of these tests fails.
#[derive(Clone, Debug, PartialEq)]
enum Failure {
    Down,
    Cache(ErrorKind),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        assert!(!error.hint().is_empty());
        Self::Cache(error.kind())
    }
}

type Given = Result<u32, Failure>;

const TIMEOUT: Given = Err(Failure::Cache(ErrorKind::Timeout));
const ENDED: Given = Err(Failure::Cache(ErrorKind::Unsupported));

/// How a cache is described.
type Described = fn(Builder<u8, u32>) -> Builder<u8, u32>;

fn hard(builder: Builder<u8, u32>) -> Builder<u8, u32> {
    builder.hard_timeout(millis(1))
}

fn hard_with_old(builder: Builder<u8, u32>) -> Builder<u8, u32> {
    hard(builder).ttl(secs(60)).stale_if_error(secs(60))
}

fn soft(builder: Builder<u8, u32>) -> Builder<u8, u32> {
    let builder = builder.ttl(secs(60)).stale_if_error(secs(60));
    builder.soft_timeout(millis(1))
}

fn long(builder: Builder<u8, u32>) -> Builder<u8, u32> {
    builder.hard_timeout(hours(1))
}

/// A cache whose computations run in threads of their own, for calls in threads or in tasks.
struct World {
    cache: Cache<u8, u32>,
    clock: ManualClock,
    running: Arc<Mutex<Vec<JoinHandle<()>>>>,
    is_async: bool,
}

impl World {
    fn both(described: Described) -> [Self; 2] {
        [false, true].map(|is_async| {
            let clock = ManualClock::new();
            let running = Arc::<Mutex<Vec<_>>>::default();
            let run = |work: Box<dyn FnOnce() + Send>, running: &Mutex<Vec<_>>| {
                running.lock().unwrap().push(thread::spawn(work));
            };
            let (threads, tasks) = (Arc::clone(&running), Arc::clone(&running));
            let builder = described(Cache::builder("rows")).clock(&clock);
            let builder = builder.background(move |work| run(work, &threads));
            let builder =
                builder.spawn(move |task| run(Box::new(|| pollster::block_on(task)), &tasks));
            // A short span is over at once, and a long one never.
            let builder = builder.timer(async |span| match span < secs(1) {
                true => ready(()).await,
                false => pending().await,
            });
            Self {
                cache: builder.build().unwrap(),
                clock,
                running,
                is_async,
            }
        })
    }

    fn ask(&self, compute: impl FnOnce() -> Given + Send + 'static) -> Given {
        let call = self.cache.using().in_time();
        let given = match self.is_async {
            false => call.try_get_or_compute(&7, compute),
            true => pollster::block_on(
                call.try_get_or_compute_async(&7, move || async move { compute() }),
            ),
        };
        given.map_err(|error| (*error).clone())
    }

    /// What the caller is given while the source takes its time, and the source.
    fn ask_slow(&self) -> (Given, Sender<Given>) {
        let (answer, source) = channel();
        (self.ask(move || source.recv().unwrap()), answer)
    }

    /// Waits until what runs has ended.
    fn end(&self) {
        let running = std::mem::take(&mut *self.running.lock().unwrap());
        running.into_iter().for_each(|one| drop(one.join()));
    }
}

#[test]
fn a_call_that_is_in_time_is_given_what_was_computed() {
    for world in World::both(long) {
        assert_eq!(world.ask(|| Err(Failure::Down)), Err(Failure::Down));
        assert_eq!(world.ask(|| Ok(1)), Ok(1));
        assert_eq!(world.ask(|| Ok(2)), Ok(1));
        let stats = world.cache.stats();
        assert_eq!((stats.hits, stats.misses), (1, 2));
    }
}

#[test]
fn without_an_old_value_the_end_of_the_time_is_an_error_and_the_late_value_is_stored() {
    for world in World::both(hard) {
        let (given, answer) = world.ask_slow();
        assert_eq!(given, TIMEOUT);
        answer.send(Ok(1)).unwrap();
        world.end();
        assert_eq!(
            (world.cache.get(&7), world.cache.stats().misses),
            (Some(1), 1)
        );
    }
}

#[test]
fn the_old_value_stands_for_one_that_takes_too_long() {
    for described in [hard_with_old, soft] {
        for world in World::both(described) {
            world.cache.set(7, 1);
            world.clock.advance(secs(60));
            let (given, answer) = world.ask_slow();
            assert_eq!(given, Ok(1));
            let stats = world.cache.stats();
            assert_eq!((stats.stale, stats.misses), (1, 0));
            answer.send(Ok(2)).unwrap();
            world.end();
            assert_eq!(world.cache.get(&7), Some(2));
        }
    }
}

#[test]
fn a_late_failure_leaves_the_old_value_and_is_counted_once() {
    for world in World::both(soft) {
        world.cache.set(7, 1);
        world.clock.advance(secs(60));
        let (given, answer) = world.ask_slow();
        answer.send(Err(Failure::Down)).unwrap();
        world.end();
        let again = world.ask(|| Ok(2));
        assert_eq!((given, again), (Ok(1), Ok(1)), "its back-off lasts");
        let stats = world.cache.stats();
        assert_eq!((stats.stale, stats.misses), (2, 0));
    }
}

#[test]
fn a_soft_limit_counts_only_while_there_is_an_old_value() {
    for world in World::both(soft) {
        assert_eq!(world.ask(|| Ok(1)), Ok(1));
    }
    for world in World::both(|builder| soft(builder).hard_timeout(millis(2))) {
        let (given, answer) = world.ask_slow();
        assert_eq!(given, TIMEOUT);
        drop(answer);
        world.end();
    }
}

#[test]
fn a_late_value_that_was_invalidated_is_not_stored() {
    for world in World::both(hard) {
        let (_, answer) = world.ask_slow();
        world.cache.delete(&7);
        answer.send(Ok(1)).unwrap();
        world.end();
        assert_eq!(world.cache.get(&7), None);
    }
}

#[test]
fn what_is_computed_by_force_has_no_old_value_to_stand_for_it() {
    for world in World::both(hard_with_old) {
        world.cache.set(7, 1);
        let (answer, source) = channel();
        let compute = move || source.recv().unwrap();
        let call = world.cache.using().refresh().in_time();
        let given: Result<u32, Arc<Failure>> = match world.is_async {
            false => call.try_get_or_compute(&7, compute),
            true => pollster::block_on(
                call.try_get_or_compute_async(&7, move || async move { compute() }),
            ),
        };
        assert_eq!(given.map_err(|error| (*error).clone()), TIMEOUT);
        answer.send(Ok(2)).unwrap();
        world.end();
        assert_eq!(world.cache.get(&7), Some(2));
    }
}

#[test]
fn a_computation_that_panics_or_is_dropped_ends_its_call() {
    for world in World::both(long) {
        assert_eq!(world.ask(|| panic!("as the test wants it")), ENDED);
        assert_eq!(world.ask(|| Ok(1)), Ok(1));
    }
    let builder = Cache::<u8, u32>::builder("full").hard_timeout(hours(1));
    let cache = builder.background(drop).spawn(drop).timer(|_| pending());
    let cache = cache.build().unwrap();
    let given = cache.using().in_time().try_get_or_compute(&7, || Ok(1));
    assert_eq!(given, ENDED.map_err(Arc::new));
    let call = cache.using().in_time();
    let given = pollster::block_on(call.try_get_or_compute_async(&7, || async { Ok(1) }));
    assert_eq!(given, ENDED.map_err(Arc::new));
}

#[test]
fn a_value_that_is_served_is_computed_anew_behind_its_caller() {
    for world in World::both(|builder| long(builder).ttl(secs(60)).stale_while_revalidate(secs(9)))
    {
        world.cache.set(7, 1);
        world.clock.advance(secs(60));
        let (given, answer) = world.ask_slow();
        assert_eq!(given, Ok(1));
        answer.send(Ok(2)).unwrap();
        world.end();
        assert_eq!(world.cache.get(&7), Some(2));
    }
}

/// Has another thread compute the key until it is given an answer.
fn occupied(cache: &Cache<u8, u32>) -> (Sender<u32>, JoinHandle<u32>) {
    let (answer, source): (Sender<u32>, Receiver<u32>) = channel();
    let (begins, begun) = channel();
    let cache = cache.clone();
    let computing = thread::spawn(move || {
        cache.get_or_compute(&7, || {
            begins.send(()).unwrap();
            source.recv().unwrap()
        })
    });
    begun.recv().unwrap();
    (answer, computing)
}

#[test]
fn who_waits_for_another_is_under_the_hard_limit_too() {
    for world in World::both(hard) {
        let (answer, computing) = occupied(&world.cache);
        assert_eq!(world.ask(|| Ok(2)), TIMEOUT);
        answer.send(1).unwrap();
        assert_eq!(computing.join().unwrap(), 1);
        assert_eq!(world.cache.get(&7), Some(1));
    }
}

#[test]
fn who_has_waited_too_long_for_another_computes_itself() {
    for world in World::both(|builder| long(builder).wait_timeout(millis(1))) {
        let plain = |cache: &Cache<u8, u32>| match world.is_async {
            false => cache.get_or_compute(&7, || 2),
            true => pollster::block_on(cache.get_or_compute_async(&7, async || 2)),
        };
        type Call<'a> = &'a dyn Fn() -> Given;
        let calls: [Call<'_>; 2] = [&|| Ok(plain(&world.cache)), &|| world.ask(|| Ok(2))];
        for (taken, call) in (1..).zip(calls) {
            world.cache.clear();
            let (answer, computing) = occupied(&world.cache);
            assert_eq!(call(), Ok(2));
            assert_eq!(world.cache.stats().takeovers, taken);
            answer.send(1).unwrap();
            assert_eq!(computing.join().unwrap(), 1);
            assert_eq!(world.cache.get(&7), Some(2), "the late one is its own");
        }
    }
}

#[test]
fn a_circle_through_another_thread_is_found() {
    for world in World::both(long) {
        let (cache, is_async) = (world.cache.clone(), world.is_async);
        let inner = cache.clone();
        let within = move || Ok::<_, Failure>(inner.get_or_compute(&1, || 5));
        let given = cache.get_or_compute(&1, || {
            let call = world.cache.using().in_time();
            let given = match is_async {
                false => call.try_get_or_compute(&2, within),
                true => pollster::block_on(
                    call.try_get_or_compute_async(&2, move || async move { within() }),
                ),
            };
            given.unwrap() + 1
        });
        assert_eq!((given, world.cache.stats().cycles), (6, 1));
    }
}

#[test]
fn a_call_without_what_it_takes_says_so() {
    let lacking = Err(Arc::new(Failure::Cache(ErrorKind::Config)));
    let builder = || Cache::<u8, u32>::builder("rows").hard_timeout(secs(1));
    let threads = builder().background(|work| work()).build().unwrap();
    let call = threads.using().in_time();
    let given = pollster::block_on(call.try_get_or_compute_async(&7, || async { Ok(1) }));
    assert_eq!(given, lacking);
    let tasks = builder().spawn(drop).timer(|_| pending()).build().unwrap();
    assert_eq!(
        tasks.using().in_time().try_get_or_compute(&7, || Ok(1)),
        lacking
    );
}

#[test]
fn limits_that_do_nothing_are_refused() {
    let builder = || Cache::<u8, u32>::builder("bad");
    let each_computes =
        "soft_timeout and hard_timeout do nothing here, for each caller computes itself";
    let untimed = "timer does nothing here, for no task is under a time limit";
    for (builder, message) in [
        (builder().hard_timeout(secs(1)), each_computes),
        (builder().hard_timeout(secs(1)).spawn(drop), each_computes),
        (
            builder().soft_timeout(secs(1)).background(drop),
            "soft_timeout does nothing while no old value is kept",
        ),
        (builder().timer(|_| pending()), untimed),
        (
            builder()
                .hard_timeout(secs(1))
                .background(drop)
                .timer(|_| pending()),
            untimed,
        ),
        (
            builder().wait_timeout(secs(0)),
            "wait_timeout: the duration \"0s\" is nothing",
        ),
    ] {
        let error = builder.build().expect_err(message);
        assert_eq!(
            (error.kind(), error.message()),
            (ErrorKind::Config, message)
        );
    }
}

/// The answers of what the functions below ask.
static ANSWERS: Mutex<Vec<Receiver<Given>>> = Mutex::new(Vec::new());

fn answer() -> Given {
    let source = ANSWERS.lock().unwrap().pop();
    source.map_or(Ok(2), |source| source.recv().unwrap())
}

#[test]
fn a_function_returns_the_end_of_its_time_as_its_own_error() {
    #[cached(hard_timeout = "1ms", background = |work| { thread::spawn(work); })]
    fn slow(_page: u8) -> Given {
        answer()
    }
    #[rustfmt::skip]
    #[cached(
        hard_timeout = "1ms", timer = |_| ready(()),
        spawn = |task| { thread::spawn(|| pollster::block_on(task)); }
    )]
    async fn slow_async(_page: u8) -> Given {
        answer()
    }
    type Call = fn() -> Given;
    let worlds: [(Call, Call); 2] = [
        (
            || slow(7),
            || slow::peek(7).map_or(TIMEOUT, |seen| seen.value),
        ),
        (
            || pollster::block_on(slow_async(7)),
            || slow_async::peek(7).map_or(TIMEOUT, |seen| seen.value),
        ),
    ];
    let _turn = turn();
    for (call, peek) in worlds {
        let (answer, source) = channel();
        ANSWERS.lock().unwrap().push(source);
        assert_eq!(call(), TIMEOUT);
        answer.send(Ok(1)).unwrap();
        while peek() == TIMEOUT {
            thread::yield_now();
        }
        assert_eq!((call(), peek()), (Ok(1), Ok(1)));
    }
}

#[test]
fn a_call_of_a_function_that_has_waited_too_long_computes_itself() {
    static SOURCES: Mutex<Vec<Receiver<u32>>> = Mutex::new(Vec::new());
    fn answer() -> u32 {
        let source = SOURCES.lock().unwrap().pop();
        source.map_or(2, |source| source.recv().unwrap())
    }
    #[cached(wait_timeout = "1ms")]
    fn rate(_currency: &str) -> u32 {
        answer()
    }
    #[cached(wait_timeout = "1ms", timer = |_| ready(()))]
    async fn rate_async(_currency: &str) -> u32 {
        answer()
    }
    type World = (fn() -> u32, fn() -> u64);
    let worlds: [World; 2] = [
        (|| rate("EUR"), || rate::stats().takeovers),
        (
            || pollster::block_on(rate_async("EUR")),
            || rate_async::stats().takeovers,
        ),
    ];
    let _turn = turn();
    for (call, takeovers) in worlds {
        let (answer, source) = channel();
        SOURCES.lock().unwrap().push(source);
        let first = thread::spawn(call);
        while !SOURCES.lock().unwrap().is_empty() {
            thread::yield_now();
        }
        assert_eq!((call(), takeovers()), (2, 1));
        answer.send(1).unwrap();
        assert_eq!((first.join().unwrap(), call()), (1, 2));
    }
}

/// What the plain functions below give next, where it is not 1.
static PLAIN: Mutex<Vec<Receiver<u32>>> = Mutex::new(Vec::new());

fn plain() -> u32 {
    let source = PLAIN.lock().unwrap().pop();
    source.map_or(1, |source| source.recv().unwrap())
}

#[test]
fn a_function_that_cannot_fail_has_a_soft_limit_that_serves_the_old_value() {
    #[rustfmt::skip]
    #[cached(
        ttl = "60s", stale_if_error = "1h", soft_timeout = "1ms",
        background = |work| { thread::spawn(work); }
    )]
    fn slow(_page: u8) -> u32 {
        plain()
    }
    #[rustfmt::skip]
    #[cached(
        ttl = "60s", stale_if_error = "1h", soft_timeout = "1ms", timer = |_| ready(()),
        spawn = |task| { thread::spawn(|| pollster::block_on(task)); }
    )]
    async fn slow_async(_page: u8) -> u32 {
        plain()
    }
    type World = (fn() -> u32, fn() -> u32, fn() -> u64);
    let worlds: [World; 2] = [
        (
            || slow(7),
            || slow::peek(7).map_or(0, |seen| seen.value),
            || slow::stats().stale,
        ),
        (
            || pollster::block_on(slow_async(7)),
            || slow_async::peek(7).map_or(0, |seen| seen.value),
            || slow_async::stats().stale,
        ),
    ];
    let _turn = turn();
    let clock = ManualClock::new();
    let _held = clock.hold_functions();
    for (call, peek, stale) in worlds {
        assert_eq!(call(), 1, "without an old value there is no limit");
        clock.advance(secs(60));
        let (answer, source) = channel();
        PLAIN.lock().unwrap().push(source);
        assert_eq!((call(), stale()), (1, 1));
        answer.send(2).unwrap();
        while peek() != 2 {
            thread::yield_now();
        }
        assert_eq!(call(), 2);
    }
}

#[test]
fn an_old_value_stands_for_a_computation_that_is_dropped() {
    #[cached(ttl = "60s", stale_if_error = "1h", soft_timeout = "1h", background = drop)]
    fn dropped(page: u8) -> u8 {
        page
    }
    #[rustfmt::skip]
    #[cached(
        ttl = "60s", stale_if_error = "1h", soft_timeout = "1h",
        background = |work| { overtaken::clear(); drop(work) }
    )]
    fn overtaken(page: u8) -> u8 {
        page
    }
    #[rustfmt::skip]
    #[cached(
        ttl = "60s", stale_if_error = "1h", soft_timeout = "1h",
        background = |work| { failing::clear(); drop(work) }
    )]
    fn failing(_page: u8) -> Given {
        Ok(1)
    }
    let _turn = turn();
    dropped::prime(9, 7);
    dropped::mark_stale(7);
    assert_eq!((dropped(7), dropped::stats().stale), (9, 1));
    failing::prime(Ok(9), 7);
    failing::mark_stale(7);
    assert_eq!(failing(7), ENDED);
    overtaken::prime(9, 7);
    overtaken::mark_stale(7);
    let panicked = std::panic::catch_unwind(|| overtaken(7)).unwrap_err();
    let message = panicked.downcast_ref::<String>().unwrap();
    assert!(
        message.contains("overtaken ended without a value\nhint: "),
        "{message}"
    );
}
