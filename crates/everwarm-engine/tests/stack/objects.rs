//! The verbs of objects on a stack, over stores that several "processes" share.

use std::sync::Arc;

use everwarm_core::store::{Condition, FailureKind};
use everwarm_core::using::Read;
use everwarm_engine::stack::{Change, Done, Event, Fetched, Older, Place, Spot, Stack, Written};

use crate::tiers::{Host, Process, meta, name, place, tags, text, wait};

fn two(tiers: usize) -> (Host, Process, Process) {
    let host = Host::new(tiers);
    let (one, other) = (host.process(), host.process());
    (host, one, other)
}

#[test]
fn a_set_by_hand_is_seen_by_all_and_told() {
    let (_, one, other) = two(2);
    one.fill("k", "old", &[]);
    assert_eq!(
        wait(other.stack.set(place("k"), b"new".to_vec(), meta(&["t"]))),
        Written::Stored
    );
    assert_eq!(one.value("k"), Some("new".into()));
    assert_eq!(wait(one.stack.watch()), [Event::Key((&*name("k")).into())]);
    wait(one.stack.invalidate(tags(&["t"])));
    assert_eq!(one.value("k"), None);
}

#[test]
fn many_are_read_written_and_deleted_in_one_trip_each() {
    let (_, one, other) = two(1);
    let entry = |key: &str, value: &str| (place(key), value.as_bytes().to_vec(), meta(&[key]));
    let written = wait(one.stack.set_many(vec![entry("a", "1"), entry("b", "2")]));
    assert_eq!(written, Written::Stored);
    other.far().asked();
    let places = vec![place("a"), place("nothing"), place("b")];
    let found = wait(other.stack.get_many(places.clone()));
    let found: Vec<_> = found.iter().map(|found| found.as_ref().map(text)).collect();
    assert_eq!(found, [Some("1".into()), None, Some("2".into())]);
    assert_eq!(other.far().asked(), ["get_many", "read"]);
    wait(one.stack.invalidate(tags(&["a"])));
    let found = wait(other.stack.get_many(places.clone()));
    assert!(found[0].is_none() && found[2].is_some());
    assert_eq!(wait(one.stack.delete_many(places)), (2, Done::Now));
    assert!(one.far().names().is_empty());
}

#[test]
fn a_set_of_many_that_fails_in_part_leaves_nothing_old() {
    let (_, one, _) = two(2);
    one.fill("a", "old", &[]);
    let entry = |key: &str, value: &str| (place(key), value.as_bytes().to_vec(), meta(&[]));
    let entries = vec![entry("a", "unsealable"), entry("b", "2")];
    assert!(matches!(
        wait(one.stack.set_many(entries)),
        Written::Refused(_)
    ));
    assert_eq!((one.value("a"), one.value("b")), (None, Some("2".into())));
    one.far().fail("set");
    let entries = vec![entry("a", "1"), entry("b", "3")];
    assert!(matches!(
        wait(one.stack.set_many(entries)),
        Written::Failed(_)
    ));
    one.far().fail("");
    assert_eq!((one.value("a"), one.value("b")), (None, None));
}

fn number(stack: &Arc<Stack>, by: i64) -> Result<i64, FailureKind> {
    let change = move |there: Option<&everwarm_engine::stack::Stored>| {
        let before = there.map_or(0, |stored| text(stored).parse::<i64>().expect("a number"));
        let after = before + by;
        let meta = there.map_or_else(|| meta(&["t"]), |stored| stored.opened.meta.clone());
        Change::Write(after.to_string().into_bytes(), meta, after)
    };
    wait(stack.amend(place("n"), change)).map_err(|failure| failure.kind)
}

#[test]
fn changes_in_place_lose_nothing() {
    let (_, one, other) = two(2);
    let seat = one.lead("n", &[]);
    assert_eq!(number(&one.stack, 1), Ok(1));
    assert_eq!(number(&other.stack, 5), Ok(6));
    assert_eq!(number(&one.stack, -2), Ok(4));
    assert_eq!(other.value("n"), Some("4".into()));
    assert_eq!(one.settle(seat, "late", &[]), Written::Lost);
    wait(one.stack.invalidate(tags(&["t"])));
    assert_eq!(
        number(&other.stack, 1),
        Ok(1),
        "what is invalid is not there"
    );
    let gone = wait(
        other
            .stack
            .amend(place("n"), |there| Change::Delete(there.is_some())),
    );
    assert_eq!((gone, one.value("n")), (Ok(true), None));
}

#[test]
fn a_change_in_place_fails_as_its_store_did() {
    let host = Host::new(1);
    let one = host.process();
    assert_eq!(number(&one.stack, 1), Ok(1));
    for kind in FailureKind::ALL {
        // `read` asks for the marker of a tag that only the entry tells of.
        for verb in ["begin", "get_with", "read", "set_if"] {
            let other = host.process();
            other.far().fail(verb);
            other.far().faults.lock().expect("no panic").kind = Some(kind);
            assert_eq!(number(&other.stack, 1), Err(kind), "{verb}");
        }
    }
    assert_eq!(number(&one.stack, 1), Ok(2), "none was counted");
}

#[test]
fn a_version_that_is_still_there_may_be_replaced() {
    let (_, one, other) = two(2);
    one.fill("k", "v", &[]);
    let set = |value: &str, condition| {
        wait(
            one.stack
                .set_if(place("k"), value.into(), meta(&[]), condition),
        )
    };
    let seen = wait(other.stack.get_exact(place("k"))).expect("the value");
    let version = Condition::Version(seen.version.expect("a conditional store"));
    assert_eq!(set("w", version), Ok(true));
    assert_eq!(set("x", version), Ok(false));
    assert_eq!(other.value("k"), Some("w".into()));
    assert_eq!(set("x", Condition::Absent), Ok(false));
    wait(one.stack.delete(place("k")));
    assert_eq!(set("x", Condition::Present), Ok(false));
    assert_eq!(set("x", Condition::Absent), Ok(true));
}

#[test]
fn a_further_tag_counts_from_now_on() {
    let (_, one, other) = two(1);
    one.fill("k", "v", &["a"]);
    wait(other.stack.invalidate(tags(&["b"])));
    let add = |stored: Option<&everwarm_engine::stack::Stored>| match stored {
        Some(stored) => {
            let mut meta = stored.opened.meta.clone();
            meta.tags.push("b".into());
            Change::Write(stored.opened.payload.to_vec(), meta, true)
        }
        None => Change::Keep(false),
    };
    assert_eq!(wait(one.stack.amend(place("k"), add)), Ok(true));
    assert_eq!(other.value("k"), Some("v".into()));
    wait(other.stack.invalidate(tags(&["b"])));
    assert_eq!(other.value("k"), None);
}

#[test]
fn names_are_listed_in_pages() {
    let (_, one, _) = two(1);
    for key in ["a", "b", "c"] {
        one.fill(key, "v", &[]);
    }
    let page = wait(one.stack.scan(String::new(), None, 2)).expect("a page");
    assert_eq!(page.names, [name("a").to_string(), name("b").to_string()]);
    let page = wait(one.stack.scan(String::new(), page.next, 2)).expect("a page");
    assert_eq!(page.names, [name("c").to_string()]);
}

/// The place of `k`, which was `old` before.
fn upgraded() -> Place {
    let old = place("old");
    Place::from(Spot {
        older: [Older {
            name: name("old"),
            schema: Arc::clone(&old.schema),
            key: Arc::clone(&old.key),
        }]
        .into(),
        ..Spot::clone(&place("k"))
    })
}

fn fetched(process: &Process) -> Fetched {
    wait(process.stack.fetch(upgraded(), tags(&[]), Read::Any))
}

#[test]
fn what_lies_under_an_older_name_is_found() {
    for tiers in [1, 2] {
        let (_, one, _) = two(tiers);
        one.fill("old", "v", &[]);
        let found = wait(one.stack.get(upgraded(), tags(&[]), Read::Any)).expect("the value");
        assert_eq!((text(&found), found.older), ("v".into(), Some(0)));
        let peeked = wait(one.stack.peek(upgraded(), tags(&[]))).expect("the value");
        assert_eq!(peeked.older, Some(0));
        assert_eq!(wait(one.stack.delete(upgraded())), (true, Done::Now));
        assert!(one.far().names().is_empty());
    }
}

#[test]
fn what_is_made_of_an_older_value_takes_its_place() {
    for tiers in [1, 2] {
        let (_, one, other) = two(tiers);
        one.fill("old", "v", &["t"]);
        let Fetched::Older(stored, seat) = fetched(&one) else {
            panic!("an older value is there");
        };
        assert_eq!(text(&stored), "v");
        let settle = one.stack.settle(seat, b"v2".to_vec(), stored.opened.meta);
        assert_eq!(wait(settle), Written::Stored);
        assert_eq!(one.far().names(), [name("k").to_string()]);
        assert!(matches!(fetched(&other), Fetched::Found(stored) if text(&stored) == "v2"));
        wait(one.stack.invalidate(tags(&["t"])));
        assert!(matches!(fetched(&other), Fetched::Lead(_)));
    }
}

#[test]
fn an_older_value_that_is_invalidated_meanwhile_does_not_come_in() {
    let (_, one, other) = two(1);
    one.fill("old", "v", &["t"]);
    let Fetched::Older(stored, seat) = fetched(&one) else {
        panic!("an older value is there");
    };
    wait(other.stack.invalidate(tags(&["t"])));
    wait(one.stack.settle(seat, b"v2".to_vec(), stored.opened.meta));
    assert!(matches!(fetched(&other), Fetched::Lead(_)));
    assert!(matches!(fetched(&one), Fetched::Lead(_)));
}

#[test]
fn an_older_value_whose_end_was_not_heard_of_yet_does_not_come_in() {
    let (_, one, other) = two(1);
    one.fill("old", "v", &["t"]);
    other.fill("another", "v", &["t"]);
    // It knows the tag's marker, and that this holds.
    wait(other.stack.watch());
    wait(one.stack.invalidate(tags(&["t"])));
    assert!(matches!(fetched(&other), Fetched::Lead(_)));
}

#[test]
fn no_older_value_comes_back_after_a_write() {
    type Write = fn(&Process);
    let writes: [Write; 3] = [
        |one| {
            let set = one.stack.set(upgraded(), b"new".to_vec(), meta(&[]));
            assert_eq!(wait(set), Written::Stored);
        },
        |one| {
            let read = wait(one.stack.fetch(upgraded(), tags(&[]), Read::Nothing));
            let Fetched::Lead(seat) = read else {
                panic!("nothing is read");
            };
            let settle = one.stack.settle(seat, b"new".to_vec(), meta(&[]));
            assert_eq!(wait(settle), Written::Stored);
        },
        |one| {
            let amend = one.stack.amend(upgraded(), |_| Change::Keep(()));
            wait(amend).expect("the store is conditional");
        },
    ];
    for write in writes {
        let (_, one, _) = two(1);
        one.fill("old", "v", &[]);
        write(&one);
        wait(one.stack.delete(place("k")));
        assert!(matches!(fetched(&one), Fetched::Lead(_)));
    }
}
