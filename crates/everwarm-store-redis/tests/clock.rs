//! Reads are one command, and what is left of an entry is told by the server's clock, as the connection knows it.

mod support;

use std::thread;
use std::time::{Duration, Instant};

use everwarm_core::mark::{Tag, TagKind};
use everwarm_core::store::{Bytes, Generations, Store};
use everwarm_store_redis::{Config, Redis};
use redis::cmd;
use support::door::Door;
use support::monitor::Monitors;
use support::{Way, store, until, url, wait};

const PLAIN: &str = "EVERWARM_TEST_REDIS";
const CLUSTER: &str = "EVERWARM_TEST_REDIS_CLUSTER";
/// How long an answer is counted on from.
const COUNTS_FOR: Duration = Duration::from_secs(1);
const TTL: Duration = Duration::from_secs(1000);

fn name(test: &str, way: Way) -> String {
    format!("clock-{test}{way:?}{}:a", std::process::id())
}

fn space(name: &str) -> &str {
    name.split_once(':').expect("a namespace").0
}

fn set(store: &Redis, name: &str) {
    wait(store.set(name, Bytes::from_static(b"value"), Some(TTL))).expect("it is set");
}

fn left(store: &Redis, name: &str) -> Duration {
    let found = wait(store.get(name)).expect("an answer");
    found
        .and_then(|found| found.remaining)
        .expect("it is there")
}

fn reads_are_one_command(variable: &str) {
    let (Some(store), Some(mut servers)) = (store(variable), Monitors::of(variable)) else {
        return;
    };
    for way in [Way::Blocking, Way::Awaiting] {
        let name = name("one", way);
        let (space, names) = (space(&name), [&*name, &*name]);
        let tags = [Tag::of(space, TagKind::Function, "f")];
        let get = || drop(wait(store.get(&name)));
        let get_many = || drop(wait(store.get_many(&names)));
        let get_with = || drop(wait(store.get_with(&name, space, &tags)));
        let get_many_with = || drop(wait(store.get_many_with(&names, space, &tags)));
        let mut reads: Vec<(&str, &dyn Fn())> = vec![("GET", &get), ("MGET", &get_many)];
        if variable == PLAIN {
            // On a cluster the tag may lie with another server.
            reads.extend([("MGET", &get_with as &dyn Fn()), ("MGET", &get_many_with)]);
        }
        way.run(|| {
            set(&store, &name);
            wait(store.begin(space, &tags, None)).expect("it is marked");
            for (verb, read) in &reads {
                // An answer that takes long on a busy machine is not counted on from, and another connection may begin meanwhile.
                until("a read is one command", || {
                    read();
                    servers.asked_with(&name);
                    read();
                    let asked = servers.asked_with(&name);
                    let begins = asked.iter().any(|asked| asked == "HELLO");
                    assert!(
                        begins || asked.iter().all(|asked| asked == verb || asked == "TIME"),
                        "{asked:?}"
                    );
                    asked == [*verb]
                });
            }
            servers.asked_with(&name);
            thread::sleep(COUNTS_FOR);
            get();
            let asked = servers.asked_with(&name);
            let again = ["GET".to_owned(), "TIME".to_owned()];
            assert!(asked.ends_with(&again), "it is asked again: {asked:?}");
        });
    }
}

#[test]
fn a_read_is_one_command_on_one_server() {
    reads_are_one_command(PLAIN);
}

#[test]
fn a_read_is_one_command_on_a_cluster() {
    reads_are_one_command(CLUSTER);
}

#[test]
fn what_is_left_is_never_more_than_the_server_says_and_hardly_less() {
    let (Some(store), Some(url)) = (store(PLAIN), url(PLAIN)) else {
        return;
    };
    let client = redis::Client::open(url).expect("a URL");
    let mut admin = client.get_connection().expect("a server");
    let precision = store.limits().ttl_precision;
    for way in [Way::Blocking, Way::Awaiting] {
        let name = name("left", way);
        let mut ask = cmd("PTTL");
        ask.arg(format!("ew{{{}.0}}e:{name}", space(&name)));
        let mut pttl = || -> Duration {
            let millis: u64 = ask.query(&mut admin).expect("a ttl");
            Duration::from_millis(millis)
        };
        way.run(|| {
            set(&store, &name);
            // By an answer of this moment, and by one that is counted on from for as long as that is done.
            let began = Instant::now();
            while began.elapsed() < 2 * COUNTS_FOR {
                let before = pttl();
                let left = left(&store, &name);
                let after = pttl();
                assert!(left <= before, "{left:?} of {before:?}");
                assert!(
                    left + precision >= after,
                    "{left:?}, and {after:?} after it"
                );
                thread::sleep(Duration::from_millis(7));
            }
        });
    }
}

#[test]
fn who_is_connected_anew_asks_for_the_time() {
    let (Some(url), Some(mut servers)) = (url(PLAIN), Monitors::of(PLAIN)) else {
        return;
    };
    let door = Door::shut_before(&url);
    door.open();
    let mut config = Config::from_url(&door.url()).expect("a URL");
    config.timeout = Duration::from_secs(10);
    let store = Redis::open(config).expect("a store");
    let name = name("anew", Way::Awaiting);
    set(&store, &name);
    for _ in 0..3 {
        until("the time is known", || {
            left(&store, &name);
            servers.asked_with(&name);
            left(&store, &name);
            servers.asked_with(&name) == ["GET"]
        });
        door.cut();
        until("another connection is there", || {
            wait(store.get(&name)).is_ok()
        });
        assert!(servers.asked_with(&name).contains(&"TIME".to_owned()));
    }
}
