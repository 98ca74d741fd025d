//! The bytes that nearer tiers add to an envelope, forged: whoever may write to a tier gives an entry no more life at once than it was
//! sealed with.

use std::time::Duration;

use everwarm_core::store::{Bytes, Store};
use everwarm_core::using::Read;
use everwarm_engine::stack::Stored;

use crate::tiers::{Host, Process, name, place, tags, wait};

const SECOND: Duration = Duration::from_secs(1);
/// What the entries of these tests are sealed with.
const LIFE: Duration = Duration::from_secs(60);

/// What is found of an entry that is 20 seconds old, once the end of its bytes in the nearer tier is this.
fn found(trailer: impl FnOnce(&mut Vec<u8>)) -> Option<Stored> {
    let host = Host::new(2);
    let one = host.process();
    one.fill("k", "v", &[]);
    host.hand.advance(20 * SECOND);
    rewrite(&one, trailer);
    wait(one.shelves[1].delete(&name("k"))).expect("the far tier has nothing to say");
    wait(one.stack.get(place("k"), tags(&[]), Read::Any))
}

fn rewrite(process: &Process, change: impl FnOnce(&mut Vec<u8>)) {
    let (near, name) = (&process.shelves[0], name("k"));
    let there = wait(near.get(&name)).expect("it answers");
    let there = there.expect("the nearer tier is filled");
    let mut bytes = there.bytes.to_vec();
    change(&mut bytes);
    let set = near.set(&name, Bytes::from(bytes), there.remaining);
    wait(set).expect("it is set");
}

/// Sets the age at which it came, and the ttl that it came with.
fn said(age: Duration, ttl: Duration) -> impl FnOnce(&mut Vec<u8>) {
    move |bytes| {
        let at = bytes.len() - 16;
        let nanos = [age, ttl].map(|span| span.as_nanos() as u64);
        bytes[at..at + 8].copy_from_slice(&nanos[0].to_le_bytes());
        bytes[at + 8..].copy_from_slice(&nanos[1].to_le_bytes());
    }
}

#[test]
fn as_it_was_written_it_knows_its_age() {
    let stored = found(|_| {}).expect("it is fresh");
    assert_eq!(
        (stored.age, stored.remaining),
        (20 * SECOND, Some(40 * SECOND))
    );
}

#[test]
fn an_age_that_is_made_larger_only_shortens() {
    let stored = found(said(10 * SECOND, LIFE)).expect("it is fresh");
    assert_eq!(stored.remaining, Some(30 * SECOND));
    assert!(found(said(LIFE, LIFE)).is_none());
    assert!(found(said(Duration::from_nanos(u64::MAX), LIFE)).is_none());
    assert!(found(said(Duration::ZERO, Duration::from_nanos(u64::MAX))).is_none());
}

#[test]
fn an_age_that_is_made_smaller_gives_no_more_than_the_sealed_life() {
    for ttl in [0, 1, 39, 40] {
        let stored = found(said(Duration::ZERO, ttl * SECOND)).expect("it is fresh");
        assert_eq!((stored.age, stored.remaining), (Duration::ZERO, Some(LIFE)));
    }
}

#[test]
fn bytes_that_are_cut_or_added_are_a_miss() {
    for length in 0..16 {
        assert!(found(|bytes| bytes.truncate(length)).is_none());
    }
    assert!(found(|bytes| bytes.truncate(bytes.len() - 1)).is_none());
    assert!(found(|bytes| bytes.push(0)).is_none());
}
