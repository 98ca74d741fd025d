//! Masters that change, slots that move, and a server on a socket of this machine.

mod support;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use everwarm_core::store::{Bytes, Entry, FailureKind, Message, Notify, Store};
use everwarm_store_redis::{Address, Config, Hear, Place, Redis};
use redis::Connection;
use support::cluster::{Down, ask, connection, key_with, masters, replicas, settled, spread};
use support::{Way, config, until, wait};

const SENTINEL: &str = "EVERWARM_TEST_REDIS_SENTINEL";

fn set(store: &Redis, name: &str, text: &str) -> bool {
    match wait(store.set(name, Bytes::copy_from_slice(text.as_bytes()), None)) {
        Ok(()) => true,
        Err(failure) => {
            let kinds = [FailureKind::Transient, FailureKind::Timeout];
            assert!(kinds.contains(&failure.kind), "{failure}");
            false
        }
    }
}

fn text(store: &Redis, name: &str) -> Option<String> {
    let found = wait(store.get(name)).unwrap_or_else(|failure| panic!("{failure}"));
    found.map(|found| String::from_utf8(found.bytes.to_vec()).expect("a text"))
}

#[test]
fn a_socket_of_this_machine_is_a_place() {
    let Some(config) = config("EVERWARM_TEST_REDIS_UNIX") else {
        return;
    };
    for way in [Way::Blocking, Way::Awaiting] {
        let store = Redis::open(config.clone()).expect("nothing is connected yet");
        let name = format!("unix{}:{way:?}", std::process::id());
        way.run(|| {
            for n in 0..20 {
                assert!(set(&store, &name, &n.to_string()));
                assert_eq!(text(&store, &name), Some(n.to_string()));
            }
        });
    }
}

#[test]
fn the_master_that_takes_over_is_found() {
    let Some(mut config) = config(SENTINEL) else {
        return;
    };
    config.timeout = Duration::from_millis(500);
    let Place::Sentinel { sentinels, name } = config.place.clone() else {
        panic!("{SENTINEL} names sentinels");
    };
    let mut sentinel = connection(&sentinels[0]);
    let master = |sentinel: &mut Connection| -> (String, String) {
        ask(sentinel, &["SENTINEL", "GET-MASTER-ADDR-BY-NAME", &name]).unwrap()
    };
    for way in [Way::Blocking, Way::Awaiting] {
        let store = Redis::open(config.clone()).expect("nothing is connected yet");
        let entry = format!("sentinel{}:{way:?}", std::process::id());
        way.run(|| {
            until("the master is found", || set(&store, &entry, "before"));
            let before = master(&mut sentinel);
            until("a failover begins", || {
                ask::<String>(&mut sentinel, &["SENTINEL", "FAILOVER", &name]).is_ok()
            });
            until("another is master", || {
                set(&store, &entry, "during");
                master(&mut sentinel) != before
            });
            until("it is written to", || set(&store, &entry, "after"));
            assert_eq!(text(&store, &entry).as_deref(), Some("after"));
        });
    }
}

/// How often a server has refused steps on keys of which it has only some.
fn refusals(server: &Address) -> usize {
    let told: String = ask(&mut connection(server), &["INFO", "errorstats"]).unwrap();
    let count = told.split_once("errorstat_TRYAGAIN:count=");
    let count = count.and_then(|(_, count)| count.split(['\r', ',']).next());
    count.map_or(0, |count| count.parse().expect("a number"))
}

/// Brings all keys of a slot to another master.
fn carry(from: &mut Connection, slot: &str, to: &Address) {
    let Address::Tcp { host, port } = to else {
        panic!("{to} is no master of a cluster");
    };
    let keys: Vec<String> = ask(from, &["CLUSTER", "GETKEYSINSLOT", slot, "1000"]).unwrap();
    let port = port.to_string();
    let mut words = vec!["MIGRATE", host, &port, "", "0", "5000", "KEYS"];
    words.extend(keys.iter().map(String::as_str));
    if !keys.is_empty() {
        let _: String = ask(from, &words).unwrap();
    }
}

/// The cluster, which one test at a time changes.
fn cluster() -> Option<(Config, Address, MutexGuard<'static, ()>)> {
    static ONE: Mutex<()> = Mutex::new(());
    let (config, seeds) = support::cluster::cluster()?;
    let one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    Some((config, seeds[0].clone(), one))
}

/// The key of an entry, its slot, and which of the masters has it.
fn place_of(masters: &[(Address, String)], name: &str) -> (String, usize) {
    let pattern = format!("*e:{name}");
    for (at, (address, _)) in masters.iter().enumerate() {
        let mut keys: Vec<String> = ask(&mut connection(address), &["KEYS", &pattern]).unwrap();
        if let Some(key) = keys.pop() {
            return (key, at);
        }
    }
    panic!("no master has {name}");
}

#[test]
fn a_slot_that_moves_is_followed() {
    let Some((mut config, seed, _one)) = cluster() else {
        return;
    };
    config.timeout = Duration::from_secs(10);
    for way in [Way::Blocking, Way::Awaiting] {
        let store = Redis::open(config.clone()).expect("nothing is connected yet");
        let name = format!("moving{}:{way:?}", std::process::id());
        way.run(|| {
            assert!(set(&store, &name, "before"));
            let masters = settled(&seed);
            let (key, from) = place_of(&masters, &name);
            let to = (from + 1) % masters.len();
            let [mut old, mut new] = [from, to].map(|at| connection(&masters[at].0));
            let slot: u64 = ask(&mut old, &["CLUSTER", "KEYSLOT", &key]).unwrap();
            let slot = slot.to_string();
            assert!(wait(store.delete(&name)).unwrap());
            let moved = |connection: &mut Connection, how: &str, whom: usize| {
                let words = ["CLUSTER", "SETSLOT", &slot, how, &masters[whom].1];
                ask::<String>(connection, &words).unwrap()
            };
            // While it moves, what the old master does not have is asked of the new one.
            moved(&mut new, "IMPORTING", from);
            moved(&mut old, "MIGRATING", to);
            assert_eq!(text(&store, &name), None);
            assert!(!wait(store.touch().unwrap().expire(&name, None)).unwrap());
            // A step on two keys is refused for so long, and held back until it may be done.
            let refused = [from, to].map(|at| refusals(&masters[at].0));
            thread::scope(|scope| {
                let during = scope.spawn(|| way.run(|| set(&store, &name, "during")));
                until("it is refused", || {
                    [from, to].map(|at| refusals(&masters[at].0)) != refused
                });
                carry(&mut old, &slot, &masters[to].0);
                moved(&mut new, "NODE", to);
                moved(&mut old, "NODE", to);
                assert!(during.join().expect("no panic"));
            });
            assert_eq!(text(&store, &name).as_deref(), Some("during"));
            assert!(set(&store, &name, "after"));
            assert_eq!(text(&store, &name).as_deref(), Some("after"));
            assert_eq!(place_of(&masters, &name).1, to);
        });
    }
}

#[test]
fn a_replica_that_takes_over_is_found() {
    let Some((mut config, seed, _one)) = cluster() else {
        return;
    };
    config.timeout = Duration::from_millis(500);
    let store = Redis::open(config).expect("nothing is connected yet");
    let names: Vec<String> = (0..100)
        .map(|n| format!("takeover{}:{n}", std::process::id()))
        .collect();
    let entries: Vec<Entry<'_>> = names
        .iter()
        .map(|name| Entry {
            name,
            bytes: Bytes::copy_from_slice(name.as_bytes()),
            ttl: None,
        })
        .collect();
    until("all are written", || wait(store.set_many(&entries)).is_ok());
    let before = settled(&seed);
    let mut replicas = before.iter().flat_map(replicas);
    let mut replica = connection(&replicas.next().expect("a replica"));
    let _: String = ask(&mut replica, &["CLUSTER", "FAILOVER"]).unwrap();
    until("a replica is master", || settled(&seed) != before);
    until("all are written again", || {
        wait(store.set_many(&entries)).is_ok()
    });
    let asked: Vec<&str> = names.iter().map(String::as_str).collect();
    let found = wait(store.get_many(&asked)).unwrap_or_else(|failure| panic!("{failure}"));
    for (name, found) in names.iter().zip(found) {
        assert_eq!(found.expect("it was set").bytes, name.as_bytes());
    }
    assert_eq!(wait(store.delete_many(&asked)).unwrap(), 100);
}

/// A process that tracks, and a namespace that has shards with each master of its cluster.
struct Tracking {
    store: Redis,
    space: String,
    seed: Address,
}

impl Tracking {
    fn of(mut config: Config, (seed, test): (&Address, &str)) -> Self {
        let space = spread(test, &settled(seed));
        config.timeout = Duration::from_millis(500);
        config.hear = Hear::Tracking;
        let tracking = Self {
            store: Redis::open(config).expect("nothing is connected yet"),
            space,
            seed: seed.clone(),
        };
        until("it is asked", || {
            let asked = format!("{}:asked", tracking.space);
            wait(tracking.store.get(&asked)).is_ok()
        });
        tracking.tracks_at_all_masters();
        tracking
    }

    /// Waits until what is done at each master is heard.
    fn tracks_at_all_masters(&self) {
        for (master, _) in settled(&self.seed) {
            self.hears(&master, &self.key_with(&master));
        }
    }

    /// The key of an entry that lies with a master.
    fn key_with(&self, master: &Address) -> String {
        let key = key_with(master, (&self.space, "a"));
        key.expect("a shard of the namespace")
    }

    /// Waits until a change is heard that another program makes at a master: of those that it makes again and again, the last.
    fn hears(&self, master: &Address, key: &str) {
        let message = Message::Key(format!("{}:a", self.space).into());
        let mut server = connection(master);
        until("what is done at each master is heard", || {
            let after = self.now();
            ask::<()>(&mut server, &["SET", key, "x", "PX", "60000"]).expect("an answer");
            let is_heard = |_| {
                thread::sleep(Duration::from_millis(25));
                let heard = wait(self.store.messages(after)).expect("what was heard is here");
                heard.messages.contains(&message)
            };
            (0..4).any(is_heard)
        });
    }

    /// Up to where it has heard, for [`Tracking::misses_something`].
    fn now(&self) -> u64 {
        let heard = wait(self.store.messages(0)).expect("what was heard is here");
        heard.up_to
    }

    /// Waits for a gap.
    fn misses_something(&self, after: u64) {
        until("a gap is told", || {
            wait(self.store.messages(after))
                .expect("what was heard is here")
                .gap
        });
    }
}

/// How many connections a server tells of changes of keys.
fn tracked(server: &Address) -> usize {
    let clients: String = ask(&mut connection(server), &["CLIENT", "LIST"]).unwrap();
    let flags = clients
        .split(' ')
        .filter_map(|word| word.strip_prefix("flags="));
    flags.filter(|flags| flags.contains('B')).count()
}

#[test]
fn the_keys_of_a_replica_that_takes_over_are_tracked() {
    let Some((config, seed, _one)) = cluster() else {
        return;
    };
    let tracking = Tracking::of(config, (&seed, "takeover"));
    let before = settled(&seed);
    let with_replica = |master: &&(Address, String)| !replicas(master).is_empty();
    let former = before.iter().find(with_replica).expect("a replica");
    let replica = replicas(former).remove(0);
    assert!(tracked(&former.0) == 1 && tracked(&replica) == 0);
    let after = tracking.now();
    let _: String = ask(&mut connection(&replica), &["CLUSTER", "FAILOVER"]).unwrap();
    until("a replica is master", || settled(&seed) != before);
    tracking.misses_something(after);
    // The former master tells what is done at the new one as well, for as long as it follows it.
    until("the new one tracks, and not the old one", || {
        tracked(&replica) == 1 && tracked(&former.0) == 0
    });
    tracking.tracks_at_all_masters();
}

#[test]
fn the_keys_of_a_master_that_died_are_tracked_where_they_are_by_then() {
    let Some((config, seed, _one)) = cluster() else {
        return;
    };
    let tracking = Tracking::of(config, (&seed, "death"));
    let before = settled(&seed);
    let others = |master: &&(Address, String)| master.0 != seed && !replicas(master).is_empty();
    let dead = before.iter().find(others).expect("one beside the first");
    let after = tracking.now();
    let down = Down::of(&dead.0);
    tracking.misses_something(after);
    let is_replaced = || masters(&seed).len() == 3 && !masters(&seed).contains(dead);
    until("its replica is master", is_replaced);
    tracking.tracks_at_all_masters();
    assert_eq!(tracking.store.way(), Some("tracking"));
    drop(down);
    until("it is a replica", || {
        settled(&seed)
            .iter()
            .any(|master| replicas(master).contains(&dead.0))
    });
}

#[test]
fn what_is_done_in_a_slot_that_has_moved_is_heard() {
    let Some((config, seed, _one)) = cluster() else {
        return;
    };
    let tracking = Tracking::of(config, (&seed, "moved"));
    let masters = settled(&seed);
    let (from, to) = (&masters[0], &masters[1]);
    let key = tracking.key_with(&from.0);
    let [mut old, mut new] = [&from.0, &to.0].map(connection);
    let slot: u64 = ask(&mut old, &["CLUSTER", "KEYSLOT", &key]).unwrap();
    let slot = slot.to_string();
    let moved = |connection: &mut Connection, how: &str, whom: &str| {
        ask::<String>(connection, &["CLUSTER", "SETSLOT", &slot, how, whom]).unwrap()
    };
    moved(&mut new, "IMPORTING", &from.1);
    moved(&mut old, "MIGRATING", &to.1);
    carry(&mut old, &slot, &to.0);
    moved(&mut new, "NODE", &to.1);
    moved(&mut old, "NODE", &to.1);
    tracking.hears(&to.0, &key);
    for (master, _) in &masters {
        assert_eq!(tracked(master), 1, "{master}");
    }
}
