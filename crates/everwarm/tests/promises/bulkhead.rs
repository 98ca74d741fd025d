//! At most so many computations at once, in threads and in tasks, of caches and of functions.

use std::future::poll_fn;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Barrier};
use std::task::Poll;
use std::thread;

use everwarm::duration::secs;
use everwarm::testing::ManualClock;
use everwarm::{Cache, cached};

const MOST: usize = 3;

/// How many run, and how many ran at once.
#[derive(Default)]
struct Running {
    now: AtomicUsize,
    most: AtomicUsize,
}

impl Running {
    fn begin(&self) {
        let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
        for _ in 0..20 {
            thread::yield_now();
        }
    }

    fn end(&self) {
        self.now.fetch_sub(1, Ordering::SeqCst);
    }

    fn compute(&self, value: usize) -> usize {
        self.begin();
        self.end();
        value
    }

    async fn compute_async(&self, value: usize) -> usize {
        self.begin();
        let mut polls = 0;
        poll_fn(|task| {
            polls += 1;
            task.waker().wake_by_ref();
            if polls > 3 {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
        self.end();
        value
    }
}

/// Has so many threads call at once, each with a number of its own.
fn crowd(call: impl Fn(usize) -> usize + Sync) {
    let start = Barrier::new(24);
    thread::scope(|scope| {
        for number in 0..24 {
            let (start, call) = (&start, &call);
            scope.spawn(move || {
                start.wait();
                assert_eq!(call(number), number);
            });
        }
    });
}

fn bounded(most: usize) -> Cache<usize, usize> {
    let builder = Cache::builder("reports").max_computations(most);
    builder.build().unwrap()
}

#[test]
fn no_more_computations_of_a_cache_run_at_once() {
    let (cache, running) = (bounded(MOST), Running::default());
    crowd(|number| match number % 2 {
        0 => cache.get_or_compute(&number, || running.compute(number)),
        _ => pollster::block_on(
            cache.get_or_compute_async(&number, || running.compute_async(number)),
        ),
    });
    assert!(running.most.load(Ordering::SeqCst) <= MOST);
    assert_eq!(cache.stats().computations, 24);
}

static OF_FUNCTIONS: Running = Running {
    now: AtomicUsize::new(0),
    most: AtomicUsize::new(0),
};

#[cached(max_computations = 1)]
fn report(day: usize) -> usize {
    OF_FUNCTIONS.compute(day)
}

#[test]
fn no_more_computations_of_a_function_run_at_once() {
    crowd(report);
    assert_eq!(OF_FUNCTIONS.most.load(Ordering::SeqCst), 1);
}

/// Has another thread compute the first key until it is told to end.
fn occupied(cache: &Cache<usize, usize>) -> (Sender<()>, thread::JoinHandle<usize>) {
    let ((end, ends), (begin, begun)) = (channel(), channel());
    let cache = cache.clone();
    let computing = thread::spawn(move || {
        cache.get_or_compute(&0, || {
            begin.send(()).unwrap();
            let ends: Receiver<()> = ends;
            ends.recv().unwrap();
            0
        })
    });
    begun.recv().unwrap();
    (end, computing)
}

#[test]
fn hits_need_no_permit_and_permits_come_back_from_errors_and_panics() {
    let cache = bounded(1);
    cache.set(9, 9);
    assert_eq!(
        cache.try_get_or_compute(&1, || Err("down")),
        Err("down".into())
    );
    let inner = cache.clone();
    let panicked =
        thread::spawn(move || inner.get_or_compute(&1, || panic!("as the test wants it")));
    assert!(panicked.join().is_err());
    let (end, computing) = occupied(&cache);
    assert_eq!(cache.get_or_compute(&9, || unreachable!()), 9);
    end.send(()).unwrap();
    assert_eq!(computing.join().unwrap(), 0);
    assert_eq!(cache.get_or_compute(&1, || 1), 1);
}

#[test]
fn a_task_that_waits_for_a_permit_and_is_dropped_leaves_no_trace() {
    let cache = bounded(1);
    let (end, computing) = occupied(&cache);
    {
        let mut waiting = Box::pin(cache.get_or_compute_async(&1, async || unreachable!()));
        let mut task = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(waiting.as_mut().poll(&mut task).is_pending());
    }
    end.send(()).unwrap();
    computing.join().unwrap();
    assert_eq!(cache.get_or_compute(&1, || 1), 1);
}

#[test]
fn an_old_value_is_served_where_no_permit_is_free() {
    let clock = ManualClock::new();
    let cache: Cache<usize, usize> = Cache::builder("reports")
        .ttl(secs(60))
        .stale_if_error(secs(600))
        .error_backoff(secs(20))
        .max_computations(1)
        .clock(&clock)
        .build()
        .unwrap();
    cache.set(1, 1);
    clock.advance(secs(60));
    let (end, computing) = occupied(&cache);
    assert_eq!(cache.get_or_compute(&1, || 2), 1);
    let awaited = cache.get_or_compute_async(&1, async || 2);
    assert_eq!(pollster::block_on(awaited), 1);
    end.send(()).unwrap();
    computing.join().unwrap();
    assert_eq!(cache.get_or_compute(&1, || 2), 1, "its back-off lasts");
    clock.advance(secs(20));
    assert_eq!(cache.get_or_compute(&1, || 2), 2);
    assert_eq!((cache.stats().stale, cache.stats().hits), (3, 0));
}

#[test]
fn a_computation_within_another_runs_within_its_permit() {
    let (cache, depth) = (bounded(1), Arc::new(AtomicUsize::new(0)));
    fn sum(cache: &Cache<usize, usize>, number: usize, depth: &AtomicUsize) -> usize {
        cache.get_or_compute(&number, || {
            depth.fetch_add(1, Ordering::SeqCst);
            number
                + if number == 0 {
                    0
                } else {
                    sum(cache, number - 1, depth)
                }
        })
    }
    assert_eq!(
        (sum(&cache, 5, &depth), depth.load(Ordering::SeqCst)),
        (15, 6)
    );
}

#[test]
fn a_bound_of_nothing_is_refused() {
    let builder = Cache::<u8, u8>::builder("bad").max_computations(0);
    let error = builder.build().unwrap_err();
    assert_eq!(
        error.message(),
        "max_computations=0 lets nothing be computed"
    );
}
