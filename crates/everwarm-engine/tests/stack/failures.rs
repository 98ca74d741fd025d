//! What a stack does while its stores fail: no verb fails because of it, and nothing invalid is served.

use std::pin::Pin;
use std::time::Duration;

use everwarm_core::health::{Depth, State};
use everwarm_core::store::FailureKind;
use everwarm_core::using::Read;
use everwarm_engine::stack::{Change, Done, Event, Fetched, Stored, Written};

use crate::tiers::shelf::Facets;
use crate::tiers::{Host, Process, SECOND, meta, place, poll, tags, text, wait};

/// All verbs of stores that a stack asks.
const VERBS: [&str; 16] = [
    "get",
    "set",
    "delete",
    "get_many",
    "clear",
    "set_if",
    "lease",
    "release",
    "renew",
    "set_leased",
    "page",
    "begin",
    "read",
    "get_with",
    "invalidate",
    "settle",
];

/// Uses every verb of the stack once; whether all invalidations are done.
fn use_all(process: &Process, round: usize) -> bool {
    let value = format!("v{round}");
    if let Fetched::Lead(seat) = process.fetch("k", &["t"]) {
        process.settle(seat, &value, &["t"]);
    }
    let stack = &process.stack;
    wait(stack.get(place("k"), tags(&["t"]), Read::Any));
    wait(stack.get_many(vec![place("k"), place("m")]));
    wait(stack.set(place("m"), value.into(), meta(&["u"])));
    let scanned = wait(stack.scan(String::new(), None, 10));
    let amended = wait(stack.amend(place("m"), |_| Change::Keep(())));
    for failure in [scanned.err(), amended.err()].into_iter().flatten() {
        assert_eq!(failure.kind, FailureKind::Transient);
    }
    wait(stack.watch());
    let done = [
        wait(stack.delete(place("k"))).1,
        wait(stack.invalidate(tags(&["u"]))),
        wait(stack.clear_function("price".into())),
    ];
    done == [Done::Now; 3]
}

#[test]
fn whichever_verb_fails_in_whichever_tier_the_stack_goes_on_and_recovers() {
    for tier in 0..2 {
        for verb in VERBS.into_iter().chain(["*"]) {
            for done in [false, true] {
                let host = Host::new(2);
                let (one, other) = (host.process(), host.process());
                one.fill("m", "old", &["u"]);
                one.shelves[tier].fail(verb);
                one.shelves[tier].faults.lock().expect("no panic").done = done;
                use_all(&one, 1);
                assert_eq!(
                    one.value("k"),
                    None,
                    "tier {tier}, {verb}: what was deleted"
                );
                assert!(
                    one.found("m", &["u"]).is_none(),
                    "tier {tier}, {verb}: what was invalidated"
                );
                let counted: u64 = one.stack.stats()[tier]
                    .errors
                    .iter()
                    .map(|(_, count)| count)
                    .sum();
                let asked = one.shelves[tier].asked().contains(&verb) || verb == "*";
                assert!(
                    counted > 0 || !asked,
                    "tier {tier}, {verb}: an error that nobody counted"
                );
                one.shelves[tier].fail("");
                for _ in 0..10 {
                    host.hand.advance(SECOND);
                    wait(one.stack.watch());
                    wait(other.stack.watch());
                }
                assert!(
                    other.found("m", &["u"]).is_none(),
                    "tier {tier}, {verb}: at the others"
                );
                assert!(use_all(&one, 2), "tier {tier}, {verb}: debts that stay");
                one.fill("k", "new", &["t"]);
                assert_eq!(other.value("k"), Some("new".into()), "tier {tier}, {verb}");
            }
        }
    }
}

#[test]
fn a_lease_whose_answer_was_lost_goes_back_once_the_store_answers() {
    let host = Host::new(1);
    let one = host.process();
    let fails = |verb: &str, done| {
        one.far().fail(verb);
        one.far().faults.lock().expect("no panic").done = done;
    };
    one.far().faults.lock().expect("no panic").polls = 1;
    fails("lease", true);
    drop(one.fetch("k", &[]));
    assert_eq!(one.far().leased(), 1, "it was given, and nobody knows");
    fails("release", false);
    wait(one.stack.watch());
    assert_eq!(one.far().leased(), 1);
    fails("", false);
    wait(one.stack.watch());
    assert_eq!(one.far().leased(), 0, "nobody waits for it to end");
}

#[test]
fn a_lease_that_was_not_even_asked_for_does_not_go_back() {
    let host = Host::new(1);
    let one = host.process();
    let releases = || {
        wait(one.stack.watch());
        let asked = one.far().asked();
        asked.iter().filter(|verb| **verb == "release").count()
    };
    one.far().fail("lease lease_many");
    drop((one.fetch("k", &[]), fetch_both(&one)));
    one.far().faults.lock().expect("no panic").unasked = true;
    drop((one.fetch("l", &[]), fetch_both(&one)));
    assert_eq!(releases(), 3, "of those that were asked for");
}

fn fetch_both(process: &Process) -> Vec<Option<Fetched>> {
    let both = ["a", "b"].map(|key| (place(key), tags(&[])));
    wait(process.stack.fetch_many(both.to_vec()))
}

#[test]
fn however_many_answers_are_lost_the_last_lease_goes_back() {
    let host = Host::new(1);
    let one = host.process();
    one.far().faults.lock().expect("no panic").polls = 1;
    one.far().fail("lease");
    for number in 0..2_000 {
        drop(one.fetch(&format!("k{number}"), &[]));
    }
    one.far().faults.lock().expect("no panic").done = true;
    drop(one.fetch("last", &[]));
    assert_eq!(one.far().leased(), 1, "it was given, and nobody knows");
    one.far().fail("");
    wait(one.stack.watch());
    assert_eq!(one.far().leased(), 0, "nobody waits for it to end");
}

#[test]
fn who_had_no_answer_and_then_was_not_even_asked_gives_the_lease_back() {
    let (_host, one, other) = two_processes();
    let seat = one.lead("k", &[]);
    let mut waiting = fetching(&other);
    waits_on(&other, &mut waiting, 2);
    drop(seat);
    other.far().faults.lock().expect("no panic").done = true;
    other.far().fail("lease");
    waits_on(&other, &mut waiting, 1);
    let mut faults = other.far().faults.lock().expect("no panic");
    (faults.done, faults.unasked) = (false, true);
    "lease release".clone_into(&mut faults.failing);
    drop(faults);
    drop(wait(waiting));
    assert_eq!(other.far().leased(), 1, "it was given, and nobody knows");
    other.far().fail("");
    wait(other.stack.watch());
    assert_eq!(other.far().leased(), 0, "nobody waits for it to end");
}

fn two_processes() -> (Host, Process, Process) {
    let host = Host::new(1);
    let (one, other) = (host.process(), host.process());
    (host, one, other)
}

fn fetching(process: &Process) -> impl Future<Output = Fetched> + Unpin + use<> {
    Box::pin(process.stack.fetch(place("k"), tags(&[]), Read::Any))
}

/// Polls what waits for a lease until the store was asked for it so often.
fn waits_on(one: &Process, waiting: &mut (impl Future<Output = Fetched> + Unpin), asked: usize) {
    let mut left = asked;
    while left > 0 {
        assert!(poll(waiting).is_none(), "{left} of {asked} are left");
        let leases = one.far().asked();
        left -= leases
            .iter()
            .filter(|verb| **verb == "lease")
            .count()
            .min(left);
    }
}

#[test]
fn who_waits_for_a_lease_goes_on_after_one_failure() {
    let (_host, one, other) = two_processes();
    let seat = one.lead("k", &[]);
    let mut waiting = fetching(&other);
    for _ in 0..3 {
        waits_on(&other, &mut waiting, 2);
        other.far().fail("lease");
        waits_on(&other, &mut waiting, 1);
        other.far().fail("");
    }
    assert_eq!(one.settle(seat, "v", &[]), Written::Stored);
    let Fetched::Found(stored) = wait(waiting) else {
        panic!("its holder lived");
    };
    assert_eq!(text(&stored), "v");
    assert_eq!(other.stack.stats()[0].errors, [(FailureKind::Transient, 3)]);
}

#[test]
fn who_waits_for_a_lease_of_a_store_that_is_gone_computes() {
    let (host, one, other) = two_processes();
    let seat = one.lead("k", &[]);
    let mut waiting = fetching(&other);
    waits_on(&other, &mut waiting, 2);
    let began = host.hand.now();
    other.far().fail("lease");
    let Fetched::Lead(alone) = wait(waiting) else {
        panic!("nothing is there");
    };
    assert!(host.hand.now().since(began) < SECOND / 4);
    other.far().fail("");
    assert_eq!(other.settle(alone, "w", &[]), Written::Apart);
    assert_eq!(one.settle(seat, "v", &[]), Written::Stored);
}

#[test]
fn who_was_given_a_lease_by_an_answer_that_was_lost_is_given_it_again() {
    let (host, one, other) = two_processes();
    let seat = one.lead("k", &[]);
    let mut waiting = fetching(&other);
    waits_on(&other, &mut waiting, 2);
    drop(seat);
    other.far().faults.lock().expect("no panic").done = true;
    other.far().fail("lease");
    waits_on(&other, &mut waiting, 1);
    other.far().fail("");
    let began = host.hand.now();
    let Fetched::Lead(seat) = wait(waiting) else {
        panic!("nothing is there");
    };
    assert!(host.hand.now().since(began) < SECOND / 4);
    assert_eq!(other.settle(seat, "v", &[]), Written::Stored);
    assert_eq!(other.far().leased(), 0);
}

#[test]
fn a_near_tier_that_fails_is_skipped() {
    let host = Host::new(2);
    let one = host.process();
    one.near().fail("*");
    one.fill("k", "v", &[]);
    assert_eq!(one.found("k", &[]).expect("the value").tier, 1);
}

#[test]
fn without_the_authority_nothing_is_stored() {
    let host = Host::new(2);
    let one = host.process();
    one.far().fail("*");
    let seat = one.lead("k", &["t"]);
    assert_eq!(one.settle(seat, "v", &["t"]), Written::Apart);
    assert!(one.near().names().is_empty());
}

#[test]
fn an_invalidation_that_the_store_does_not_take_is_repeated_until_it_does() {
    let host = Host::new(2);
    let (one, other) = (host.process(), host.process());
    one.fill("k", "v", &["t"]);
    one.fill("untouched", "v", &[]);
    one.far().fail("invalidate");
    assert_eq!(wait(one.stack.invalidate(tags(&["t"]))), Done::Pending);
    assert!(one.found("k", &[]).is_none(), "a miss here at once");
    let seat = one.lead("k", &["t"]);
    assert_eq!(one.settle(seat, "w", &["t"]), Written::Apart);
    assert_eq!(one.value("untouched"), Some("v".into()));
    assert_eq!(other.value("k"), Some("v".into()), "others cannot know");
    wait(one.stack.watch());
    one.far().fail("");
    wait(one.stack.watch());
    assert!(
        other.found("k", &[]).is_some(),
        "it is tried again only after a while"
    );
    host.hand.advance(SECOND);
    wait(one.stack.watch());
    assert!(other.found("k", &[]).is_none());
    one.fill("k", "w", &["t"]);
}

#[test]
fn a_deletion_that_a_tier_does_not_take_is_repeated_until_it_does() {
    for tier in 0..2 {
        let host = Host::new(2);
        let (one, other) = (host.process(), host.process());
        one.fill("k", "v", &[]);
        one.shelves[tier].fail("delete");
        assert_eq!(wait(one.stack.delete(place("k"))).1, Done::Pending);
        assert_eq!(one.value("k"), None);
        one.shelves[tier].fail("");
        wait(one.stack.watch());
        assert_eq!(other.value("k"), None);
        one.fill("k", "w", &[]);
    }
}

#[test]
fn an_invalidation_whose_caller_gives_up_is_repeated() {
    let host = Host::new(1);
    let (one, other) = (host.process(), host.process());
    one.fill("k", "v", &["t"]);
    one.far().faults.lock().expect("no panic").polls = 2;
    let mut invalidate = Box::pin(one.stack.invalidate(tags(&["t"])));
    assert!(poll(&mut invalidate).is_none());
    drop(invalidate);
    assert!(one.found("k", &[]).is_none());
    wait(one.stack.watch());
    assert!(other.found("k", &[]).is_none());
}

#[test]
fn what_is_set_by_a_caller_who_gives_up_is_a_miss_until_it_is_deleted() {
    let host = Host::new(1);
    let (one, other) = (host.process(), host.process());
    for many in [false, true] {
        one.fill("k", "old", &[]);
        one.far().hold_writes(true);
        let (value, meta) = (b"new".to_vec(), meta(&[]));
        let mut set: Pin<Box<dyn Future<Output = Written>>> = match many {
            true => Box::pin(one.stack.set_many(vec![(place("k"), value, meta)])),
            false => Box::pin(one.stack.set(place("k"), value, meta)),
        };
        assert!(poll(&mut set).is_none());
        drop(set);
        one.far().hold_writes(false);
        // What is there may be overtaken by the write at any moment.
        assert_eq!(one.value("k"), None);
        wait(one.stack.watch());
        assert_eq!((other.value("k"), one.far().names()), (None, vec![]));
    }
}

#[test]
fn a_value_that_could_not_be_set_by_hand_leaves_nothing_old() {
    let host = Host::new(2);
    let (one, other) = (host.process(), host.process());
    one.fill("k", "old", &[]);
    one.far().fail("set");
    let written = wait(one.stack.set(place("k"), b"new".to_vec(), meta(&[])));
    assert!(matches!(written, Written::Failed(_)));
    assert_eq!((one.value("k"), other.value("k")), (None, None));
    one.far().fail("");
    let written = wait(one.stack.set(place("k"), b"unsealable".to_vec(), meta(&[])));
    assert!(matches!(written, Written::Refused(_)));
}

#[test]
fn a_change_in_place_that_fails_leaves_no_nearer_tier_behind() {
    let host = Host::new(2);
    let (one, other) = (host.process(), host.process());
    for done in [false, true] {
        wait(one.stack.set(place("k"), b"old".to_vec(), meta(&[])));
        one.far().fail("set_if");
        one.far().faults.lock().expect("no panic").done = done;
        let change = |_: Option<&Stored>| Change::Write(b"new".to_vec(), meta(&[]), ());
        assert!(wait(one.stack.amend(place("k"), change)).is_err());
        one.far().fail("");
        // Whether it was done is not known, and all see the same of it.
        let value = if done { "new" } else { "old" };
        assert_eq!(one.value("k"), Some(value.into()));
        assert_eq!(other.value("k"), Some(value.into()));
    }
}

#[test]
fn failures_of_writes_are_counted_by_tier_and_kind() {
    let host = Host::new(2);
    let one = host.process();
    one.far().fail("set");
    wait(one.stack.set(place("k"), b"v".to_vec(), meta(&[])));
    wait(
        one.stack
            .set_many(vec![(place("m"), b"v".to_vec(), meta(&[]))]),
    );
    one.far().fail("settle");
    let seat = one.lead("k", &[]);
    assert!(matches!(one.settle(seat, "v", &[]), Written::Failed(_)));
    let stats = one.stack.stats();
    assert_eq!(stats[1].errors, [(FailureKind::Transient, 3)]);
    assert_eq!(stats[0].errors, []);
}

#[test]
fn too_many_debts_make_everything_a_miss() {
    let host = Host::new(1);
    let one = host.process();
    one.fill("k", "v", &[]);
    one.far().fail("delete");
    for number in 0..1_100 {
        wait(one.stack.delete(place(&number.to_string())));
    }
    assert_eq!(one.value("k"), None);
    one.far().fail("");
    host.hand.advance(10 * SECOND);
    wait(one.stack.watch());
    one.fill("k", "w", &[]);
    assert_eq!(one.value("k"), Some("w".into()));
}

#[test]
fn in_silence_memory_holds_nothing_for_long() {
    for facets in [Facets::All, Facets::NoNotify] {
        let host = Host::new(1);
        let one = host.process_with(facets, |_| {});
        let other = host.process();
        wait(other.stack.invalidate(tags(&["t"])));
        one.found("k", &["t"]);
        one.far().fail("*");
        let mut told = 0;
        for _ in 0..100 {
            host.hand.advance(SECOND / 10);
            told += usize::from(wait(one.stack.watch()) == [Event::Everything]);
        }
        assert_eq!(told, 5, "every two of ten seconds");
        one.far().fail("");
        wait(one.stack.watch());
        assert_eq!(wait(one.stack.watch()), []);
    }
}

#[test]
fn a_store_that_never_answers_keeps_nothing_in_memory_for_longer() {
    for facets in [Facets::All, Facets::NoNotify] {
        let host = Host::new(1);
        let one = host.process_with(facets, |_| {});
        let _seats = ["a", "b", "c"].map(|key| one.lead(key, &["t"]));
        one.far().fail("*");
        wait(one.stack.invalidate(tags(&["t"])));
        one.far().fail("");
        one.far().faults.lock().expect("no panic").polls = usize::MAX;
        // Late enough for what is owed and the three leases to be tried, one after the other.
        host.hand.advance(SECOND);
        let begun = host.hand.now();
        assert_eq!(wait(one.stack.watch()), [Event::Everything]);
        assert!(host.hand.now().since(begun) <= 2 * SECOND);
        one.far().faults.lock().expect("no panic").polls = 0;
        wait(one.stack.watch());
        assert_eq!(wait(one.stack.watch()), []);
    }
}

#[test]
fn slow_stores_answer_too() {
    let host = Host::new(2);
    let one = host.process();
    for shelf in &one.shelves {
        shelf.faults.lock().expect("no panic").polls = 3;
    }
    one.fill("k", "v", &["t"]);
    assert_eq!(one.value("k"), Some("v".into()));
    assert!(use_all(&one, 1));
    drop(one.lead("k", &[]));
    wait(one.stack.close());
}

#[test]
fn a_simple_store_that_fails_is_gone_around() {
    let host = Host::new(1);
    let one = host.process_with(Facets::None, |_| {});
    one.fill("k", "v", &[]);
    one.far().fail("*");
    assert_eq!(one.value("k"), None);
    assert_eq!(wait(one.stack.clear()), Done::Pending);
    one.far().fail("");
    assert_eq!(one.value("k"), None, "the clear is owed");
    wait(one.stack.watch());
    assert!(one.far().names().is_empty());
}

#[test]
fn what_is_owed_is_tried_at_once_by_a_flush_a_close_and_a_last_try() {
    for how in 0..3 {
        let host = Host::new(2);
        let (one, other) = (host.process(), host.process());
        one.fill("k", "v", &["t"]);
        one.far().fail("*");
        assert_eq!(wait(one.stack.delete(place("k"))).1, Done::Pending);
        assert_eq!(wait(one.stack.invalidate(tags(&["t"]))), Done::Pending);
        // Tried, and not yet to be tried again.
        wait(one.stack.watch());
        one.far().fail("");
        wait(one.stack.watch());
        assert!(other.found("k", &["t"]).is_some(), "it is still owed");
        match how {
            0 => wait(one.stack.flush()),
            1 => wait(one.stack.last_try()),
            _ => wait(one.stack.close()),
        }
        assert!(other.found("k", &["t"]).is_none(), "{how}");
    }
}

#[test]
fn a_lease_that_could_not_be_given_back_is_once_the_store_is_there() {
    let host = Host::new(1);
    let (one, other) = (host.process(), host.process());
    let seat = one.lead("k", &[]);
    one.far().fail("*");
    one.settle(seat, "v", &[]);
    one.far().fail("");
    wait(one.stack.watch());
    // Nobody else waits until it has ended by itself.
    drop(other.lead("k", &[]));
}

#[test]
fn all_tiers_are_looked_over_swept_and_closed() {
    let host = Host::new(2);
    let one = host.process();
    let looked_over = || {
        let seen = wait(one.stack.health(Depth::Basic, SECOND));
        let states = seen.iter().map(|checkup| checkup.verdict(None).state);
        let last = seen.iter().map(|checkup| checkup.last_failure);
        states
            .zip(last.map(|last| last.map(|(_, ago)| ago)))
            .collect::<Vec<_>>()
    };
    assert_eq!(looked_over(), [(State::Ok, None), (State::Ok, None)]);
    one.near().fail("ping");
    let failed = [(State::Down, Some(Duration::ZERO)), (State::Ok, None)];
    assert_eq!(looked_over(), failed);
    one.near().fail("");
    host.hand.advance(SECOND);
    assert_eq!(
        looked_over(),
        [(State::Ok, Some(SECOND)), (State::Ok, None)]
    );
    assert_eq!(wait(one.stack.sweep()), 0);
    wait(one.stack.close());
    assert!(one.far().asked().contains(&"close") && one.near().asked().contains(&"close"));
}

#[test]
fn a_nearer_tier_counts_only_while_something_is_heard() {
    let host = Host::new(2);
    let one = host.process();
    one.fill("a", "v", &[]);
    let tier = || one.found("a", &[]).map(|stored| stored.tier);
    let hear = |silence| {
        one.far().faults.lock().expect("no panic").silence = silence;
        wait(one.stack.watch())
    };
    assert_eq!(tier(), Some(0));
    hear(Duration::MAX);
    host.hand.advance(2 * SECOND);
    assert_eq!(hear(Duration::MAX), [Event::Everything]);
    assert_eq!(tier(), Some(1));
    assert_eq!(
        wait(one.stack.get_many(vec![place("a")]))[0]
            .as_ref()
            .map(|stored| stored.tier),
        Some(1)
    );
    assert_eq!(hear(SECOND), []);
    assert_eq!(tier(), Some(0));
}

#[test]
fn what_is_owed_is_paid_at_the_first_sign_that_the_store_is_back() {
    for by_heartbeat in [false, true] {
        let host = Host::new(1);
        let (one, other) = (host.process(), host.process());
        one.fill("k", "v", &["t"]);
        one.far().fail("*");
        assert_eq!(wait(one.stack.invalidate(tags(&["t"]))), Done::Pending);
        one.far().faults.lock().expect("no panic").silence = Duration::MAX;
        // The pauses are at their longest by then.
        for _ in 0..8 {
            host.hand.advance(2 * SECOND);
            wait(one.stack.watch());
        }
        one.far().asked();
        one.far().fail("");
        host.hand.advance(SECOND / 4);
        wait(one.stack.watch());
        assert!(
            !one.far().asked().contains(&"ping"),
            "there was no sign yet"
        );
        assert!(other.found("k", &["t"]).is_some());
        if by_heartbeat {
            one.far().faults.lock().expect("no panic").silence = Duration::ZERO;
            wait(one.stack.watch());
            assert!(one.far().asked().contains(&"ping"));
        } else {
            wait(one.stack.get(place("another"), tags(&[]), Read::Any));
            wait(one.stack.watch());
        }
        assert!(other.found("k", &["t"]).is_none(), "{by_heartbeat}");
    }
}

#[test]
fn what_a_store_refuses_holds_up_nothing_that_it_takes() {
    let host = Host::new(1);
    let (one, other) = (host.process(), host.process());
    one.fill("k", "v", &["t"]);
    one.fill("m", "v", &[]);
    one.far().faults.lock().expect("no panic").kind = Some(FailureKind::Permanent);
    one.far().fail("*");
    assert_eq!(wait(one.stack.delete(place("m"))).1, Done::Pending);
    assert_eq!(wait(one.stack.invalidate(tags(&["t"]))), Done::Pending);
    one.far().fail("delete");
    host.hand.advance(2 * SECOND);
    wait(one.stack.watch());
    assert!(other.found("k", &["t"]).is_none());
    assert_eq!(one.value("m"), None, "it is still owed");
}
