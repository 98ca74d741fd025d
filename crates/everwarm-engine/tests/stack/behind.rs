//! Write-behind: what waits is seen, bounded, dropped by deletions, and written in the end.

use std::sync::Arc;

use everwarm_core::using::Read;
use everwarm_engine::stack::{Done, Fetched, Options, Sleeper, Write, Written};

use crate::tiers::shelf::Facets;
use crate::tiers::{Host, Process, meta, name, place, poll, tags, wait};

/// A host with one tier, whose store takes its time; the first process writes behind.
fn behind(polls: usize, change: impl FnOnce(&mut Options)) -> (Host, Process, Process) {
    let host = Host::new(1);
    let mut options = host.options();
    options.sleep = Arc::new(Sleeper::new());
    change(&mut options);
    let one = host.process_of(Facets::All, |tiers| tiers[0].write = Write::Behind, options);
    one.far().faults.lock().expect("no panic").polls = polls;
    let other = host.process();
    (host, one, other)
}

/// Holds back what the queue's thread writes: it waits for as long as nobody lets it go on.
fn stuck(one: &Process) {
    one.far().hold_writes(true);
}

#[test]
fn what_is_queued_is_written_and_seen_by_others() {
    let (_, one, other) = behind(0, |_| {});
    for number in 0..100 {
        one.fill(&number.to_string(), "v", &["t"]);
    }
    wait(one.stack.flush());
    for number in 0..100 {
        assert_eq!(other.value(&number.to_string()), Some("v".into()));
    }
    assert_eq!(one.far().leased(), 0);
    assert_eq!(one.stack.stats()[0].pending, 0);
    assert_eq!(one.stack.stats()[0].sets, 100);
}

#[test]
fn ones_own_writes_are_seen_while_they_wait() {
    let (_, one, other) = behind(0, |_| {});
    stuck(&one);
    one.fill("k", "v", &["t"]);
    wait(one.stack.set(place("m"), b"w".to_vec(), meta(&[])));
    assert_eq!(
        (one.value("k"), one.value("m")),
        (Some("v".into()), Some("w".into()))
    );
    assert_eq!(one.stack.stats()[0].pending, 2);
    assert!(wait(other.stack.get(place("k"), tags(&[]), Read::Any)).is_none());
    one.far().hold_writes(false);
    wait(one.stack.flush());
    assert_eq!(
        (other.value("k"), other.value("m")),
        (Some("v".into()), Some("w".into()))
    );
}

#[test]
fn the_last_write_of_a_name_wins() {
    let (_, one, other) = behind(0, |_| {});
    stuck(&one);
    for value in ["a", "b", "c"] {
        wait(one.stack.set(place("k"), value.into(), meta(&[])));
    }
    assert_eq!(one.value("k"), Some("c".into()));
    one.far().hold_writes(false);
    wait(one.stack.flush());
    assert_eq!(other.value("k"), Some("c".into()));
}

#[test]
fn a_name_that_is_written_again_while_it_is_written_is_written_once_more() {
    let (_, one, other) = behind(0, |_| {});
    stuck(&one);
    let set = |key: &str, value: &str| wait(one.stack.set(place(key), value.into(), meta(&[])));
    set("before", "v");
    for round in ["a", "b", "c"] {
        set("k", round);
        set("gone", round);
        wait(one.stack.delete(place("gone")));
    }
    set("gone", "back");
    set("behind", "v");
    assert_eq!(one.stack.stats()[0].pending, 4);
    one.far().hold_writes(false);
    wait(one.stack.flush());
    for (key, value) in [
        ("before", "v"),
        ("k", "c"),
        ("gone", "back"),
        ("behind", "v"),
    ] {
        assert_eq!(other.value(key), Some(value.into()), "{key}");
    }
    assert_eq!(one.stack.stats()[0].pending, 0);
}

/// What waits is looked up: each of these once went through all of it.
#[test]
fn a_long_queue_costs_its_next_writes_nothing() {
    const LONG: usize = 50_000;
    let (_, one, _) = behind(0, |options| options.queue_entries = 2 * LONG);
    stuck(&one);
    let set = |number: usize| {
        let place = place(&number.to_string());
        wait(one.stack.set(place, b"v".to_vec(), meta(&[])))
    };
    for number in 0..LONG {
        set(number);
    }
    let begun = std::time::Instant::now();
    for number in LONG..LONG + 2_000 {
        set(number);
        wait(one.stack.delete(place(&number.to_string())));
    }
    let took = begun.elapsed();
    assert!(took < std::time::Duration::from_secs(5), "{took:?}");
    one.far().hold_writes(false);
}

#[test]
fn deletions_and_invalidations_drop_what_waits() {
    let (_, one, other) = behind(0, |_| {});
    stuck(&one);
    one.fill("first", "v", &[]);
    one.fill("deleted", "v", &[]);
    one.fill("invalidated", "v", &["t"]);
    assert_eq!(wait(one.stack.delete(place("deleted"))).1, Done::Now);
    assert_eq!(wait(one.stack.invalidate(tags(&["t"]))), Done::Now);
    for key in ["deleted", "invalidated"] {
        assert_eq!(one.value(key), None);
    }
    one.far().hold_writes(false);
    wait(one.stack.flush());
    assert_eq!(other.far().names(), [name("first").to_string()]);
}

#[test]
fn what_others_deleted_or_invalidated_is_not_written_late() {
    let (_, one, other) = behind(0, |_| {});
    stuck(&one);
    one.fill("first", "v", &[]);
    one.fill("deleted", "v", &[]);
    one.fill("invalidated", "v", &["t"]);
    wait(other.stack.delete(place("deleted")));
    wait(other.stack.invalidate(tags(&["t"])));
    one.far().hold_writes(false);
    wait(one.stack.flush());
    assert_eq!(other.far().names(), [name("first").to_string()]);
}

#[test]
fn what_others_deleted_is_not_served_from_the_queue() {
    let (_, one, other) = behind(0, |_| {});
    stuck(&one);
    for key in ["deleted", "cleared", "kept"] {
        one.fill(key, "v", &[]);
    }
    wait(one.stack.set(place("by hand"), b"v".to_vec(), meta(&[])));
    wait(other.stack.delete(place("deleted")));
    wait(one.stack.watch());
    assert_eq!(
        (one.value("deleted"), one.value("kept")),
        (None, Some("v".into()))
    );
    wait(other.stack.clear_function("price".into()));
    wait(one.stack.watch());
    assert_eq!(one.value("cleared"), None);
    let seat = one.lead("computed", &[]);
    wait(other.stack.delete(place("computed")));
    wait(one.stack.watch());
    assert_eq!(one.settle(seat, "old", &[]), Written::Lost);
    one.far().hold_writes(false);
}

#[test]
fn a_full_queue_drops_and_counts() {
    let (_, one, other) = behind(0, |options| options.queue_entries = 2);
    wait(one.stack.set(place("by hand"), b"old".to_vec(), meta(&[])));
    wait(one.stack.flush());
    stuck(&one);
    one.fill("a", "v", &[]);
    one.fill("b", "v", &[]);
    let seat = one.lead("c", &[]);
    assert!(matches!(one.settle(seat, "v", &[]), Written::Failed(_)));
    let written = wait(one.stack.set(place("by hand"), b"new".to_vec(), meta(&[])));
    assert!(matches!(written, Written::Failed(_)));
    assert_eq!(one.stack.stats()[0].dropped, 2);
    one.far().hold_writes(false);
    wait(one.stack.flush());
    assert_eq!(
        other.value("by hand"),
        None,
        "what was to be replaced is gone"
    );
    let small = behind(0, |options| options.queue_bytes = 10).1;
    let seat = small.lead("k", &[]);
    let written = wait(small.stack.settle(seat, vec![b'x'; 100], meta(&[])));
    assert!(matches!(written, Written::Failed(_)));
}

#[test]
fn whoever_interrupts_a_flush_may_write_what_is_being_written() {
    // As the handler of a signal does on the thread that flushes: nothing goes on beneath it until it is done.
    let (_, one, other) = behind(3, |_| {});
    for round in 0..50 {
        wait(one.stack.set(place("k"), b"first".to_vec(), meta(&[])));
        let mut flush = Box::pin(one.stack.flush());
        let is_over = poll(&mut flush).is_some();
        match round % 2 {
            0 => drop(wait(one.stack.delete(place("k")))),
            _ => {
                assert!(wait(one.stack.set(place("k"), b"second".to_vec(), meta(&[]))).is_stored())
            }
        }
        if !is_over {
            wait(flush);
        }
        wait(one.stack.flush());
        let expected = (round % 2 == 1).then(|| "second".to_owned());
        assert_eq!(other.value("k"), expected, "round {round}");
    }
}

#[test]
fn the_end_flushes() {
    let (_, one, other) = behind(1, |_| {});
    for number in 0..50 {
        one.fill(&number.to_string(), "v", &[]);
    }
    wait(one.stack.close());
    assert_eq!(other.far().names().len(), 50);
}

#[test]
fn the_end_does_not_wait_for_a_store_that_is_stuck() {
    let host = Host::new(1);
    let one = host.process_with(Facets::All, |tiers| tiers[0].write = Write::Behind);
    stuck(&one);
    one.fill("k", "v", &[]);
    wait(one.stack.close());
    assert!(one.far().asked().contains(&"close"));
    assert_eq!(one.stack.stats()[0].pending, 1);
    one.far().hold_writes(false);
}

#[test]
fn a_write_that_fails_is_counted_and_leaves_nothing_old() {
    let (_, one, other) = behind(0, |_| {});
    wait(one.stack.set(place("k"), b"old".to_vec(), meta(&[])));
    wait(one.stack.flush());
    one.far().fail("set");
    wait(one.stack.set(place("k"), b"new".to_vec(), meta(&[])));
    wait(one.stack.flush());
    assert_eq!(one.value("k"), None);
    wait(one.stack.watch());
    assert_eq!(other.value("k"), None);
}

#[test]
fn who_waits_for_a_lease_gets_the_queued_value() {
    let (_, one, other) = behind(0, |_| {});
    stuck(&one);
    one.fill("k", "v", &[]);
    let mut fetch = Box::pin(other.stack.fetch(place("k"), tags(&[]), Read::Any));
    assert!(
        poll(&mut fetch).is_none(),
        "the lease lasts until it is written"
    );
    one.far().hold_writes(false);
    wait(one.stack.flush());
    assert!(matches!(wait(fetch), Fetched::Found(_)));
}
