//! Who may ask, how safely, and how much.

mod support;

use std::io::Write;
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use everwarm_conformance::ManualClock;
use everwarm_core::store::{Bytes, FailureKind, Store};
use everwarm_server::{Identity, Options, serve};
use everwarm_store_http::{Secret, Token};
use support::{client, client_with, memory, over_memory, said, served_with, wait};

fn empty() -> Arc<dyn Store> {
    memory(Arc::new(ManualClock::default()))
}

fn token(text: &str) -> Token {
    Token::new(text).expect("a token")
}

#[test]
fn one_of_the_tokens_lets_in_and_nothing_else() {
    let server = served_with(empty(), |options| {
        options.tokens = vec![token("first-secret"), token("second-secret")];
    });
    for secret in ["first-secret", "second-secret"] {
        let known = client_with(&server.url(), |config| {
            config.secret = Some(Secret::Here(token(secret)));
        });
        wait(known.ping()).unwrap();
        assert!(!format!("{known:?} {:?} {server:?}", known.info()).contains("secret"));
    }
    for secret in [
        None,
        Some("first"),
        Some("first-secret-"),
        Some("xirst-secret"),
    ] {
        let unknown = client_with(&server.url(), |config| {
            config.secret = secret.map(|secret| Secret::Here(token(secret)));
        });
        let failure = wait(unknown.ping()).expect_err("it is not known");
        assert_eq!(failure.kind, FailureKind::Authentication, "{failure}");
        assert!(failure.hint().contains("token_env"), "{failure}");
        assert!(!failure.to_string().contains("secret"), "{failure}");
    }
    for text in [
        "Bearer ",
        "Basic first-secret",
        "first-secret",
        "bearerfirst-secret",
    ] {
        let asked = format!(
            "GET /v1/ping HTTP/1.1\r\nhost: h\r\nconnection: close\r\nauthorization: {text}\r\n\r\n"
        );
        assert_eq!(
            said(server.address(), asked.as_bytes()).status,
            401,
            "{text}"
        );
    }
}

#[test]
fn a_token_comes_from_a_variable_or_a_file() {
    let server = served_with(empty(), |options| options.tokens = vec![token("of-a-file")]);
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("token");
    std::fs::write(&file, "of-a-file\n").unwrap();
    let url = format!("{}?token_file={}", server.url(), file.display());
    wait(client(&url).ping()).unwrap();
    for url in [
        "http://localhost?token_file=/there/is/none".to_owned(),
        "http://localhost?token_env=EVERWARM_NO_SUCH_VARIABLE".to_owned(),
    ] {
        let failure = everwarm_store_http::open(&url).expect_err("there is none");
        assert_eq!(failure.kind, FailureKind::Permanent, "{failure}");
    }
    // Whatever runs the tests has a path, which is no token with its colons and slashes; it is read all the same.
    assert!(everwarm_store_http::open("http://localhost?token_env=PATH").is_ok());
}

#[test]
fn without_a_token_only_ones_own_host_is_served() {
    let failure = serve(empty(), Options::new("0.0.0.0:0")).expect_err("everybody could ask");
    assert_eq!(failure.kind, FailureKind::Permanent);
    assert!(failure.hint().contains("--open"), "{failure}");
    let open = |change: fn(&mut Options)| {
        let mut options = Options::new("0.0.0.0:0");
        change(&mut options);
        serve(empty(), options).is_ok()
    };
    assert!(open(|options| options.is_open = true));
    assert!(open(|options| options.tokens = vec![token("secret")]));
    for listen in ["nowhere", "127.0.0.1", "127.0.0.1:port"] {
        let failure = serve(empty(), Options::new(listen)).expect_err(listen);
        assert_eq!(failure.kind, FailureKind::Permanent, "{failure}");
    }
    let taken = over_memory();
    let failure = serve(empty(), Options::new(taken.address().to_string())).expect_err("taken");
    assert_eq!(failure.kind, FailureKind::Transient, "{failure}");
}

/// A certificate of `localhost` that is its own authority, and its key; `None` where there is no openssl.
fn identity(directory: &Path) -> Option<Identity> {
    let [certificate, key] = ["server.crt", "server.key"].map(|name| directory.join(name));
    let made = Command::new("openssl")
        .args(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2".split(' '),
        )
        .args([
            "-subj",
            "/CN=localhost",
            "-addext",
            "subjectAltName=DNS:localhost",
        ])
        .args(["-addext", "basicConstraints=critical,CA:FALSE"])
        .arg("-keyout")
        .arg(&key)
        .arg("-out")
        .arg(&certificate)
        .output();
    match made {
        Ok(made) if made.status.success() => Some(Identity { certificate, key }),
        _ => {
            let is_ci = std::env::var("CI").is_ok_and(|ci| ci == "true");
            assert!(!is_ci, "there is no openssl: {made:?}");
            let _ = std::io::stderr().write_all(b"LEFT OUT: a test that needs openssl\n");
            None
        }
    }
}

#[test]
fn connections_are_encrypted_and_certificates_verified() {
    let directory = tempfile::tempdir().unwrap();
    let Some(identity) = identity(directory.path()) else {
        return;
    };
    let ca = identity.certificate.clone();
    let server = served_with(empty(), |options| options.identity = Some(identity));
    let port = server.address().port();
    let of = |host: &str, trusts: bool| {
        client_with(&format!("https://{host}:{port}"), |config| {
            config.ca = trusts.then(|| ca.clone());
        })
    };
    let trusting = of("localhost", true);
    wait(trusting.set("a", Bytes::from("value"), None)).unwrap();
    assert_eq!(wait(trusting.get("a")).unwrap().unwrap().bytes, "value");
    assert_eq!(trusting.info().kind, "https");
    let failure = wait(of("127.0.0.1", true).ping()).expect_err("another name");
    assert_eq!(failure.kind, FailureKind::Authentication, "{failure}");
    let plain = client(&format!("http://localhost:{port}"));
    let failure = wait(plain.ping()).expect_err("it is encrypted");
    assert_eq!(failure.kind, FailureKind::Transient, "{failure}");
}

#[test]
fn files_that_are_none_are_refused_when_it_is_opened() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("no.pem");
    std::fs::write(&file, "no certificate").unwrap();
    let mut options = Options::new("127.0.0.1:0");
    options.identity = Some(Identity {
        certificate: file.clone(),
        key: file.clone(),
    });
    let failure = serve(empty(), options).expect_err("it is none");
    assert!(failure.hint().contains("PEM"), "{failure}");
    for ca in [file.display().to_string(), "/there/is/none".to_owned()] {
        let failure = everwarm_store_http::open(&format!("https://h?ca={ca}")).expect_err(&ca);
        assert!(
            failure.hint().contains("PEM") || failure.hint().contains("ca="),
            "{failure}"
        );
    }
}

#[test]
fn what_is_too_large_is_refused_on_both_sides() {
    let server = served_with(empty(), |options| options.max_body = 100_000);
    let large = client(&server.url());
    let failure = wait(large.set("a", vec![7; 300_000].into(), None)).expect_err("too large");
    assert_eq!(failure.kind, FailureKind::Capacity, "{failure}");
    let told = client(&format!("{}?max_value=100kB", server.url()));
    wait(told.set("a", vec![7; 100_000].into(), None)).unwrap();
    let failure = wait(told.set("a", vec![7; 100_001].into(), None)).expect_err("too large");
    assert_eq!(failure.kind, FailureKind::Capacity, "{failure}");
    // What is too much for one body goes in several.
    let names: Vec<String> = (0..7).map(|n| format!("n{n}")).collect();
    let entries: Vec<_> = names
        .iter()
        .map(|name| everwarm_core::store::Entry {
            name,
            bytes: vec![7; 60_000].into(),
            ttl: None,
        })
        .collect();
    wait(told.set_many(&entries)).unwrap();
    let asked: Vec<&str> = names.iter().map(String::as_str).collect();
    let found = wait(told.get_many(&asked)).unwrap();
    assert!(found.iter().flatten().count() == 7, "{}", found.len());
    // A client that takes less than the server has says so.
    let small = client(&format!("{}?max_value=1kB", server.url()));
    wait(told.set("a", vec![7; 3 << 20].into(), None)).expect_err("too large for the server");
    wait(small.get("a")).unwrap();
}

#[test]
fn who_is_refused_while_it_sends_hears_why() {
    let server = served_with(empty(), |options| {
        options.tokens = vec![token("secret")];
        options.max_body = 1_000_000;
    });
    let bytes = Bytes::from(vec![7; 20 << 20]);
    for (secret, kind) in [
        ("secret", FailureKind::Capacity),
        ("another", FailureKind::Authentication),
    ] {
        let client = client_with(&server.url(), |config| {
            config.secret = Some(Secret::Here(token(secret)));
        });
        for _ in 0..5 {
            let failure = wait(client.set("a", bytes.clone(), None)).expect_err("refused");
            assert_eq!(failure.kind, kind, "{failure}");
        }
    }
}

#[test]
fn what_a_server_lacks_is_said() {
    use everwarm_store_file::{Config, FileStore};
    let directory = tempfile::tempdir().unwrap();
    let config = Config::from_url(&format!("file://{}", directory.path().display())).unwrap();
    let store = FileStore::with_clock(&config, Arc::new(ManualClock::default())).unwrap();
    let server = served_with(Arc::new(store), |_| ());
    let client = client(&server.url());
    let generations = client.generations().expect("nobody said that it has none");
    let failure = wait(generations.read("shop", &[])).expect_err("it has none");
    assert_eq!(failure.kind, FailureKind::Capability);
    assert!(failure.hint().contains("facets="), "{failure}");
    let report = wait(client.health().unwrap().report(false)).unwrap();
    assert!(report.remarks[0].is_trouble && report.remarks[0].hint.contains("facets=counters,"));
    let told = support::client(&format!("{}?facets=scan", server.url()));
    assert!(told.generations().is_none() && told.scan().is_some());
}

#[test]
fn it_ends_gracefully_and_sends_away_who_waits() {
    let server = over_memory();
    let address = server.address();
    let mut waits = TcpStream::connect(address).unwrap();
    waits
        .write_all(b"GET /v1/messages?after=0&wait=30 HTTP/1.1\r\nhost: h\r\n\r\n")
        .unwrap();
    let mut rests = TcpStream::connect(address).unwrap();
    rests.write_all(b"GET /v1/ping HTTP/1.1\r\n").unwrap();
    std::thread::sleep(Duration::from_millis(100));
    let began = Instant::now();
    let runtime = everwarm_runtime::handle().unwrap();
    runtime.block_on(server.end(Duration::from_secs(2)));
    assert!(began.elapsed() < Duration::from_secs(10));
    let mut heard = String::new();
    std::io::Read::read_to_string(&mut waits, &mut heard).unwrap();
    assert!(heard.starts_with("HTTP/1.1 200"), "{heard:?}");
    assert!(TcpStream::connect(address).is_err(), "it listens still");
}
