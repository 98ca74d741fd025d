//! A child that was forked while its parent was just opening a store tries for itself.
#![cfg(feature = "stores")]

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use everwarm_core::clock::Clock;
use everwarm_core::store::{Failure, FailureKind, Store};
use everwarm_engine::{Bounds, after_fork};
use everwarm_memory::MemoryStore;
use everwarm_tiers::Awaited;

struct Still;

impl Clock for Still {
    fn now(&self) -> everwarm_core::clock::Instant {
        everwarm_core::clock::Instant::ZERO
    }
}

fn embedded() -> Arc<dyn Store> {
    let ten = Bounds::entries(NonZeroUsize::new(10).expect("not zero"));
    Arc::new(MemoryStore::with_clock(ten, Arc::new(Still)))
}

#[test]
fn a_child_does_not_wait_for_a_thread_of_its_parent() {
    let why = Failure::new(FailureKind::Transient, "it is locked", "open the lock");
    let (begins, begun) = channel();
    let (ends, ended) = channel::<()>();
    let (is_child, tries) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicU64::new(0)),
    );
    let (child, tried, ended) = (Arc::clone(&is_child), Arc::clone(&tries), Mutex::new(ended));
    let begins = Mutex::new(begins);
    let open = move || {
        tried.fetch_add(1, Ordering::SeqCst);
        if !child.load(Ordering::SeqCst) {
            // As long as somebody else has it.
            begins
                .lock()
                .expect("no panic")
                .send(())
                .expect("it is waited for");
            let _ = ended.lock().expect("no panic").recv();
        }
        Ok(embedded())
    };
    let store = Awaited::new("disk:///there", why, open).expect("a kind");
    let answers = || store.ping().now().expect("at once").is_ok();
    let until = Instant::now() + Duration::from_secs(10);
    while !answers() && begun.try_recv().is_err() {
        assert!(Instant::now() < until, "it is tried");
        thread::sleep(Duration::from_millis(20));
    }
    assert!(!answers(), "somebody tries");
    // From here on this is the child, in which that thread is not.
    is_child.store(true, Ordering::SeqCst);
    after_fork();
    store.after_fork();
    let until = Instant::now() + Duration::from_secs(10);
    while !answers() {
        assert!(Instant::now() < until, "the child opens it");
        thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(tries.load(Ordering::SeqCst), 2);
    drop(ends);
}
