//! Servers that are down, killed, frozen, full, or refuse; items of ours that are lost; and what no server says.

mod support;

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use everwarm_core::store::{Bytes, Condition, Failure, FailureKind, Grant, Store};
use everwarm_store_memcached::{Config, Memcached};
use support::own::Own;
use support::{Way, until, url, wait};

/// How long an operation may take in these tests: longer than by default, since the machine may be busy.
const LIMIT: Duration = Duration::from_millis(300);
const HOUR: Duration = Duration::from_secs(3_600);

fn opened(url: &str) -> Memcached {
    let mut config = Config::from_url(url).expect("a URL");
    config.timeout = LIMIT;
    Memcached::open(config).expect("nothing is connected yet")
}

fn name(test: &str) -> String {
    format!("faults-{}-{test}:name", std::process::id())
}

fn set(store: &Memcached, name: &str, text: &str) -> Result<(), Failure> {
    wait(store.set(name, Bytes::copy_from_slice(text.as_bytes()), None))
}

fn text(store: &Memcached, name: &str) -> Result<Option<Bytes>, Failure> {
    Ok(wait(store.get(name))?.map(|found| found.bytes))
}

fn is(text: &str) -> Option<Bytes> {
    Some(Bytes::copy_from_slice(text.as_bytes()))
}

/// Makes a test of both ways.
macro_rules! both_ways {
    ($($name:ident)*) => {
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
    a_server_that_is_killed_under_load_is_found_again
    a_frozen_server_costs_bounded_time_and_is_found_again
}

fn a_server_that_is_killed_under_load_is_found_again(way: Way) {
    let Some(mut own) = Own::start(&[]) else {
        return;
    };
    let store = opened(&own.url());
    let is_over = AtomicBool::new(false);
    let failed = AtomicUsize::new(0);
    let done: Vec<AtomicUsize> = (0..4).map(|_| AtomicUsize::new(0)).collect();
    thread::scope(|scope| {
        for (writer, done) in done.iter().enumerate() {
            let (store, is_over, failed) = (&store, &is_over, &failed);
            scope.spawn(move || way.run(|| work(store, writer, (is_over, failed, done))));
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
            own.kill();
            until("they fail", || failed.load(Ordering::SeqCst) > before);
            own.again();
            all_go_on();
        }
        is_over.store(true, Ordering::SeqCst);
    });
}

/// Writes and reads a name of its own until it is over: a read gives what the last write that succeeded wrote, or one after it, or
/// nothing since a server that was killed has lost it.
fn work(
    store: &Memcached,
    writer: usize,
    (is_over, failed, done): (&AtomicBool, &AtomicUsize, &AtomicUsize),
) {
    let name = name(&format!("load-{writer}"));
    let (mut last, mut next) = (0_u64, 1_u64);
    while !is_over.load(Ordering::SeqCst) {
        let began = Instant::now();
        let written = set(store, &name, &next.to_string());
        let read = text(store, &name);
        let took = began.elapsed();
        assert!(
            took < 2 * LIMIT + Duration::from_secs(2),
            "two operations took {took:?}"
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

fn a_frozen_server_costs_bounded_time_and_is_found_again(way: Way) {
    let Some(own) = Own::start(&[]) else {
        return;
    };
    let store = opened(&own.url());
    let name = name("frozen");
    way.run(|| {
        for round in 0..50 {
            set(&store, &name, &round.to_string()).unwrap();
        }
        own.freeze();
        // Its threads stop one after the other.
        until("it is frozen", || text(&store, &name).is_err());
        for _ in 0..4 {
            let began = Instant::now();
            let failure = text(&store, &name).expect_err("it is frozen");
            let kinds = [FailureKind::Transient, FailureKind::Timeout];
            assert!(kinds.contains(&failure.kind), "{failure}");
            assert!(began.elapsed() < 2 * LIMIT + Duration::from_secs(2));
        }
        own.thaw();
        until("it answers", || text(&store, &name) == Ok(is("49")));
        for round in 0..50 {
            set(&store, &name, &round.to_string()).unwrap();
            assert_eq!(text(&store, &name), Ok(is(&round.to_string())));
        }
    });
}

#[test]
fn a_server_that_is_down_is_refused_at_once_and_found_when_it_comes() {
    let Some(mut own) = Own::start(&[]) else {
        return;
    };
    own.kill();
    let store = opened(&own.url());
    let began = Instant::now();
    for _ in 0..20 {
        let failure = set(&store, &name("down"), "x").expect_err("nothing listens");
        assert_eq!(failure.kind, FailureKind::Transient, "{failure}");
    }
    assert!(
        began.elapsed() < Duration::from_secs(2),
        "refusals take time"
    );
    own.again();
    until("it comes back", || set(&store, &name("down"), "x").is_ok());
}

#[test]
fn of_several_servers_one_that_is_down_fails_its_own_names_alone() {
    let (Some(mut one), Some(two)) = (Own::start(&[]), Own::start(&[])) else {
        return;
    };
    let places = format!("{},127.0.0.1:{}", one.url(), two.port);
    let store = opened(&places);
    let space = name("of-two").replace("name", "");
    let names: Vec<String> = (0..40).map(|n| format!("{space}{n}")).collect();
    for name in &names {
        set(&store, name, name).unwrap();
    }
    one.kill();
    let answered = names
        .iter()
        .filter(|name| text(&store, name) == Ok(is(name)));
    let answered = answered.count();
    assert!(
        (1..40).contains(&answered),
        "{answered} of 40 names are on one of two servers"
    );
    // What a clear does not reach would be there yet.
    let cleared = wait(store.clear(&space)).map_err(|failure| failure.kind);
    assert_eq!(cleared, Err(FailureKind::Transient));
    one.again();
    until("it is back", || wait(store.clear(&space)).is_ok());
    let all: Vec<&str> = names.iter().map(String::as_str).collect();
    let found = wait(store.get_many(&all)).unwrap();
    assert!(found.iter().all(Option::is_none));
}

#[test]
fn a_server_without_room_refuses_sets_and_answers_reads() {
    let Some(own) = Own::start(&["-M", "-m", "2"]) else {
        return;
    };
    let store = opened(&own.url());
    let large = Bytes::from(vec![7; 100_000]);
    set(&store, &name("full"), "small").unwrap();
    let filled = (0..200).find_map(|n| {
        let name = name(&format!("full-{n}"));
        wait(store.set(&name, large.clone(), None)).err()
    });
    let failure = filled.expect("it is full at some time");
    assert_eq!(failure.kind, FailureKind::Capacity, "{failure}");
    assert_eq!(text(&store, &name("full")), Ok(is("small")));
    assert_eq!(wait(store.delete(&name("full-0"))), Ok(true));
}

#[test]
fn a_server_of_smaller_items_than_ours_refuses_by_capacity() {
    let Some(url) = url("EVERWARM_TEST_MEMCACHED") else {
        return;
    };
    let store = opened(&format!("{url}?item_size=2MiB"));
    let large = name("large");
    let set = wait(store.set(&large, vec![7; 1_500_000].into(), None));
    assert_eq!(
        set.map_err(|failure| failure.kind),
        Err(FailureKind::Capacity)
    );
    self::set(&store, &large, "less").unwrap();
    assert_eq!(text(&store, &large), Ok(is("less")));
    let report = wait(store.health().unwrap().report(true)).unwrap();
    let mut about = report.remarks.iter().map(|remark| remark.about);
    assert!(about.any(|about| about == "item_size"), "{report:?}");
}

#[test]
fn a_server_of_larger_items_takes_larger_values() {
    let Some(own) = Own::start(&["-I", "2m"]) else {
        return;
    };
    let store = opened(&format!("{}?item_size=2MiB", own.url()));
    let longest = format!("{}:{}", name("larger"), "x".repeat(900));
    let largest = Bytes::from(vec![7; store.limits().largest_value as usize]);
    wait(store.set(&longest, largest.clone(), Some(HOUR))).unwrap();
    let leases = store.leases().unwrap();
    for token in 1..=70 {
        let leased = wait(leases.lease(&longest, token, HOUR));
        assert_eq!(leased, Ok(Grant::Granted));
        assert_eq!(wait(leases.release(&longest, token)), Ok(true));
    }
    assert_eq!(text(&store, &longest), Ok(Some(largest)));
    let report = wait(store.health().unwrap().report(true)).unwrap();
    assert!(report.remarks.is_empty(), "{report:?}");
}

#[test]
fn who_may_not_ask_is_refused_as_such() {
    let Some(url) = url("EVERWARM_TEST_MEMCACHED_TLS") else {
        return;
    };
    let (start, rest) = url.split_once("://").unwrap();
    let (user, place) = rest.split_once('@').unwrap();
    let trusting = place.split('?').next().unwrap();
    for url in [
        format!("{start}://{user}wrong@{place}"),
        format!("{start}://{place}"),
        format!("{start}://{user}@{trusting}"),
    ] {
        let store = opened(&url);
        let asked = until_tried(&store);
        assert_eq!(asked, FailureKind::Authentication);
    }
    // To one that speaks TLS, commands in the clear are noise.
    let store = opened(&format!("memcached://{user}@{trusting}"));
    assert_eq!(until_tried(&store), FailureKind::Transient);
}

/// The failure of the first question.
fn until_tried(store: &Memcached) -> FailureKind {
    text(store, "space:name").expect_err("it may not").kind
}

#[test]
fn what_is_lost_of_our_own_lets_a_namespace_go_and_brings_nothing_back() {
    let Some(url) = url("EVERWARM_TEST_MEMCACHED") else {
        return;
    };
    let [store, other] = [(); 2].map(|()| opened(&url));
    let [lost, kept] = [name("lost"), name("kept")];
    let space = lost.split_inclusive(':').next().unwrap();
    for name in [&lost, &kept] {
        set(&store, name, "value").unwrap();
        assert_eq!(text(&other, name), Ok(is("value")));
    }
    let mut plain = TcpStream::connect(url.trim_start_matches("memcached://")).unwrap();
    plain
        .write_all(format!("md everwarm/.{space}\r\n").as_bytes())
        .unwrap();
    let mut said = String::new();
    BufReader::new(&plain).read_line(&mut said).unwrap();
    assert_eq!(said, "HD\r\n");
    for store in [&store, &other, &opened(&url)] {
        assert_eq!(text(store, &lost), Ok(None));
        assert_eq!(text(store, &kept), Ok(is("value")));
    }
    set(&other, &lost, "again").unwrap();
    assert_eq!(text(&store, &lost), Ok(is("again")));
    wait(store.clear(space)).unwrap();
    assert_eq!(text(&other, &lost), Ok(None));
    set(&other, &lost, "after").unwrap();
    assert_eq!(text(&store, &lost), Ok(is("after")));
}

#[test]
fn a_counter_that_is_always_changed_ends_when_it_has_to() {
    let Some(url) = url("EVERWARM_TEST_MEMCACHED") else {
        return;
    };
    let store = opened(&url);
    let (name, counters) = (name("busy"), store.counters().unwrap());
    let began = Instant::now();
    let mut last = 0;
    loop {
        let number = wait(counters.incr(&name, 1, 0, Some(Duration::from_secs(1)))).unwrap();
        if number <= last {
            break;
        }
        last = number;
        assert!(
            began.elapsed() < Duration::from_secs(20),
            "{number} changes lengthened its life"
        );
    }
    assert!(
        began.elapsed() >= Duration::from_secs(1),
        "it ended before its time"
    );
}

#[test]
fn leases_of_what_is_there_change_neither_it_nor_its_life() {
    let Some(url) = url("EVERWARM_TEST_MEMCACHED") else {
        return;
    };
    let store = opened(&url);
    let (name, leases) = (name("leased"), store.leases().unwrap());
    wait(store.set(&name, Bytes::from("value"), Some(HOUR))).unwrap();
    let before = wait(store.get(&name)).unwrap().unwrap();
    for token in 1..=200 {
        assert_eq!(wait(leases.lease(&name, token, HOUR)), Ok(Grant::Granted));
        assert!(wait(leases.lease(&name, 999, HOUR)).unwrap() != Grant::Granted);
        if token < 200 {
            assert_eq!(wait(leases.release(&name, token)), Ok(true));
        }
    }
    let after = wait(store.get(&name)).unwrap().unwrap();
    assert_eq!(
        (&after.bytes, after.version),
        (&before.bytes, before.version)
    );
    let lost = HOUR - after.remaining.unwrap();
    assert!(
        lost < Duration::from_secs(30),
        "{lost:?} of its life are gone"
    );
    let conditional = store.conditional().unwrap();
    let changed = conditional.set_if(
        &name,
        Bytes::from("changed"),
        None,
        Condition::Version(before.version),
    );
    assert!(
        wait(changed).unwrap().is_some(),
        "a lease is no other write"
    );
    assert_eq!(
        wait(leases.set_leased(&name, 200, Bytes::from("late"), None)),
        Ok(false)
    );
}

#[test]
fn more_than_a_month_is_kept_for_longer_than_a_month() {
    let Some(url) = url("EVERWARM_TEST_MEMCACHED") else {
        return;
    };
    let store = opened(&url);
    for days in [29, 30, 31, 400] {
        let (name, ttl) = (name("long"), Duration::from_secs(days * 86_400));
        wait(store.set(&name, Bytes::from("value"), Some(ttl))).unwrap();
        let left = wait(store.get(&name)).unwrap().unwrap().remaining.unwrap();
        assert!(
            left <= ttl && left > ttl - Duration::from_secs(30),
            "{left:?} of {days} days"
        );
    }
}

/// A server that says `first` to the first words of a connection, and `then` to each line after them.
fn liar(first: &'static str, then: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let place = listener.local_addr().expect("a port");
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let _ = (&stream).write_all(first.as_bytes());
            for line in BufReader::new(&stream)
                .lines()
                .skip(1)
                .map_while(Result::ok)
            {
                let _ = line
                    .starts_with('m')
                    .then(|| (&stream).write_all(then.as_bytes()));
            }
        }
    });
    format!("memcached://{place}")
}

#[test]
fn what_answers_another_question_is_given_to_nobody() {
    let store = opened(&liar("MN\r\n", "VA 3 f0 t-1 c1 O4294967295\r\nabc\r\n"));
    let failure = text(&store, "space:name").expect_err("it was not asked that");
    assert_eq!(failure.kind, FailureKind::Transient, "{failure}");
}

#[test]
fn a_server_that_does_not_know_meta_commands_is_named_as_such() {
    let store = opened(&liar("ERROR\r\n", "ERROR\r\n"));
    assert_eq!(until_tried(&store), FailureKind::Capability);
}

#[test]
fn what_others_wrote_under_our_keys_is_no_value() {
    let store = opened(&liar("MN\r\n", "VA 3 f0 t-1 c1\r\nabc\r\n"));
    assert_eq!(until_tried(&store), FailureKind::Corruption);
}
