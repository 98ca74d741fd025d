//! What an invalidation overtook keeps nobody waiting: whoever asks after it computes anew, at once.

use std::pin::Pin;
use std::sync::Arc;

use everwarm_core::clock::{Clock, Instant};
use everwarm_core::using::Read;
use everwarm_engine::Ticker;
use everwarm_engine::stack::{Done, Fetched, Seat, Stack, Written};

use crate::tiers::shelf::Facets;
use crate::tiers::{Host, Process, meta, place, poll, tags, wait};

type Going = Pin<Box<dyn Future<Output = Done>>>;

/// What overtakes the computation of `k`, under the tag `t`.
type Overtake = fn(Arc<Stack>) -> Going;

const OVERTAKINGS: [(&str, Overtake); 5] = [
    ("delete", |stack| {
        Box::pin(async move { stack.delete(place("k")).await.1 })
    }),
    ("invalidate a tag", |stack| {
        Box::pin(async move { stack.invalidate(tags(&["t"])).await })
    }),
    ("clear a function", |stack| {
        Box::pin(async move { stack.clear_function("price".into()).await })
    }),
    ("clear", |stack| {
        Box::pin(async move { stack.clear().await })
    }),
    ("set", |stack| {
        let set = stack.set(place("k"), "set".into(), meta(&["t"]));
        Box::pin(async move {
            set.await;
            stack.delete(place("k")).await.1
        })
    }),
];

/// The seat that is had without any waiting; nobody has to pass the time for it.
fn leads_at_once(host: &Host, one: &Process) -> Option<Seat> {
    let clock = Ticker::frozen_by(&host.hand);
    let before: Instant = clock.now();
    let fetched = one.fetch("k", &["t"]);
    assert_eq!(clock.now(), before, "nobody waits");
    match fetched {
        Fetched::Lead(seat) => Some(seat),
        _ => None,
    }
}

#[test]
fn whoever_asks_after_an_invalidation_computes_at_once() {
    for number in 1..=2 {
        for facets in [Facets::All, Facets::NoNotify, Facets::None] {
            for (what, overtake) in OVERTAKINGS {
                let host = Host::new(number);
                let one = host.process_with(facets, |_| {});
                let overtaken = one.lead("k", &["t"]);
                let done = wait(overtake(Arc::clone(&one.stack)));
                assert_eq!(done, Done::Now, "{what}");
                let anew = leads_at_once(&host, &one).expect("what was there is gone");
                let late = one.settle(overtaken, "old", &["t"]);
                assert!(!late.is_stored(), "{what}: {late:?}");
                assert_eq!(one.settle(anew, "new", &["t"]), Written::Stored);
                assert_eq!(one.value("k").as_deref(), Some("new"), "{what}");
            }
        }
    }
}

#[test]
fn what_another_process_overtook_keeps_nobody_waiting_once_it_is_heard_of() {
    for facets in [Facets::All, Facets::NoNotify] {
        for (what, overtake) in OVERTAKINGS {
            let host = Host::new(1);
            let one = host.process_with(facets, |_| {});
            let other = host.process_with(facets, |_| {});
            let overtaken = one.lead("k", &["t"]);
            wait(overtake(Arc::clone(&other.stack)));
            wait(one.stack.watch());
            let anew = leads_at_once(&host, &other).expect("what was there is gone");
            assert!(!one.settle(overtaken, "old", &["t"]).is_stored(), "{what}");
            assert_eq!(other.settle(anew, "new", &["t"]), Written::Stored);
            assert_eq!(one.value("k").as_deref(), Some("new"), "{what}");
        }
    }
}

#[test]
fn what_begins_after_an_invalidation_is_not_overtaken_when_that_is_heard_of_late() {
    for facets in [Facets::All, Facets::NoNotify] {
        let host = Host::new(1);
        let one = host.process_with(facets, |_| {});
        let other = host.process_with(facets, |_| {});
        one.fill("else", "v", &["t"]);
        wait(other.stack.invalidate(tags(&["t"])));
        let seat = one.lead("k", &["t"]);
        wait(one.stack.watch());
        assert_eq!(one.settle(seat, "new", &["t"]), Written::Stored);
    }
}

#[test]
fn whenever_an_invalidation_comes_who_asks_after_it_waits_only_for_what_is_stored() {
    for many in [false, true] {
        for polls in 0.. {
            let host = Host::new(1);
            let one = host.process();
            one.far().faults.lock().expect("no panic").polls = 1;
            let lead = |stack: &Arc<Stack>| -> Pin<Box<dyn Future<Output = Option<Seat>>>> {
                let stack = Arc::clone(stack);
                Box::pin(async move {
                    let fetched = match many {
                        false => Some(stack.fetch(place("k"), tags(&["t"]), Read::Any).await),
                        true => {
                            let wanted = vec![(place("k"), tags(&["t"]))];
                            stack.fetch_many(wanted).await.pop().flatten()
                        }
                    };
                    match fetched {
                        Some(Fetched::Lead(seat)) => Some(seat),
                        _ => None,
                    }
                })
            };
            let mut leads = lead(&one.stack);
            let mut seat = (0..polls).find_map(|_| poll(&mut leads)).flatten();
            let ended = seat.is_some();
            wait(one.stack.invalidate(tags(&["t"])));
            if !ended {
                seat = wait(leads);
            }
            let first = seat.expect("nobody else computes");
            // What was overtaken while its stamps were on their way is given back by the next look, as far as it is not embedded.
            wait(one.stack.watch());
            let mut next = Box::pin(one.stack.fetch(place("k"), tags(&["t"]), Read::Any));
            let waits = (0..30).all(|_| poll(&mut next).is_none());
            drop(next);
            let written = one.settle(first, "v", &["t"]);
            assert_eq!(waits, written.is_stored(), "{polls} polls, many: {many}");
            if ended {
                assert!(polls > 3, "it takes some time");
                break;
            }
        }
    }
}

#[test]
fn a_lease_that_cannot_be_given_back_now_is_given_back_by_the_next_look() {
    let host = Host::new(1);
    let one = host.process();
    let overtaken = one.lead("k", &["t"]);
    one.far().fail("release");
    assert_eq!(wait(one.stack.invalidate(tags(&["t"]))), Done::Now);
    one.far().fail("");
    wait(one.stack.watch());
    drop(leads_at_once(&host, &one).expect("it is gone"));
    drop(overtaken);
}

#[test]
fn leases_are_given_back_once() {
    let host = Host::new(1);
    let one = host.process();
    let overtaken = one.lead("k", &["t"]);
    let kept = one.lead("m", &["u"]);
    one.far().asked();
    wait(one.stack.invalidate(tags(&["t"])));
    assert_eq!(one.settle(overtaken, "v", &["t"]), Written::Overtaken);
    let releases = |one: &Process| {
        let asked = one.far().asked();
        asked.iter().filter(|verb| **verb == "release").count()
    };
    assert_eq!(releases(&one), 1);
    assert_eq!(one.settle(kept, "v", &["u"]), Written::Stored);
    assert_eq!((releases(&one), one.far().leased()), (0, 0));
}
