//! Computations behind a value that is served: what they are handed over to, and what becomes of them, in threads and in tasks.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use everwarm::duration::secs;
use everwarm::testing::ManualClock;
use everwarm::{Builder, Cache, RefreshAhead, Task, Work, cached};

use crate::clock::turn;

/// How a cache is described.
type Described = fn(Builder<u8, Option<u32>>) -> Builder<u8, Option<u32>>;

/// What a source gives: a value, nothing, or an error.
type Given = Result<Option<u32>, &'static str>;

fn revalidated(builder: Builder<u8, Option<u32>>) -> Builder<u8, Option<u32>> {
    builder.ttl(secs(60)).stale_while_revalidate(secs(30))
}

fn ahead(builder: Builder<u8, Option<u32>>) -> Builder<u8, Option<u32>> {
    builder
        .ttl(secs(60))
        .refresh_ahead(RefreshAhead::Fraction(0.5))
}

/// What a cache has handed over to be done later.
struct Later<T>(Arc<Mutex<Vec<T>>>);

impl<T: Send + 'static> Later<T> {
    fn new() -> (Self, impl Fn(T) + Send + Sync + 'static) {
        let later = Arc::new(Mutex::new(Vec::new()));
        let handed = Arc::clone(&later);
        (Self(later), move |work| handed.lock().unwrap().push(work))
    }

    fn take(&self) -> Vec<T> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

/// Calls served at once, while what they handed over waits: in threads and in tasks.
struct Background {
    cache: Cache<u8, Option<u32>>,
    clock: ManualClock,
    work: Later<Work>,
    tasks: Later<Task>,
    is_async: bool,
}

impl Background {
    fn both(described: Described) -> [Self; 2] {
        [false, true].map(|is_async| {
            let clock = ManualClock::new();
            let ((work, background), (tasks, spawn)) = (Later::new(), Later::new());
            let builder = described(Cache::builder("rows")).clock(&clock);
            let cache = builder.background(background).spawn(spawn).build().unwrap();
            Self {
                cache,
                clock,
                work,
                tasks,
                is_async,
            }
        })
    }

    fn ask(&self, source: Given) -> Given {
        let call = self.cache.using().in_background();
        let given = match self.is_async {
            false => call.try_get_or_compute(&7, move || source),
            true => {
                pollster::block_on(call.try_get_or_compute_async(&7, move || async move { source }))
            }
        };
        given.map_err(|error| *error)
    }

    /// Does what waits; how much that was.
    fn run(&self) -> usize {
        let (work, tasks) = (self.work.take(), self.tasks.take());
        assert_eq!(
            if self.is_async {
                work.len()
            } else {
                tasks.len()
            },
            0
        );
        let count = work.len() + tasks.len();
        let thread = std::thread::spawn(move || {
            work.into_iter().for_each(|work| work());
            tasks.into_iter().for_each(pollster::block_on);
        });
        thread.join().unwrap();
        count
    }
}

#[test]
fn behind_a_served_value_one_computation_runs_in_the_background() {
    for (described, after) in [(revalidated as Described, 60), (ahead, 30)] {
        for world in Background::both(described) {
            assert_eq!((world.ask(Ok(Some(1))), world.run()), (Ok(Some(1)), 0));
            world.clock.advance(secs(after));
            assert_eq!(world.ask(Ok(Some(2))), Ok(Some(1)));
            assert_eq!(world.ask(Ok(Some(3))), Ok(Some(1)), "it is being computed");
            assert_eq!(world.run(), 1);
            assert_eq!(world.ask(Ok(Some(4))), Ok(Some(2)));
            let stats = world.cache.stats();
            assert_eq!(
                (stats.computations, stats.refreshes, stats.misses),
                (2, 1, 1)
            );
        }
    }
}

#[test]
fn an_error_in_the_background_leaves_the_old_value_until_the_backoff_ends() {
    for world in Background::both(revalidated) {
        world.cache.set(7, Some(1));
        world.clock.advance(secs(60));
        assert_eq!((world.ask(Err("down")), world.run()), (Ok(Some(1)), 1));
        world.clock.advance(secs(9));
        assert_eq!((world.ask(Ok(Some(2))), world.run()), (Ok(Some(1)), 0));
        world.clock.advance(secs(1));
        assert_eq!((world.ask(Ok(Some(2))), world.run()), (Ok(Some(1)), 1));
        assert_eq!(world.ask(Err("down")), Ok(Some(2)));
    }
}

#[test]
fn work_that_is_dropped_is_begun_by_a_later_caller() {
    for world in Background::both(revalidated) {
        world.cache.set(7, Some(1));
        world.clock.advance(secs(60));
        assert_eq!(world.ask(Ok(Some(2))), Ok(Some(1)));
        drop((world.work.take(), world.tasks.take()));
        assert_eq!((world.ask(Ok(Some(3))), world.run()), (Ok(Some(1)), 1));
        assert_eq!(world.ask(Ok(Some(4))), Ok(Some(3)));
    }
}

#[test]
fn what_was_invalidated_meanwhile_is_not_stored_by_the_background() {
    for world in Background::both(revalidated) {
        world.cache.set(7, Some(1));
        world.clock.advance(secs(60));
        assert_eq!(world.ask(Ok(Some(2))), Ok(Some(1)));
        world.cache.delete(&7);
        assert_eq!(world.run(), 1);
        assert_eq!(world.cache.get(&7), None);
    }
}

#[test]
fn after_a_panic_in_the_background_a_later_caller_begins_it() {
    for world in Background::both(revalidated) {
        world.cache.set(7, Some(1));
        world.clock.advance(secs(60));
        let call = world.cache.using().in_background();
        let served = match world.is_async {
            false => call.get_or_compute(&7, || panic!("as the test wants it")),
            true => pollster::block_on(
                call.get_or_compute_async(&7, || async { panic!("as the test wants it") }),
            ),
        };
        assert_eq!(served, Some(1));
        assert!(catch_unwind(AssertUnwindSafe(|| world.run())).is_err());
        assert_eq!((world.ask(Ok(Some(2))), world.run()), (Ok(Some(1)), 1));
        assert_eq!(world.ask(Ok(Some(3))), Ok(Some(2)));
    }
}

#[test]
fn a_call_with_a_background_may_move_between_threads() {
    fn is_send<T: Send>(call: T) -> T {
        call
    }
    #[cached(ttl = "1m", refresh_ahead = 0.5, spawn = pollster::block_on)]
    async fn doubled(value: u64) -> u64 {
        value * 2
    }
    let [_, world] = Background::both(revalidated);
    let call = world.cache.using().in_background();
    let call = is_send(call.get_or_compute_async(&7, || async { Some(1) }));
    assert_eq!(pollster::block_on(call), Some(1));
    assert_eq!(pollster::block_on(is_send(doubled(2))), 4);
}

#[test]
fn a_miss_is_computed_by_its_caller() {
    for world in Background::both(revalidated) {
        assert_eq!((world.ask(Err("down")), world.run()), (Err("down"), 0));
        assert_eq!((world.ask(Ok(Some(1))), world.run()), (Ok(Some(1)), 0));
    }
}

#[test]
fn a_function_is_computed_in_the_background() {
    static WORK: Mutex<Vec<Work>> = Mutex::new(Vec::new());
    static TASKS: Mutex<Vec<Task>> = Mutex::new(Vec::new());
    static COMPUTED: AtomicU32 = AtomicU32::new(0);
    #[cached(ttl = "1m", stale_while_revalidate = "1m", background = |work| WORK.lock().unwrap().push(work))]
    fn rate(_currency: String) -> u32 {
        COMPUTED.fetch_add(1, Ordering::Relaxed)
    }
    #[cached(ttl = "1m", refresh_ahead = 0.5, spawn = |task| TASKS.lock().unwrap().push(task))]
    async fn rate_async(_currency: String) -> u32 {
        COMPUTED.fetch_add(1, Ordering::Relaxed)
    }
    let currency = || "EUR".to_owned();
    let (call, call_async) = (
        || rate(currency()),
        || pollster::block_on(rate_async(currency())),
    );
    let _turn = turn();
    let clock = ManualClock::new();
    let _held = clock.hold_functions();
    assert_eq!((call(), call_async()), (0, 1));
    clock.advance(secs(30));
    assert_eq!(call_async(), 1);
    clock.advance(secs(30));
    assert_eq!(call(), 0);
    let (work, tasks) = (WORK.lock().unwrap().pop(), TASKS.lock().unwrap().pop());
    work.expect("handed over")();
    pollster::block_on(tasks.expect("handed over"));
    assert_eq!((call(), call_async()), (2, 3));
    let refreshes = (rate::stats().refreshes, rate_async::stats().refreshes);
    assert_eq!(refreshes, (1, 1));
}
