//! What URLs say, and what cannot be meant.

use std::time::Duration;

use everwarm_core::error::ErrorKind;
use everwarm_core::store::{Durability, FailureKind, Store};
use everwarm_store_memcached::{Config, Credentials, Memcached, Server, Tls, check, open};

fn config(url: &str) -> Config {
    Config::from_url(url).unwrap_or_else(|error| panic!("{url}: {error}"))
}

fn server(host: &str, port: u16, weight: u32) -> Server {
    Server {
        host: host.to_owned(),
        port,
        weight,
    }
}

#[test]
fn hosts_say_where() {
    for (url, servers) in [
        ("memcached://h", vec![server("h", 11211, 1)]),
        ("memcached://h:1/", vec![server("h", 1, 1)]),
        ("memcached://[::1]:7", vec![server("::1", 7, 1)]),
        (
            "memcached://a,b:2?weights=3,1",
            vec![server("a", 11211, 3), server("b", 2, 1)],
        ),
    ] {
        assert_eq!(config(url), Config::new(servers), "{url}");
    }
}

#[test]
fn options_say_how() {
    let config = config(
        "memcacheds://me:a%40b:c%20d@h?timeout=80ms&connect_timeout=2&item_size=8MiB&ca=/a&cert=/c&key=/k",
    );
    assert_eq!(config.timeout, Duration::from_millis(80));
    assert_eq!(config.connect_timeout, Duration::from_secs(2));
    assert_eq!(config.item_size, 8 << 20);
    let credentials = Credentials {
        user: "me".to_owned(),
        password: "a@b:c d".to_owned(),
    };
    assert_eq!(config.credentials, Some(credentials));
    let tls = Tls {
        ca: Some("/a".into()),
        identity: Some(("/c".into(), "/k".into())),
    };
    assert_eq!(config.tls, Some(tls));
}

#[test]
fn what_cannot_be_meant_is_refused_without_secrets() {
    for url in [
        "memcached:h",
        "memcache://h",
        "memcached://",
        "memcached://h,",
        "memcached://h,h",
        "memcached://h:0",
        "memcached://h:x",
        "memcached://[::1",
        "memcached://h/0",
        "memcached://hush@h",
        "memcached://:hush@h",
        "memcached://me:hush%0a@h",
        "memcached://m e:hush@h",
        "memcached://me:hush%zz@h",
        "memcached://me:hu?sh@h",
        "memcached://h?weights=1,2",
        "memcached://h?weights=0",
        "memcached://h?item_size=1KiB",
        "memcached://h?timeout=never",
        "memcached://h?ca=/ca.pem",
        "memcacheds://h?cert=/c.pem",
    ] {
        let error = Config::from_url(url).expect_err(url);
        assert_eq!(error.kind(), ErrorKind::Config, "{url}: {error}");
        assert!(!error.to_string().contains("hush"), "{error}");
        assert!(!error.hint().is_empty() && check(url).is_err());
        assert_eq!(open(url).expect_err(url).kind, FailureKind::Permanent);
    }
    let error = Config::from_url("memcached://h?time_out=1s").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnknownOption);
}

#[test]
fn nothing_that_is_shown_has_a_secret_in_it() {
    let config = config("memcached://me:hush@h,[::1]:2?item_size=2MiB");
    let store = Memcached::open(config.clone()).expect("nothing is connected yet");
    let info = store.info();
    assert_eq!((info.kind, &*info.place), ("memcached", "h:11211,[::1]:2"));
    assert_eq!(
        (info.durability, info.embedded),
        (Durability::Process, false)
    );
    assert_eq!(store.limits().largest_value, (2 << 20) - 2_048);
    assert!(!format!("{config:?} {config} {store:?} {info:?}").contains("hush"));
}
