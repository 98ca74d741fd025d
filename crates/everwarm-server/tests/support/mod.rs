//! Servers over stores of this process, and what is said to them byte by byte.
#![allow(dead_code)]

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use everwarm_conformance::ManualClock;
use everwarm_core::clock::Clock;
use everwarm_core::store::{Answer, Failure, Store};
use everwarm_memory::{Bounds, MemoryStore};
use everwarm_server::{Options, Server, serve};
use everwarm_store_http::{Config, Http};

/// A server at a free port of this host.
pub(crate) fn served(store: Arc<dyn Store>) -> Server {
    served_with(store, |_| ())
}

/// The same, with other options.
pub(crate) fn served_with(store: Arc<dyn Store>, change: impl FnOnce(&mut Options)) -> Server {
    let mut options = Options::new("127.0.0.1:0");
    change(&mut options);
    serve(store, options).expect("there is a port")
}

/// A store in memory, whose clock is a test's.
pub(crate) fn memory(clock: Arc<dyn Clock>) -> Arc<dyn Store> {
    let bounds = Bounds::entries(100_000.try_into().expect("not zero"));
    Arc::new(MemoryStore::with_clock(bounds, clock))
}

/// A server over a store in memory whose clock stands still.
pub(crate) fn over_memory() -> Server {
    served(memory(Arc::new(ManualClock::default())))
}

/// A client of whatever listens there, with more patience than an operation needs: the machine may be busy.
pub(crate) fn client(url: &str) -> Http {
    client_with(url, |_| ())
}

/// The same, told more.
pub(crate) fn client_with(url: &str, change: impl FnOnce(&mut Config)) -> Http {
    let mut config = Config::from_url(url).expect("a URL");
    config.timeout = Duration::from_secs(10);
    config.connect_timeout = Duration::from_secs(10);
    change(&mut config);
    Http::open(config).expect("nothing is connected yet")
}

/// The answer, waited for.
///
/// # Errors
/// The store's.
pub(crate) fn wait<T>(answer: Answer<'_, T>) -> Result<T, Failure> {
    everwarm_conformance::wait(answer)
}

/// Waits until something is so, for as long as it may take on a busy machine.
///
/// # Panics
/// If it does not become so.
pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    for _ in 0..400 {
        if is_so() {
            return;
        }
        std::thread::sleep(Duration::from_millis(25));
    }
    panic!("{what}: not within ten seconds");
}

/// What a server said.
#[derive(Debug)]
pub(crate) struct Heard {
    pub(crate) status: u16,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
}

/// Says this to a server, and hears what it says until it ends the connection.
///
/// # Panics
/// If it says nothing that is HTTP.
pub(crate) fn said(address: SocketAddr, bytes: &[u8]) -> Heard {
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream
        .set_read_timeout(Some(Duration::from_secs(10)))
        .expect("not zero");
    stream.write_all(bytes).expect("it is taken");
    let mut all = Vec::new();
    // A server that ends a connection on which something is left unread may reset it.
    let _ = stream.read_to_end(&mut all);
    let text = String::from_utf8_lossy(&all).into_owned();
    let end = text
        .find("\r\n\r\n")
        .unwrap_or_else(|| panic!("{text:?} is no answer"));
    let mut lines = text[..end].lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1));
    let status = status.and_then(|status| status.parse().ok());
    let headers = lines.filter_map(|line| line.split_once(": "));
    Heard {
        status: status.expect("a status"),
        headers: headers
            .map(|(name, text)| (name.to_lowercase(), text.to_owned()))
            .collect(),
        body: all[end + 4..].to_vec(),
    }
}

/// A request, whole.
pub(crate) fn request(method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut text = format!("{method} {path} HTTP/1.1\r\nhost: h\r\nconnection: close\r\n");
    for (name, value) in headers {
        text += &format!("{name}: {value}\r\n");
    }
    if !body.is_empty() {
        text += &format!("content-length: {}\r\n", body.len());
    }
    [text.as_bytes(), b"\r\n", body].concat()
}
