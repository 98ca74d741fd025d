//! Values of many alone: the same as with all that is known of them, and counted the same, whatever happened to their entries.

use everwarm_core::codec::{Meta, Refusal};
use everwarm_core::slide::Slide;
use everwarm_engine::stack::{Done, Place, Spot, Value, Write, Written};

use crate::tiers::shelf::Facets;
use crate::tiers::{Host, Process, SECOND, lasting, meta, name, place, poll, tags, text, wait};

/// An authority in this program, and one on a server, which brings the markers along.
const BOTH: [Facets; 2] = [Facets::All, Facets::Replaced];

fn process(host: &Host, facets: Facets) -> Process {
    host.process_with(facets, |_| {})
}

/// What is found under these keys, asked for in both ways.
fn found(process: &Process, keys: &[&str]) -> Vec<Option<String>> {
    found_at(process, keys.iter().map(|key| place(key)).collect())
}

fn found_at(process: &Process, places: Vec<Place>) -> Vec<Option<String>> {
    let before = counted(process);
    let whole = wait(process.stack.get_many(places.clone()));
    let between = counted(process);
    let values = wait(process.stack.values_of(places));
    let after = counted(process);
    let texts = whole.iter().map(|stored| stored.as_ref().map(text));
    let texts = texts.collect();
    let expected: Vec<_> = whole
        .into_iter()
        .map(|stored| stored.map(Value::from))
        .collect();
    assert_eq!(values, expected);
    let grown = |from: &[u64], to: &[u64]| -> Vec<u64> {
        to.iter().zip(from).map(|(to, from)| to - from).collect()
    };
    assert_eq!(grown(&before, &between), grown(&between, &after));
    texts
}

/// All that the tiers count of reads.
fn counted(process: &Process) -> Vec<u64> {
    let stats = process.stack.stats();
    let of = |tier: &everwarm_engine::stack::TierStats| {
        let count = |class| {
            let mut refused = tier.refused.iter();
            refused
                .find(|(other, _)| *other == class)
                .map_or(0, |(_, count)| *count)
        };
        let refused = Refusal::ALL.map(count);
        [tier.hits, tier.misses]
            .into_iter()
            .chain(refused)
            .collect::<Vec<u64>>()
    };
    stats.iter().flat_map(of).collect()
}

fn some(values: &[&str]) -> Vec<Option<String>> {
    values
        .iter()
        .map(|value| (!value.is_empty()).then(|| (*value).to_owned()))
        .collect()
}

#[test]
fn plain_values_are_found_beside_others() {
    for facets in BOTH {
        let host = Host::new(1);
        let (one, other) = (process(&host, facets), process(&host, facets));
        one.fill("a", "1", &[]);
        one.fill("b", "2", &["t"]);
        let slides = Meta {
            spans: everwarm_core::codec::Spans {
                slide: Some(Slide {
                    by: 60 * SECOND,
                    ahead: 30 * SECOND,
                    most: 600 * SECOND,
                }),
                ..meta(&[]).spans
            },
            ..Meta::default()
        };
        wait(one.stack.set(place("c"), b"3".to_vec(), slides));
        assert_eq!(
            found(&other, &["a", "x", "c", "b"]),
            some(&["1", "", "3", "2"])
        );
    }
}

#[test]
fn what_was_deleted_invalidated_or_cleared_is_not_found() {
    for facets in BOTH {
        let host = Host::new(1);
        let (one, other) = (process(&host, facets), process(&host, facets));
        let keys = ["a", "b", "c"];
        let fill = || {
            for (key, value, names) in [("a", "1", &[][..]), ("b", "2", &["t"]), ("c", "3", &[])] {
                wait(one.stack.set(place(key), value.into(), meta(names)));
            }
            assert_eq!(found(&other, &keys), some(&["1", "2", "3"]));
        };
        fill();
        wait(one.stack.delete(place("a")));
        assert_eq!(found(&other, &keys), some(&["", "2", "3"]));
        wait(one.stack.invalidate(tags(&["t"])));
        assert_eq!(found(&other, &keys), some(&["", "", "3"]));
        fill();
        wait(one.stack.clear_function("price".into()));
        assert_eq!(found(&other, &keys), some(&["", "", ""]));
        fill();
        wait(one.stack.clear());
        assert_eq!(found(&other, &keys), some(&["", "", ""]));
    }
}

#[test]
fn what_is_old_is_found_as_long_as_it_lives() {
    for facets in BOTH {
        let host = Host::new(1);
        let process = process(&host, facets);
        let mut windows = lasting(2 * SECOND, &[]);
        windows.spans.stale = 2 * SECOND;
        wait(process.stack.set(place("a"), b"1".to_vec(), windows));
        wait(process.stack.set(place("b"), b"2".to_vec(), meta(&[])));
        for expected in ["1", "1", "", "", ""] {
            assert_eq!(found(&process, &["a", "b"]), some(&[expected, "2"]));
            host.hand.advance(SECOND);
        }
    }
}

#[test]
fn what_has_more_left_than_it_was_given_is_not_found() {
    for facets in BOTH {
        let host = Host::new(1);
        let process = process(&host, facets);
        process.fill("a", "1", &[]);
        process.fill("b", "2", &["t"]);
        assert_eq!(found(&process, &["a", "b"]), some(&["1", "2"]));
        process.far().set_back(3600 * SECOND);
        assert_eq!(found(&process, &["a", "b"]), some(&["", ""]));
    }
}

#[test]
fn what_is_damaged_or_of_another_key_is_refused() {
    for facets in BOTH {
        let host = Host::new(1);
        let process = process(&host, facets);
        for key in ["a", "b", "c"] {
            process.fill(key, key, &[]);
        }
        process.far().damage(&name("b"));
        assert_eq!(found(&process, &["a", "b", "c"]), some(&["a", "", "c"]));
        let stray = Place::from(Spot {
            name: name("a"),
            key: b"another".as_slice().into(),
            ..Spot::clone(&place("a"))
        });
        assert_eq!(
            found_at(&process, vec![stray, place("c")]),
            some(&["", "c"])
        );
        let refused = &process.stack.stats()[0].refused;
        let of = |class: Refusal| {
            refused
                .iter()
                .find(|(kind, _)| *kind == class)
                .map(|(_, count)| *count)
        };
        assert_eq!(of(Refusal::Misplaced), Some(2));
    }
}

#[test]
fn what_is_owed_is_a_miss() {
    for facets in BOTH {
        let host = Host::new(1);
        let process = process(&host, facets);
        process.fill("a", "1", &[]);
        process.fill("b", "2", &[]);
        process.far().fail("delete");
        assert_eq!(wait(process.stack.delete(place("a"))).1, Done::Pending);
        assert_eq!(found(&process, &["a", "b"]), some(&["", "2"]));
    }
}

#[test]
fn what_is_owed_once_the_answer_comes_is_a_miss() {
    for facets in BOTH {
        let host = Host::new(1);
        let process = process(&host, facets);
        process.fill("a", "1", &[]);
        process.fill("b", "2", &[]);
        // The answer is on its way.
        let set = |polls| process.far().faults.lock().expect("no panic").polls = polls;
        set(2);
        let mut reading = Box::pin(process.stack.values_of(vec![place("a"), place("b")]));
        for _ in 0..4 {
            assert!(poll(&mut reading).is_none());
        }
        set(0);
        process.far().fail("delete");
        assert_eq!(wait(process.stack.delete(place("a"))).1, Done::Pending);
        let values = wait(reading);
        let is_there: Vec<_> = values.iter().map(Option::is_some).collect();
        assert_eq!(is_there, [false, true]);
    }
}

#[test]
fn what_waits_to_be_written_is_found() {
    let host = Host::new(1);
    let behind = host.process_with(Facets::All, |tiers| tiers[0].write = Write::Behind);
    behind.far().hold_writes(true);
    behind.fill("a", "queued", &[]);
    let values = wait(behind.stack.values_of(vec![place("a"), place("b")]));
    let texts = values
        .iter()
        .map(|value| value.as_ref().map(|value| &value.payload[..]));
    assert_eq!(texts.collect::<Vec<_>>(), [Some(&b"queued"[..]), None]);
    behind.far().hold_writes(false);
    wait(behind.stack.flush());
    assert_eq!(found(&behind, &["a", "b"]), some(&["queued", ""]));
}

#[test]
fn nearer_tiers_and_stores_without_generations_have_values_too() {
    let host = Host::new(2);
    let (near, far) = (host.process(), host.beside().process());
    near.fill("a", "1", &[]);
    far.fill("b", "2", &["t"]);
    assert_eq!(found(&near, &["a", "b"]), some(&["1", "2"]));
    let plain = Host::new(1).process_with(Facets::None, |_| {});
    let seat = plain.lead("a", &[]);
    assert_eq!(plain.settle(seat, "v", &[]), Written::Stored);
    assert_eq!(found(&plain, &["b", "a"]), some(&["", "v"]));
}
