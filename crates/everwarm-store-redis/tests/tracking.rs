//! Hearing by the server's own word on its keys: what other programs do is heard, and a server that refuses is heard by messages.

mod support;

use std::time::Duration;

use everwarm_core::store::{Bytes, Message, Messages, Notify, Store};
use everwarm_store_redis::{Address, Config, Credentials, Hear, Place, Redis};
use support::cluster::{ask, cluster, connection, key_with, masters, spread};
use support::{config, until, wait};

const PLAIN: &str = "EVERWARM_TEST_REDIS";
const SENTINEL: &str = "EVERWARM_TEST_REDIS_SENTINEL";
const REFUSED: &str = "everwarm-untracked";
const KILLED: &str = "everwarm-killed";

/// A handle that tracks, one that another process has, and a namespace of their own.
struct Two {
    one: Redis,
    other: Redis,
    space: String,
}

impl Two {
    fn of(config: Config, test: &str) -> Self {
        let space = format!("tracking-{test}-{}", std::process::id());
        Self::in_space(config, space)
    }

    fn in_space(config: Config, space: String) -> Self {
        let open = |hear| {
            let config = Config {
                hear,
                ..config.clone()
            };
            Redis::open(config).expect("nothing is connected yet")
        };
        let two = Self {
            one: open(Hear::Tracking),
            other: open(Hear::Messages),
            space,
        };
        wait(two.one.get(&two.name("asked"))).expect("an answer");
        until("everything is heard", || two.one.silence() < Duration::MAX);
        two
    }

    fn name(&self, text: &str) -> String {
        format!("{}:{text}", self.space)
    }

    fn heard(&self, after: u64) -> Messages {
        wait(self.one.messages(after)).expect("what was heard is here")
    }

    /// Waits until a change of a name is heard; whether there was a gap before it.
    fn hears(&self, text: &str, mut after: u64) -> bool {
        let (message, mut gap) = (Message::Key(self.name(text).into()), false);
        until("a change is heard", || {
            let heard = self.heard(after);
            after = heard.up_to;
            gap |= heard.gap;
            heard.messages.contains(&message)
        });
        gap
    }
}

/// Asks the server itself, as other programs do.
fn admin() -> redis::Connection {
    let url = support::url(PLAIN).expect("a URL");
    let client = redis::Client::open(url).expect("a URL");
    client.get_connection().expect("a server")
}

/// A user of the server who may do all but what a last rule says.
fn user(name: &str, rule: &str) -> Credentials {
    user_at(&mut admin(), name, rule)
}

fn user_at(server: &mut redis::Connection, name: &str, rule: &str) -> Credentials {
    let mut user = redis::cmd("ACL");
    user.arg("SETUSER").arg(name);
    user.arg(&["on", ">secret", "~*", "&*", "+@all", rule]);
    user.exec(server).expect("an answer");
    Credentials {
        user: Some(name.to_owned()),
        password: "secret".to_owned(),
    }
}

fn key_of(admin: &mut redis::Connection, name: &str) -> String {
    let keys: Vec<String> = redis::cmd("KEYS")
        .arg(format!("*e:{name}"))
        .query(admin)
        .expect("an answer");
    keys.into_iter().next().expect("the key of the entry")
}

#[test]
fn what_another_program_does_is_heard() {
    let Some(config) = config(PLAIN) else { return };
    let two = Two::of(config, "deleted");
    assert_eq!(two.one.way(), Some("tracking"));
    assert_eq!(two.other.way(), Some("messages"));
    let name = two.name("a");
    wait(two.other.set(&name, Bytes::from("value"), None)).expect("an answer");
    let mut admin = admin();
    let key = key_of(&mut admin, &name);
    two.hears("a", 0);
    // What a set was told by comes twice: by its message, and as a key.
    std::thread::sleep(Duration::from_millis(200));
    for (verb, rest) in [("SET", "x"), ("PEXPIRE", "100000"), ("DEL", "another key")] {
        let after = two.heard(0).up_to;
        let command = redis::cmd(verb).arg(&key).arg(rest).to_owned();
        command.exec(&mut admin).expect("an answer");
        assert!(
            !two.hears("a", after),
            "{verb}, and nothing else was missed"
        );
    }
}

#[test]
fn invalidations_and_clears_are_heard_as_ever() {
    let Some(config) = config(PLAIN) else { return };
    let two = Two::of(config, "cleared");
    let after = two.heard(0).up_to;
    wait(two.other.clear(&two.name(""))).expect("an answer");
    let cleared = Message::Clear(two.name("").into());
    until("a clear is heard", || {
        two.heard(after).messages.contains(&cleared)
    });
}

#[test]
fn a_lost_connection_is_a_gap_and_is_replaced_by_one_that_tracks() {
    let Some(mut config) = config(PLAIN) else {
        return;
    };
    // By its user, since others listen to the same server.
    config.credentials = Some(user(KILLED, "+@all"));
    let two = Two::of(config, "killed");
    let after = two.heard(0).up_to;
    let mut admin = admin();
    let mut kill = redis::cmd("CLIENT");
    kill.arg("KILL").arg("TYPE").arg("pubsub");
    kill.arg("USER").arg(KILLED);
    let killed: u64 = kill.query(&mut admin).expect("an answer");
    assert!(killed >= 1);
    until("a gap is told", || two.heard(after).gap);
    until("everything is heard again", || {
        two.one.silence() < Duration::MAX
    });
    let name = two.name("a");
    wait(two.other.set(&name, Bytes::from("value"), None)).expect("an answer");
    let key = key_of(&mut admin, &name);
    until("changes come again", || {
        let after = two.heard(0).up_to;
        redis::cmd("SET")
            .arg(&key)
            .arg("x")
            .exec(&mut admin)
            .expect("an answer");
        std::thread::sleep(Duration::from_millis(50));
        let changed = Message::Key(name.as_str().into());
        two.heard(after).messages.contains(&changed)
    });
}

#[test]
fn the_master_that_sentinels_name_tracks_too() {
    let Some(config) = config(SENTINEL) else {
        return;
    };
    let two = Two::of(config, "sentinel");
    assert_eq!(two.one.way(), Some("tracking"));
}

#[test]
fn a_server_that_refuses_is_heard_by_messages() {
    let Some(mut config) = config(PLAIN) else {
        return;
    };
    assert!(matches!(config.place, Place::Server(_)));
    config.credentials = Some(user(REFUSED, "-client|tracking"));
    let two = Two::of(config, "refused");
    assert_eq!(two.one.way(), Some("messages"));
    let (message, mut after) = (Message::Key(two.name("a").into()), 0);
    // Readings confirm what is known before messages are listened to, so that the first sets may be a gap.
    until("a change is told", || {
        wait(two.other.set(&two.name("a"), Bytes::from("value"), None)).expect("an answer");
        let heard = two.heard(after);
        after = heard.up_to;
        heard.messages.contains(&message)
    });
}

/// The numbers of a user's connections at a server that are told of changes of keys, or, if so, of messages.
fn listening(server: &Address, user: &str, is_told: bool) -> Vec<String> {
    let clients: String = ask(&mut connection(server), &["CLIENT", "LIST"]).expect("an answer");
    let word = |line: &str, name: &str| {
        let mut words = line.split(' ');
        words.find_map(|word| Some(word.strip_prefix(name)?.to_owned()))
    };
    let theirs = clients.lines().filter(|line| {
        let flags = word(line, "flags=").unwrap_or_default();
        word(line, "user=").as_deref() == Some(user)
            && flags.contains('B')
            && flags.contains('P') == is_told
    });
    theirs.filter_map(|line| word(line, "id=")).collect()
}

/// The cluster, as a user of this name.
fn cluster_as(user: &str) -> Option<(Config, Vec<Address>)> {
    let (mut config, servers) = cluster()?;
    for server in &servers {
        config.credentials = Some(user_at(&mut connection(server), user, "+@all"));
    }
    Some((config, servers))
}

#[test]
fn each_master_of_a_cluster_tells_of_its_own_keys() {
    let Some((config, servers)) = cluster() else {
        return;
    };
    let masters = masters(&servers[0]);
    assert_eq!(masters.len(), 3);
    let two = Two::in_space(config, spread("tracking-each", &masters));
    until("it is tracked", || two.one.way() == Some("tracking"));
    assert_eq!(two.other.way(), Some("messages"));
    for (at, (master, _)) in masters.iter().enumerate() {
        let text = at.to_string();
        let key = key_with(master, (&two.space, &text)).expect("a shard of the namespace");
        let mut server = connection(master);
        until("changes come", || {
            let after = two.heard(0).up_to;
            ask::<()>(&mut server, &["SET", &key, "x", "PX", "60000"]).expect("an answer");
            std::thread::sleep(Duration::from_millis(50));
            let changed = Message::Key(two.name(&text).into());
            two.heard(after).messages.contains(&changed)
        });
        // What is told of the first sets may still be on its way.
        std::thread::sleep(Duration::from_millis(200));
        for words in [&["PEXPIRE", &key, "100000"][..], &["DEL", &key]] {
            let after = two.heard(0).up_to;
            ask::<u64>(&mut server, words).expect("an answer");
            let gap = two.hears(&text, after);
            assert!(!gap, "{words:?}, and nothing else was missed");
        }
    }
    // Messages are told by one of them, once.
    let after = two.heard(0).up_to;
    wait(two.other.clear(&two.name(""))).expect("an answer");
    let cleared = Message::Clear(two.name("").into());
    until("a clear is heard", || {
        two.heard(after).messages.contains(&cleared)
    });
}

#[test]
fn a_lost_connection_to_any_master_of_a_cluster_is_a_gap() {
    let Some((config, servers)) = cluster_as(KILLED) else {
        return;
    };
    let masters = masters(&servers[0]);
    let two = Two::in_space(config, spread("tracking-cut", &masters));
    for (master, _) in &masters {
        let mut numbers = Vec::new();
        until("the masters track", || {
            let all = masters.iter().map(|(master, _)| {
                let told = listening(master, KILLED, true);
                told.into_iter().chain(listening(master, KILLED, false))
            });
            all.map(Iterator::count).sum::<usize>() == 3
        });
        until("it is tracked, and no gap is on its way", || {
            let after = two.heard(0).up_to;
            std::thread::sleep(Duration::from_millis(200));
            numbers = listening(master, KILLED, false);
            numbers.extend(listening(master, KILLED, true));
            numbers.len() == 1 && !two.heard(after).gap
        });
        let after = two.heard(0).up_to;
        let mut server = connection(master);
        let kill = ["CLIENT", "KILL", "ID", &numbers[0]];
        assert_eq!(ask::<u64>(&mut server, &kill).expect("an answer"), 1);
        until("a gap is told", || two.heard(after).gap);
        let key = key_with(master, (&two.space, "a")).expect("a shard of the namespace");
        until("changes come again", || {
            let after = two.heard(0).up_to;
            ask::<()>(&mut server, &["SET", &key, "x", "PX", "60000"]).expect("an answer");
            std::thread::sleep(Duration::from_millis(50));
            let changed = Message::Key(two.name("a").into());
            two.heard(after).messages.contains(&changed)
        });
    }
}

#[test]
fn where_one_master_refuses_all_are_heard_by_messages() {
    let Some((config, servers)) = cluster_as(REFUSED) else {
        return;
    };
    let masters = masters(&servers[0]);
    let mut refuses = connection(&masters[0].0);
    user_at(&mut refuses, REFUSED, "-client|tracking");
    let two = Two::in_space(config, spread("tracking-refused", &masters));
    let message = Message::Key(two.name("a").into());
    let is_told = || {
        let after = two.heard(0).up_to;
        wait(two.other.set(&two.name("a"), Bytes::from("value"), None)).expect("an answer");
        std::thread::sleep(Duration::from_millis(50));
        two.heard(after).messages.contains(&message)
    };
    until("a change is told", is_told);
    assert_eq!(two.one.way(), Some("messages"));
    let tracked = |(master, _): &(Address, String)| listening(master, REFUSED, false).len();
    assert_eq!(masters.iter().map(tracked).sum::<usize>(), 0);
    // What is allowed is tried when a connection is made anew.
    user_at(&mut refuses, REFUSED, "+client|tracking");
    for (master, _) in &masters {
        let kill = ["CLIENT", "KILL", "TYPE", "pubsub", "USER", REFUSED];
        ask::<u64>(&mut connection(master), &kill).expect("an answer");
    }
    until("all are tracked", || {
        two.one.way() == Some("tracking") && masters.iter().map(tracked).sum::<usize>() == 2
    });
    until("a change is told", is_told);
}
