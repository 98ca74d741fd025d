//! Servers that are down, come back, fall silent, are cut, or are something else.

#[path = "support/failing.rs"]
mod failing;
mod support;

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use everwarm_conformance::ManualClock;
use everwarm_core::store::{Bytes, FailureKind, Store};
use everwarm_proxy::{Fault, Proxy};
use everwarm_server::{Options, serve};
use everwarm_store_http::Http;
use failing::Failing;
use support::{client_with, memory, over_memory, served, until, wait};

/// How long an operation may take in these tests: longer than it needs, since the machine may be busy.
const LIMIT: Duration = Duration::from_millis(300);

/// A client that is as patient as that.
fn client(url: &str) -> Http {
    client_with(url, |config| config.timeout = LIMIT)
}

fn set(store: &Http, name: &str, text: &str) -> Result<(), FailureKind> {
    let bytes = Bytes::copy_from_slice(text.as_bytes());
    wait(store.set(name, bytes, None)).map_err(|failure| failure.kind)
}

fn text(store: &Http, name: &str) -> Result<Option<Bytes>, FailureKind> {
    let found = wait(store.get(name)).map_err(|failure| failure.kind)?;
    Ok(found.map(|found| found.bytes))
}

#[test]
fn a_server_that_is_down_is_found_when_it_comes_and_known_for_another() {
    let store = memory(Arc::new(ManualClock::default()));
    let first = serve(Arc::clone(&store), Options::new("127.0.0.1:0")).expect("a port");
    let address = first.address();
    let client = client(&first.url());
    let notify = client.notify().expect("it is offered");
    set(&client, "a", "1").unwrap();
    until("it hears", || notify.silence() < Duration::MAX);
    let before = (notify.failovers(), notify.change());
    let runtime = everwarm_runtime::handle().unwrap();
    runtime.block_on(first.end(Duration::from_secs(5)));
    let began = Instant::now();
    for _ in 0..20 {
        assert_eq!(set(&client, "a", "2"), Err(FailureKind::Transient));
    }
    assert!(
        began.elapsed() < Duration::from_secs(2),
        "refusals take time"
    );
    let again = serve(store, Options::new(address.to_string())).expect("the same port");
    until("it comes back", || set(&client, "a", "2").is_ok());
    assert_ne!(
        notify.failovers(),
        before.0,
        "another run answered, and nobody was told"
    );
    until("it is told of a gap", || {
        let told = wait(notify.messages(before.1)).unwrap();
        told.gap
    });
    drop(again);
}

#[test]
fn a_silent_server_costs_the_limit_and_no_more() {
    let server = over_memory();
    let proxy = Proxy::start(server.address(), 1).unwrap();
    let client = client(&format!("http://{}", proxy.address()));
    set(&client, "a", "1").unwrap();
    for fault in [Fault::freeze(), Fault::half_open()] {
        let name = fault.kind().name();
        proxy.set(fault);
        let began = Instant::now();
        assert_eq!(text(&client, "a"), Err(FailureKind::Timeout), "{name}");
        assert!(began.elapsed() < LIMIT + Duration::from_secs(2), "{name}");
        proxy.lift(name);
        until("it answers again", || {
            text(&client, "a") == Ok(Some(Bytes::from("1")))
        });
    }
    proxy.set(Fault::hang());
    proxy.disconnect();
    let connecting = client_with(&format!("http://{}", proxy.address()), |config| {
        config.connect_timeout = LIMIT;
        config.timeout = 2 * LIMIT;
    });
    assert_eq!(text(&connecting, "a"), Err(FailureKind::Timeout));
}

#[test]
fn an_answer_is_nobody_elses_whatever_is_cut_slow_or_abandoned() {
    let server = over_memory();
    let proxy = Proxy::start(server.address(), 7).unwrap();
    let url = format!("http://{}", proxy.address());
    let client = client_with(&url, |config| config.timeout = Duration::from_millis(100));
    let direct = support::client(&server.url());
    for n in 0..40 {
        set(&direct, &format!("n{n}"), &format!("value {n}")).unwrap();
    }
    proxy.set(Fault::reset().chance(0.02));
    proxy.set(Fault::truncate().chance(0.02));
    proxy.set(Fault::slices(7, Duration::from_micros(200)).chance(0.1));
    proxy.set(Fault::jitter(Duration::from_millis(40), Duration::from_millis(80)).chance(0.05));
    let is_over = AtomicBool::new(false);
    let answered = thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|thread| {
                let (client, is_over) = (&client, &is_over);
                scope.spawn(move || ask(client, thread, is_over))
            })
            .collect();
        thread::sleep(Duration::from_secs(2));
        is_over.store(true, Ordering::Relaxed);
        let joined = threads
            .into_iter()
            .map(|thread| thread.join().expect("it ends"));
        joined.sum::<usize>()
    });
    assert!(answered > 40, "only {answered} questions were answered");
    proxy.calm();
    until("it goes on", || {
        text(&client, "n1") == Ok(Some(Bytes::from("value 1")))
    });
}

/// Asks until it is over; how often there was an answer, which was always to what was asked.
fn ask(client: &Http, thread: usize, is_over: &AtomicBool) -> usize {
    use std::task::{Context, Waker};
    let (mut answered, mut at) = (0, thread);
    while !is_over.load(Ordering::Relaxed) {
        at = (at * 7 + 3) % 40;
        let name = format!("n{at}");
        if at % 5 == 0 {
            // It is begun, and nobody waits for it.
            let mut left = client.get(&name);
            let pinned = std::pin::Pin::new(&mut left);
            let _ = pinned.poll(&mut Context::from_waker(Waker::noop()));
        }
        match text(client, &name) {
            Ok(found) => {
                assert_eq!(found, Some(Bytes::from(format!("value {at}"))));
                answered += 1;
            }
            Err(kind) => assert!(
                [FailureKind::Transient, FailureKind::Timeout].contains(&kind),
                "{kind:?}"
            ),
        }
    }
    answered
}

#[test]
fn what_the_store_behind_fails_at_keeps_its_kind() {
    for kind in FailureKind::ALL {
        let server = served(Arc::new(Failing(kind)));
        let client = client(&server.url());
        let expected = match kind {
            // This store is open.
            FailureKind::Closed => FailureKind::Transient,
            kind => kind,
        };
        assert_eq!(text(&client, "a"), Err(expected));
        assert_eq!(set(&client, "a", "x"), Err(expected));
        let generations = client.generations().expect("it is offered");
        let failure = wait(generations.invalidate("shop", &[])).expect_err("it fails");
        assert_eq!(failure.kind, expected);
        assert!(!failure.message().contains("it fails"), "{failure}");
    }
}

#[test]
fn there_are_as_many_connections_as_it_was_told() {
    let server = over_memory();
    let proxy = Proxy::start(server.address(), 1).unwrap();
    let url = format!("http://{}?facets=none&connections=2", proxy.address());
    let client = support::client(&url);
    proxy.set(Fault::delay(Duration::from_millis(5)));
    thread::scope(|scope| {
        for thread in 0..6 {
            let client = &client;
            scope.spawn(move || {
                for n in 0..10 {
                    set(client, &format!("n{thread}-{n}"), "x").unwrap();
                }
            });
        }
    });
    assert_eq!(proxy.accepted(), 2);
}

#[test]
fn who_is_dropped_or_closed_leaves_no_connection() {
    let server = over_memory();
    let proxy = Proxy::start(server.address(), 1).unwrap();
    let clients: Vec<_> = (0..10)
        .map(|_| support::client(&format!("http://{}", proxy.address())))
        .collect();
    for client in &clients {
        set(client, "a", "1").unwrap();
        let notify = client.notify().expect("it is offered");
        until("it hears", || notify.silence() < Duration::MAX);
    }
    assert!(proxy.connections() >= 20, "{}", proxy.connections());
    wait(clients[0].close()).unwrap();
    drop(clients);
    until("all connections end", || proxy.connections() == 0);
}

#[test]
fn one_connection_is_enough_to_ask_and_to_hear() {
    let server = over_memory();
    let client = support::client(&format!("{}?connections=1", server.url()));
    let notify = client.notify().expect("it is offered");
    set(&client, "a", "1").unwrap();
    until("it hears", || notify.silence() < Duration::MAX);
    let began = Instant::now();
    for n in 0..20 {
        set(&client, "a", &n.to_string()).unwrap();
    }
    // Were the place taken by who listens, each would wait for half a second.
    assert!(began.elapsed() < Duration::from_secs(5));
}

/// Something that answers everything so.
fn stranger(answer: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut asked = [0; 4096];
            let _ = stream.read(&mut asked);
            let _ = stream.write_all(answer);
        }
    });
    url
}

#[test]
fn what_is_no_server_of_the_contract_is_no_miss_and_no_value() {
    for (answer, kind) in [
        (&b"\0\xff garbage\r\n\r\n"[..], FailureKind::Transient),
        (b"", FailureKind::Transient),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello", FailureKind::Permanent),
        (b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n", FailureKind::Permanent),
        (b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n", FailureKind::Permanent),
        (b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n", FailureKind::Transient),
        (b"HTTP/1.1 503 Unavailable\r\ncontent-length: 0\r\n\r\n", FailureKind::Transient),
        (b"HTTP/1.1 504 Timeout\r\ncontent-length: 0\r\n\r\n", FailureKind::Timeout),
        (b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n", FailureKind::Authentication),
        // What says more than it may, or less than it said.
        (b"HTTP/1.1 200 OK\r\neverwarm-server: 1\r\netag: \"1\"\r\ncontent-length: 99999999999\r\n\r\n", FailureKind::Capacity),
        (b"HTTP/1.1 200 OK\r\neverwarm-server: 1\r\netag: \"1\"\r\ncontent-length: 9\r\n\r\nhe", FailureKind::Transient),
        (b"HTTP/1.1 200 OK\r\neverwarm-server: 1\r\ncontent-length: 2\r\n\r\nhe", FailureKind::Corruption),
        (b"HTTP/1.1 200 OK\r\neverwarm-server: 1\r\netag: \"1\"\r\neverwarm-ttl: x\r\ncontent-length: 2\r\n\r\nhe", FailureKind::Corruption),
    ] {
        let client = client(&stranger(answer));
        let failure = wait(client.get("a")).expect_err("it is no answer");
        let shown = String::from_utf8_lossy(answer);
        assert_eq!(failure.kind, kind, "{shown}: {failure}");
        assert!(!failure.to_string().contains("hello"), "{failure}");
    }
}
