//! Leases and limiters that users hold: what must hold when a holder is slow, or a store loses something.

use std::future::{Future, ready};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use everwarm_core::clock::Instant;
use everwarm_core::draw::FixedDraw;
use everwarm_core::layer::{Layer, Verb};
use everwarm_core::limiter::{Decision, Kind, Limit, Rate};
use everwarm_core::store::{Answer, Store};
use everwarm_engine::primitives::{Held, Holdings, Limiter, Permits};
use everwarm_engine::stack::{Nap, Sleep};
use everwarm_engine::{Bounds, ManualHand, Ticker};
use everwarm_layers::Layered;
use everwarm_memory::MemoryStore;

const SECOND: Duration = Duration::from_secs(1);
const START: Instant = Instant::ZERO;

fn wait<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => panic!("a store in memory answers at once"),
    }
}

fn store() -> (ManualHand, MemoryStore) {
    let hand = ManualHand::new(START);
    let bounds = Bounds::entries(100.try_into().expect("not zero"));
    let store = MemoryStore::with_clock(bounds, Arc::new(Ticker::frozen_by(&hand)));
    (hand, store)
}

fn shared(store: &MemoryStore) -> Arc<dyn Store> {
    Arc::new(store.handle())
}

fn acquire(lock: &Permits, store: &dyn Store, date: i64) -> Option<Arc<Held>> {
    wait(lock.acquire(store, "lock", &FixedDraw(0.0), (START, date))).expect("the store works")
}

/// Does something before the operation of this number.
struct Before<F> {
    number: usize,
    seen: AtomicUsize,
    act: F,
}

impl<F: Fn() + Send + Sync> Layer for Before<F> {
    fn around<'a, T: Send + 'a>(
        &'a self,
        _: Verb,
        _: usize,
        attempt: impl Fn() -> Answer<'a, T> + Send + Sync + 'a,
    ) -> Answer<'a, T> {
        if self.seen.fetch_add(1, Ordering::Relaxed) == self.number {
            (self.act)();
        }
        attempt()
    }
}

/// `store`, where `act` happens between two operations of one acquisition.
fn between(store: &MemoryStore, number: usize, act: impl Fn() + Send + Sync) -> impl Store {
    let seen = AtomicUsize::new(0);
    Layered::new(store.handle(), Before { number, seen, act })
}

#[test]
fn whoever_lost_the_lease_gets_no_number() {
    for number in 1..3 {
        let (hand, store) = store();
        let lock = Permits::lock(&shared(&store), SECOND).expect("it has the facets");
        let other = Mutex::new(None);
        let slow = between(&store, number, || {
            // The holder is held up for longer than its lease lasts.
            hand.advance(2 * SECOND);
            *other.lock().expect("no test panics") = acquire(&lock, &store, 7);
        });
        assert!(
            acquire(&lock, &slow, 7).is_none(),
            "before operation {number}"
        );
        drop(slow);
        let other = other
            .into_inner()
            .expect("no test panics")
            .expect("the lease had ended");
        assert!(wait(other.renew(&store, START)).expect("the store works"));
        hand.advance(2 * SECOND);
        let later = acquire(&lock, &store, 7).expect("it is free");
        assert!(later.fence() > other.fence());
    }
}

#[test]
fn numbers_grow_though_the_store_has_lost_the_counter() {
    let (_, store) = store();
    let lock = Permits::lock(&shared(&store), SECOND).expect("it has the facets");
    let mut last = 0;
    for date in [1_000, 1_001, 5_000, 5_000] {
        let held = acquire(&lock, &store, date).expect("it is free");
        assert!(held.fence() > last, "{} after {last}", held.fence());
        last = held.fence();
        assert!(wait(held.release(&store)).expect("the store works"));
        if date == 1_001 {
            wait(store.delete("lock.fence")).expect("the store works");
        }
    }
}

#[test]
fn a_permit_is_due_after_a_third_and_while_somebody_has_it() {
    let (hand, store) = store();
    let permits = Permits::semaphore(&shared(&store), 1, 3 * SECOND).expect("it has leases");
    let holdings = Holdings::new();
    let held = acquire(&permits, &store, 0).expect("one is free");
    holdings.add("lock", 1, &held);
    assert!(holdings.is_held_by("lock", 1) && !holdings.is_held_by("lock", 2));
    assert!(holdings.due(START.after(SECOND / 2)).is_empty());
    hand.advance(SECOND);
    let due = holdings.due(hand.now());
    assert_eq!(due.len(), 1);
    assert!(wait(due[0].renew(&store, hand.now())).expect("the store works"));
    assert!(holdings.due(hand.now()).is_empty());
    hand.advance(4 * SECOND);
    assert!(!wait(held.renew(&store, hand.now())).expect("the store works"));
    assert!(!held.is_held() && holdings.is_empty());
    drop((due, held));
    let again = acquire(&permits, &store, 0).expect("it came back");
    holdings.add("lock", 1, &again);
    drop(again);
    assert!(holdings.is_empty(), "nobody has it any more");
}

/// Passes no time.
struct Awake;

impl Sleep for Awake {
    fn sleep(&self, _: Duration) -> Nap {
        Box::pin(ready(())) as Pin<Box<_>>
    }
}

fn limiter(store: &MemoryStore, rate: &str) -> Limiter {
    let rate = Rate::parse(rate).expect("a rate");
    let limit = Limit::new(Kind::TokenBucket, rate, None).expect("a limit");
    Limiter::new(&shared(store), limit, "clock").expect("it has the facet")
}

fn take(limiter: &Limiter, store: &dyn Store) -> Decision {
    wait(limiter.take(store, &Awake, ("api", 1))).expect("the store works")
}

#[test]
fn a_limiter_counts_on_when_its_clock_is_lost() {
    let (hand, store) = store();
    let limiter = limiter(&store, "2/10s");
    hand.advance(100 * SECOND);
    assert!(take(&limiter, &store).allowed && take(&limiter, &store).allowed);
    for _ in 0..3 {
        hand.advance(SECOND);
        wait(store.delete("clock")).expect("the store works");
        assert!(!take(&limiter, &store).allowed);
    }
    assert_eq!(take(&limiter, &store).retry_after, 2 * SECOND);
    hand.advance(2 * SECOND);
    assert!(take(&limiter, &store).allowed);
}

#[test]
fn a_clock_that_says_nothing_is_begun_anew() {
    let (_, store) = store();
    let limiter = limiter(&store, "1/10s");
    for bytes in [&b"short"[..], b"eightbyt"] {
        // One of them is no number, the other has no end.
        wait(store.set("clock", bytes.to_vec().into(), None)).expect("the store works");
        wait(store.delete("api")).expect("the store works");
        assert!(take(&limiter, &store).allowed);
        assert!(!take(&limiter, &store).allowed);
    }
}

#[test]
fn who_is_overtaken_decides_anew() {
    let (_, store) = store();
    let limiter = limiter(&store, "2/10s");
    assert!(take(&limiter, &store).allowed);
    let slow = between(&store, 1, || assert!(take(&limiter, &store).allowed));
    assert!(
        !take(&limiter, &slow).allowed,
        "the other one had the last permit"
    );
}
