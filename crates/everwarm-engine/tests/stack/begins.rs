//! What a stack makes of the moment from which on it hears of others: what was read before it stands where nothing happened meanwhile.

use everwarm_core::using::Read;
use everwarm_engine::stack::{Event, Fetched, Written};

use crate::tiers::{Host, Process, at_once, meta, place, tags, wait};

fn begins(process: &Process) -> Vec<Event> {
    process.far().begins();
    wait(process.stack.watch())
}

#[test]
fn what_was_read_stands_where_nothing_happened() {
    let host = Host::new(1);
    let (one, other) = (host.process(), host.process());
    assert_eq!(begins(&other), [], "nothing was read as yet");
    let seat = one.lead("k", &["t"]);
    assert_eq!(begins(&one), [], "a computation runs");
    assert_eq!(one.settle(seat, "v", &["t"]), Written::Stored);
    assert!(other.found("k", &["t"]).is_some());
    assert_eq!(begins(&other), []);
}

#[test]
fn what_was_read_at_another_number_goes() {
    let host = Host::new(1);
    let (one, other) = (host.process(), host.process());
    one.fill("k", "v", &["t"]);
    assert!(other.found("k", &["t"]).is_some());
    // What it hears is not of before: this message does not come.
    wait(one.stack.invalidate(tags(&["t"])));
    wait(other.stack.watch());
    assert_eq!(begins(&other), [Event::Everything]);
    assert_eq!(begins(&other), [], "it has gone");
}

#[test]
fn what_was_kept_without_a_reading_goes() {
    let host = Host::new(1);
    let apart = |verb: &str, keep: &dyn Fn(&Process)| {
        let process = host.process();
        process.far().fail(verb);
        keep(&process);
        process.far().fail("");
        assert!(process.found("k", &[]).is_none());
        assert_eq!(begins(&process), [Event::Everything], "{verb}");
    };
    apart("begin", &|process| {
        let seat = process.lead("k", &[]);
        assert_eq!(process.settle(seat, "v", &[]), Written::Apart);
    });
    apart("lease", &|process| drop(process.lead("k", &[])));
    apart("begin", &|process| {
        let set = process.stack.set(place("k"), b"v".to_vec(), meta(&[]));
        assert!(matches!(wait(set), Written::Failed(_)));
    });
    apart("", &|process| process.stack.note(&tags(&["t"])));
    apart("", &|process| process.stack.inherits());
}

#[test]
fn nearer_tiers_are_emptied_and_memory_stays() {
    let host = Host::new(2);
    let one = host.process();
    one.fill("k", "v", &[]);
    assert_eq!(one.found("k", &[]).expect("the value").tier, 0);
    assert_eq!(begins(&one), []);
    assert_eq!(one.found("k", &[]).expect("the value").tier, 1);
}

#[test]
fn who_may_not_wait_computes_beside_who_holds_the_lease() {
    let host = Host::new(1);
    let one = host.process();
    let seat = one.lead("k", &[]);
    let beside = |waits| {
        let fetched = one
            .stack
            .fetch_for(place("k"), tags(&[]), (Read::Any, waits));
        Box::pin(fetched)
    };
    let Fetched::Lead(inner) = at_once(beside(false)) else {
        panic!("nothing is stored");
    };
    assert_eq!(one.settle(inner, "v", &[]), Written::Apart);
    assert_eq!(one.settle(seat, "w", &[]), Written::Stored);
}
