//! Faults between a client and a real Redis, which `EVERWARM_TEST_REDIS` names.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

use everwarm_proxy::{Fault, Proxy};

const PATIENT: Duration = Duration::from_secs(20);
const SHORT: Duration = Duration::from_millis(60);

/// A proxy in front of the server; none where there is no server, but not in CI.
fn proxy() -> Option<Proxy> {
    let Ok(url) = std::env::var("EVERWARM_TEST_REDIS") else {
        let is_ci = std::env::var("CI").is_ok_and(|ci| ci == "true");
        assert!(!is_ci, "EVERWARM_TEST_REDIS is not set");
        // The test runner keeps what `eprintln!` writes to itself.
        let _ = std::io::stderr().write_all(
            b"LEFT OUT: a test that needs EVERWARM_TEST_REDIS (scripts/servers/up sets it)\n",
        );
        return None;
    };
    let place = url
        .strip_prefix("redis://")
        .unwrap()
        .split('/')
        .next()
        .unwrap();
    Some(Proxy::start(place, 1).unwrap())
}

/// A client that writes commands as a user would type them, and reads replies line by line.
struct Client(BufReader<TcpStream>);

impl Client {
    fn new(proxy: &Proxy) -> Self {
        let stream = TcpStream::connect(proxy.address()).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENT)).unwrap();
        Self(BufReader::new(stream))
    }

    fn say(&mut self, lines: &str) {
        self.0.get_mut().write_all(lines.as_bytes()).unwrap();
    }

    /// The next text or number that was replied, or the kind of the error.
    fn hear(&mut self) -> Result<String, ErrorKind> {
        let mut line = String::new();
        match self.0.read_line(&mut line).map_err(|error| error.kind())? {
            0 => Err(ErrorKind::UnexpectedEof),
            _ if line.starts_with('$') => self.hear(),
            _ => Ok(line.trim_end().to_owned()),
        }
    }

    fn ask(&mut self, line: &str) -> Result<String, ErrorKind> {
        self.say(&format!("{line}\r\n"));
        self.hear()
    }
}

#[test]
fn replies_come_late_in_slices_or_not_at_all() {
    let Some(proxy) = proxy() else { return };
    let mut client = Client::new(&proxy);
    proxy.set(Fault::slices(1, Duration::ZERO));
    assert_eq!(client.ask("ECHO everwarm").unwrap(), "everwarm");
    assert!(proxy.count("slices") > 0);
    proxy.calm();

    proxy.set(Fault::freeze().down());
    client.0.get_ref().set_read_timeout(Some(SHORT)).unwrap();
    let late = client.ask("ECHO late").unwrap_err();
    assert!(matches!(late, ErrorKind::WouldBlock | ErrorKind::TimedOut));
    client.0.get_ref().set_read_timeout(Some(PATIENT)).unwrap();
    proxy.calm();
    // Who goes on with such a connection hears the reply to the question before.
    assert_eq!(client.ask("ECHO next").unwrap(), "late");
}

#[test]
fn two_replies_of_a_pipeline_change_places() {
    let Some(proxy) = proxy() else { return };
    let mut client = Client::new(&proxy);
    proxy.set(Fault::swap().times(1));
    client.say("ECHO one\r\nECHO two\r\nECHO three\r\n");
    let heard: Vec<_> = (0..3).map(|_| client.hear().unwrap()).collect();
    assert_eq!(
        (heard.as_slice(), proxy.count("swap")),
        (&["two", "one", "three"].map(String::from)[..], 1)
    );
}

#[test]
fn a_cut_or_truncated_reply_is_the_end_of_its_connection() {
    let Some(proxy) = proxy() else { return };
    for fault in [Fault::cut(3), Fault::truncate(), Fault::reset()] {
        let name = fault.kind().name();
        proxy.set(fault.down());
        let mut client = Client::new(&proxy);
        client.say("ECHO everwarm\r\n");
        let mut heard = Vec::new();
        let _ = client.0.read_to_end(&mut heard);
        assert!(
            heard.len() < b"$8\r\neverwarm\r\n".len(),
            "{name}: {heard:?}"
        );
        assert_eq!(proxy.count(name), 1);
        proxy.calm();
        assert_eq!(
            Client::new(&proxy).ask("ECHO everwarm").unwrap(),
            "everwarm"
        );
    }
}

#[test]
fn a_corrupt_reply_differs() {
    let Some(proxy) = proxy() else { return };
    let mut client = Client::new(&proxy);
    proxy.set(Fault::corrupt().down().times(1));
    client.say("ECHO everwarm\r\n");
    let mut heard = [0; 14];
    client.0.read_exact(&mut heard).unwrap();
    assert_ne!(&heard, b"$8\r\neverwarm\r\n");
}

#[test]
fn redis_cli_sees_what_a_user_would() {
    let (Some(proxy), Ok(program)) = (proxy(), std::env::var("REDIS_CLI")) else {
        return;
    };
    let ping = || {
        let port = proxy.address().port().to_string();
        let ended = Command::new(&program)
            .args(["-p", &port, "ping"])
            .output()
            .unwrap();
        String::from_utf8_lossy(&[ended.stdout, ended.stderr].concat())
            .trim_end()
            .to_owned()
    };
    assert_eq!(ping(), "PONG");
    proxy.set(Fault::refuse());
    assert!(ping().contains("Connection refused"));
    proxy.calm();
    proxy.set(Fault::reset());
    assert!(
        ping().contains("Connection reset") || ping().contains("closed"),
        "{}",
        ping()
    );
    proxy.calm();
    assert_eq!(ping(), "PONG");
}
