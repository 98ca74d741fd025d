//! What a failover lost is never served by whom it was issued: I8.

use std::pin::Pin;
use std::sync::Arc;

use everwarm_core::using::Read;
use everwarm_engine::stack::{Change, Done, Fetched, Stack};

use crate::tiers::shelf::Facets;
use crate::tiers::{Host, Process, SECOND, meta, place, poll, tags, wait};

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
type IsThere = fn(&Process) -> bool;

const READS: [(&str, IsThere); 5] = [
    ("fetch", |one| one.found("k", &[]).is_some()),
    ("fetch by its tag", |one| one.found("k", &["t"]).is_some()),
    ("get", |one| {
        wait(one.stack.get(place("k"), tags(&[]), Read::Any)).is_some()
    }),
    ("get many", |one| {
        wait(one.stack.get_many(vec![place("k")]))[0].is_some()
    }),
    ("fetch many", |one| {
        let fetched = wait(one.stack.fetch_many(vec![(place("k"), tags(&[]))]));
        matches!(fetched[0], Some(Fetched::Found(_)))
    }),
];

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
                assert!(!is_there(&one), "{undoing}, by {read}, {tiers} tiers");
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
