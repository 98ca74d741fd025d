//! What the engine promises, one test each.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::task::{Wake, Waker};
use std::thread;
use std::time::Duration;

use crate::support::{World, names, settle, threads, word};
use everwarm_engine::{Arrival, Ask, Caller, Parker, Settle, Turn};

/// A driver as a border would write it: computes, waits or returns, until there is a value.
fn call(world: &World<u64>, name: u64, compute: impl Fn() -> u64) -> u64 {
    if let Some(value) = world.hit(name) {
        return value;
    }
    let key = world.key(name);
    let parker = Parker::new();
    let mut ask = world.ask(&key, &[], Caller::default());
    loop {
        match world.cache.begin(ask).expect("no wait for itself") {
            Turn::Hit(value) | Turn::Stale(value) | Turn::HitAndLead(value, ..) => return value,
            Turn::Remembered(_) => panic!("no error is remembered"),
            Turn::Lead(lead) | Turn::Alone(lead) => {
                let value = compute();
                lead.settle(value, Settle::default());
                return value;
            }
            Turn::Wait(mut ticket) => {
                ticket.register(parker.waker());
                let arrival = loop {
                    match ticket.try_arrive() {
                        Some(arrival) => break arrival,
                        None => parker.park(Duration::from_secs(60)),
                    };
                };
                match arrival {
                    Arrival::Value(value) | Arrival::Stale(value) => return value,
                    Arrival::Failed(error) => panic!("{error}"),
                    Arrival::Again => ask = Ask { again: true, ..ask },
                }
            }
        }
    }
}

#[test]
fn one_computation_per_key_and_every_call_counted() {
    let world = World::new();
    let computed = AtomicUsize::new(0);
    let start = Barrier::new(4);
    thread::scope(|threads| {
        for _ in 0..4 {
            threads.spawn(|| {
                start.wait();
                for turn in 0..2_000 {
                    let value = call(&world, turn % 50, || {
                        computed.fetch_add(1, Ordering::Relaxed);
                        thread::yield_now();
                        turn % 50
                    });
                    assert_eq!(value, turn % 50);
                }
            });
        }
    });
    let stats = world.cache.stats(&world.scope);
    assert_eq!(computed.load(Ordering::Relaxed), 50);
    assert_eq!(
        (stats.calls(), stats.computations, stats.entries),
        (8_000, 50, 50)
    );
    assert_eq!(stats.misses, 50 + stats.followers);
    assert_eq!(world.cache.totals(), stats);
    world.cache.check();
}

#[test]
fn calls_are_counted_exactly_while_leaders_leave_and_entries_go() {
    let world = World::with(64, everwarm_engine::Cache::new);
    thread::scope(|threads| {
        for thread in 0..4_u64 {
            let world = &world;
            threads.spawn(move || {
                for turn in 0..2_000 {
                    let name = (turn * 7 + thread) % 100;
                    assert_eq!(call(world, name, || name), name);
                    match turn % 50 {
                        0 => drop(world.delete(name)),
                        10 => world.invalidate("unrelated"),
                        20 => drop(world.cache.clear()),
                        _ => {}
                    }
                }
            });
        }
    });
    let stats = world.cache.totals();
    assert_eq!(stats.calls(), 8_000);
    assert!(stats.entries <= 64);
    world.cache.check();
}

#[test]
fn a_leaders_error_goes_to_each_follower_and_is_not_stored() {
    let world = World::<u64>::new();
    let lead = world.lead(1);
    let mut followers = [world.ticket(1), world.ticket(1)];
    assert!(
        followers
            .iter_mut()
            .all(|ticket| ticket.try_arrive().is_none())
    );
    lead.fail("no");
    for ticket in &mut followers {
        assert_eq!(ticket.try_arrive(), Some(Arrival::Failed("no")));
    }
    assert_eq!(world.hit(1), None);
    drop(world.lead(1));
}

#[test]
fn a_leader_that_leaves_wakes_all_and_the_first_takes_the_seat() {
    let world = World::<u64>::new();
    let lead = world.lead(1);
    let mut tickets = [world.ticket(1), world.ticket(1)];
    let woken = Arc::new(Bell::default());
    for ticket in &mut tickets {
        ticket.register(Waker::from(Arc::clone(&woken)));
    }
    drop(lead);
    assert_eq!(woken.rings(), 2);
    assert!(
        tickets
            .iter_mut()
            .all(|ticket| ticket.try_arrive() == Some(Arrival::Again))
    );
    let key = world.key(1);
    let again = Ask {
        again: true,
        ..world.ask(&key, &[], Caller::default())
    };
    let turns = [(); 2].map(|()| world.cache.begin(again).expect("no wait for itself"));
    let [Turn::Lead(lead), Turn::Wait(mut second)] = turns else {
        panic!("the first leads and the second waits");
    };
    lead.settle(7, Settle::default());
    assert_eq!(second.try_arrive(), Some(Arrival::Value(7)));
    assert!(matches!(world.cache.begin(again), Ok(Turn::Hit(7))));
    let stats = world.cache.stats(&world.scope);
    assert_eq!(
        (stats.calls(), stats.computations, stats.followers),
        (3, 2, 2)
    );
}

#[test]
fn a_waker_is_called_once_the_last_one_only_and_at_once_when_late() {
    let world = World::<u64>::new();
    let lead = world.lead(1);
    let (mut one, mut two) = (world.ticket(1), world.ticket(1));
    let [stale, fresh, left, late] = [(); 4].map(|()| Arc::new(Bell::default()));
    one.register(Waker::from(Arc::clone(&stale)));
    one.register(Waker::from(Arc::clone(&fresh)));
    two.register(Waker::from(Arc::clone(&left)));
    drop(two);
    lead.settle(7, Settle::default());
    one.register(Waker::from(Arc::clone(&late)));
    assert_eq!(
        [stale.rings(), fresh.rings(), left.rings(), late.rings()],
        [0, 1, 0, 1]
    );
}

#[test]
fn a_follower_takes_over_and_the_late_value_stays_with_its_leader() {
    let world = World::<u64>::new();
    let late = world.lead(1);
    let (first, mut second) = (world.ticket(1), world.ticket(1));
    assert_eq!(first.leader(), late.id());
    first.take_over();
    assert_eq!(second.try_arrive(), Some(Arrival::Again));
    let lead = world.lead(1);
    assert!(!late.settle(1, Settle::default()).stored);
    assert_eq!(world.hit(1), None);
    assert!(lead.settle(2, Settle::default()).stored);
    assert_eq!(world.hit(1), Some(2));
    assert_eq!(world.cache.stats(&world.scope).takeovers, 1);
    second.take_over();
    assert_eq!(
        world.cache.stats(&world.scope).takeovers,
        1,
        "what has ended cannot be taken over"
    );
}

#[test]
fn invalidation_wins_over_a_running_computation() {
    type Verb = fn(&World<u64>);
    let verbs: [(&str, Verb); 7] = [
        ("delete", |world| assert!(!world.delete(1))),
        ("invalidate_tags, from arguments", |world| {
            world.invalidate("argument")
        }),
        ("invalidate_tags, from the result", |world| {
            world.invalidate("result")
        }),
        ("clear_scope", |world| {
            assert_eq!(world.cache.clear_scope(&world.scope), 0)
        }),
        ("clear", |world| assert_eq!(world.cache.clear(), 0)),
        ("drop_scope", |world| {
            assert_eq!(world.cache.drop_scope(&world.scope), 0)
        }),
        ("put, and then delete", |world| {
            world.put(1, 9);
            assert!(world.delete(1));
        }),
    ];
    for (verb, invalidate) in verbs {
        let world = World::new();
        let before = world.lead_with(1, &["argument"]);
        let mut early = world.ticket(1);
        invalidate(&world);
        let after = match world.begin_with(1, &["argument"], Caller::default()) {
            Turn::Lead(lead) => Ok(lead),
            Turn::Wait(ticket) => Err(ticket),
            turn => panic!("{verb}: {}", word(&turn)),
        };
        assert!(
            !before.settle(1, settle(&names(&["result"]))).stored,
            "{verb}"
        );
        assert_eq!(
            early.try_arrive(),
            Some(Arrival::Value(1)),
            "{verb}: who came before gets it"
        );
        assert_eq!(world.hit(1), None, "{verb}");
        match after {
            Ok(lead) => assert!(lead.settle(2, Settle::default()).stored, "{verb}"),
            // Nobody can know a tag from a result before the result is there.
            Err(mut ticket) => assert_eq!(ticket.try_arrive(), Some(Arrival::Again), "{verb}"),
        }
    }
}

#[test]
fn a_put_is_not_overwritten_by_a_computation_that_began_before() {
    let world = World::new();
    let lead = world.lead(1);
    let mut early = world.ticket(1);
    world.put(1, 2);
    assert!(!lead.settle(1, Settle::default()).stored);
    assert_eq!(early.try_arrive(), Some(Arrival::Value(1)));
    assert_eq!(world.hit(1), Some(2));
}

#[test]
fn a_later_invalidation_does_not_hide_an_earlier_one_from_a_follower() {
    let world = World::new();
    let lead = world.lead(1);
    let mut before = world.ticket(1);
    world.invalidate("result");
    let mut between = world.ticket(1);
    world.invalidate("result");
    lead.settle(1, settle(&names(&["result"])));
    assert_eq!(before.try_arrive(), Some(Arrival::Value(1)));
    assert_eq!(between.try_arrive(), Some(Arrival::Again));
}

#[test]
fn a_refresh_supersedes_and_leaves_the_entry_in_service() {
    let world = World::new();
    let before = world.lead(1);
    let mut joined = world.ticket(1);
    world.put(1, 1);
    let lead = world.refresh(1);
    assert_eq!(world.hit(1), Some(1));
    assert!(!before.settle(0, Settle::default()).stored);
    assert_eq!(joined.try_arrive(), Some(Arrival::Value(0)));
    let later = world.refresh(1);
    assert!(!lead.settle(2, Settle::default()).stored);
    assert!(later.settle(3, Settle::default()).stored);
    assert_eq!(world.hit(1), Some(3));
    let stats = world.cache.stats(&world.scope);
    assert_eq!((stats.bypass, stats.computations), (2, 3));
}

#[test]
fn a_call_that_waits_for_itself_is_refused_and_a_circle_computes_alone() {
    let world = World::<u64>::new();
    let (one, two) = (world.lead(1), world.lead(2));
    let (in_one, in_two) = ([one.id()], [two.id()]);
    let key = world.key(1);
    let asked = world.cache.begin(world.ask(
        &key,
        &[],
        Caller {
            chain: &in_one,
            ..Caller::default()
        },
    ));
    assert_eq!(asked.err().map(|wait| wait.lead), Some(one.id()));
    let waiting = world.begin_with(
        2,
        &[],
        Caller {
            chain: &in_one,
            ..Caller::default()
        },
    );
    assert_eq!(word(&waiting), "a wait");
    match world.begin_with(
        1,
        &[],
        Caller {
            chain: &in_two,
            ..Caller::default()
        },
    ) {
        Turn::Alone(alone) => assert!(!alone.settle(5, Settle::default()).stored),
        turn => panic!("{}", word(&turn)),
    }
    assert_eq!(world.cache.stats(&world.scope).cycles, 1);
    drop(waiting);
    let free = world.begin_with(
        1,
        &[],
        Caller {
            chain: &in_two,
            ..Caller::default()
        },
    );
    assert_eq!(
        word(&free),
        "a wait",
        "nobody waits for the second lead any more"
    );
}

#[test]
fn a_thread_does_not_block_on_what_needs_the_thread() {
    let world = World::<u64>::new();
    let [of_loop, another] = threads();
    let on_loop = world.begin_with(
        1,
        &[],
        Caller {
            thread: of_loop,
            ..Caller::default()
        },
    );
    let Turn::Lead(on_loop) = on_loop else {
        panic!("{}", word(&on_loop))
    };
    let elsewhere = world.lead(2);
    let chain = [elsewhere.id()];
    let _waits = world.begin_with(
        1,
        &[],
        Caller {
            thread: another,
            chain: &chain,
            blocks_thread: true,
        },
    );
    let blocked = world.begin_with(
        2,
        &[],
        Caller {
            thread: of_loop,
            chain: &[],
            blocks_thread: true,
        },
    );
    assert_eq!(word(&blocked), "a computation alone");
    let awaited = world.begin_with(
        2,
        &[],
        Caller {
            thread: of_loop,
            chain: &[],
            blocks_thread: false,
        },
    );
    assert_eq!(word(&awaited), "a wait");
    on_loop.settle(1, Settle::default());
}

#[test]
fn a_value_that_may_not_be_stored_goes_to_those_who_wait() {
    let world = World::new();
    let lead = world.lead(1);
    let mut ticket = world.ticket(1);
    assert!(
        !lead
            .settle(
                1,
                Settle {
                    store: false,
                    ..Settle::default()
                }
            )
            .stored
    );
    assert_eq!(ticket.try_arrive(), Some(Arrival::Value(1)));
    assert_eq!(world.hit(1), None);
}

/// Counts how often it is woken.
#[derive(Default)]
struct Bell(AtomicUsize);

impl Bell {
    fn rings(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}
