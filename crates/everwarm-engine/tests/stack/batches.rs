//! Many keys at once over stores: they are fetched and stored in one trip, and each is led for itself.

use everwarm_engine::stack::{Fetched, Seat, Write, Written};

use crate::tiers::shelf::Facets;
use crate::tiers::{Host, Process, meta, place, tags, text, wait};

fn fetch(process: &Process, keys: &[&str], names: &[&str]) -> Vec<Option<Fetched>> {
    let wanted = keys.iter().map(|key| (place(key), tags(names))).collect();
    wait(process.stack.fetch_many(wanted))
}

fn values(fetched: Vec<Option<Fetched>>) -> Vec<Option<String>> {
    let value = |fetched| match fetched {
        Some(Fetched::Found(stored)) => Some(text(&stored)),
        _ => None,
    };
    fetched.into_iter().map(value).collect()
}

fn seats(fetched: Vec<Option<Fetched>>) -> Vec<Option<Seat>> {
    let seat = |fetched| match fetched {
        Some(Fetched::Lead(seat)) => Some(seat),
        _ => None,
    };
    fetched.into_iter().map(seat).collect()
}

#[test]
fn many_are_found_in_one_trip_and_led_under_one_moments_stamps() {
    let host = Host::new(1);
    let (one, other) = (host.process(), host.process());
    other.far().asked();
    let seats = seats(fetch(&other, &["a", "b", "c"], &["t"]));
    assert_eq!(
        other.far().asked(),
        ["get_many", "lease_many", "get_many", "begin"]
    );
    for (seat, key) in seats.into_iter().zip(["a", "b", "c"]) {
        let seat = seat.expect("a seat");
        assert_eq!(other.settle(seat, key, &["t"]), Written::Stored);
    }
    one.far().asked();
    let found = values(fetch(&one, &["c", "a", "b"], &["t"]));
    assert_eq!(found, ["c", "a", "b"].map(|key| Some(key.to_owned())));
    assert_eq!(one.far().asked(), ["get_many", "read"]);
}

#[test]
fn what_another_process_computes_is_not_waited_for() {
    let host = Host::new(1);
    let (one, other) = (host.process(), host.process());
    let theirs = one.lead("b", &[]);
    let fetched = fetch(&other, &["a", "b"], &[]);
    assert!(matches!(fetched[..], [Some(Fetched::Lead(..)), None]));
    drop(fetched);
    assert_eq!(one.settle(theirs, "theirs", &[]), Written::Stored);
    assert_eq!(values(fetch(&other, &["b"], &[])), [Some("theirs".into())]);
    // The lease of what was dropped is free again.
    one.fill("a", "v", &[]);
}

#[test]
fn what_is_found_far_fills_what_is_near() {
    let host = Host::new(2);
    let (one, other) = (host.process(), host.beside().process());
    for key in ["a", "b"] {
        one.fill(key, key, &["t"]);
    }
    let found = values(fetch(&other, &["a", "b"], &["t"]));
    assert_eq!(found, [Some("a".into()), Some("b".into())]);
    other.far().asked();
    assert_eq!(values(fetch(&other, &["a", "b"], &["t"])), found);
    assert!(!other.far().asked().contains(&"get_many"));
}

#[test]
fn what_is_invalidated_or_deleted_meanwhile_is_not_stored() {
    let host = Host::new(1);
    let (one, other) = (host.process(), host.process());
    let mut seats = seats(fetch(&one, &["a", "b", "c"], &["t"])).into_iter();
    let mut settle = |names: &[&str]| {
        let seat = seats.next().flatten().expect("a seat");
        wait(one.stack.settle(seat, b"v".to_vec(), meta(names)))
    };
    wait(other.stack.delete(place("a")));
    assert_eq!(settle(&["t"]), Written::Lost);
    assert_eq!(settle(&["t"]), Written::Stored);
    wait(other.stack.invalidate(tags(&["t"])));
    assert_eq!(settle(&["t"]), Written::Overtaken);
    assert_eq!(
        values(fetch(&other, &["a", "b", "c"], &["t"])),
        [None, None, None]
    );
}

#[test]
fn what_waits_to_be_written_and_what_is_plain_is_led_and_found() {
    let host = Host::new(1);
    let behind = host.process_with(Facets::All, |tiers| tiers[0].write = Write::Behind);
    behind.fill("a", "queued", &[]);
    // It takes more than one trip, and is left to be fetched alone.
    assert!(matches!(fetch(&behind, &["a"], &[])[..], [None]));
    wait(behind.stack.flush());
    assert_eq!(values(fetch(&behind, &["a"], &[])), [Some("queued".into())]);
}

#[test]
fn stores_without_leases_or_generations_are_asked_once() {
    let host = Host::new(1);
    let plain = host.process_with(Facets::None, |_| {});
    let seats = seats(fetch(&plain, &["a", "b"], &[]));
    assert_eq!(plain.far().asked(), ["get_many"]);
    for seat in seats.into_iter().flatten() {
        assert_eq!(plain.settle(seat, "v", &[]), Written::Stored);
    }
    let found = values(fetch(&plain, &["a", "b"], &[]));
    assert_eq!(found, [Some("v".into()), Some("v".into())]);
}

/// Settles each of the seats with the name of its key.
fn settle_many(process: &Process, seats: Vec<Option<Seat>>, keys: &[&str]) -> Vec<Written> {
    let computed = seats.into_iter().zip(keys).map(|(seat, key)| {
        let seat = seat.expect("a seat");
        (seat, key.as_bytes().to_vec(), meta(&["t"]))
    });
    let computed = computed.collect();
    wait(process.stack.settle_many(computed))
}

#[test]
fn many_are_stored_in_one_trip_to_each_tier() {
    let host = Host::new(2);
    let process = host.process();
    let keys = ["a", "b", "c"];
    let seats = seats(fetch(&process, &keys, &["t"]));
    for store in [process.near(), process.far()] {
        store.asked();
    }
    let written = settle_many(&process, seats, &keys);
    assert_eq!(written, [Written::Stored, Written::Stored, Written::Stored]);
    assert_eq!(process.far().asked(), ["settle_many"]);
    assert_eq!(process.near().asked(), ["set_leased_many"]);
    let beside = host.beside().process();
    let found = values(fetch(&beside, &keys, &["t"]));
    assert_eq!(found, keys.map(|key| Some(key.to_owned())));
}

#[test]
fn of_many_those_that_were_deleted_meanwhile_are_withheld() {
    let host = Host::new(2);
    let (one, other) = (host.process(), host.process());
    let keys = ["a", "b", "c"];
    let seats = seats(fetch(&one, &keys, &["t"]));
    wait(other.stack.delete(place("b")));
    let written = settle_many(&one, seats, &keys);
    assert_eq!(written, [Written::Stored, Written::Lost, Written::Stored]);
    let found = values(fetch(&other, &keys, &["t"]));
    assert_eq!(found, [Some("a".into()), None, Some("c".into())]);
}

#[test]
fn of_many_those_whose_tags_were_invalidated_meanwhile_are_withheld() {
    let host = Host::new(1);
    let (one, other) = (host.process(), host.process());
    let wanted = vec![(place("a"), tags(&["t"])), (place("b"), tags(&["u"]))];
    let seats = seats(wait(one.stack.fetch_many(wanted)));
    wait(other.stack.invalidate(tags(&["u"])));
    let names = [&["t"][..], &["u"][..]];
    let computed = seats.into_iter().flatten().zip(names);
    let computed = computed.map(|(seat, names)| (seat, b"v".to_vec(), meta(names)));
    let computed = computed.collect();
    let written = wait(one.stack.settle_many(computed));
    assert_eq!(written, [Written::Stored, Written::Overtaken]);
}

#[test]
fn a_store_that_fails_gets_the_leases_of_all_back() {
    let host = Host::new(1);
    let process = host.process();
    let keys = ["a", "b"];
    let seats = seats(fetch(&process, &keys, &["t"]));
    process.far().fail("settle_many");
    let written = settle_many(&process, seats, &keys);
    assert!(written.iter().all(|one| matches!(one, Written::Failed(_))));
    process.far().fail("");
    for key in keys {
        process.fill(key, "again", &["t"]);
    }
}

#[test]
fn stores_without_leases_or_generations_take_many_at_once_too() {
    let host = Host::new(1);
    let plain = host.process_with(Facets::None, |_| {});
    let keys = ["a", "b"];
    let seats = seats(fetch(&plain, &keys, &[]));
    let written = settle_many(&plain, seats, &keys);
    assert_eq!(written, [Written::Stored, Written::Stored]);
    let found = values(fetch(&plain, &keys, &[]));
    assert_eq!(found, keys.map(|key| Some(key.to_owned())));
}

#[test]
fn of_many_what_is_written_behind_is_queued_and_found() {
    let host = Host::new(1);
    let behind = host.process_with(Facets::All, |tiers| tiers[0].write = Write::Behind);
    let keys = ["a", "b"];
    let seats = seats(fetch(&behind, &keys, &["t"]));
    let written = settle_many(&behind, seats, &keys);
    assert_eq!(written, [Written::Stored, Written::Stored]);
    wait(behind.stack.flush());
    let found = values(fetch(&behind, &keys, &["t"]));
    assert_eq!(found, keys.map(|key| Some(key.to_owned())));
}
