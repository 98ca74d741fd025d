//! Masters that change, slots that move, and a server on a socket of this machine.

mod support;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use everwarm_core::store::{Bytes, Entry, FailureKind, Store};
use everwarm_store_redis::{Address, Config, Place, Redis};
use redis::{Connection, FromRedisValue, cmd};
use support::{Way, config, until, wait};

const SENTINEL: &str = "EVERWARM_TEST_REDIS_SENTINEL";
const CLUSTER: &str = "EVERWARM_TEST_REDIS_CLUSTER";

fn connection(address: &Address) -> Connection {
    let client = redis::Client::open(format!("redis://{address}/")).expect("an address");
    client.get_connection().expect("a server")
}

fn ask<T: FromRedisValue>(connection: &mut Connection, words: &[&str]) -> redis::RedisResult<T> {
    let mut command = cmd(words[0]);
    command.arg(&words[1..]);
    command.query(connection)
}

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

/// The masters of a cluster: their addresses and numbers.
fn masters(seed: &Address) -> Vec<(Address, String)> {
    let nodes: String = ask(&mut connection(seed), &["CLUSTER", "NODES"]).unwrap();
    let masters = nodes
        .lines()
        .filter(|line| line.contains("master") && !line.contains("fail"));
    masters
        .map(|line| {
            let mut words = line.split(' ');
            let id = words.next().expect("a number").to_owned();
            let place = words.next().and_then(|place| place.split('@').next());
            let (host, port) = place
                .and_then(|place| place.rsplit_once(':'))
                .expect("a place");
            let address = Address::Tcp {
                host: host.to_owned(),
                port: port.parse().expect("a port"),
            };
            (address, id)
        })
        .collect()
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

/// The masters, once all of them agree who they are.
fn settled(seed: &Address) -> Vec<(Address, String)> {
    let mut settled = Vec::new();
    until("the masters agree", || {
        let mut told = masters(seed);
        told.sort();
        let agrees = |(other, _): &(Address, String)| {
            let mut theirs = masters(other);
            theirs.sort();
            let role: Vec<redis::Value> = ask(&mut connection(other), &["ROLE"]).unwrap();
            theirs == told && role[0] == redis::Value::BulkString("master".into())
        };
        let is_settled = told.len() == 3 && told.iter().all(agrees);
        settled = told;
        is_settled
    });
    settled
}

/// The cluster, which one test at a time changes.
fn cluster() -> Option<(Config, Address, MutexGuard<'static, ()>)> {
    static ONE: Mutex<()> = Mutex::new(());
    let config = config(CLUSTER)?;
    let one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let Place::Cluster(seeds) = &config.place else {
        panic!("{CLUSTER} is a cluster");
    };
    let seed = seeds[0].clone();
    Some((config, seed, one))
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
    let nodes: String = ask(&mut connection(&seed), &["CLUSTER", "NODES"]).unwrap();
    let replica = nodes
        .lines()
        .find(|line| line.contains("slave"))
        .expect("a replica");
    let place = replica
        .split(' ')
        .nth(1)
        .and_then(|place| place.split('@').next());
    let (host, port) = place
        .and_then(|place| place.rsplit_once(':'))
        .expect("a place");
    let mut replica = connection(&Address::Tcp {
        host: host.to_owned(),
        port: port.parse().expect("a port"),
    });
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
