//! What others are told of, and who wrote it is not.

mod support;

use std::thread;

use everwarm_core::store::{Bytes, Message, Notify, Store};
use everwarm_store_disk::Disk;
use support::{now, open};

/// So many a process may be behind by.
const MOST: usize = 4096;

fn set(disk: &Disk, name: &str) {
    now(disk.set(name, Bytes::from_static(b"v"), None)).unwrap();
}

fn heard(disk: &Disk, after: u64) -> Vec<String> {
    let messages = now(disk.messages(after)).unwrap();
    assert!(!messages.gap);
    assert_eq!(messages.up_to, disk.change());
    let name = |message: Message| match message {
        Message::Key(name) => name.into(),
        other => panic!("{other:?}"),
    };
    messages.messages.into_iter().map(name).collect()
}

#[test]
fn own_messages_are_passed_over_and_no_others() {
    let directory = tempfile::tempdir().unwrap();
    let (one, other) = (open(directory.path()), open(directory.path()));
    let first = one.change();
    let mut between = Vec::new();
    for (disk, names) in [
        (&one, ["a", "b"]),
        (&other, ["c", "d"]),
        (&one, ["e", "f"]),
        (&other, ["g", "h"]),
    ] {
        for name in names {
            between.push(one.change());
            set(disk, name);
        }
    }
    assert_eq!(heard(&one, first), ["c", "d", "g", "h"]);
    assert_eq!(heard(&other, first), ["a", "b", "e", "f"]);
    set(&one, "i");
    assert_eq!(heard(&one, first), ["c", "d", "g", "h"]);
    assert_eq!(heard(&one, between[7]), ["h"]);
    assert_eq!(heard(&other, between[7]), ["i"]);
    set(&one, "j");
    let last = one.change();
    set(&one, "k");
    set(&one, "l");
    assert_eq!(heard(&one, last), Vec::<String>::new());
    assert_eq!(heard(&other, last), ["k", "l"]);
}

#[test]
fn who_writes_much_is_not_behind_by_that() {
    let directory = tempfile::tempdir().unwrap();
    let (one, other) = (open(directory.path()), open(directory.path()));
    let first = one.change();
    set(&other, "theirs");
    for _ in 0..=MOST {
        set(&one, "mine");
    }
    assert_eq!(heard(&one, first), ["theirs"]);
    assert!(now(other.messages(first)).unwrap().gap);
}

#[test]
fn what_is_told_is_read() {
    let directory = tempfile::tempdir().unwrap();
    let (one, other) = (open(directory.path()), open(directory.path()));
    thread::scope(|scope| {
        let writer = scope.spawn(|| (0..20_000).for_each(|_| set(&other, "name")));
        let mut heard = one.change();
        while !writer.is_finished() {
            if one.change() == heard {
                continue;
            }
            heard = now(one.messages(heard)).unwrap().up_to;
            let version = now(one.get("name")).unwrap().map(|found| found.version);
            assert!(
                version >= Some(heard),
                "of {heard} was heard, and {version:?} is there"
            );
        }
    });
}
