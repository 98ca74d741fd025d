//! The contract of stores, bullet by bullet, over two handles on one directory.

mod support;

use std::sync::Arc;
use std::time::Duration;

use everwarm_core::store::{Bytes, Durability, Entry, FailureKind, Store};
use everwarm_store_disk::{Config, Disk};
use support::{Hands, SECOND, get, now, open, proof, set};

#[test]
fn what_was_set_is_found_by_all() {
    let directory = tempfile::tempdir().unwrap();
    let (one, other) = (open(directory.path()), open(directory.path()));
    for length in [0, 1, 7, 8, 100, 10_000, 65_535, 65_536, 1 << 20] {
        let bytes: Vec<u8> = (0..length).map(|at| (at % 251) as u8).collect();
        let name = format!("of {length}");
        set(&one, &name, &bytes);
        for disk in [&one, &other] {
            assert_eq!(get(disk, &name).as_deref(), Some(&bytes[..]), "{length}");
        }
    }
    assert_eq!(get(&one, "another"), None);
}

#[test]
fn a_set_replaces_whole() {
    let directory = tempfile::tempdir().unwrap();
    let (one, other) = (open(directory.path()), open(directory.path()));
    for length in [100_000, 5, 70_000, 0, 3] {
        set(&one, "name", &vec![length as u8; length]);
        assert_eq!(get(&other, "name").unwrap(), vec![length as u8; length]);
    }
    assert_eq!(one.usage().unwrap().entries, 1);
}

#[test]
fn a_large_value_is_read_into_the_room_that_the_last_one_left() {
    const LENGTH: usize = 100_000;
    let directory = tempfile::tempdir().unwrap();
    let disk = open(directory.path());
    set(&disk, "one", &[1; LENGTH]);
    set(&disk, "two", &[2; LENGTH]);
    let one = get(&disk, "one").unwrap();
    let room = one.as_ptr();
    let two = get(&disk, "two").unwrap();
    assert_ne!(two.as_ptr(), room, "somebody reads there");
    assert_eq!((&one[..], &two[..]), (&[1; LENGTH][..], &[2; LENGTH][..]));
    drop((one, two));
    let first = get(&disk, "one").unwrap();
    let room = first.as_ptr();
    drop(first);
    // What the allocator is given back is taken by these.
    let others: Vec<Vec<u8>> = (0..4).map(|_| vec![3; LENGTH]).collect();
    assert_eq!(get(&disk, "two").unwrap().as_ptr(), room);
    drop(others);
}

#[test]
fn readers_never_see_parts_of_two_values() {
    let directory = tempfile::tempdir().unwrap();
    let (writer, reader) = (open(directory.path()), open(directory.path()));
    set(&writer, "name", &[0; 300]);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for round in 1..2_000_u64 {
                let length = 300 + (round as usize % 5) * 700;
                set(&writer, "name", &vec![round as u8; length]);
            }
        });
        for _ in 0..4_000 {
            let bytes = get(&reader, "name").expect("it is always there");
            assert!(bytes.iter().all(|byte| *byte == bytes[0]));
        }
    });
}

#[test]
fn a_value_ends_with_its_ttl_by_the_stores_clock() {
    let directory = tempfile::tempdir().unwrap();
    let clock = Hands::new();
    let disk = Disk::open_by(Config::new(directory.path()), Arc::clone(&clock) as _).unwrap();
    now(disk.set("name", Bytes::from("value"), Some(10 * SECOND))).unwrap();
    clock.advance(4 * SECOND);
    let found = now(disk.get("name")).unwrap().unwrap();
    assert_eq!(found.remaining, Some(6 * SECOND));
    clock.advance(6 * SECOND);
    assert_eq!(get(&disk, "name"), None);
    assert!(!now(disk.delete("name")).unwrap());
    set(&disk, "without end", b"value");
    clock.advance(Duration::from_secs(1 << 32));
    assert_eq!(
        now(disk.get("without end")).unwrap().unwrap().remaining,
        None
    );
}

#[test]
fn a_ttl_beyond_all_time_has_no_end() {
    let directory = tempfile::tempdir().unwrap();
    let disk = open(directory.path());
    now(disk.set("name", Bytes::from("value"), Some(Duration::MAX))).unwrap();
    assert!(get(&disk, "name").is_some());
}

#[test]
fn to_delete_what_is_not_there_says_false() {
    let directory = tempfile::tempdir().unwrap();
    let (one, other) = (open(directory.path()), open(directory.path()));
    assert!(!now(one.delete("name")).unwrap());
    for length in [3, 100_000] {
        set(&one, "name", &vec![1; length]);
        assert!(now(other.delete("name")).unwrap());
        assert!(!now(one.delete("name")).unwrap());
        assert_eq!(get(&one, "name"), None);
    }
    assert_eq!(one.usage().unwrap().entries, 0);
}

fn entries(values: &[(String, Bytes)]) -> Vec<Entry<'_>> {
    let values = values.iter();
    values
        .map(|(name, bytes)| Entry {
            name,
            bytes: bytes.clone(),
            ttl: None,
        })
        .collect()
}

#[test]
fn bulk_verbs_do_what_single_ones_do() {
    let directory = tempfile::tempdir().unwrap();
    let disk = open(directory.path());
    let values: Vec<(String, Bytes)> = (0..700)
        .map(|at| {
            (
                format!("name {}", at % 600),
                Bytes::from(vec![at as u8; if at % 50 == 0 { 70_000 } else { at }]),
            )
        })
        .collect();
    now(disk.set_many(&entries(&values))).unwrap();
    let names: Vec<&str> = values[100..]
        .iter()
        .map(|(name, _)| &name[..])
        .chain(["absent"])
        .collect();
    let found = now(disk.get_many(&names)).unwrap();
    assert!(found[600].is_none());
    for (found, (name, bytes)) in found.iter().zip(&values[100..]) {
        let found = found.as_ref().unwrap();
        // The order of two sets of one name in one go is free.
        assert!(
            values
                .iter()
                .any(|(each, set)| each == name && *set == found.bytes),
            "{name}: {}",
            bytes.len()
        );
    }
    assert_eq!(disk.usage().unwrap().entries, 600);
    assert_eq!(
        now(disk.delete_many(&["name 1", "name 50", "absent", "name 1"])).unwrap(),
        2
    );
    assert_eq!(disk.usage().unwrap().entries, 598);
}

/// Records of many lengths, of which a segment is a multiple: the last of some segments end where these do.
#[test]
fn many_at_once_fill_segments_to_their_last_byte() {
    const BEFORE_VALUE: usize = 64 + 8;
    for record in (10..16).map(|power| 1_usize << power) {
        let directory = tempfile::tempdir().unwrap();
        let config = Config {
            max_bytes: 8 << 20,
            ..Config::new(directory.path())
        };
        let (one, other) = (
            Disk::open(config.clone()).unwrap(),
            Disk::open(config).unwrap(),
        );
        let values: Vec<(String, Bytes)> = (0..(512 << 10) / record)
            .map(|at| {
                let name = format!("name {at:03}");
                let value = proof(&name, 1, at as u64, record - BEFORE_VALUE);
                (name, value.into())
            })
            .collect();
        now(one.set_many(&entries(&values))).unwrap();
        for (name, bytes) in &values {
            assert_eq!(
                get(&other, name).as_ref(),
                Some(bytes),
                "{name} of {record}"
            );
        }
    }
}

#[test]
fn clear_takes_a_prefix_and_no_other() {
    let directory = tempfile::tempdir().unwrap();
    let (one, other) = (open(directory.path()), open(directory.path()));
    for at in 0..400 {
        set(&one, &format!("a:{at}"), b"value");
        set(
            &one,
            &format!("b:{at}"),
            &vec![1; if at < 3 { 70_000 } else { 5 }],
        );
    }
    assert_eq!(now(other.clear("a:")).unwrap(), 400);
    assert!((0..400).all(|at| get(&one, &format!("a:{at}")).is_none()));
    assert!((0..400).all(|at| get(&one, &format!("b:{at}")).is_some()));
    assert_eq!(now(one.clear("")).unwrap(), 400);
    assert_eq!(other.usage().unwrap().entries, 0);
}

#[test]
fn names_are_never_the_same_entry() {
    let directory = tempfile::tempdir().unwrap();
    let disk = open(directory.path());
    let long = "n".repeat(1024);
    let names = ["", "a", "a\0", "A", "ä", "a:", "a:b", "\u{10ffff}", &long];
    for name in names {
        set(&disk, name, name.as_bytes());
    }
    for name in names {
        assert_eq!(get(&disk, name).unwrap(), name.as_bytes());
    }
}

#[test]
fn what_cannot_be_taken_is_refused_and_changes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let mut config = Config::new(directory.path());
    config.max_bytes = 8 << 20;
    let disk = Disk::open(config).unwrap();
    set(&disk, "name", b"before");
    let most = disk.limits().largest_value as usize;
    for (name, length) in [("n".repeat(1025), 1), ("name".to_owned(), most + 1)] {
        let refused = now(disk.set(&name, Bytes::from(vec![1; length]), None)).unwrap_err();
        assert_eq!(refused.kind, FailureKind::Capacity);
        assert!(!refused.hint().is_empty());
    }
    assert_eq!(get(&disk, "name").unwrap(), "before");
    set(&disk, "name", &vec![1; most]);
    assert_eq!(get(&disk, "name").unwrap().len(), most);
}

#[test]
fn threads_share_a_store() {
    let directory = tempfile::tempdir().unwrap();
    let disk = open(directory.path());
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let disk = &disk;
            scope.spawn(move || {
                for at in 0..300 {
                    let name = format!("{thread}:{at}");
                    set(disk, &name, name.as_bytes());
                    assert_eq!(get(disk, &name).unwrap(), name.as_bytes());
                }
            });
        }
    });
    assert_eq!(disk.usage().unwrap().entries, 1200);
}

#[test]
fn what_was_set_outlives_the_store_object() {
    let directory = tempfile::tempdir().unwrap();
    let disk = open(directory.path());
    set(&disk, "name", b"value");
    set(&disk, "large", &[1; 100_000]);
    drop(disk);
    let disk = open(directory.path());
    assert_eq!(get(&disk, "name").unwrap(), "value");
    now(disk.close()).unwrap();
    now(disk.close()).unwrap();
    assert_eq!(now(disk.get("name")).unwrap_err().kind, FailureKind::Closed);
    assert_eq!(now(disk.ping()).unwrap_err().kind, FailureKind::Closed);
    let disk = open(directory.path());
    assert_eq!(get(&disk, "large").unwrap().len(), 100_000);
    assert!(disk.doubts().is_empty());
    now(disk.ping()).unwrap();
}

#[test]
fn what_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let info = open(directory.path()).info();
    assert_eq!(
        (info.kind, info.durability, info.embedded),
        ("disk", Durability::Process, true)
    );
    assert_eq!(info.place, directory.path().display().to_string());
}

#[test]
fn a_forked_child_opens_its_own() {
    let directory = tempfile::tempdir().unwrap();
    let disk = open(directory.path());
    let before = everwarm_core::store::Store::notify(&disk).unwrap().change();
    set(&disk, "name", b"parent");
    disk.after_fork();
    // The child is somebody else to the parent's messages.
    let messages = now(disk.notify().unwrap().messages(before)).unwrap();
    assert_eq!(messages.messages.len(), 1);
    assert_eq!(get(&disk, "name").unwrap(), "parent");
    set(&disk, "name", b"child");
    disk.after_fork();
    assert_eq!(get(&disk, "name").unwrap(), "child");
}
