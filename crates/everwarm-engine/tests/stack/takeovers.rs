//! What a failover lost is never served by whom it was issued: I8.

use std::pin::Pin;
use std::sync::Arc;

use everwarm_core::using::Read;
use everwarm_engine::stack::{Change, Done, Fetched, Stack};

use crate::tiers::shelf::Facets;
use crate::tiers::{Host, SECOND, meta, place, poll, tags, wait};

type Going = Pin<Box<dyn Future<Output = bool>>>;

/// What makes the value of `k`, under the tag `t`, one that is not to be served any more; whether it is done.
type Undo = fn(Arc<Stack>) -> Going;

const UNDOINGS: [(&str, Undo); 9] = [
    ("delete", |stack| {
        Box::pin(async move { stack.delete(place("k")).await.1 == Done::Now })
    }),
    ("delete many", |stack| {
        let places = ["k", "m"].map(place).to_vec();
        Box::pin(async move { stack.delete_many(places).await.1 == Done::Now })
    }),
    ("invalidate a tag", |stack| {
        Box::pin(async move { stack.invalidate(tags(&["t"])).await == Done::Now })
    }),
    ("clear a function", |stack| {
        Box::pin(async move { stack.clear_function("price".into()).await == Done::Now })
    }),
    ("clear", |stack| {
        Box::pin(async move { stack.clear().await == Done::Now })
    }),
    ("set", |stack| {
        let set = stack.set(place("k"), "new".into(), meta(&["t"]));
        Box::pin(async move { set.await.is_stored() })
    }),
    ("set many", |stack| {
        let entries = ["k", "m"].map(|key| (place(key), "new".into(), meta(&["t"])));
        let set = stack.set_many(entries.to_vec());
        Box::pin(async move { set.await.is_stored() })
    }),
    ("set after a delete", |stack| {
        Box::pin(async move {
            stack.delete(place("k")).await;
            let set = stack.set(place("k"), "new".into(), meta(&["t"]));
            set.await.is_stored()
        })
    }),
    ("delete in place", |stack| {
        let deleted = stack.amend(place("k"), |_| Change::Delete(()));
        Box::pin(async move { deleted.await.is_ok() })
    }),
];

/// A way to read `k`: whether it is there.
type IsThere = fn(Arc<Stack>) -> Going;

const READS: [(&str, IsThere); 8] = [
    ("fetch", |stack| fetches(&stack, &[])),
    ("fetch by its tag", |stack| fetches(&stack, &["t"])),
    ("get", |stack| {
        Box::pin(async move { stack.get(place("k"), tags(&[]), Read::Any).await.is_some() })
    }),
    ("get exactly", |stack| {
        Box::pin(async move { stack.get_exact(place("k")).await.is_some() })
    }),
    ("look and change", |stack| {
        let seen = stack.amend(place("k"), |seen| Change::Keep(seen.is_some()));
        Box::pin(async move { seen.await.is_ok_and(|seen| seen) })
    }),
    ("get many", |stack| {
        Box::pin(async move { stack.get_many(vec![place("k")]).await[0].is_some() })
    }),
    ("values of many", |stack| {
        Box::pin(async move { stack.values_of(vec![place("k")]).await[0].is_some() })
    }),
    ("fetch many", |stack| {
        let fetched = stack.fetch_many(vec![(place("k"), tags(&[]))]);
        Box::pin(async move { matches!(fetched.await[0], Some(Fetched::Found(_))) })
    }),
];

fn fetches(stack: &Arc<Stack>, names: &[&str]) -> Going {
    let fetched = stack.fetch(place("k"), tags(names), Read::Any);
    Box::pin(async move { matches!(fetched.await, Fetched::Found(_)) })
}

#[test]
fn what_was_lost_is_never_served_by_whom_it_was_issued() {
    for tiers in 1..=2 {
        for (undoing, undo) in UNDOINGS {
            for (read, is_there) in READS {
                let host = Host::new(tiers);
                let one = host.process_with(Facets::Replaced, |_| {});
                let other = host.process_with(Facets::Replaced, |_| {});
                one.fill("k", "old", &["t"]);
                let replica = one.far().replica();
                assert!(wait(undo(Arc::clone(&one.stack))), "{undoing}");
                one.far().fail_over(&replica);
                let is_there = wait(is_there(Arc::clone(&one.stack)));
                assert!(!is_there, "{undoing}, by {read}, {tiers} tiers");
                wait(one.stack.watch());
                let theirs = other.value("k");
                assert_eq!(theirs, None, "{undoing}: it is repeated");
                one.fill("k", "computed", &["t"]);
                wait(one.stack.watch());
                let value = one.value("k");
                assert_eq!(value.as_deref(), Some("computed"), "{undoing}: once");
            }
        }
    }
}

#[test]
fn whenever_another_server_takes_over_what_was_undone_is_not_served() {
    // The last one says that it could not be done; all others see to it.
    for (undoing, undo) in &UNDOINGS[..UNDOINGS.len() - 1] {
        for polls in 0.. {
            let host = Host::new(1);
            let one = host.process_with(Facets::Replaced, |_| {});
            one.fill("k", "old", &["t"]);
            let replica = one.far().replica();
            one.far().faults.lock().expect("no panic").polls = 1;
            let mut going = undo(Arc::clone(&one.stack));
            let ended = (0..polls).any(|_| poll(&mut going).is_some());
            one.far().fail_over(&replica);
            if !ended {
                wait(going);
            }
            let value = one.value("k");
            assert_ne!(value.as_deref(), Some("old"), "{undoing}, {polls} polls");
            if ended {
                assert!(polls >= 3, "{undoing} takes some time");
                break;
            }
        }
    }
}

#[test]
fn an_answer_that_comes_once_all_is_repeated_is_of_before() {
    for (undoing, undo) in UNDOINGS {
        for (read, is_there) in READS {
            for polls in 1.. {
                let host = Host::new(1);
                let one = host.process_with(Facets::Replaced, |_| {});
                one.fill("k", "old", &["t"]);
                let replica = one.far().replica();
                assert!(wait(undo(Arc::clone(&one.stack))), "{undoing}");
                one.far().fail_over(&replica);
                let takes = |polls| one.far().faults.lock().expect("no panic").polls = polls;
                takes(1);
                let mut reading = is_there(Arc::clone(&one.stack));
                let answer = (0..polls).find_map(|_| poll(&mut reading));
                takes(0);
                let ended = answer.is_some();
                // What the new server has lost is owed again, and told to it, while its answer is on the way.
                wait(one.stack.watch());
                let is_there = answer.unwrap_or_else(|| wait(reading));
                assert!(!is_there, "{undoing}, by {read}, after {polls} polls");
                if ended {
                    break;
                }
            }
        }
    }
}

#[test]
fn what_was_set_and_not_lost_stays() {
    let host = Host::new(1);
    let one = host.process_with(Facets::Replaced, |_| {});
    wait(one.stack.delete(place("k")));
    host.hand.advance(SECOND);
    wait(one.stack.set(place("k"), "set".into(), meta(&[])));
    let replica = one.far().replica();
    one.far().fail_over(&replica);
    assert_eq!(one.value("k"), None, "it may be another's");
    wait(one.stack.watch());
    assert_eq!(one.value("k").as_deref(), Some("set"));
}
