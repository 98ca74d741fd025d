//! Servers that are down, come back, fall silent, forget their scripts, or hold what somebody else wrote.

mod support;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use everwarm_core::store::{Answer, Bytes, Condition, Entry, Failure, FailureKind, Store};
use everwarm_store_redis::{Config, Redis, Tls};
use support::door::Door;
use support::{Way, until, url, wait};

const PLAIN: &str = "EVERWARM_TEST_REDIS";
/// How long an operation may take in these tests: longer than by default, since the machine may be busy.
const LIMIT: Duration = Duration::from_millis(300);

fn door() -> Option<(Door, Redis)> {
    door_of(LIMIT)
}

/// A door, and a store behind it whose operations may take so long.
fn door_of(limit: Duration) -> Option<(Door, Redis)> {
    let door = Door::shut_before(&url(PLAIN)?);
    let mut config = Config::from_url(&door.url()).expect("a URL");
    config.timeout = limit;
    Some((door, Redis::open(config).expect("nothing is connected yet")))
}

fn name(test: &str) -> String {
    format!("faults-{}:{test}", std::process::id())
}

fn set(store: &Redis, name: &str, text: &str) -> Result<(), Failure> {
    wait(store.set(name, Bytes::copy_from_slice(text.as_bytes()), None))
}

fn text(store: &Redis, name: &str) -> Result<Option<Bytes>, Failure> {
    Ok(wait(store.get(name))?.map(|found| found.bytes))
}

fn admin() -> Option<redis::Connection> {
    let client = redis::Client::open(url(PLAIN)?).expect("a URL");
    Some(client.get_connection().expect("a server"))
}

/// Makes a test of both ways.
macro_rules! both_ways {
    ($($(#[$note:meta])* $name:ident)*) => {
        $(mod $name {
            use super::support::Way;

            #[test]
            fn blocking() {
                super::$name(Way::Blocking);
            }

            #[test]
            fn awaiting() {
                super::$name(Way::Awaiting);
            }
        })*
    };
}

both_ways! {
    a_server_that_is_down_is_found_when_it_comes
    a_server_that_ends_under_load_is_found_again
    a_silent_connection_is_replaced
    a_lost_connection_is_replaced_before_it_is_asked
    scripts_that_were_forgotten_are_sent_again
}

fn a_server_that_is_down_is_found_when_it_comes(way: Way) {
    let Some((door, store)) = door() else {
        return;
    };
    let name = name(&format!("down-{way:?}"));
    way.run(|| {
        let began = Instant::now();
        for _ in 0..20 {
            let failure = set(&store, &name, "x").expect_err("nothing listens");
            assert_eq!(failure.kind, FailureKind::Transient, "{failure}");
            assert!(failure.is_unasked(), "{failure}");
        }
        assert!(
            began.elapsed() < Duration::from_secs(2),
            "refusals take time"
        );
        door.open();
        until("it comes back", || set(&store, &name, "x").is_ok());
        assert_eq!(text(&store, &name).unwrap(), Some(Bytes::from("x")));
    });
}

fn a_server_that_ends_under_load_is_found_again(way: Way) {
    let Some((door, store)) = door() else {
        return;
    };
    door.open();
    let is_over = AtomicBool::new(false);
    let failed = AtomicUsize::new(0);
    let done: Vec<AtomicUsize> = (0..4).map(|_| AtomicUsize::new(0)).collect();
    thread::scope(|scope| {
        for (writer, done) in done.iter().enumerate() {
            let (store, is_over, failed) = (&store, &is_over, &failed);
            scope.spawn(move || {
                way.run(|| work(store, writer, (is_over, failed, done)));
            });
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
            door.shut();
            until("they fail", || failed.load(Ordering::SeqCst) > before);
            door.open();
            all_go_on();
        }
        is_over.store(true, Ordering::SeqCst);
    });
}

/// Writes and reads names of its own until it is over: a read gives what the last write that succeeded wrote, or one after it.
fn work(
    store: &Redis,
    writer: usize,
    (is_over, failed, done): (&AtomicBool, &AtomicUsize, &AtomicUsize),
) {
    let name = name(&format!("load-{writer}-{:p}", is_over));
    let (mut last, mut next) = (0_u64, 1_u64);
    while !is_over.load(Ordering::SeqCst) {
        let began = Instant::now();
        let written = set(store, &name, &next.to_string());
        let read = text(store, &name);
        assert!(
            began.elapsed() < 2 * LIMIT + Duration::from_secs(2),
            "two operations took {:?}",
            began.elapsed()
        );
        if written.is_ok() {
            last = next;
        }
        if let Ok(Some(bytes)) = &read {
            let seen: u64 = std::str::from_utf8(bytes).unwrap().parse().unwrap();
            assert!(
                (last..=next).contains(&seen),
                "{seen} is read, between {last} and {next}"
            );
        }
        next += 1;
        match (written, read) {
            (Ok(()), Ok(_)) => drop(done.fetch_add(1, Ordering::SeqCst)),
            (Err(failure), _) | (_, Err(failure)) => {
                let kinds = [FailureKind::Transient, FailureKind::Timeout];
                assert!(kinds.contains(&failure.kind), "{failure}");
                failed.fetch_add(1, Ordering::SeqCst);
            }
        }
    }
}

fn a_silent_connection_is_replaced(way: Way) {
    let Some((door, store)) = door() else {
        return;
    };
    door.open();
    let name = name(&format!("silent-{way:?}"));
    way.run(|| {
        for _ in 0..50 {
            set(&store, &name, "before").unwrap();
        }
        door.hold();
        let began = Instant::now();
        let (mut failures, mut asked) = (0, 0);
        until("another connection answers", || {
            let written = set(&store, &name, "after");
            failures += usize::from(written.is_err());
            asked += usize::from(written.as_ref().is_err_and(|failed| !failed.is_unasked()));
            written.is_ok()
        });
        assert!(asked > 0, "what was sent may have been done");
        assert!((1..=3).contains(&failures), "{failures} operations failed");
        assert!(began.elapsed() < 4 * LIMIT + Duration::from_secs(2));
        assert_eq!(text(&store, &name).unwrap(), Some(Bytes::from("after")));
    });
}

fn a_lost_connection_is_replaced_before_it_is_asked(way: Way) {
    let Some((door, store)) = door() else {
        return;
    };
    door.open();
    let name = name(&format!("lost-{way:?}"));
    way.run(|| {
        for round in 0..5 {
            for _ in 0..20 {
                set(&store, &name, &round.to_string()).unwrap();
            }
            let before = door.passed();
            door.cut();
            // Until the ends have arrived.
            thread::sleep(Duration::from_millis(50));
            assert_eq!(
                text(&store, &name).unwrap(),
                Some(Bytes::from(round.to_string()))
            );
            assert!(door.passed() > before, "the connection was not cut");
        }
    });
}

fn scripts_that_were_forgotten_are_sent_again(way: Way) {
    let (Some(store), Some(mut admin)) = (support::store(PLAIN), admin()) else {
        return;
    };
    let name = name(&format!("scripts-{way:?}"));
    let mut forget = || {
        let forgotten: String = redis::cmd("SCRIPT").arg("FLUSH").query(&mut admin).unwrap();
        assert_eq!(forgotten, "OK");
    };
    let names: Vec<String> = (0..30).map(|n| format!("{name}-{n}")).collect();
    way.run(|| {
        set(&store, &name, "1").unwrap();
        forget();
        set(&store, &name, "2").unwrap();
        forget();
        forget();
        let large = Bytes::from(vec![7; 100_000]);
        wait(store.set(&format!("{name}-large"), large, None)).unwrap();
        assert_eq!(
            text(&store, &format!("{name}-large"))
                .unwrap()
                .unwrap()
                .len(),
            100_000
        );
        let counters = store.counters().unwrap();
        assert_eq!(wait(counters.incr(&name, 5, 0, None)).unwrap(), 7);
        forget();
        let entries: Vec<Entry<'_>> = names
            .iter()
            .map(|name| Entry {
                name,
                bytes: Bytes::copy_from_slice(name.as_bytes()),
                ttl: None,
            })
            .collect();
        wait(store.set_many(&entries)).unwrap();
        forget();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        for (name, found) in names.iter().zip(wait(store.get_many(&names)).unwrap()) {
            assert_eq!(found.unwrap().bytes, name.as_bytes());
        }
        assert_eq!(wait(store.delete_many(&names)).unwrap(), 30);
    });
}

#[test]
fn large_writes_come_to_the_same_end_and_leave_nothing_aside() {
    let (Some(store), Some(mut admin)) = (support::store(PLAIN), admin()) else {
        return;
    };
    let namespace = format!("large{}", std::process::id());
    let name = format!("{namespace}:a");
    let large = |fill: u8| Bytes::from(vec![fill; 300_000]);
    let is_there = |fill| wait(store.get(&name)).unwrap().unwrap().bytes == large(fill);
    let mut aside = || -> Vec<String> {
        let pattern = format!("ew{{{namespace}.0}}t:*");
        redis::cmd("KEYS").arg(pattern).query(&mut admin).unwrap()
    };
    let conditional = store.conditional().unwrap();
    let first = wait(conditional.set_if(&name, large(1), None, Condition::Absent)).unwrap();
    assert!(first.is_some() && is_there(1));
    let leases = store.leases().unwrap();
    wait(leases.lease(&name, 5, Duration::from_secs(60))).unwrap();
    assert!(wait(leases.set_leased(&name, 5, large(2), Some(Duration::from_secs(9)))).unwrap());
    assert!(is_there(2));
    let left = wait(store.get(&name)).unwrap().unwrap().remaining.unwrap();
    assert!(left <= Duration::from_secs(9), "{left:?} are left");
    wait(store.set(&name, large(3), None)).unwrap();
    assert!(is_there(3) && aside().is_empty(), "{:?}", aside());

    // What is refused changes nothing, and goes by itself.
    assert!(!wait(leases.set_leased(&name, 5, large(4), None)).unwrap());
    let stale = Condition::Version(first.unwrap());
    assert_eq!(
        wait(conditional.set_if(&name, large(4), None, stale)).unwrap(),
        None
    );
    assert!(is_there(3));
    let left = aside();
    assert_eq!(left.len(), 2);
    for key in &left {
        let mut admin = self::admin().unwrap();
        let left: i64 = redis::cmd("PTTL").arg(key).query(&mut admin).unwrap();
        assert!((0..=10_000).contains(&left), "{left}");
    }
    let names = wait(store.scan().unwrap().page(&namespace, None, 10))
        .unwrap()
        .names;
    assert_eq!(names, [name.as_str()]);
    assert_eq!(wait(store.clear(&namespace)).unwrap(), 1);
}

#[test]
fn the_keys_of_a_neighbour_survive_a_clear() {
    let (Some(store), Some(mut admin)) = (support::store(PLAIN), admin()) else {
        return;
    };
    let namespace = format!("clear{}", std::process::id());
    let foreign = [
        format!("{namespace}:a"),
        format!("session:{namespace}:a"),
        format!("ew{{{namespace}.0}}e"),
        format!("ew{{{namespace}.0}}x:{namespace}:a"),
        format!("ew{{{namespace}.0}}e:other{namespace}:a"),
        format!("ew{{{namespace}x.0}}e:{namespace}x:a"),
    ];
    for key in &foreign {
        redis::cmd("SET")
            .arg(key)
            .arg("theirs")
            .exec(&mut admin)
            .unwrap();
    }
    let neighbour = format!("{namespace}x:b");
    set(&store, &neighbour, "neighbour").unwrap();
    for n in 0..1_000 {
        set(&store, &format!("{namespace}:{n}"), "ours").unwrap();
    }
    assert_eq!(wait(store.clear(&format!("{namespace}:"))).unwrap(), 1_000);
    assert_eq!(text(&store, &format!("{namespace}:7")).unwrap(), None);
    assert_eq!(
        text(&store, &neighbour).unwrap(),
        Some(Bytes::from("neighbour"))
    );
    for key in &foreign {
        let left: Option<String> = redis::cmd("GETDEL").arg(key).query(&mut admin).unwrap();
        assert_eq!(left.as_deref(), Some("theirs"), "{key}");
    }
    assert_eq!(wait(store.clear(&namespace)).unwrap(), 1);
}

#[test]
fn what_others_wrote_is_damage_and_not_a_value() {
    let (Some(store), Some(mut admin)) = (support::store(PLAIN), admin()) else {
        return;
    };
    let namespace = format!("foreign{}", std::process::id());
    for (n, bytes) in [
        &b""[..],
        b"E",
        b"theirs",
        b"x1234567812345678",
        b"E123456781234567",
    ]
    .iter()
    .enumerate()
    {
        let name = format!("{namespace}:{n}");
        let key = format!("ew{{{namespace}.0}}e:{name}");
        redis::cmd("SET")
            .arg(&key)
            .arg(*bytes)
            .arg("PX")
            .arg(60_000)
            .exec(&mut admin)
            .unwrap();
        let failure = text(&store, &name).expect_err("no store wrote it");
        assert_eq!(failure.kind, FailureKind::Corruption, "{bytes:?}");
        set(&store, &name, "ours").unwrap();
        assert_eq!(text(&store, &name).unwrap(), Some(Bytes::from("ours")));
    }
    let list = format!("{namespace}:list");
    let key = format!("ew{{{namespace}.0}}e:{list}");
    redis::cmd("RPUSH")
        .arg(&key)
        .arg("theirs")
        .exec(&mut admin)
        .unwrap();
    let failure = text(&store, &list).expect_err("it is a list");
    assert_eq!(failure.kind, FailureKind::Corruption);
    wait(store.clear(&namespace)).unwrap();
}

#[test]
fn who_may_block_has_the_answer_at_once() {
    let Some(store) = support::store(PLAIN) else {
        return;
    };
    let name = name("at-once");
    let is_there_at_once = || {
        everwarm_runtime::waiting(|| {
            let mut answer = std::pin::pin!(store.get(&name));
            let polled = answer
                .as_mut()
                .poll(&mut Context::from_waker(Waker::noop()));
            match polled {
                Poll::Ready(found) => found.is_ok(),
                Poll::Pending => wait_pinned(answer),
            }
        })
    };
    // The first asks over the connection that is made first.
    until("a connection for threads is there", is_there_at_once);
    // A busy machine may keep the server from answering in time now and then.
    let at_once = (0..100).filter(|_| is_there_at_once()).count();
    assert!(at_once >= 90, "{at_once} of 100");
}

/// Waits for what was polled already; false, since it was not there at once.
fn wait_pinned<T>(answer: std::pin::Pin<&mut everwarm_core::store::Answer<'_, T>>) -> bool {
    let _ = support::on_runtime(answer);
    false
}

#[test]
fn who_waits_for_a_silent_server_looks_around_and_may_walk_away() {
    let limit = Duration::from_secs(20);
    let Some((door, store)) = door_of(limit) else {
        return;
    };
    door.open();
    let name = name("walks-away");
    let is_there_at_once =
        || everwarm_runtime::waiting(|| matches!(store.get(&name), Answer::Now(Ok(_))));
    until("a connection for threads is there", is_there_at_once);
    let before = door.ended();
    let mut began = Instant::now();
    // A second connection may have been made meanwhile: it falls silent as well, and somebody else asks.
    until("its connection is silent", || {
        door.hold();
        began = Instant::now();
        everwarm_runtime::waiting(|| {
            let mut answer = std::pin::pin!(store.get(&name));
            let mut context = Context::from_waker(Waker::noop());
            (0..3).all(|_| answer.as_mut().poll(&mut context).is_pending())
        })
    });
    assert!(began.elapsed() < limit / 4);
    until("nobody asks on its connection any more", || {
        door.ended() > before
    });
}

#[test]
fn a_server_that_nobody_vouches_for_is_not_trusted() {
    let Some(mut config) = support::config("EVERWARM_TEST_REDIS_TLS") else {
        return;
    };
    // Those of the system, if it has any, know nothing of the servers of tests.
    config.tls = Some(Tls::default());
    let kind = match Redis::open(config) {
        Ok(store) => {
            set(&store, &name("trust"), "x")
                .expect_err("it is a stranger")
                .kind
        }
        Err(failure) => failure.kind,
    };
    assert!(
        [FailureKind::Authentication, FailureKind::Permanent].contains(&kind),
        "{kind:?}"
    );
}

#[test]
fn a_wrong_password_is_said_and_not_shown() {
    let Some(url) = url(PLAIN) else {
        return;
    };
    let url = url.replace("redis://", "redis://nobody:hunter2@");
    let store = Redis::open(Config::from_url(&url).unwrap()).unwrap();
    let failure = set(&store, &name("password"), "x").expect_err("there is no such user");
    assert_eq!(failure.kind, FailureKind::Authentication, "{failure}");
    for text in [
        failure.to_string(),
        format!("{store:?}"),
        store.info().place,
    ] {
        assert!(!text.contains("hunter2"), "{text}");
    }
}

#[test]
fn a_closed_store_leaves_no_connection() {
    let Some((door, store)) = door() else {
        return;
    };
    door.open();
    let name = name("closed");
    everwarm_runtime::waiting(|| {
        until("there is one for tasks and one for threads", || {
            set(&store, &name, "x").unwrap();
            door.alive() >= 2
        });
    });
    wait(store.close()).unwrap();
    until("all connections end", || door.alive() == 0);
    assert_eq!(
        set(&store, &name, "x").unwrap_err().kind,
        FailureKind::Closed
    );
}

#[test]
fn a_dropped_store_leaves_no_connection() {
    let Some((door, store)) = door() else {
        return;
    };
    door.open();
    set(&store, &name("dropped"), "x").unwrap();
    assert!(door.alive() >= 1);
    drop(store);
    until("all connections end", || door.alive() == 0);
}
