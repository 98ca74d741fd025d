//! Suspended tags, over two handles on one directory.

mod support;

use std::sync::Arc;
use std::time::Duration;

use everwarm_core::mark::{Reading, Tag, valid};
use everwarm_core::store::{
    Bytes, Computed, Generations, Message, Notify, Settled, Store, Suspend,
};
use everwarm_store_disk::{Config, Disk};
use support::{Hands, SECOND, now};

const RED: Tag = Tag([1; 16]);
const BLUE: Tag = Tag([2; 16]);
const SPAN: Duration = Duration::from_secs(30);

struct Two {
    one: Disk,
    other: Disk,
    clock: Arc<Hands>,
    directory: tempfile::TempDir,
}

impl Two {
    fn open(&self) -> Disk {
        Disk::open_by(
            Config::new(self.directory.path()),
            Arc::clone(&self.clock) as _,
        )
        .unwrap()
    }
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

fn begin(disk: &Disk) -> Reading {
    now(disk.begin("space", &[RED, BLUE], None)).unwrap()
}

fn settle(disk: &Disk, begun: &Reading) -> Settled {
    let computed = Computed {
        name: "name",
        namespace: "space",
        bytes: Bytes::from("computed"),
        ttl: None,
        token: None,
        stamps: &begun.shards,
        tags: &[RED, BLUE],
    };
    now(disk.settle(computed)).unwrap()
}

fn is_read(disk: &Disk, begun: &Reading) -> bool {
    let reading = now(disk.read("space", &[RED, BLUE])).unwrap();
    valid(&begun.shards, reading.markers)
}

fn suspend(disk: &Disk) {
    now(disk.suspend("space", &[RED], SPAN)).unwrap();
}

fn resume(disk: &Disk) {
    now(disk.resume("space", &[RED])).unwrap();
}

#[test]
fn nothing_is_stored_until_it_is_resumed() {
    let two = two();
    let before = begin(&two.other);
    assert_eq!(settle(&two.other, &before), Settled::Stored);
    assert!(is_read(&two.other, &before));
    suspend(&two.one);
    assert!(!is_read(&two.other, &before), "what was there is gone");
    let during = begin(&two.other);
    assert!(!is_read(&two.other, &during));
    assert_eq!(settle(&two.other, &during), Settled::Overtaken);
    resume(&two.one);
    assert_eq!(settle(&two.other, &during), Settled::Overtaken);
    let after = begin(&two.other);
    assert_eq!(settle(&two.other, &after), Settled::Stored);
    assert!(is_read(&two.one, &after));
}

#[test]
fn other_tags_and_namespaces_are_as_ever() {
    let two = two();
    suspend(&two.one);
    let begun = now(two.other.begin("elsewhere", &[RED], None)).unwrap();
    let read = now(two.other.read("elsewhere", &[RED])).unwrap();
    assert!(valid(&begun.shards, read.markers));
    let begun = now(two.other.begin("space", &[BLUE], None)).unwrap();
    let read = now(two.other.read("space", &[BLUE])).unwrap();
    assert!(valid(&begun.shards, read.markers));
}

#[test]
fn as_many_resume_as_have_suspended_and_an_invalidation_is_none_of_them() {
    let two = two();
    suspend(&two.one);
    suspend(&two.other);
    resume(&two.one);
    now(two.one.invalidate("space", &[RED])).unwrap();
    assert_eq!(settle(&two.other, &begin(&two.other)), Settled::Overtaken);
    resume(&two.other);
    assert_eq!(settle(&two.other, &begin(&two.other)), Settled::Stored);
    resume(&two.other);
    assert_eq!(settle(&two.other, &begin(&two.other)), Settled::Stored);
}

#[test]
fn its_time_ends_it_as_an_invalidation_does() {
    let two = two();
    suspend(&two.one);
    let during = begin(&two.other);
    two.clock.advance(SPAN + SECOND);
    assert!(
        !is_read(&two.other, &during),
        "what began before stays out, though nobody came since"
    );
    assert_eq!(settle(&two.other, &during), Settled::Overtaken);
    let after = begin(&two.one);
    assert_eq!(settle(&two.one, &after), Settled::Stored);
    assert_eq!(settle(&two.other, &during), Settled::Overtaken);
    resume(&two.one);
    assert!(!is_read(&two.other, &after), "who comes late invalidates");
    assert_eq!(settle(&two.other, &begin(&two.other)), Settled::Stored);
}

#[test]
fn a_process_that_comes_later_finds_it() {
    let two = two();
    suspend(&two.one);
    let third = two.open();
    assert_eq!(settle(&third, &begin(&third)), Settled::Overtaken);
    now(two.one.close()).unwrap();
    now(two.other.close()).unwrap();
    let fourth = two.open();
    assert_eq!(settle(&fourth, &begin(&fourth)), Settled::Overtaken);
}

#[test]
fn others_are_told_of_an_invalidation() {
    let two = two();
    let heard = two.other.change();
    suspend(&two.one);
    resume(&two.one);
    let messages = now(two.other.messages(heard)).unwrap();
    let numbers: Vec<u64> = messages
        .messages
        .iter()
        .map(|message| match message {
            Message::Tag { tag, marker, .. } if *tag == RED => marker.number,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(numbers, [1, 2]);
}

#[test]
fn a_marker_that_is_kept_longer_stays_suspended() {
    let two = two();
    suspend(&two.one);
    let long = Some(Duration::from_secs(100 * 24 * 3600));
    let begun = now(two.other.begin("space", &[RED, BLUE], long)).unwrap();
    assert!(!is_read(&two.other, &begun));
    assert_eq!(settle(&two.other, &begun), Settled::Overtaken);
}
