//! The promises of a copy between two stacks that have nothing in common, while both are used.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use everwarm_core::error::ErrorKind;
use everwarm_core::store::{Failure, FailureKind};
use everwarm_core::using::Read;
use everwarm_engine::stack::{Copied, Copying, Done, Stack};

use crate::tiers::shelf::Facets;
use crate::tiers::{Host, Process, SECOND, lasting, meta, name, place, tags, text, wait};

fn two() -> (Host, Host) {
    let from = Host::new(1);
    let to = from.apart();
    (from, to)
}

fn copying(from: &Process, to: &Process, after: Option<&str>) -> Copying {
    let copying = from.stack.copying(&to.stack, after, None);
    copying.expect("stores that can be copied")
}

async fn ends(mut copying: Copying) -> Result<Copied, Failure> {
    loop {
        let step = copying.step().await?;
        if step.place.is_none() {
            return Ok(step.copied);
        }
    }
}

fn copy(from: &Process, to: &Process) -> Copied {
    wait(ends(copying(from, to, None))).expect("stores that answer")
}

fn value(stack: &Arc<Stack>, key: &str) -> Option<String> {
    wait(stack.get(place(key), tags(&[]), Read::Any)).map(|stored| text(&stored))
}

#[test]
fn a_copy_has_the_age_the_life_and_the_tags_that_it_had() {
    let (from, to) = two();
    let (one, other) = (from.process(), to.process());
    one.fill("k", "v", &["t"]);
    one.fill("gone", "v", &["u"]);
    wait(
        one.stack
            .set(place("short"), b"v".to_vec(), lasting(SECOND, &[])),
    );
    from.hand.advance(20 * SECOND);
    assert_eq!(wait(one.stack.invalidate(tags(&["u"]))), Done::Now);
    let copied = copy(&one, &other);
    let told = Copied {
        seen: 2,
        copied: 1,
        gone: 1,
        checked: 1,
        ..Copied::default()
    };
    assert_eq!(copied, told);
    let stored = other.found("k", &["t"]).expect("the copy");
    assert_eq!(
        (stored.age, stored.remaining),
        (20 * SECOND, Some(40 * SECOND))
    );
    assert_eq!(stored.opened.meta.tags, tags(&["t"]).to_vec());
    assert!(other.found("gone", &["u"]).is_none());
    assert_eq!(wait(other.stack.invalidate(tags(&["t"]))), Done::Now);
    assert!(other.found("k", &["t"]).is_none());
    other.fill("k2", "v", &[]);
    assert_eq!(wait(other.stack.clear_function("price".into())), Done::Now);
    assert!(other.found("k2", &[]).is_none());
}

#[test]
fn what_is_as_good_or_younger_stays_and_what_is_older_goes() {
    let (from, to) = two();
    let (one, other) = (from.process(), to.process());
    one.fill("same", "v", &[]);
    one.fill("younger", "old", &[]);
    other.fill("older", "old", &[]);
    from.hand.advance(SECOND);
    other.fill("younger", "new", &[]);
    one.fill("older", "new", &[]);
    let first = copy(&one, &other);
    assert_eq!((first.copied, first.there, first.dropped), (2, 1, 0));
    assert_eq!(value(&other.stack, "younger"), Some("new".into()));
    assert_eq!(value(&other.stack, "older"), Some("new".into()));
    let again = copy(&one, &other);
    assert_eq!((again.copied, again.there), (0, 3));
}

#[test]
fn what_stays_is_neither_leased_nor_let_go() {
    let (from, to) = two();
    let (one, other) = (from.process(), to.process());
    for number in 0..100 {
        one.fill(&format!("k{number}"), "v", &["t"]);
    }
    assert_eq!(copy(&one, &other).copied, 100);
    one.fill("fresh", "v", &[]);
    other.far().asked();
    let again = copy(&one, &other);
    assert_eq!((again.copied, again.there), (1, 100));
    let asked = other.far().asked();
    let times = |verb: &str| asked.iter().filter(|one| **one == verb).count();
    let leased = times("lease") + times("lease_many");
    assert_eq!((leased, times("release")), (1, 0), "{asked:?}");
}

#[test]
fn what_an_earlier_run_left_is_held_against_the_source() {
    let (from, to) = two();
    let one = from.process();
    for number in 0..100 {
        one.fill(&format!("k{number:03}"), "old", &["t"]);
    }
    let killed = to.process();
    let mut first = copying(&one, &killed, None);
    let step = wait(first.step()).expect("a page");
    let after = step.place.expect("more than a page");
    assert!(step.copied.copied > 0 && step.copied.copied < 100);
    drop(first);
    // In the source alone.
    assert_eq!(wait(one.stack.invalidate(tags(&["t"]))), Done::Now);
    one.fill("k001", "new", &["t"]);
    one.fill("k099", "new", &["t"]);
    let other = to.process();
    let copied = wait(ends(copying(&one, &other, Some(&after)))).expect("answers");
    assert!(copied.seen < 100, "it went on from its place");
    assert_eq!(copied.dropped, step.copied.copied - 1);
    assert_eq!(value(&other.stack, "k000"), None);
    for key in ["k001", "k099"] {
        assert_eq!(value(&other.stack, key), Some("new".into()));
    }
}

#[test]
fn whoever_died_with_leases_is_waited_for() {
    let (from, to) = two();
    let (one, other) = (from.process(), to.process());
    one.fill("k", "v", &[]);
    let died = other.lead("k", &[]);
    let copied = copy(&one, &to.process());
    assert_eq!((copied.copied, copied.there), (1, 0));
    drop(died);
}

#[test]
fn what_passes_is_tried_again_and_what_does_not_is_told() {
    let (from, to) = two();
    let (one, other) = (from.process(), to.process());
    one.fill("k", "v", &[]);
    other.far().fail("settle_many");
    let mut copying = copying(&one, &other, None);
    let failure = wait(copying.step()).expect_err("it fails");
    assert_eq!(failure.kind, FailureKind::Transient);
    other.far().fail("");
    let copied = wait(ends(copying)).expect("answers");
    assert_eq!((copied.seen, copied.copied), (1, 1));
    assert_eq!(value(&other.stack, "k"), Some("v".into()));
}

#[test]
fn damaged_entries_are_refused() {
    let (from, to) = two();
    let (one, other) = (from.process(), to.process());
    one.fill("k", "v", &[]);
    one.far().damage(&name("k"));
    let copied = copy(&one, &other);
    assert_eq!((copied.refused, copied.copied), (1, 0));
}

#[test]
fn a_rate_is_kept_to() {
    let (from, to) = two();
    let (one, other) = (from.process(), to.process());
    for number in 0..40 {
        one.fill(&format!("k{number}"), "v", &[]);
    }
    let began = from.hand.now();
    let copying = one
        .stack
        .copying(&other.stack, None, Some(10))
        .expect("fits");
    let copied = wait(ends(copying)).expect("answers");
    assert_eq!(copied.copied, 40);
    // Each is looked at twice.
    assert_eq!(from.hand.now().since(began), 8 * SECOND);
}

#[test]
fn stores_that_cannot_do_their_part_are_refused() {
    let (from, to) = two();
    let (one, bare) = (from.process(), to.process_with(Facets::None, |_| {}));
    for refused in [
        one.stack.copying(&bare.stack, None, None),
        bare.stack.copying(&one.stack, None, None),
    ] {
        assert_eq!(
            refused.expect_err("no leases").kind(),
            ErrorKind::Unsupported
        );
    }
    let strange = one.stack.copying(&one.stack, Some("elsewhere"), None);
    assert_eq!(strange.expect_err("no place").kind(), ErrorKind::Config);
}

/// What somebody does to both, the source first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    Invalidate,
    Clear,
    Delete,
    Set,
}

impl Act {
    const ALL: [Self; 4] = [Self::Invalidate, Self::Clear, Self::Delete, Self::Set];

    fn is_done(self, process: &Process) {
        let stack = &process.stack;
        match self {
            Self::Invalidate => assert_eq!(wait(stack.invalidate(tags(&["t"]))), Done::Now),
            Self::Clear => assert_eq!(wait(stack.clear()), Done::Now),
            Self::Delete => assert_eq!(wait(stack.delete(place("k"))).1, Done::Now),
            Self::Set => {
                let set = stack.set(place("k"), b"new".to_vec(), meta(&["t"]));
                assert!(wait(set).is_stored());
            }
        }
    }
}

/// What is done wrong on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    None,
    /// The source is not asked again after the stamps and the lease were taken.
    StampsAfterCheck,
    /// What is settled needs no lease.
    Lax,
}

/// Copies, with the act done to the source after so many polls and to the target after so many more. Whether the old value was seen in
/// the target after both; `None` if the copy had ended before.
fn plays(act: Act, (first, then): (usize, usize), fault: Fault) -> Option<bool> {
    let (from, to) = two();
    let (one, other) = (from.process(), to.process());
    one.fill("k", "old", &["t"]);
    for process in [&one, &other] {
        let mut faults = process.far().faults.lock().expect("no panic");
        faults.polls = 1;
        faults.lax = fault == Fault::Lax;
    }
    one.far().faults.lock().expect("no panic").echoes = fault == Fault::StampsAfterCheck;
    let mut copy = pin!(ends(copying(&one, &other, None)));
    let mut context = Context::from_waker(Waker::noop());
    let (mut polled, mut ended) = (0, false);
    let mut seen = false;
    while !ended {
        if polled == first {
            act.is_done(&from.process());
        }
        if polled == first + then {
            act.is_done(&to.process());
        }
        ended = match copy.as_mut().poll(&mut context) {
            Poll::Ready(copied) => {
                copied.expect("stores that answer");
                true
            }
            Poll::Pending => false,
        };
        polled += 1;
        if polled > first + then {
            seen |= value(&to.process().stack, "k") == Some("old".into());
        }
    }
    (polled > first + then).then_some(seen)
}

/// How often the old value was seen, of how many orders.
fn orders(act: Act, fault: Fault) -> (usize, usize) {
    let (mut seen, mut all) = (0, 0);
    for first in 0.. {
        let mut ends = 0;
        for then in 0.. {
            let Some(was) = plays(act, (first, then), fault) else {
                break;
            };
            seen += usize::from(was);
            all += 1;
            ends += 1;
        }
        if ends == 0 {
            return (seen, all);
        }
    }
    unreachable!("a copy ends")
}

#[test]
fn what_is_changed_in_both_meanwhile_is_never_seen_again_in_the_target() {
    for act in Act::ALL {
        let (seen, all) = orders(act, Fault::None);
        assert_eq!(seen, 0, "{act:?}");
        assert!(all > 100, "{act:?}: {all} orders");
    }
}

#[test]
fn faults_that_are_planted_are_found() {
    for act in Act::ALL {
        assert!(orders(act, Fault::StampsAfterCheck).0 > 0, "{act:?}");
    }
    assert!(orders(Act::Delete, Fault::Lax).0 > 0);
}
