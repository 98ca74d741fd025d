//! Servers that are down, come back, are silent or refuse; and callers that walk away.

mod support;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Waker};
use std::thread;
use std::time::{Duration, Instant};

use everwarm_core::store::{Answer, Bytes, Failure, FailureKind, Store};
use everwarm_proxy::{Fault, Proxy};
use everwarm_store_mongodb::{Config, MongoDb};
use support::{config, until, url, wait};

/// A proxy before the server, and the configuration that leads through it.
fn behind(collection: &str) -> Option<(Proxy, Config)> {
    let url = url()?;
    let hosts = url
        .split("//")
        .nth(1)
        .and_then(|rest| rest.split('/').next());
    let (host, port) = hosts
        .and_then(|host| host.rsplit_once(':'))
        .expect("host and port");
    let proxy = Proxy::start((host, port.parse().expect("a port")), 7).expect("a free port");
    let through = url.replace(
        &format!(":{port}/"),
        &format!(":{}/", proxy.address().port()),
    );
    let mut config = Config::from_url(&through).expect("a URL");
    config.collection = format!("{collection}_{}", std::process::id());
    config.connect_timeout = Duration::from_secs(1);
    Some((proxy, config))
}

fn set(store: &MongoDb, name: &str, text: &str) -> Result<(), Failure> {
    wait(store.set(name, Bytes::copy_from_slice(text.as_bytes()), None))
}

fn text(store: &MongoDb, name: &str) -> Result<Option<Bytes>, Failure> {
    Ok(wait(store.get(name))?.map(|found| found.bytes))
}

/// Begins to wait for an answer, and walks away after a moment.
fn abandon<T>(answer: Answer<'_, T>, after: Duration) {
    let mut answer = std::pin::pin!(answer);
    let polled = answer
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()));
    thread::sleep(after);
    drop(polled);
}

#[test]
fn a_server_that_is_down_is_found_when_it_comes() {
    let Some((proxy, config)) = behind("down") else {
        return;
    };
    proxy.set(Fault::refuse());
    let store = MongoDb::open(config);
    let began = Instant::now();
    for _ in 0..20 {
        let failure = set(&store, "down", "x").expect_err("it refuses");
        assert_eq!(failure.kind, FailureKind::Transient, "{failure}");
    }
    // The driver looks for a server for a second; who asks meanwhile is refused at once.
    assert!(
        began.elapsed() < Duration::from_secs(8),
        "refusals take time"
    );
    proxy.calm();
    until("it comes back", || set(&store, "down", "x").is_ok());
    assert_eq!(text(&store, "down").unwrap(), Some(Bytes::from("x")));
}

#[test]
fn a_server_that_ends_under_load_is_found_again() {
    let Some((proxy, config)) = behind("load") else {
        return;
    };
    let store = MongoDb::open(config);
    set(&store, "load", "0").unwrap();
    let (is_over, failed) = (AtomicBool::new(false), AtomicUsize::new(0));
    let done: Vec<AtomicUsize> = (0..4).map(|_| AtomicUsize::new(0)).collect();
    thread::scope(|scope| {
        for (writer, done) in done.iter().enumerate() {
            let (store, is_over, failed) = (&store, &is_over, &failed);
            scope.spawn(move || work(store, writer, (is_over, failed, done)));
        }
        let all_go_on = || {
            let count = |done: &AtomicUsize| done.load(Ordering::SeqCst);
            let before: Vec<usize> = done.iter().map(count).collect();
            until("all writers go on", || {
                let mut both = done.iter().map(count).zip(&before);
                both.all(|(now, before)| now > before + 5)
            });
        };
        all_go_on();
        for _ in 0..2 {
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
    store: &MongoDb,
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
fn who_walks_away_from_a_silent_server_leaves_others_a_connection() {
    let Some((proxy, mut config)) = behind("silent") else {
        return;
    };
    config.connect_timeout = Duration::from_millis(500);
    let store = MongoDb::open(config);
    set(&store, "silent", "before").unwrap();
    // What is there already stays silent for ever, and nobody says so.
    proxy.set(Fault::half_open().down());
    for _ in 0..20 {
        abandon(store.get("silent"), Duration::from_millis(10));
    }
    proxy.calm();
    // Ten connections are all that it has: those that nobody waits for any more are ended.
    let began = Instant::now();
    let runtime = everwarm_runtime::handle().expect("a runtime");
    until("somebody has an answer", || {
        let limited = async {
            let asked = store.get("silent");
            tokio::time::timeout(Duration::from_millis(500), asked).await
        };
        let met = runtime.block_on(limited);
        matches!(met, Ok(Ok(Some(found))) if found.bytes == "before")
    });
    assert!(
        began.elapsed() < Duration::from_secs(8),
        "{:?}",
        began.elapsed()
    );
}

#[test]
fn who_walks_away_gives_nobody_another_ones_answer() {
    let Some(config) = config("walk") else {
        return;
    };
    let store = MongoDb::open(config);
    let names: Vec<String> = (0..20).map(|n| format!("walk-{n}")).collect();
    for name in &names {
        set(&store, name, name).unwrap();
    }
    for round in 0..200 {
        let (left, next) = (&names[round % 20], &names[(round * 7 + 3) % 20]);
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
fn what_is_too_large_is_refused_and_what_is_not_is_kept() {
    let Some(store) = support::store("large") else {
        return;
    };
    let largest = usize::try_from(store.limits().largest_value).unwrap();
    set(&store, "large", "before").unwrap();
    let beyond = wait(store.set("large", Bytes::from(vec![7; largest + 1]), None));
    assert_eq!(beyond.unwrap_err().kind, FailureKind::Capacity);
    assert_eq!(text(&store, "large").unwrap(), Some(Bytes::from("before")));
    let all = Bytes::from(vec![7; largest]);
    wait(store.set("large", all.clone(), None)).unwrap();
    assert_eq!(text(&store, "large").unwrap(), Some(all));
    let name = "n".repeat(store.limits().longest_name + 1);
    assert_eq!(
        set(&store, &name, "x").unwrap_err().kind,
        FailureKind::Capacity
    );
}

#[test]
fn what_something_else_wrote_is_no_entry_of_ours() {
    let Some(store) = support::store("strange") else {
        return;
    };
    set(&store, "ours", "value").unwrap();
    support::write(&store, "strange", |strange| {
        strange.insert("v", 7_i64);
        strange.insert("b", "a text");
    });
    assert_eq!(
        text(&store, "strange").unwrap_err().kind,
        FailureKind::Corruption
    );
    support::write(&store, "other", |other| {
        drop(other.insert("name", "somebody's own"))
    });
    assert_eq!(text(&store, "other").unwrap(), None);
    set(&store, "strange", "mended").unwrap();
    assert_eq!(
        text(&store, "strange").unwrap(),
        Some(Bytes::from("mended"))
    );
}
