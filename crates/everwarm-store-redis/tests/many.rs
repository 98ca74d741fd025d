//! Many entries at once, which are what they would be one by one: on one server, and where they lie in several slots.

mod support;

use std::time::Duration;

use everwarm_core::key::prefix;
use everwarm_core::mark::{Tag, TagKind};
use everwarm_core::store::{Bytes, Entry, Generations, Store};
use everwarm_store_redis::Redis;
use support::{Way, store, wait};

/// More than are read in one step.
const COUNT: usize = 300;
const SHORT: Option<Duration> = Some(Duration::from_secs(1000));

fn filled(store: &Redis, namespace: &str) -> Vec<String> {
    let begins = prefix(&[namespace]);
    let names: Vec<String> = (0..COUNT).map(|n| format!("{begins}f::{n}")).collect();
    let bytes: Vec<Bytes> = names.iter().map(|name| name.clone().into()).collect();
    let every_other = names.iter().zip(&bytes).step_by(2);
    let entries: Vec<Entry<'_>> = every_other
        .map(|(name, bytes)| Entry {
            name,
            bytes: bytes.clone(),
            ttl: SHORT,
        })
        .collect();
    wait(store.set_many(&entries)).expect("they are set");
    names
}

fn many_are_what_each_is(store: &Redis) {
    for way in [Way::Blocking, Way::Awaiting] {
        let namespace = format!("many{}{way:?}", std::process::id());
        let names = filled(store, &namespace);
        let tags: Vec<Tag> = (0..5)
            .map(|n| Tag::of(&namespace, TagKind::Tag, &n.to_string()))
            .collect();
        wait(store.begin(&namespace, &tags, None)).expect("they are marked");
        let asked: Vec<&str> = names.iter().map(String::as_str).collect();
        let (found, reading) = way
            .run(|| wait(store.get_many_with(&asked, &namespace, &tags)))
            .expect("an answer");
        let plain = way.run(|| wait(store.get_many(&asked))).expect("an answer");
        assert_eq!((found.len(), plain.len()), (COUNT, COUNT));
        for (at, name) in names.iter().enumerate() {
            for found in [&found[at], &plain[at]] {
                let bytes = found.as_ref().map(|found| &found.bytes[..]);
                assert_eq!(bytes, (at % 2 == 0).then_some(name.as_bytes()), "{name}");
                assert!(found.as_ref().is_none_or(|found| found.remaining <= SHORT));
            }
        }
        assert!(reading.markers.iter().all(Option::is_some));
        let read = wait(store.read(&namespace, &tags)).expect("an answer");
        let with_one = wait(store.get_with(asked[0], &namespace, &tags)).expect("an answer");
        let with_none = wait(store.get_many_with(&[], &namespace, &tags)).expect("an answer");
        assert!(with_none.0.is_empty());
        for reading in [reading, with_one.1, with_none.1] {
            assert_eq!(reading.markers, read.markers);
            // The shards of the entries come with them, too.
            assert!(read.shards.iter().all(|mark| reading.shards.contains(mark)));
        }
    }
}

#[test]
fn many_are_what_each_is_on_one_server() {
    if let Some(store) = store("EVERWARM_TEST_REDIS") {
        many_are_what_each_is(&store);
    }
}

#[test]
fn many_are_what_each_is_on_a_cluster() {
    if let Some(store) = store("EVERWARM_TEST_REDIS_CLUSTER") {
        many_are_what_each_is(&store);
    }
}
