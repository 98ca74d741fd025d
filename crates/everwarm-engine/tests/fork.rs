//! A forked child keeps values and forgets flights. Alone in its file: the number of forks is the process's.

#[allow(dead_code, reason = "it uses a part")]
mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Wake, Waker};

use everwarm_engine::{Arrival, Caller, Settle, after_fork};
use support::{World, word};

#[derive(Default)]
struct Bell(AtomicUsize);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn what_the_parent_began_settles_to_nothing_in_the_child() {
    let world = World::new();
    world.put(1, 1);
    let (settled, failed, left) = (world.lead(2), world.lead(3), world.lead(4));
    let chain = [settled.id()];
    let circle = world.begin_with(
        3,
        &[],
        Caller {
            chain: &chain,
            ..Caller::default()
        },
    );
    let (mut ticket, taken) = (world.ticket(2), world.ticket(3));
    let bell = Arc::new(Bell::default());
    ticket.register(Waker::from(Arc::clone(&bell)));

    after_fork();

    assert_eq!(world.hit(1), Some(1), "values stay");
    assert_eq!(ticket.try_arrive(), Some(Arrival::Again));
    let own = world.lead(2);
    assert!(!settled.settle(9, Settle::default()).stored);
    failed.fail("no");
    taken.take_over();
    drop((left, ticket, circle));
    assert_eq!(
        bell.0.load(Ordering::Relaxed),
        0,
        "wakers of the parent's waiters are not called"
    );
    let mut follower = world.ticket(2);
    let chain = [own.id()];
    assert_eq!(
        word(&world.begin_with(
            3,
            &[],
            Caller {
                chain: &chain,
                ..Caller::default()
            }
        )),
        "the lead"
    );
    assert!(own.settle(2, Settle::default()).stored);
    assert_eq!(follower.try_arrive(), Some(Arrival::Value(2)));
    assert_eq!(world.hit(2), Some(2));
    assert_eq!(world.cache.stats(&world.scope).takeovers, 0);
}
