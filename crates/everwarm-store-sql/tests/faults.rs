//! Servers that are down, come back, are frozen, refuse, are full, or lose their tables; and callers that walk away.

mod support;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Waker};
use std::thread;
use std::time::{Duration, Instant};

use everwarm_core::mark::Tag;
use everwarm_core::store::{
    Answer, Bytes, Computed, Entry, Failure, FailureKind, Grant, Settled, Store,
};
use everwarm_proxy::{Fault, Proxy};
use everwarm_store_sql::{Address, Config, Credentials, Postgres, Tls};
use support::{config, until, wait};

/// A proxy before the database, and the configuration that leads through it.
fn behind(table: &str) -> Option<(Proxy, Config)> {
    let mut config = config(table)?;
    let Some(Address::Tcp { host, port }) = config.servers.first().cloned() else {
        panic!("the tests' server listens at a port");
    };
    let proxy = Proxy::start((host.as_str(), port), 7).expect("a free port");
    config.servers = vec![Address::Tcp {
        host: "127.0.0.1".to_owned(),
        port: proxy.address().port(),
    }];
    config.connect_timeout = Duration::from_secs(1);
    Some((proxy, config))
}

fn opened(config: &Config) -> Postgres {
    Postgres::open(config.clone()).expect("a store")
}

fn set(store: &Postgres, name: &str, text: &str) -> Result<(), Failure> {
    wait(store.set(name, Bytes::copy_from_slice(text.as_bytes()), None))
}

fn text(store: &Postgres, name: &str) -> Result<Option<Bytes>, Failure> {
    Ok(wait(store.get(name))?.map(|found| found.bytes))
}

/// Begins to wait for an answer, and walks away after a moment.
fn abandon<T>(answer: Answer<'_, T>, after: Duration) {
    let mut answer = std::pin::pin!(answer);
    let polled = answer
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()));
    drop(polled);
    thread::sleep(after);
}

#[test]
fn a_server_that_is_down_is_found_when_it_comes() {
    let Some((proxy, config)) = behind("faults") else {
        return;
    };
    proxy.set(Fault::refuse());
    let store = opened(&config);
    let began = Instant::now();
    for _ in 0..20 {
        let failure = set(&store, "down", "x").expect_err("it refuses");
        assert_eq!(failure.kind, FailureKind::Transient, "{failure}");
    }
    assert!(
        began.elapsed() < Duration::from_secs(5),
        "refusals take time"
    );
    proxy.calm();
    until("it comes back", || set(&store, "down", "x").is_ok());
    assert_eq!(text(&store, "down").unwrap(), Some(Bytes::from("x")));
}

#[test]
fn a_server_that_ends_under_load_is_found_again() {
    let Some((proxy, config)) = behind("faults") else {
        return;
    };
    let store = opened(&config);
    set(&store, "load", "0").unwrap();
    let (is_over, failed) = (AtomicBool::new(false), AtomicUsize::new(0));
    let done: Vec<AtomicUsize> = (0..4).map(|_| AtomicUsize::new(0)).collect();
    thread::scope(|scope| {
        for (writer, done) in done.iter().enumerate() {
            let (store, is_over, failed) = (&store, &is_over, &failed);
            scope.spawn(move || work(store, writer, (is_over, failed, done)));
        }
        let all_go_on = || {
            let before: Vec<usize> = done
                .iter()
                .map(|done| done.load(Ordering::SeqCst))
                .collect();
            until("all writers go on", || {
                let now = done.iter().map(|done| done.load(Ordering::SeqCst));
                now.zip(&before).all(|(now, before)| now > before + 20)
            });
        };
        all_go_on();
        for _ in 0..3 {
            let before = failed.load(Ordering::SeqCst);
            proxy.set(Fault::refuse());
            proxy.disconnect();
            until("they fail", || failed.load(Ordering::SeqCst) > before);
            proxy.calm();
            all_go_on();
        }
        is_over.store(true, Ordering::SeqCst);
    });
}

/// Writes and reads a name of its own until it is over: a read gives what the last write that succeeded wrote, or one after it.
fn work(
    store: &Postgres,
    writer: usize,
    (is_over, failed, done): (&AtomicBool, &AtomicUsize, &AtomicUsize),
) {
    let name = format!("load-{writer}");
    let (mut last, mut next) = (0_u64, 1_u64);
    set(store, &name, "0").expect("it works before the first fault");
    while !is_over.load(Ordering::SeqCst) {
        let written = set(store, &name, &next.to_string());
        let read = text(store, &name);
        if written.is_ok() {
            last = next;
        }
        if let Ok(found) = &read {
            let found = found.as_ref().expect("it was never deleted");
            let seen: u64 = std::str::from_utf8(found).unwrap().parse().unwrap();
            assert!(
                (last..=next).contains(&seen),
                "{seen} is read, between {last} and {next}"
            );
        }
        next += 1;
        match (written, read) {
            (Ok(()), Ok(_)) => drop(done.fetch_add(1, Ordering::SeqCst)),
            (Err(failure), _) | (_, Err(failure)) => {
                assert_eq!(failure.kind, FailureKind::Transient, "{failure}");
                failed.fetch_add(1, Ordering::SeqCst);
                thread::sleep(Duration::from_millis(5));
            }
        }
    }
}

#[test]
fn who_walks_away_from_a_frozen_server_leaves_others_a_connection() {
    let Some((proxy, config)) = behind("faults") else {
        return;
    };
    let store = opened(&config);
    set(&store, "frozen", "before").unwrap();
    let accepted = proxy.accepted();
    // What is there already stays silent for ever, and nobody says so.
    proxy.set(Fault::half_open().down());
    abandon(store.get("frozen"), Duration::from_millis(100));
    proxy.calm();
    let began = Instant::now();
    assert_eq!(text(&store, "frozen").unwrap(), Some(Bytes::from("before")));
    assert!(began.elapsed() < Duration::from_secs(5));
    assert!(
        proxy.accepted() > accepted,
        "it was asked on the silent connection"
    );
}

#[test]
fn who_walks_away_gives_nobody_another_ones_answer() {
    let Some(mut config) = config("faults") else {
        return;
    };
    config.connections = 1;
    let store = opened(&config);
    let names: Vec<String> = (0..50).map(|n| format!("walk-{n}")).collect();
    for name in &names {
        set(&store, name, name).unwrap();
    }
    for round in 0..200 {
        let (left, next) = (&names[round % 50], &names[(round * 7 + 3) % 50]);
        match round % 3 {
            0 => abandon(store.get(left), Duration::ZERO),
            1 => abandon(store.get_many(&[left, &names[0]]), Duration::ZERO),
            _ => abandon(
                store.set("elsewhere", Bytes::from("x"), None),
                Duration::ZERO,
            ),
        }
        let found = text(&store, next).unwrap();
        assert_eq!(found, Some(Bytes::copy_from_slice(next.as_bytes())));
    }
}

#[test]
fn who_is_refused_is_told_why() {
    let Some(config) = config("faults") else {
        return;
    };
    let refused = |change: &dyn Fn(&mut Config)| {
        let mut other = config.clone();
        change(&mut other);
        let failure = wait(opened(&other).ping()).expect_err("it is refused");
        assert!(!failure.to_string().contains("hunter2"), "{failure}");
        failure.kind
    };
    let hunter = Credentials {
        user: "everwarm".to_owned(),
        password: Some("hunter2".to_owned()),
    };
    let nobody = Credentials {
        user: "everwarm".to_owned(),
        password: None,
    };
    assert_eq!(
        refused(&|config| config.credentials = Some(hunter.clone())),
        FailureKind::Authentication
    );
    assert_eq!(
        refused(&|config| config.credentials = Some(nobody.clone())),
        FailureKind::Authentication
    );
    assert_eq!(
        refused(&|config| config.database = "nowhere".to_owned()),
        FailureKind::Permanent
    );
    assert_eq!(
        refused(&|config| config.schema = Some("nowhere".to_owned())),
        FailureKind::Permanent
    );
    // The authorities of this system have not signed the server's certificate.
    assert_eq!(
        refused(&|config| config.tls = Some(Tls::default())),
        FailureKind::Authentication
    );
    let failure = refused(&|config| {
        config.table = "never_made".to_owned();
        config.make_tables = false;
    });
    assert_eq!(failure, FailureKind::Permanent);
}

#[test]
fn tables_that_a_dba_has_made_serve() {
    let Some(mut config) = config("of_a_dba") else {
        return;
    };
    let made = opened(&config);
    set(&made, "name", "value").unwrap();
    config.make_tables = false;
    assert_eq!(
        text(&opened(&config), "name").unwrap(),
        Some(Bytes::from("value"))
    );
}

#[test]
fn many_that_come_at_once_make_the_tables_once() {
    let Some(config) = config("at_once") else {
        return;
    };
    thread::scope(|scope| {
        let config = &config;
        let all: Vec<_> = (0..8)
            .map(|n| scope.spawn(move || set(&opened(config), &format!("n{n}"), "x")))
            .collect();
        for one in all {
            one.join().unwrap().unwrap();
        }
    });
    let page = opened(&config);
    let page = wait(page.scan().unwrap().page("", None, 100)).unwrap();
    assert_eq!(page.names.len(), 8);
}

#[test]
fn steps_that_stand_in_each_others_way_are_done_again() {
    const ROUNDS: usize = 60;
    let Some(config) = config("in_the_way") else {
        return;
    };
    let store = opened(&config);
    let names: Vec<String> = (0..40).map(|n| format!("n{n}")).collect();
    let forth: Vec<&str> = names.iter().map(String::as_str).collect();
    let tags = [Tag([1; 16]), Tag([2; 16])];
    thread::scope(|scope| {
        let (store, forth) = (&store, &forth);
        for writer in 0..2 {
            scope.spawn(move || {
                for round in 0..ROUNDS {
                    let bytes = Bytes::from(format!("{writer}-{round}"));
                    let entries = forth.iter().map(|&name| Entry {
                        name,
                        bytes: bytes.clone(),
                        ttl: None,
                    });
                    wait(store.set_many(&entries.collect::<Vec<_>>())).unwrap();
                }
            });
        }
        scope.spawn(move || {
            let back: Vec<&str> = forth.iter().rev().copied().collect();
            for round in 0..ROUNDS {
                match round % 2 {
                    0 => wait(store.delete_many(&back)).unwrap(),
                    _ => wait(store.clear("n")).unwrap(),
                };
            }
        });
        for computes in 0..2 {
            let generations = store.generations().unwrap();
            scope.spawn(move || {
                for round in 0..ROUNDS {
                    let begun = wait(generations.begin("n", &tags, None)).unwrap();
                    let settled = generations.settle(Computed {
                        name: forth[round % forth.len()],
                        namespace: "n",
                        bytes: Bytes::from("computed"),
                        ttl: None,
                        token: None,
                        stamps: &begun.shards,
                        tags: &tags,
                    });
                    assert_ne!(wait(settled).unwrap(), Settled::Lost);
                    if round % 10 == computes {
                        wait(generations.invalidate("n", &tags[computes..])).unwrap();
                    }
                }
            });
        }
    });
}

#[test]
fn tables_that_are_gone_are_made_again() {
    let Some(config) = config("gone") else {
        return;
    };
    let store = opened(&config);
    set(&store, "name", "value").unwrap();
    support::run(&format!("DROP FUNCTION \"{}_begin_1\"", config.table));
    let begun = store.generations().unwrap().begin("shop", &[], None);
    assert_eq!(wait(begun).unwrap_err().kind, FailureKind::Transient);
    until("it is made again", || {
        wait(store.generations().unwrap().begin("shop", &[], None)).is_ok()
    });
    drop_tables(&config);
    let failure = text(&store, "name").expect_err("the tables are gone");
    assert_eq!(failure.kind, FailureKind::Transient, "{failure}");
    until("they are made again", || {
        set(&store, "name", "again").is_ok()
    });
    assert_eq!(text(&store, "name").unwrap(), Some(Bytes::from("again")));
}

/// Drops the tables and functions, as somebody else would.
fn drop_tables(config: &Config) {
    let table = &config.table;
    let functions = ["read", "hold", "begin", "settle", "strike", "sweep"];
    let drops = functions.map(|function| format!("DROP FUNCTION \"{table}_{function}_1\";"));
    let script = format!(
        "{} DROP TABLE \"{table}\", \"{table}_shards\", \"{table}_markers\";",
        drops.concat()
    );
    support::run(&script);
}

#[test]
fn a_wait_for_a_lease_ends_when_it_does() {
    let Some(config) = config("freed") else {
        return;
    };
    let (one, other) = (opened(&config), opened(&config));
    let hour = Duration::from_secs(3_600);
    let (holds, waits) = (one.leases().unwrap(), other.leases().unwrap());
    wait(other.ping()).unwrap();
    until("the other one listens", || {
        other.notify().unwrap().silence() < Duration::MAX
    });
    for (n, end) in ["release", "set_leased", "set", "delete", "clear"]
        .into_iter()
        .enumerate()
    {
        let name = format!("shop:n{n}");
        wait(holds.lease(&name, 1, hour)).unwrap();
        let freed = waits.freed(&name).expect("the store is told");
        wait(waits.lease(&name, 2, hour)).unwrap();
        let ended = match end {
            "release" => wait(holds.release(&name, 1)).map(drop),
            "set_leased" => wait(holds.set_leased(&name, 1, Bytes::from("x"), None)).map(drop),
            "set" => set(&one, &name, "x"),
            "delete" => wait(one.delete(&name)).map(drop),
            _ => wait(one.clear("shop:")).map(drop),
        };
        ended.unwrap();
        let began = Instant::now();
        let freed = Answer::later(async move {
            freed.await;
            Ok(())
        });
        wait(freed).unwrap();
        assert!(
            began.elapsed() < Duration::from_secs(5),
            "{end} was not told"
        );
        let grant = wait(waits.lease(&name, 2, hour)).unwrap();
        assert_eq!(grant, Grant::Granted, "after a {end}");
    }
}

#[test]
fn a_connection_that_is_lost_is_a_gap_for_who_listens() {
    let Some((proxy, config)) = behind("gap") else {
        return;
    };
    let (store, mut near) = (opened(&config), config.clone());
    near.servers = support::config("gap").unwrap().servers;
    let other = opened(&near);
    let listens = store.notify().unwrap();
    wait(store.ping()).unwrap();
    until("it listens", || listens.silence() < Duration::MAX);
    let mut after = wait(listens.messages(0)).unwrap().up_to;
    set(&other, "shop:a", "x").unwrap();
    until("it hears", || listens.change() != after);
    let heard = wait(listens.messages(after)).unwrap();
    assert!(!heard.gap && heard.messages.len() == 1, "{heard:?}");
    after = heard.up_to;
    proxy.set(Fault::refuse());
    proxy.disconnect();
    until("it knows that it hears nothing", || {
        listens.silence() == Duration::MAX
    });
    set(&other, "shop:b", "x").unwrap();
    proxy.calm();
    until("it listens again", || {
        listens.silence() < Duration::from_secs(2)
    });
    assert!(wait(listens.messages(after)).unwrap().gap);
}

#[test]
fn what_has_expired_is_swept_without_being_asked_for() {
    let Some(mut config) = config("swept") else {
        return;
    };
    config.sweep_every = Some(Duration::from_millis(50));
    let store = opened(&config);
    for n in 0..20 {
        let ttl = Some(Duration::from_millis(10));
        wait(store.set(&format!("n{n}"), Bytes::from("x"), ttl)).unwrap();
    }
    set(&store, "stays", "x").unwrap();
    let table = &config.table;
    let rows = || support::number(&format!("SELECT count(*) FROM \"{table}\""));
    until("they are swept", || rows() == 1);
    assert_eq!(wait(store.sweep()).unwrap(), 0);
}
