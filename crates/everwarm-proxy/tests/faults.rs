//! Each fault as a plain client sees it, and as the log of the proxy tells it.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use everwarm_proxy::{Fault, Proxy, Way, answer};

const MS: Duration = Duration::from_millis(1);

// Longer than a loaded machine takes for what comes, and how long is waited for what must not come.
const PATIENT: Duration = Duration::from_secs(20);
const SILENCE: Duration = Duration::from_millis(60);

/// A server that sends back what it hears; how many clients it has is counted.
fn echo() -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let clients = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&clients);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let counted = Arc::clone(&counted);
            counted.fetch_add(1, Ordering::SeqCst);
            thread::spawn(move || {
                let _ = io::copy(&mut &stream, &mut &stream);
                counted.fetch_sub(1, Ordering::SeqCst);
            });
        }
    });
    (address, clients)
}

fn proxy() -> Proxy {
    Proxy::start(echo().0, 1).unwrap()
}

fn connect(proxy: &Proxy) -> TcpStream {
    let client = TcpStream::connect(proxy.address()).unwrap();
    client.set_nodelay(true).unwrap();
    client.set_read_timeout(Some(PATIENT)).unwrap();
    client
}

/// What comes back for some bytes: as many bytes.
fn asked(client: &mut TcpStream, bytes: &[u8]) -> io::Result<Vec<u8>> {
    client.write_all(bytes)?;
    let mut heard = vec![0; bytes.len()];
    client.read_exact(&mut heard)?;
    Ok(heard)
}

/// Whether nothing comes for a while.
fn silent(client: &mut TcpStream) -> bool {
    client.set_read_timeout(Some(SILENCE)).unwrap();
    let read = client.read(&mut [0]);
    client.set_read_timeout(Some(PATIENT)).unwrap();
    matches!(read, Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut))
}

fn is_reset(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionReset | ErrorKind::BrokenPipe
    )
}

fn wait_until(what: impl Fn() -> bool) {
    let end = Instant::now() + PATIENT;
    while !what() {
        assert!(Instant::now() < end, "in vain");
        thread::yield_now();
    }
}

#[test]
fn without_faults_bytes_come_back() {
    let proxy = proxy();
    let mut client = connect(&proxy);
    let large: Vec<u8> = (0..3_000_000_u32).map(|n| n as u8).collect();
    let (mut writer, sent) = (client.try_clone().unwrap(), large.clone());
    let writing = thread::spawn(move || writer.write_all(&sent));
    let mut heard = vec![0; large.len()];
    client.read_exact(&mut heard).unwrap();
    writing.join().unwrap().unwrap();
    assert!(heard == large);
    assert_eq!(
        (proxy.accepted(), proxy.connections(), proxy.log()),
        (1, 1, vec![])
    );
    client.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(
        client.read(&mut [0]).unwrap(),
        0,
        "the end is passed on, too"
    );
    wait_until(|| proxy.connections() == 0);
}

#[test]
fn delay_makes_late() {
    let proxy = proxy();
    let mut client = connect(&proxy);
    proxy.set(Fault::delay(80 * MS).down());
    let begun = Instant::now();
    assert_eq!(asked(&mut client, b"a").unwrap(), b"a");
    assert!(begun.elapsed() >= 80 * MS);
    assert_eq!(
        (proxy.count("delay"), proxy.log()[0].way),
        (1, Some(Way::Down))
    );
    // What is late when it is lifted comes at once.
    proxy.set(Fault::delay(PATIENT * 10));
    client.write_all(b"b").unwrap();
    wait_until(|| proxy.count("delay") == 2);
    proxy.calm();
    let mut heard = [0];
    client.read_exact(&mut heard).unwrap();
    assert_eq!(&heard, b"b");
}

#[test]
fn what_is_late_does_not_wait_for_each_other() {
    let proxy = proxy();
    let mut client = connect(&proxy);
    proxy.set(Fault::delay(100 * MS).up());
    let begun = Instant::now();
    for count in 1..=5 {
        client.write_all(b"a").unwrap();
        wait_until(|| proxy.count("delay") == count);
    }
    client.read_exact(&mut [0; 5]).unwrap();
    assert!(
        (100 * MS..450 * MS).contains(&begun.elapsed()),
        "{:?}",
        begun.elapsed()
    );
}

#[test]
fn bandwidth_makes_slow() {
    let proxy = proxy();
    let mut client = connect(&proxy);
    proxy.set(Fault::bandwidth(10_000).up());
    let begun = Instant::now();
    assert_eq!(asked(&mut client, &[7; 1_500]).unwrap(), [7; 1_500]);
    assert!(begun.elapsed() >= 140 * MS, "{:?}", begun.elapsed());
    assert!(proxy.count("bandwidth") > 0);
}

#[test]
fn slices_come_one_by_one() {
    let proxy = proxy();
    let mut client = connect(&proxy);
    proxy.set(Fault::slices(1, 5 * MS).down());
    client.write_all(b"0123456789").unwrap();
    let (mut heard, mut reads) = (Vec::new(), 0);
    while heard.len() < 10 {
        let mut some = [0; 10];
        let count = client.read(&mut some).unwrap();
        heard.extend_from_slice(&some[..count]);
        reads += 1;
    }
    assert_eq!(heard, b"0123456789");
    assert!(reads >= 5, "{reads}");
}

#[test]
fn truncate_loses_the_end_and_closes() {
    let proxy = proxy();
    let mut client = connect(&proxy);
    proxy.set(Fault::truncate().down());
    client.write_all(b"0123456789").unwrap();
    let mut heard = Vec::new();
    client.read_to_end(&mut heard).unwrap();
    assert!(
        heard.len() < 10 && b"0123456789".starts_with(&heard),
        "{heard:?}"
    );
    assert_eq!(proxy.log()[0].bytes, 10 - heard.len());
}

#[test]
fn freeze_says_nothing_until_it_is_lifted() {
    let proxy = proxy();
    let mut old = connect(&proxy);
    asked(&mut old, b"a").unwrap();
    proxy.set(Fault::freeze());
    let mut new = connect(&proxy);
    for client in [&mut old, &mut new] {
        client.write_all(b"b").unwrap();
        assert!(silent(client));
    }
    assert_eq!(proxy.count("freeze"), 2);
    proxy.calm();
    for client in [&mut old, &mut new] {
        let mut heard = [0];
        client.read_exact(&mut heard).unwrap();
        assert_eq!(&heard, b"b");
    }
}

#[test]
fn a_frozen_connection_does_not_tell_of_its_end() {
    let (server, clients) = echo();
    let proxy = Proxy::start(server, 1).unwrap();
    let mut client = connect(&proxy);
    asked(&mut client, b"a").unwrap();
    proxy.set(Fault::freeze().up());
    drop(client);
    thread::sleep(SILENCE);
    assert_eq!(clients.load(Ordering::SeqCst), 1);
    proxy.lift("freeze");
    wait_until(|| clients.load(Ordering::SeqCst) == 0 && proxy.connections() == 0);
}

#[test]
fn half_open_drops_one_direction_for_good() {
    let proxy = proxy();
    let (mut old, mut other) = (connect(&proxy), connect(&proxy));
    proxy.set(Fault::half_open().down());
    old.write_all(b"a").unwrap();
    assert!(silent(&mut old));
    proxy.calm();
    old.write_all(b"b").unwrap();
    assert!(silent(&mut old), "what is lost stays lost");
    assert_eq!(asked(&mut other, b"c").unwrap(), b"c");
    assert_eq!(proxy.count("half_open"), 1);
}

#[test]
fn reset_resets_at_the_next_bytes_and_disconnect_at_once() {
    let proxy = proxy();
    let mut client = connect(&proxy);
    asked(&mut client, b"a").unwrap();
    proxy.set(Fault::reset().times(1));
    assert!(is_reset(&asked(&mut client, b"b").unwrap_err()));
    let mut client = connect(&proxy);
    assert_eq!(asked(&mut client, b"c").unwrap(), b"c");
    proxy.disconnect();
    assert_eq!(proxy.connections(), 0);
    assert!(is_reset(&client.read(&mut [0]).unwrap_err()));
    assert_eq!((proxy.count("reset"), proxy.accepted()), (1, 2));
}

#[test]
fn corrupt_flips_a_bit() {
    let proxy = proxy();
    let mut client = connect(&proxy);
    proxy.set(Fault::corrupt().times(1));
    let heard = asked(&mut client, b"abcdef").unwrap();
    let differ: u32 = heard
        .iter()
        .zip(b"abcdef")
        .map(|(a, b)| (a ^ b).count_ones())
        .sum();
    assert_eq!((differ, proxy.count("corrupt")), (1, 1));
    assert_eq!(asked(&mut client, b"abcdef").unwrap(), b"abcdef");
}

#[test]
fn swap_exchanges_two_replies() {
    let proxy = proxy();
    let mut client = connect(&proxy);
    proxy.set(Fault::swap().times(1));
    let heard = asked(&mut client, b"$3\r\none\r\n$3\r\ntwo\r\n").unwrap();
    assert_eq!(
        (&*heard, proxy.count("swap")),
        (&b"$3\r\ntwo\r\n$3\r\none\r\n"[..], 1)
    );
    // One that stays alone is not held for long, and does not count.
    proxy.set(Fault::swap().times(1));
    assert_eq!(asked(&mut client, b"+one\r\n").unwrap(), b"+one\r\n");
    assert_eq!(proxy.count("swap"), 1);
}

#[test]
fn cut_ends_after_so_many_bytes() {
    let proxy = proxy();
    proxy.set(Fault::cut(4).down());
    let mut client = connect(&proxy);
    client.write_all(b"012345").unwrap();
    let mut heard = Vec::new();
    let error = client.read_to_end(&mut heard).unwrap_err();
    assert!(
        is_reset(&error) && b"0123".starts_with(&heard),
        "{heard:?} {error}"
    );
    assert_eq!((proxy.count("cut"), proxy.log()[0].bytes), (1, 2));
}

#[test]
fn refuse_refuses_and_leaves_open_connections_alone() {
    let proxy = proxy();
    let mut client = connect(&proxy);
    asked(&mut client, b"a").unwrap();
    for count in 1..=20 {
        proxy.set(Fault::refuse());
        let refused = TcpStream::connect(proxy.address()).unwrap_err();
        assert_eq!(
            (refused.kind(), proxy.count("refuse")),
            (ErrorKind::ConnectionRefused, count)
        );
        assert_eq!(asked(&mut client, b"b").unwrap(), b"b");
        proxy.calm();
        assert_eq!(asked(&mut connect(&proxy), b"c").unwrap(), b"c");
    }
}

#[test]
fn hang_takes_a_connection_and_nothing_more() {
    let (server, clients) = echo();
    let proxy = Proxy::start(server, 1).unwrap();
    proxy.set(Fault::hang());
    let mut client = connect(&proxy);
    client.write_all(b"a").unwrap();
    assert!(silent(&mut client));
    assert_eq!(
        (clients.load(Ordering::SeqCst), proxy.count("hang")),
        (0, 1)
    );
    proxy.lift("hang");
    client.read_exact(&mut [0]).unwrap();
}

#[test]
fn a_server_that_is_gone_is_a_reset() {
    let gone = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let proxy = Proxy::start(gone, 1).unwrap();
    assert!(is_reset(&asked(&mut connect(&proxy), b"a").unwrap_err()));
}

#[test]
fn chance_befalls_some() {
    let proxy = proxy();
    let mut client = connect(&proxy);
    proxy.set(Fault::corrupt().up().chance(0.2));
    let wrong = (0..200)
        .filter(|_| asked(&mut client, b"abc").unwrap() != b"abc")
        .count();
    assert!((20..60).contains(&wrong), "{wrong}");
    assert_eq!(proxy.count("corrupt"), wrong as u64);
}

#[test]
fn the_same_seed_does_the_same_in_another_run() {
    let run = |seed| {
        let proxy = Proxy::start(echo().0, seed).unwrap();
        proxy.set(Fault::corrupt().chance(0.3));
        let mut all = Vec::new();
        for _ in 0..2 {
            let mut client = connect(&proxy);
            (0..50).for_each(|_| all.extend(asked(&mut client, b"abc").unwrap()));
        }
        all
    };
    assert_eq!(run(5), run(5));
    assert_ne!(run(5), run(6));
}

#[test]
fn dropping_it_ends_everything() {
    let (server, clients) = echo();
    let proxy = Proxy::start(server, 1).unwrap();
    let (mut client, address) = (connect(&proxy), proxy.address());
    asked(&mut client, b"a").unwrap();
    proxy.set(Fault::freeze());
    drop(proxy);
    assert!(!matches!(client.read(&mut [0]), Ok(1)));
    wait_until(|| clients.load(Ordering::SeqCst) == 0);
    assert_eq!(
        TcpStream::connect(address).unwrap_err().kind(),
        ErrorKind::ConnectionRefused
    );
}

#[test]
fn lines_do_what_methods_do() {
    let proxy = proxy();
    let mut client = connect(&proxy);
    assert_eq!(answer(&proxy, "set corrupt way=down times=1"), "ok");
    assert_ne!(asked(&mut client, b"abc").unwrap(), b"abc");
    assert_eq!(answer(&proxy, "count corrupt"), "ok 1");
    let log = answer(&proxy, "log");
    let deed = log.strip_prefix("ok 1\n").unwrap();
    assert!(deed.ends_with(" 1 down corrupt 3"), "{deed}");
    assert_eq!(
        (answer(&proxy, "accepted"), answer(&proxy, "connections")),
        ("ok 1".into(), "ok 1".into())
    );
    assert_eq!(answer(&proxy, "set freeze"), "ok");
    client.write_all(b"abc").unwrap();
    assert!(silent(&mut client));
    assert_eq!(answer(&proxy, "calm"), "ok");
    client.read_exact(&mut [0; 3]).unwrap();
    assert_eq!(answer(&proxy, "disconnect"), "ok");
    assert_eq!(answer(&proxy, "connections"), "ok 0");
    assert_eq!(answer(&proxy, "rain"), "error no such command: rain");
}
