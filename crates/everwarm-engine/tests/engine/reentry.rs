//! Whatever runs when a value is dropped or a waker called may call the cache again: no lock is held then.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::task::{Wake, Waker};
use std::time::Duration;

use crate::support::{Error, Name, World, names};
use everwarm_core::clock::Instant;
use everwarm_engine::{Cache, Settle};

/// A value whose drop calls the cache again, which hangs if any lock of the key's shard is held.
struct Reentrant(Weak<Cache<Name, Arc<Reentrant>, Error>>, Arc<AtomicUsize>);

impl Drop for Reentrant {
    fn drop(&mut self) {
        self.1.fetch_add(1, Ordering::Relaxed);
        if let Some(cache) = self.0.upgrade() {
            for name in 1..4 {
                let key = Name(1, name);
                cache.delete(&cache.scope(), key.hash(), &key);
            }
            cache.sweep();
            cache.invalidate_tags(&names(&["tag"]));
        }
    }
}

#[test]
fn values_are_dropped_when_no_lock_is_held() {
    let world = World::<Arc<Reentrant>>::with(2, Cache::new);
    let dropped = Arc::new(AtomicUsize::new(0));
    let value = || {
        Arc::new(Reentrant(
            Arc::downgrade(&world.cache),
            Arc::clone(&dropped),
        ))
    };
    let soon = Instant::from_nanos(1);
    let mut expected = 0;
    let mut went = |count: usize, how: &str| {
        expected += count;
        assert_eq!(dropped.load(Ordering::Relaxed), expected, "{how}");
    };
    world.put(1, value());
    world.delete(1);
    went(1, "delete");
    world.put(1, value());
    world.cache.clear();
    went(1, "clear");
    world.put_with(1, value(), soon, &[]);
    world.hand.advance(Duration::from_nanos(1));
    assert!(world.hit(1).is_none());
    went(1, "a hit finds it expired");
    world.put_with(1, value(), soon, &[]);
    drop(world.lead(1));
    went(1, "begin finds it expired");
    world.put_with(1, value(), Instant::NEVER, &["tag"]);
    world.invalidate("tag");
    drop(world.lead(1));
    went(1, "begin finds it invalid");
    world.put_with(1, value(), soon, &[]);
    world.cache.sweep();
    went(1, "sweep");
    world.put(1, value());
    world.put(1, value());
    went(2, "the replaced one goes, and takes its successor along");
    let (late, ticket) = (world.lead(1), world.ticket(1));
    ticket.take_over();
    late.settle(value(), Settle::default());
    went(1, "a late value");
    let (doomed, ticket) = (world.lead(1), world.ticket(1));
    world.delete(1);
    doomed.settle(value(), Settle::default());
    went(0, "a ticket holds it");
    drop(ticket);
    went(1, "the last ticket goes");
    for name in 1..4 {
        world.put(name, value());
    }
    went(3, "the evicted one goes, and takes the others along");
    world.put(1, value());
    drop(world.cache.scope());
    world.cache.drop_scope(&world.scope);
    went(1, "drop_scope");
}

/// A waker that calls the cache again.
struct Revisit(Arc<Cache<Name, u64, Error>>, Mutex<Option<bool>>);

impl Wake for Revisit {
    fn wake(self: Arc<Self>) {
        let key = Name(1, 1);
        let there = self.0.contains(&self.0.scope(), key.hash(), &key);
        self.0.delete(&self.0.scope(), key.hash(), &key);
        *self.1.lock().expect("the only user") = Some(there);
    }
}

#[test]
fn wakers_are_called_when_no_lock_is_held() {
    let world = World::new();
    let lead = world.lead(1);
    let mut ticket = world.ticket(1);
    let caller = Arc::new(Revisit(Arc::clone(&world.cache), Mutex::new(None)));
    ticket.register(Waker::from(Arc::clone(&caller)));
    lead.settle(1, Settle::default());
    assert_eq!(*caller.1.lock().expect("the only user"), Some(true));
    assert_eq!(world.hit(1), None);
}
