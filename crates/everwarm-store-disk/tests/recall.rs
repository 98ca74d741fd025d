//! Reads that recall where an entry lies: nobody's write may be missed for that.

mod support;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use everwarm_core::mark::{Tag, TagKind};
use everwarm_core::store::{Bytes, Computed, Generations, Message, Notify, Settled, Store, Touch};
use everwarm_store_disk::{Config, Disk};
use support::{Hands, SECOND, now};

const NAMES: u64 = 12;
const STEPS: usize = 6_000;

/// What is under a name, asked for as a stack asks.
fn read(disk: &Disk, name: &str, tags: &[Tag]) -> Option<Vec<u8>> {
    let (found, reading) = now(disk.get_with(name, "shop", tags)).unwrap();
    assert!(reading.markers.iter().all(Option::is_some));
    found.map(|found| found.bytes.to_vec())
}

#[test]
fn reads_of_two_processes_meet_every_write_of_either() {
    let directory = tempfile::tempdir().unwrap();
    let hands = Hands::new();
    let open = || Disk::open_by(Config::new(directory.path()), Arc::clone(&hands) as _).unwrap();
    let disks = [open(), open()];
    let tags = [Tag::of("shop", TagKind::Namespace, "")];
    now(disks[0].begin("shop", &tags, Some(3_600 * SECOND))).unwrap();
    let mut there: HashMap<String, (Vec<u8>, Option<u64>)> = HashMap::new();
    let (mut chance, mut seconds) = (1_u64, 0);
    let mut draw = |most: u64| {
        chance = chance
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (chance >> 33) % most
    };
    for step in 0..STEPS {
        let disk = &disks[draw(2) as usize];
        let name = format!("shop::{}", draw(NAMES));
        match draw(40) {
            0..4 => {
                let value = vec![step as u8; 1 + draw(300) as usize];
                let ttl = (draw(3) == 0).then_some(5);
                let bytes = Bytes::from(value.clone());
                now(disk.set(&name, bytes, ttl.map(Duration::from_secs))).unwrap();
                there.insert(name, (value, ttl.map(|ttl| seconds + ttl)));
            }
            4 => {
                now(disk.delete(&name)).unwrap();
                there.remove(&name);
            }
            5 => {
                now(disk.expire(&name, Some(2 * SECOND))).unwrap();
                if let Some((_, end)) = there
                    .get_mut(&name)
                    .filter(|(_, end)| end.is_none_or(|end| end > seconds))
                {
                    *end = Some(seconds + 2);
                }
            }
            6 if draw(4) == 0 => {
                hands.advance(SECOND);
                seconds += 1;
            }
            _ => {
                let known = there
                    .get(&name)
                    .filter(|(_, end)| end.is_none_or(|end| end > seconds));
                let known = known.map(|(value, _)| value.clone());
                assert_eq!(read(disk, &name, &tags), known, "{name} at step {step}");
            }
        }
    }
}

#[test]
fn what_is_set_under_recalled_stamps_is_no_older_than_they_say() {
    let directory = tempfile::tempdir().unwrap();
    let hands = Hands::new();
    let open = || Disk::open_by(Config::new(directory.path()), Arc::clone(&hands) as _).unwrap();
    let (one, other) = (open(), open());
    let tags = [Tag::of("shop", TagKind::Namespace, "")];
    let keep = Some(60 * SECOND);
    assert_eq!(one.recall("shop", &tags, keep), None, "nothing was read");
    // The first makes the markers, the second reads them.
    now(one.begin("shop", &tags, keep)).unwrap();
    let began = now(one.begin("shop", &tags, keep)).unwrap();
    let stamps = one.recall("shop", &tags, keep).unwrap();
    assert_eq!(stamps, began.shards);
    let computed = |stamps| Computed {
        name: "shop::a",
        namespace: "shop",
        bytes: Bytes::from("new"),
        ttl: keep,
        token: None,
        stamps,
        tags: &tags,
    };
    let heard = now(other.messages(other.change())).unwrap().up_to;
    let set = now(one.set_under(computed(&stamps))).unwrap();
    assert_eq!(set, Settled::Stored);
    assert_eq!(read(&other, "shop::a", &tags), Some(b"new".to_vec()));
    let told = now(other.messages(heard)).unwrap().messages;
    assert_eq!(told, [Message::Key("shop::a".into())]);

    now(other.invalidate("shop", &tags)).unwrap();
    now(other.set("shop::a", Bytes::from("newer"), keep)).unwrap();
    let set = now(one.set_under(computed(&stamps))).unwrap();
    assert_eq!(set, Settled::Overtaken);
    assert_eq!(read(&other, "shop::a", &tags), Some(b"newer".to_vec()));
    let further = [tags[0], Tag::of("shop", TagKind::Tag, "t")];
    assert_eq!(one.recall("shop", &further, keep), None, "other tags");
    hands.advance(3_600 * SECOND);
    assert_eq!(one.recall("shop", &tags, keep), None, "their markers end");
}
