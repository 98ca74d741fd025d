//! What the memory store does besides its contract: bounds, leases and markers that end, news that are forgotten.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use everwarm_core::clock::{Clock, Instant};
use everwarm_core::mark::Tag;
use everwarm_core::store::{Answer, Bytes, FailureKind, Grant, Store};
use everwarm_memory::{Bounds, MemoryStore};

#[derive(Default)]
struct Hand(AtomicU64);

impl Clock for Hand {
    fn now(&self) -> Instant {
        Instant::from_nanos(self.0.load(Ordering::Relaxed))
    }
}

impl Hand {
    fn advance(&self, by: Duration) {
        self.0.fetch_add(by.as_nanos() as u64, Ordering::Relaxed);
    }
}

const SECOND: Duration = Duration::from_secs(1);

fn store(max_entries: usize, max_bytes: u64) -> (MemoryStore, Arc<Hand>) {
    let hand = Arc::new(Hand::default());
    let bounds = Bounds {
        max_bytes: max_bytes.try_into().ok(),
        ..Bounds::entries(max_entries.try_into().expect("not zero"))
    };
    (
        MemoryStore::with_clock(bounds, Arc::clone(&hand) as _),
        hand,
    )
}

fn now<T: std::fmt::Debug>(answer: Answer<'_, T>) -> T {
    answer.now().expect("at once").expect("no failure")
}

fn there(store: &MemoryStore, names: u64) -> usize {
    (0..names)
        .filter(|name| now(store.get(&name.to_string())).is_some())
        .count()
}

#[test]
fn entries_and_bytes_stay_within_their_bounds() {
    let (store, _) = store(100, 50_000);
    for name in 0..300 {
        now(store.set(&name.to_string(), Bytes::from_static(b"x"), None));
    }
    assert_eq!(there(&store, 300), 100);
    for name in 0..300 {
        now(store.set(&name.to_string(), vec![7; 10_000].into(), None));
    }
    assert!(
        (1..=4).contains(&there(&store, 300)),
        "{}",
        there(&store, 300)
    );
}

#[test]
fn what_is_too_large_alone_is_refused_and_leaves_the_rest() {
    let (store, _) = store(100, 100_000);
    now(store.set("name", Bytes::from_static(b"before"), None));
    let refused = store
        .set("name", vec![7; 200_000].into(), None)
        .now()
        .expect("at once");
    assert_eq!(refused.expect_err("too large").kind, FailureKind::Capacity);
    assert_eq!(now(store.get("name")).expect("still there").bytes, "before");
    let largest = usize::try_from(store.limits().largest_value).expect("small");
    now(store.set("largest", vec![7; largest].into(), None));
    assert!(now(store.get("largest")).is_some());
}

#[test]
fn a_handle_is_told_what_others_do_and_no_one_is_told_alone() {
    let (first, _) = store(100, 100_000);
    let notify = |store: &MemoryStore| store.notify().expect("notify").change();
    now(first.set("name", Bytes::new(), None));
    assert_eq!(
        notify(&first),
        0,
        "a handle that is alone remembers what it did for nobody"
    );
    let second = first.handle();
    now(first.set("name", Bytes::new(), None));
    assert_eq!(notify(&second), 1);
    assert_eq!(
        now(second.notify().expect("notify").messages(0))
            .messages
            .len(),
        1
    );
    assert!(
        now(first.notify().expect("notify").messages(0))
            .messages
            .is_empty()
    );
}

#[test]
fn markers_that_nobody_needs_are_swept() {
    let (store, hand) = store(100, 100_000);
    let generations = store.generations().expect("generations");
    let [kept, invalidated] = [Tag([1; 16]), Tag([2; 16])];
    now(generations.begin("space", &[kept], Some(10 * SECOND)));
    now(generations.invalidate("space", &[invalidated]));
    now(store.sweep());
    let read = |tag| now(generations.read("space", &[tag])).markers[0].is_some();
    assert!(read(kept) && !read(invalidated));
    hand.advance(10 * SECOND);
    now(store.sweep());
    assert!(!read(kept));
}

#[test]
fn a_lease_is_free_at_its_end() {
    let (store, hand) = store(100, 100_000);
    let leases = store.leases().expect("leases");
    assert_eq!(now(leases.lease("name", 1, SECOND)), Grant::Granted);
    hand.advance(SECOND - Duration::from_nanos(1));
    assert_eq!(
        now(leases.lease("name", 2, SECOND)),
        Grant::Held(Duration::from_nanos(1))
    );
    hand.advance(Duration::from_nanos(1));
    assert_eq!(now(leases.lease("name", 2, SECOND)), Grant::Granted);
}
