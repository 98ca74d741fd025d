//! Callers of many keys: they take all their turns, settle what they lead, and wait for others only then.

use everwarm_engine::{Arrival, Caller, Lead, Settle, Ticket, Turn};

use crate::support::{Error, Name, World, threads};

/// A caller on a thread of this number, that blocks it or not.
fn on(thread: u64, blocks_thread: bool) -> Caller<'static> {
    Caller {
        thread,
        chain: &[],
        blocks_thread,
    }
}

fn lead(world: &World<u64>, thread: u64, name: u64) -> Lead<Name, u64, Error> {
    let key = world.key(name);
    match world.cache.begin(world.ask(&key, &[], on(thread, false))) {
        Ok(Turn::Lead(lead)) => lead,
        _ => panic!("nobody computes it"),
    }
}

fn follow(world: &World<u64>, thread: u64, name: u64) -> Ticket<Name, u64, Error> {
    let key = world.key(name);
    match world.cache.begin(world.ask(&key, &[], on(thread, false))) {
        Ok(Turn::Wait(ticket)) => ticket,
        _ => panic!("somebody computes it"),
    }
}

#[test]
fn two_callers_that_lead_what_the_other_follows_each_settle_first() {
    let world = World::new();
    let [here, there] = threads();
    let (one, two) = (lead(&world, here, 1), lead(&world, there, 2));
    let (mut for_two, mut for_one) = (follow(&world, here, 2), follow(&world, there, 1));
    one.settle(10, Settle::default());
    assert!(for_two.block(&on(here, true)));
    two.settle(20, Settle::default());
    assert!(for_one.block(&on(there, true)));
    assert_eq!(for_two.try_arrive(), Some(Arrival::Value(20)));
    assert_eq!(for_one.try_arrive(), Some(Arrival::Value(10)));
    assert_eq!(world.cache.stats(&world.scope).cycles, 0);
}

#[test]
fn a_thread_does_not_block_where_that_would_close_a_circle() {
    let world = World::new();
    let [here, there] = threads();
    let (one, two) = (lead(&world, here, 1), lead(&world, there, 2));
    let (mut for_two, mut for_one) = (follow(&world, here, 2), follow(&world, there, 1));
    assert!(for_two.block(&on(here, true)));
    assert!(!for_one.block(&on(there, true)));
    // Whoever must not wait holds nobody up.
    drop(for_two);
    assert!(for_one.block(&on(there, true)));
    drop((one, two));
}
