//! The contract of each facet, over two handles on one directory.

mod support;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use everwarm_core::mark::{Reading, Tag, valid};
use everwarm_core::store::{
    Bytes, Computed, Condition, Conditional, Counters, FailureKind, Generations, Grant, Leases,
    Message, Scan, Settled, Store, Touch,
};
use everwarm_store_disk::{Config, Disk};
use support::{Hands, SECOND, get, now, set};

const MINUTE: Duration = Duration::from_secs(60);
const RED: Tag = Tag([1; 16]);
const BLUE: Tag = Tag([2; 16]);

struct Two {
    one: Disk,
    other: Disk,
    clock: Arc<Hands>,
    directory: tempfile::TempDir,
}

fn two() -> Two {
    let directory = tempfile::tempdir().unwrap();
    let clock = Hands::new();
    let open = || Disk::open_by(Config::new(directory.path()), Arc::clone(&clock) as _).unwrap();
    Two {
        one: open(),
        other: open(),
        clock,
        directory,
    }
}

#[test]
fn counters_begin_at_initial_and_lose_nothing() {
    let two = two();
    assert_eq!(now(two.one.incr("n", 5, 10, Some(MINUTE))).unwrap(), 15);
    assert_eq!(get(&two.other, "n").unwrap(), "15");
    two.clock.advance(30 * SECOND);
    assert_eq!(now(two.other.incr("n", -20, 99, Some(MINUTE))).unwrap(), -5);
    two.clock.advance(30 * SECOND);
    assert_eq!(
        now(two.one.incr("n", 1, 0, None)).unwrap(),
        1,
        "the ttl is that of the beginning"
    );
    std::thread::scope(|scope| {
        for disk in [&two.one, &two.other, &two.one] {
            scope.spawn(move || {
                (0..200).for_each(|_| assert!(now(disk.incr("n", 1, 0, None)).is_ok()))
            });
        }
    });
    assert_eq!(get(&two.one, "n").unwrap(), "601");
}

#[test]
fn a_counter_stays_within_64_bits() {
    let two = two();
    assert_eq!(now(two.one.incr("n", 0, i64::MAX, None)).unwrap(), i64::MAX);
    assert_eq!(
        now(two.one.incr("n", 1, 0, None)).unwrap_err().kind,
        FailureKind::Capacity
    );
    assert_eq!(get(&two.one, "n").unwrap(), i64::MAX.to_string());
    set(&two.one, "text", b"text");
    assert_eq!(
        now(two.one.incr("text", 1, 0, None)).unwrap_err().kind,
        FailureKind::Permanent
    );
}

#[test]
fn conditions_hold_or_nothing_is_set() {
    let two = two();
    let set_if = |disk: &Disk, value: &'static str, condition| {
        now(disk.set_if("name", Bytes::from(value), Some(MINUTE), condition)).unwrap()
    };
    assert_eq!(set_if(&two.one, "0", Condition::Present), None);
    let first = set_if(&two.one, "1", Condition::Absent).unwrap();
    assert_eq!(set_if(&two.other, "2", Condition::Absent), None);
    let second = set_if(&two.other, "3", Condition::Version(first)).unwrap();
    assert_ne!(first, second);
    assert_eq!(set_if(&two.one, "4", Condition::Version(first)), None);
    assert_eq!(now(two.one.get("name")).unwrap().unwrap().version, second);
    assert!(!now(two.one.delete_if("name", first)).unwrap());
    assert!(now(two.one.delete_if("name", second)).unwrap());
    set(&two.one, "name", b"again");
    assert_eq!(
        set_if(&two.one, "5", Condition::Version(second)),
        None,
        "no version comes again"
    );
    two.clock.advance(MINUTE);
    assert!(set_if(&two.one, "6", Condition::Present).is_some());
    two.clock.advance(MINUTE);
    assert!(
        set_if(&two.one, "7", Condition::Absent).is_some(),
        "what has expired is absent"
    );
}

#[test]
fn a_lease_has_one_holder_and_ends_by_itself() {
    let two = two();
    assert_eq!(
        now(two.one.lease("name", 1, MINUTE)).unwrap(),
        Grant::Granted
    );
    two.clock.advance(20 * SECOND);
    assert_eq!(
        now(two.other.lease("name", 2, MINUTE)).unwrap(),
        Grant::Held(40 * SECOND)
    );
    assert_eq!(
        now(two.one.lease("name", 1, MINUTE)).unwrap(),
        Grant::Granted,
        "who asks again renews"
    );
    assert_eq!(
        now(two.other.lease("name", 2, MINUTE)).unwrap(),
        Grant::Held(MINUTE)
    );
    assert!(now(two.one.renew("name", 1, 2 * MINUTE)).unwrap());
    assert!(!now(two.other.renew("name", 2, MINUTE)).unwrap());
    assert_eq!(
        now(two.other.lease("name", 2, MINUTE)).unwrap(),
        Grant::Held(2 * MINUTE),
        "a renewal stays"
    );
    two.clock.advance(2 * MINUTE);
    assert!(!now(two.one.renew("name", 1, MINUTE)).unwrap());
    assert_eq!(
        now(two.other.lease("name", 2, MINUTE)).unwrap(),
        Grant::Granted
    );
    assert!(!now(two.one.release("name", 1)).unwrap());
    assert!(now(two.other.release("name", 2)).unwrap());
    assert!(!now(two.other.release("name", 2)).unwrap());
    assert_eq!(get(&two.one, "name"), None);
}

#[test]
fn every_other_write_ends_a_lease() {
    let two = two();
    type Write<'a> = &'a dyn Fn(&Disk);
    let writes: [(&str, Write<'_>); 7] = [
        ("set", &|disk| set(disk, "name", b"1")),
        ("large set", &|disk| set(disk, "name", &[1; 70_000])),
        ("delete", &|disk| assert!(now(disk.delete("name")).is_ok())),
        ("incr", &|disk| {
            assert!(now(disk.incr("name", 1, 0, None)).is_ok())
        }),
        ("set_if", &|disk| {
            let set = now(disk.set_if("name", Bytes::from("1"), None, Condition::Present));
            assert!(set.unwrap().is_some());
        }),
        ("set_leased", &|disk| {
            assert!(now(disk.set_leased("name", 7, Bytes::from("1"), None)).unwrap());
        }),
        ("clear", &|disk| assert!(now(disk.clear("na")).is_ok())),
    ];
    for (verb, write) in writes {
        assert_eq!(
            now(two.one.lease("name", 7, MINUTE)).unwrap(),
            Grant::Granted,
            "{verb}"
        );
        assert_eq!(
            now(two.one.lease("other", 7, MINUTE)).unwrap(),
            Grant::Granted
        );
        write(&two.other);
        assert!(!now(two.one.renew("name", 7, MINUTE)).unwrap(), "{verb}");
        assert!(
            !now(two.one.set_leased("name", 7, Bytes::from("late"), None)).unwrap(),
            "{verb}"
        );
        assert!(
            now(two.one.renew("other", 7, MINUTE)).unwrap(),
            "{verb} of another name"
        );
        assert_ne!(get(&two.one, "name").as_deref(), Some(&b"late"[..]));
    }
    now(two.one.lease("name", 7, MINUTE)).unwrap();
    assert_eq!(
        now(two
            .other
            .set_if("name", Bytes::new(), None, Condition::Version(1)))
        .unwrap(),
        None
    );
    assert!(
        now(two.one.renew("name", 7, MINUTE)).unwrap(),
        "what did not hold ends nothing"
    );
}

#[test]
fn a_scan_gives_every_name_once() {
    let two = two();
    let names: HashSet<String> = (0..2_000).map(|at| format!("a:{at}")).collect();
    for name in &names {
        set(&two.one, name, name.as_bytes());
    }
    now(two.one.set("a:gone", Bytes::new(), Some(SECOND))).unwrap();
    set(&two.one, "b:1", b"");
    two.clock.advance(SECOND);
    let mut seen = Vec::new();
    let mut after = None;
    for round in 0.. {
        let page = now(two.other.page("a:", after.as_deref(), 100)).unwrap();
        assert!(page.names.len() < 200);
        seen.extend(page.names);
        after = page.next;
        if after.is_none() {
            break;
        }
        // What is written in between, and an index that grows with it, moves no name.
        for at in 0..1_000 {
            set(&two.one, &format!("c:{round}:{at}"), b"");
        }
        set(&two.one, "a:7", b"again");
    }
    assert_eq!(seen.len(), names.len());
    assert_eq!(seen.into_iter().collect::<HashSet<_>>(), names);
    assert!(now(two.one.page("", Some("no page"), 1)).is_err());
}

#[test]
fn touch_keeps_bytes_and_version() {
    let two = two();
    now(two.one.set("name", Bytes::from("value"), Some(MINUTE))).unwrap();
    let before = now(two.one.get("name")).unwrap().unwrap();
    assert!(now(two.other.expire("name", Some(5 * MINUTE))).unwrap());
    two.clock.advance(2 * MINUTE);
    let after = now(two.one.get("name")).unwrap().unwrap();
    assert_eq!(
        (after.version, after.remaining),
        (before.version, Some(3 * MINUTE))
    );
    assert!(now(two.one.expire("name", None)).unwrap());
    // The next writer does not undo it.
    set(&two.other, "another", b"");
    assert_eq!(now(two.one.get("name")).unwrap().unwrap().remaining, None);
    assert!(now(two.one.expire("name", Some(Duration::ZERO))).unwrap());
    assert_eq!(get(&two.other, "name"), None);
    assert!(!now(two.one.expire("name", None)).unwrap());
}

fn settle(disk: &Disk, reading: &Reading, tags: &[Tag], token: Option<u64>) -> Settled {
    let computed = Computed {
        name: "name",
        namespace: "shop",
        bytes: Bytes::from("value"),
        ttl: Some(MINUTE),
        token,
        stamps: &reading.shards,
        tags,
    };
    now(disk.settle(computed)).unwrap()
}

#[test]
fn what_began_before_an_invalidation_is_overtaken() {
    let two = two();
    let reading = now(two.one.begin("shop", &[RED, BLUE], Some(MINUTE))).unwrap();
    assert!(valid(&reading.shards, reading.markers.clone()));
    assert_eq!(settle(&two.one, &reading, &[RED], None), Settled::Stored);
    let (found, read) = now(two.other.get_with("name", "shop", &[RED])).unwrap();
    assert!(found.is_some() && valid(&reading.shards, read.markers));
    let told = now(two.other.invalidate("shop", &[RED])).unwrap();
    assert_eq!(told.markers.len(), 1);
    let (_, read) = now(two.one.get_with("name", "shop", &[RED, BLUE])).unwrap();
    assert_eq!(read.markers[0], told.markers[0]);
    assert!(!valid(&reading.shards, read.markers.clone()));
    assert!(valid(&reading.shards, [read.markers[1]]));
    assert_eq!(settle(&two.one, &reading, &[RED], None), Settled::Overtaken);
    assert_eq!(settle(&two.one, &reading, &[BLUE], None), Settled::Stored);
    let other = now(two.one.read("elsewhere", &[RED])).unwrap();
    assert_eq!(other.markers, [None], "a namespace has tags of its own");
    let anew = now(two.one.begin("shop", &[RED], Some(MINUTE))).unwrap();
    assert_eq!(settle(&two.one, &anew, &[RED], None), Settled::Stored);
}

/// How many files there are.
fn files(directory: &std::path::Path) -> usize {
    let entries = std::fs::read_dir(directory).unwrap().map(Result::unwrap);
    let counted = entries.map(|entry| match entry.file_type().unwrap().is_dir() {
        true => files(&entry.path()),
        false => 1,
    });
    counted.sum()
}

#[test]
fn what_is_overtaken_leaves_the_entry_its_lease_and_no_file() {
    for size in [5, 1 << 17] {
        let two = two();
        now(two.other.set("name", "older".into(), Some(MINUTE))).unwrap();
        let reading = now(two.one.begin("shop", &[RED], Some(MINUTE))).unwrap();
        assert_eq!(
            now(two.one.lease("name", 7, MINUTE)).unwrap(),
            Grant::Granted
        );
        now(two.other.invalidate("shop", &[RED])).unwrap();
        let (before, last) = (
            files(two.directory.path()),
            two.other.notify().unwrap().change(),
        );
        let computed = Computed {
            name: "name",
            namespace: "shop",
            bytes: vec![b'x'; size].into(),
            ttl: Some(MINUTE),
            token: Some(7),
            stamps: &reading.shards,
            tags: &[RED],
        };
        assert_eq!(now(two.one.settle(computed)).unwrap(), Settled::Overtaken);
        assert_eq!(
            files(two.directory.path()),
            before,
            "{size}: no file is left of it"
        );
        let told = now(two.other.notify().unwrap().messages(last)).unwrap();
        assert_eq!(told.messages, [], "{size}: there is nothing to tell");
        assert_eq!(get(&two.other, "name").unwrap(), "older", "{size}");
        assert!(
            now(two.one.release("name", 7)).unwrap(),
            "{size}: the lease is there still"
        );
    }
}

#[test]
fn a_lease_that_ended_is_lost_whatever_was_invalidated() {
    let two = two();
    let reading = now(two.one.begin("shop", &[RED], Some(MINUTE))).unwrap();
    assert_eq!(
        now(two.one.lease("name", 7, MINUTE)).unwrap(),
        Grant::Granted
    );
    now(two.other.set("name", "newer".into(), None)).unwrap();
    assert_eq!(settle(&two.one, &reading, &[RED], Some(7)), Settled::Lost);
    now(two.other.invalidate("shop", &[RED])).unwrap();
    assert_eq!(settle(&two.one, &reading, &[RED], Some(7)), Settled::Lost);
    assert_eq!(get(&two.one, "name").unwrap(), "newer");
}

#[test]
fn a_lost_marker_is_a_miss_and_never_the_stamp_again() {
    let two = two();
    let reading = now(two.one.begin("shop", &[RED], Some(MINUTE))).unwrap();
    now(two.other.invalidate("shop", &[RED])).unwrap();
    two.clock.advance(3 * 3600 * SECOND);
    now(two.other.sweep()).unwrap();
    assert_eq!(now(two.one.read("shop", &[RED])).unwrap().markers, [None]);
    assert_eq!(settle(&two.one, &reading, &[RED], None), Settled::Overtaken);
    let marker = now(two.one.read("shop", &[RED])).unwrap().markers[0].unwrap();
    assert!(marker.number > reading.shards[0].number);
}

#[test]
fn a_marker_outlives_what_it_was_kept_for() {
    let two = two();
    let day = 86_400 * SECOND;
    now(two.one.begin("shop", &[RED], Some(SECOND))).unwrap();
    let reading = now(two.one.begin("shop", &[RED], Some(30 * day))).unwrap();
    now(two.one.begin("shop", &[BLUE], None)).unwrap();
    now(two.other.invalidate("shop", &[RED])).unwrap();
    two.clock.advance(29 * day);
    now(two.other.sweep()).unwrap();
    let read = now(two.one.read("shop", &[RED, BLUE])).unwrap();
    assert!(read.markers.iter().all(Option::is_some));
    assert!(!valid(&reading.shards, [read.markers[0]]));
    two.clock.advance(1000 * day);
    assert!(now(two.one.read("shop", &[BLUE])).unwrap().markers[0].is_some());
}

#[test]
fn settle_needs_its_lease() {
    let two = two();
    let reading = now(two.one.begin("shop", &[RED], Some(MINUTE))).unwrap();
    now(two.one.lease("name", 7, MINUTE)).unwrap();
    assert_eq!(settle(&two.one, &reading, &[RED], Some(8)), Settled::Lost);
    assert_eq!(settle(&two.one, &reading, &[RED], Some(7)), Settled::Stored);
    assert_eq!(
        settle(&two.one, &reading, &[RED], Some(7)),
        Settled::Lost,
        "it ended the lease"
    );
    now(two.one.lease("name", 7, MINUTE)).unwrap();
    now(two.other.delete("name")).unwrap();
    assert_eq!(settle(&two.one, &reading, &[RED], Some(7)), Settled::Lost);
    assert_eq!(get(&two.one, "name"), None);
}

#[test]
fn others_are_told_in_order_and_oneself_is_not() {
    let two = two();
    let notify = two.other.notify().unwrap();
    let before = notify.change();
    set(&two.one, "a", b"");
    now(two.one.delete("b")).unwrap();
    let reading = now(two.one.begin("shop", &[RED], None)).unwrap();
    settle(&two.one, &reading, &[RED], None);
    let marker = now(two.one.invalidate("shop", &[RED])).unwrap().markers[0].unwrap();
    set(&two.other, "own", b"");
    now(two.one.clear("c")).unwrap();
    assert_ne!(notify.change(), before);
    let told = now(notify.messages(before)).unwrap();
    let invalidated = Message::Tag {
        namespace: "shop".into(),
        tag: RED,
        marker,
    };
    let cleared = || Message::Clear("c".into());
    assert_eq!(
        told.messages,
        [
            Message::Key("a".into()),
            Message::Key("b".into()),
            invalidated,
            cleared(),
            cleared()
        ]
    );
    assert!(!told.gap);
    assert_eq!(told.up_to, notify.change());
    assert!(
        now(notify.messages(told.up_to))
            .unwrap()
            .messages
            .is_empty()
    );
    assert_eq!(
        now(two.one.notify().unwrap().messages(before))
            .unwrap()
            .messages,
        [Message::Key("own".into())]
    );
}

#[test]
fn what_is_settled_or_leased_is_not_told() {
    let two = two();
    let before = two.other.notify().unwrap().change();
    let reading = now(two.one.begin("shop", &[], None)).unwrap();
    settle(&two.one, &reading, &[], None);
    now(two.one.lease("leased", 1, MINUTE)).unwrap();
    now(two.one.set_leased("leased", 1, Bytes::new(), None)).unwrap();
    assert_eq!(two.other.notify().unwrap().change(), before);
}

#[test]
fn who_is_far_behind_is_told_of_a_gap() {
    let two = two();
    let notify = two.other.notify().unwrap();
    let before = notify.change();
    for at in 0..5_000 {
        now(two.one.delete(&format!("{}", at % 7))).unwrap();
    }
    let told = now(notify.messages(before)).unwrap();
    assert!(told.gap && told.messages.is_empty());
    assert!(!now(notify.messages(told.up_to)).unwrap().gap);
    assert!(now(notify.messages(before.wrapping_sub(8))).unwrap().gap);
}
