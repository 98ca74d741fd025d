//! Servers that are down, come back, are frozen, refuse, are full, or lose their tables; and callers that walk away.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Waker};
use std::thread;
use std::time::{Duration, Instant};

use everwarm_core::mark::Tag;
use everwarm_core::store::{
    Answer, Bytes, Computed, Entry, Failure, FailureKind, Grant, Messages, Settled, Store,
};
use everwarm_proxy::{Fault, Proxy};
use everwarm_store_sql::{Address, Config, Credentials, Kind, Mysql, Postgres, Tls};
use support::{until, wait};

/// Tables of a test's own in a database, if there is one.
type Open = fn(&str) -> Option<Config>;

/// Makes tests of each kind of database.
macro_rules! databases {
    ($($database:ident: $open:path; $($test:ident)*;)*) => {
        $(mod $database {
            $(
                #[test]
                fn $test() {
                    crate::$test($open);
                }
            )*
        })*
    };
}

databases! {
    postgres: crate::support::config;
        a_server_that_is_down_is_found_when_it_comes a_server_that_ends_under_load_is_found_again
        who_walks_away_from_a_frozen_server_leaves_others_a_connection who_walks_away_gives_nobody_another_ones_answer
        who_is_refused_is_told_why tables_that_a_dba_has_made_serve many_that_come_at_once_make_the_tables_once
        steps_that_stand_in_each_others_way_are_done_again tables_that_are_gone_are_made_again
        a_wait_for_a_lease_ends_when_it_does a_connection_that_is_lost_is_a_gap_for_who_listens
        what_has_expired_is_swept_without_being_asked_for;
    mysql: crate::support::mysql;
        a_server_that_is_down_is_found_when_it_comes a_server_that_ends_under_load_is_found_again
        who_walks_away_from_a_frozen_server_leaves_others_a_connection who_walks_away_gives_nobody_another_ones_answer
        who_is_refused_is_told_why tables_that_a_dba_has_made_serve many_that_come_at_once_make_the_tables_once
        steps_that_stand_in_each_others_way_are_done_again tables_that_are_gone_are_made_again
        what_was_told_while_a_connection_was_lost_is_heard_later messages_that_were_deleted_are_a_gap
        what_has_expired_is_swept_without_being_asked_for a_value_that_fits_no_packet_is_refused_before_it_is_sent
        a_row_that_is_held_for_long_is_transient_and_nothing_was_done who_may_read_and_write_needs_no_more;
}

/// A proxy before the database, and the configuration that leads through it.
fn behind(open: Open, table: &str) -> Option<(Proxy, Config)> {
    let mut config = open(table)?;
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

fn opened(config: &Config) -> Arc<dyn Store> {
    match config.kind {
        Kind::Postgres => Arc::new(Postgres::open(config.clone()).expect("a store")),
        Kind::Mysql => Arc::new(Mysql::open(config.clone()).expect("a store")),
    }
}

fn set(store: &dyn Store, name: &str, text: &str) -> Result<(), Failure> {
    wait(store.set(name, Bytes::copy_from_slice(text.as_bytes()), None))
}

fn text(store: &dyn Store, name: &str) -> Result<Option<Bytes>, Failure> {
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

fn a_server_that_is_down_is_found_when_it_comes(open: Open) {
    let Some((proxy, config)) = behind(open, "faults") else {
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

fn a_server_that_ends_under_load_is_found_again(open: Open) {
    let Some((proxy, config)) = behind(open, "faults") else {
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
    store: &dyn Store,
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

fn who_walks_away_from_a_frozen_server_leaves_others_a_connection(open: Open) {
    let Some((proxy, mut config)) = behind(open, "faults") else {
        return;
    };
    if config.kind == Kind::Mysql {
        // It has no other one that was there before.
        config.connections = 1;
    }
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

fn who_walks_away_gives_nobody_another_ones_answer(open: Open) {
    let Some(mut config) = open("faults") else {
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

fn who_is_refused_is_told_why(open: Open) {
    let Some(config) = open("faults") else {
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
    // To who may not look into it MySQL does not say whether a database is there.
    let elsewhere = match config.kind {
        Kind::Postgres => FailureKind::Permanent,
        Kind::Mysql => FailureKind::Authentication,
    };
    assert_eq!(
        refused(&|config| config.database = "nowhere".to_owned()),
        elsewhere
    );
    if config.kind == Kind::Postgres {
        assert_eq!(
            refused(&|config| config.schema = Some("nowhere".to_owned())),
            FailureKind::Permanent
        );
    }
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

fn tables_that_a_dba_has_made_serve(open: Open) {
    let Some(mut config) = open("of_a_dba") else {
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

fn many_that_come_at_once_make_the_tables_once(open: Open) {
    let Some(config) = open("at_once") else {
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

fn steps_that_stand_in_each_others_way_are_done_again(open: Open) {
    const ROUNDS: usize = 60;
    let Some(config) = open("in_the_way") else {
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

fn tables_that_are_gone_are_made_again(open: Open) {
    let Some(config) = open("gone") else {
        return;
    };
    let store = opened(&config);
    set(&store, "name", "value").unwrap();
    if config.kind == Kind::Postgres {
        support::run(&format!("DROP FUNCTION \"{}_begin_1\"", config.table));
        let begun = store.generations().unwrap().begin("shop", &[], None);
        assert_eq!(wait(begun).unwrap_err().kind, FailureKind::Transient);
        until("it is made again", || {
            wait(store.generations().unwrap().begin("shop", &[], None)).is_ok()
        });
    }
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
    if config.kind == Kind::Mysql {
        return support::run_mysql(&format!(
            "DROP TABLE `{table}`, `{table}_shards`, `{table}_markers`, `{table}_messages`"
        ));
    }
    let functions = ["read", "hold", "begin", "settle", "strike", "sweep"];
    let drops = functions.map(|function| format!("DROP FUNCTION \"{table}_{function}_1\";"));
    let script = format!(
        "{} DROP TABLE \"{table}\", \"{table}_shards\", \"{table}_markers\";",
        drops.concat()
    );
    support::run(&script);
}

fn a_wait_for_a_lease_ends_when_it_does(open: Open) {
    let Some(config) = open("freed") else {
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

fn a_connection_that_is_lost_is_a_gap_for_who_listens(open: Open) {
    let Some((proxy, config)) = behind(open, "gap") else {
        return;
    };
    let (store, mut near) = (opened(&config), config.clone());
    near.servers = open("gap").unwrap().servers;
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

fn what_was_told_while_a_connection_was_lost_is_heard_later(open: Open) {
    away(
        open,
        "later",
        |_| {},
        |heard| !heard.gap && heard.messages.len() == 1,
    );
}

fn messages_that_were_deleted_are_a_gap(open: Open) {
    let deleted = |config: &Config| {
        support::run_mysql(&format!("DELETE FROM `{}_messages`", config.table));
    };
    away(open, "deleted", deleted, |heard| heard.gap);
}

/// What a listener hears of what was done while it was cut off, and something else happened then.
fn away(open: Open, table: &str, then: impl Fn(&Config), is_right: impl Fn(&Messages) -> bool) {
    let Some((proxy, config)) = behind(open, table) else {
        return;
    };
    let (store, mut near) = (opened(&config), config.clone());
    near.servers = open(table).unwrap().servers;
    let other = opened(&near);
    let listens = store.notify().unwrap();
    wait(store.ping()).unwrap();
    until("it listens", || listens.silence() < Duration::MAX);
    // The very first message of all comes later, so that it is heard, too.
    let mut after = wait(listens.messages(0)).unwrap().up_to;
    set(&other, "shop:a", "x").unwrap();
    until("it hears", || listens.change() != after);
    let heard = wait(listens.messages(after)).unwrap();
    assert!(!heard.gap && heard.messages.len() == 1, "{heard:?}");
    after = heard.up_to;
    proxy.set(Fault::refuse());
    proxy.disconnect();
    until("it hears nothing", || {
        listens.silence() > Duration::from_millis(500)
    });
    set(&other, "shop:b", "x").unwrap();
    then(&near);
    proxy.calm();
    until("it hears again", || listens.change() != after);
    let heard = wait(listens.messages(after)).unwrap();
    assert!(is_right(&heard), "{heard:?}");
}

fn a_value_that_fits_no_packet_is_refused_before_it_is_sent(open: Open) {
    let Some(config) = open("large") else {
        return;
    };
    let store = opened(&config);
    wait(store.ping()).unwrap();
    let largest = usize::try_from(store.limits().largest_value).unwrap();
    // Zeros are written with an escape each.
    let zeros = Bytes::from(vec![0; largest]);
    wait(store.set("largest", zeros.clone(), None)).unwrap();
    assert!(text(&store, "largest").unwrap() == Some(zeros));
    let more = Bytes::from(vec![b'x'; largest + 1]);
    let failure = wait(store.set("more", more, None)).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Capacity, "{failure}");
    assert!(failure.hint().contains("max_allowed_packet"));
}

fn a_row_that_is_held_for_long_is_transient_and_nothing_was_done(open: Open) {
    let Some(config) = open("held") else {
        return;
    };
    let store = opened(&config);
    set(&store, "name", "before").unwrap();
    let table = &config.table;
    support::while_mysql_holds(&format!("SELECT * FROM `{table}` FOR UPDATE"), || {
        let failure = set(&store, "name", "after").unwrap_err();
        assert_eq!(failure.kind, FailureKind::Transient, "{failure}");
        assert_eq!(text(&store, "name").unwrap(), Some(Bytes::from("before")));
    });
    set(&store, "name", "after").unwrap();
    let after = support::number_mysql(&format!("SELECT MAX(number) FROM `{table}_messages`"));
    assert_eq!(after, 2, "what was undone is told of");
}

fn who_may_read_and_write_needs_no_more(open: Open) {
    let Some(config) = open("plain") else {
        return;
    };
    set(&opened(&config), "name", "x").unwrap();
    let mut plain = support::plain_mysql("plain").expect("the same server has it");
    plain.make_tables = false;
    let store = opened(&plain);
    set(&store, "name", "y").unwrap();
    let (generations, tags) = (store.generations().unwrap(), [Tag([1; 16])]);
    wait(generations.begin("n", &tags, None)).unwrap();
    wait(generations.invalidate("n", &tags)).unwrap();
    wait(store.sweep()).unwrap();
    wait(store.health().unwrap().report(true)).unwrap();
    let mut none = plain.clone();
    none.table = format!("{}_none", plain.table);
    none.make_tables = true;
    let failure = set(&opened(&none), "name", "y").unwrap_err();
    assert_eq!(failure.kind, FailureKind::Authentication, "{failure}");
}

fn what_has_expired_is_swept_without_being_asked_for(open: Open) {
    let Some(mut config) = open("swept") else {
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
    let rows = || match config.kind {
        Kind::Postgres => support::number(&format!("SELECT count(*) FROM \"{table}\"")),
        Kind::Mysql => support::number_mysql(&format!("SELECT COUNT(*) FROM `{table}`")),
    };
    until("they are swept", || rows() == 1);
    assert_eq!(wait(store.sweep()).unwrap(), 0);
}
