//! What somebody else wrote in the place of a shard, a marker or a lease: it is said once, taken away, and brings nothing back.

mod support;

use std::time::Duration;

use everwarm_core::mark::{Mark, Tag, TagKind, valid};
use everwarm_core::store::{
    Bytes, Computed, Condition, Entry, Failure, FailureKind, Generations, Leases, Store,
};
use everwarm_store_redis::{Place, Redis};
use support::{url, wait};

const PLAIN: &str = "EVERWARM_TEST_REDIS";
const CLUSTER: &str = "EVERWARM_TEST_REDIS_CLUSTER";
const SECOND: Duration = Duration::from_secs(1);

/// A namespace with one tag and one name.
struct World {
    store: Redis,
    admin: redis::Connection,
    space: String,
    name: String,
    tag: Tag,
}

impl World {
    fn new(test: &str) -> Option<Self> {
        let client = redis::Client::open(url(PLAIN)?).expect("a URL");
        let space = format!("mend-{test}-{}", std::process::id());
        Some(Self {
            store: support::store(PLAIN)?,
            admin: client.get_connection().expect("a server"),
            name: format!("{space}:a"),
            tag: Tag::of(&space, TagKind::Tag, "t"),
            space,
        })
    }

    fn key(&self, letter: char) -> String {
        let space = &self.space;
        let rest = match letter {
            's' => String::new(),
            'm' => format!("{:032x}", u128::from_be_bytes(self.tag.0)),
            _ => "a".to_owned(),
        };
        format!("ew{{{space}.0}}{letter}:{space}:{rest}")
    }

    /// Writes something else in the place of a key of ours.
    fn spoil(&mut self, letter: char, words: &[&str]) {
        let key = self.key(letter);
        redis::cmd("DEL").arg(&key).exec(&mut self.admin).unwrap();
        let mut spoil = redis::cmd(words[0]);
        spoil.arg(&key).arg(&words[1..]);
        spoil.exec(&mut self.admin).unwrap();
    }

    fn begin(&self) -> Result<Vec<Mark>, Failure> {
        let generations: &dyn Generations = &self.store;
        Ok(wait(generations.begin(&self.space, &[self.tag], None))?.shards)
    }

    fn settle(&self, stamps: &[Mark]) -> Result<(), Failure> {
        let tags = [self.tag];
        let computed = Computed {
            name: &self.name,
            namespace: &self.space,
            bytes: Bytes::from_static(b"computed"),
            ttl: None,
            token: None,
            stamps,
            tags: &tags,
        };
        let generations: &dyn Generations = &self.store;
        wait(generations.settle_many(std::slice::from_ref(&computed))).map(drop)?;
        wait(generations.settle(computed)).map(drop)
    }

    /// Asks one verb.
    fn ask(&self, verb: &str) -> Result<(), Failure> {
        let (store, name, tags) = (&self.store, &*self.name, [self.tag]);
        let (generations, leases): (&dyn Generations, &dyn Leases) = (store, store);
        let (names, bytes) = ([name], Bytes::from_static(b"1"));
        let entries = [Entry {
            name,
            bytes: bytes.clone(),
            ttl: None,
        }];
        match verb {
            "begin" => self.begin().map(drop),
            "read" => wait(generations.read(&self.space, &tags)).map(drop),
            "get_with" => wait(generations.get_with(name, &self.space, &tags)).map(drop),
            "get_many_with" => {
                wait(generations.get_many_with(&names, &self.space, &tags)).map(drop)
            }
            "invalidate" => wait(generations.invalidate(&self.space, &tags)).map(drop),
            "settle" => self.settle(&[]),
            "set" => wait(store.set(name, bytes, None)),
            "set_many" => wait(store.set_many(&entries)),
            "delete" => wait(store.delete(name)).map(drop),
            "clear" => wait(store.clear(&format!("{}:", self.space))).map(drop),
            "incr" => {
                // There is nothing else to count on.
                drop(wait(store.delete(name)));
                wait(store.counters().unwrap().incr(name, 1, 0, None)).map(drop)
            }
            "set_if" => {
                let conditional = store.conditional().unwrap();
                wait(conditional.set_if(name, bytes, None, Condition::Present)).map(drop)
            }
            "lease" => wait(leases.lease(name, 7, SECOND)).map(drop),
            "release" => wait(leases.release(name, 7)).map(drop),
            _ => unreachable!("{verb}"),
        }
    }
}

const VERBS: [&str; 14] = [
    "begin",
    "read",
    "get_with",
    "get_many_with",
    "invalidate",
    "settle",
    "set",
    "set_many",
    "delete",
    "clear",
    "incr",
    "set_if",
    "lease",
    "release",
];

#[test]
fn what_others_wrote_in_place_of_our_keys_fails_one_call_at_most() {
    let Some(mut world) = World::new("once") else {
        return;
    };
    let mut said = Vec::new();
    for (letter, words) in [
        ('s', &["SET", "x"][..]),
        ('s', &["RPUSH", "x"]),
        ('s', &["SET", "99999999999999999999 1 x"]),
        ('s', &["HSET", "e", "x"]),
        ('m', &["SET", "x"]),
        ('m', &["RPUSH", "x"]),
        ('l', &["RPUSH", "x"]),
        ('l', &["HSET", "x", "y"]),
    ] {
        for verb in VERBS {
            world.begin().unwrap();
            world.ask("set").unwrap();
            if letter == 'l' {
                redis::cmd("DEL")
                    .arg(world.key('l'))
                    .exec(&mut world.admin)
                    .unwrap();
            }
            world.spoil(letter, words);
            let first = world.ask(verb);
            if let Err(failure) = &first {
                assert_eq!(failure.kind, FailureKind::Corruption, "{verb}: {failure}");
                said.push((letter, words[0], verb));
            }
            for _ in 0..2 {
                assert_eq!(world.ask(verb), Ok(()), "{verb} after {letter} {words:?}");
            }
            // Another may be the first that has to look at it.
            let _ = VERBS.map(|verb| world.ask(verb));
            assert!(
                VERBS.iter().all(|verb| world.ask(verb).is_ok()),
                "{letter} {words:?}"
            );
        }
    }
    // One of them may have been met by the look twice a second.
    for asked in [
        "begin",
        "read",
        "get_with",
        "get_many_with",
        "invalidate",
        "set",
        "delete",
    ] {
        let of_shard = |(letter, _, verb): &&(char, &str, &str)| *letter == 's' && *verb == asked;
        assert!(
            said.iter().filter(of_shard).count() >= 1,
            "{asked}: {said:?}"
        );
    }
    for (letter, asked) in [
        ('m', "begin"),
        ('m', "invalidate"),
        ('l', "lease"),
        ('l', "set"),
    ] {
        let is_it = |(of, _, verb): &(char, &str, &str)| *of == letter && *verb == asked;
        assert!(said.iter().any(is_it), "{letter} {asked}: {said:?}");
    }
}

#[test]
fn a_shard_that_was_overwritten_brings_nothing_back() {
    let Some(mut world) = World::new("anew") else {
        return;
    };
    for words in [&["SET", "x"][..], &["HSET", "e", "x"]] {
        let before = world.begin().unwrap();
        world.settle(&before).unwrap();
        let stamps = world.begin().unwrap();
        wait(Generations::invalidate(
            &world.store,
            &world.space,
            &[world.tag],
        ))
        .unwrap();
        world.spoil('s', words);
        drop(world.begin());
        let after = world.begin().unwrap();
        assert_ne!(after[0].epoch, before[0].epoch, "another epoch");
        let read = || {
            wait(Generations::get_with(
                &world.store,
                &world.name,
                &world.space,
                &[world.tag],
            ))
        };
        let (_, reading) = read().unwrap();
        for old in [&before, &stamps] {
            assert!(
                !valid(old, reading.markers.clone()),
                "{words:?}: {reading:?}"
            );
        }
        assert!(valid(&after, reading.markers));
    }
}

#[test]
fn on_a_cluster_each_shard_is_mended_where_it_lies() {
    let (Some(config), Some(store)) = (support::config(CLUSTER), support::store(CLUSTER)) else {
        return;
    };
    let Place::Cluster(addresses) = config.place else {
        panic!("it is a cluster");
    };
    let admins = addresses.iter().map(|address| {
        let client = redis::Client::open(format!("redis://{address}/")).expect("an address");
        client.get_connection().expect("a server")
    });
    let mut admins: Vec<_> = admins.collect();
    let space = format!("mend-cluster-{}", std::process::id());
    let tags: Vec<Tag> = (0..8)
        .map(|n| Tag::of(&space, TagKind::Tag, &n.to_string()))
        .collect();
    let begin = || wait(Generations::begin(&store, &space, &tags, None));
    begin().unwrap();
    let mut spoilt = 0;
    for shard in 0..16 {
        let key = format!("ew{{{space}.{shard:x}}}s:{space}:");
        // Those that have other slots refuse.
        let mut set = redis::cmd("SET");
        set.arg(key).arg("x");
        spoilt += admins
            .iter_mut()
            .filter_map(|admin| set.exec(admin).ok())
            .count();
    }
    assert!(spoilt > 4, "{spoilt} shards");
    drop(begin());
    assert_eq!(begin().unwrap().shards.len(), 16);
}
