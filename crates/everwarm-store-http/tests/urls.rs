//! What URLs say, and what cannot be meant.

use std::path::PathBuf;
use std::time::Duration;

use everwarm_core::error::ErrorKind;
use everwarm_core::store::Store;
use everwarm_store_http::{Config, FACETS, Http, Secret, Token, check, open};

fn config(url: &str) -> Config {
    Config::from_url(url).unwrap_or_else(|error| panic!("{url}: {error}"))
}

#[test]
fn each_scheme_says_where() {
    for (url, host, port, prefix) in [
        ("http://localhost", "localhost", 80, ""),
        ("http://h:8080/", "h", 8080, ""),
        ("https://cache.internal", "cache.internal", 443, ""),
        ("https://10.0.0.1:1/a/b/", "10.0.0.1", 1, "/a/b"),
        ("http://[::1]:7000/x?timeout=1s", "::1", 7000, "/x"),
        ("http://[fe80::1]", "fe80::1", 80, ""),
    ] {
        let config = config(url);
        let said = (config.host.as_str(), config.port, config.prefix.as_str());
        assert_eq!(said, (host, port, prefix), "{url}");
        assert_eq!(config.is_encrypted, url.starts_with("https"), "{url}");
        assert_eq!((config.secret, config.ca), (None, None));
    }
}

#[test]
fn options_say_how() {
    let all = "https://h?timeout=80ms&connect_timeout=2&ca=/ca.pem&token_env=SHOP_TOKEN&facets=scan,leases\
               &connections=3&max_value=2MiB";
    let config = config(all);
    assert_eq!(config.timeout, Duration::from_millis(80));
    assert_eq!(config.connect_timeout, Duration::from_secs(2));
    assert_eq!(config.ca, Some(PathBuf::from("/ca.pem")));
    assert_eq!(
        config.secret,
        Some(Secret::Variable("SHOP_TOKEN".to_owned()))
    );
    assert_eq!(config.facets, ["scan", "leases"]);
    assert_eq!((config.connections, config.max_value), (3, 2 << 20));
    let file = Config::from_url("http://h?token_file=%2Frun%2Ftoken").unwrap();
    assert_eq!(file.secret, Some(Secret::File("/run/token".into())));
}

#[test]
fn it_offers_what_it_was_told() {
    let offered = |url: &str| {
        let store = Http::open(config(url)).unwrap();
        let all = [
            store.counters().is_some(),
            store.conditional().is_some(),
            store.leases().is_some(),
            store.scan().is_some(),
            store.touch().is_some(),
            store.generations().is_some(),
            store.notify().is_some(),
            store.suspending().is_some(),
            store.health().is_some(),
        ];
        let offered = FACETS.into_iter().zip(all);
        offered
            .filter(|(_, is)| *is)
            .map(|(name, _)| name)
            .collect::<Vec<_>>()
    };
    assert_eq!(offered("http://h"), FACETS);
    assert_eq!(offered("http://h?facets=none"), [""; 0]);
    for facet in FACETS {
        assert_eq!(offered(&format!("http://h?facets={facet}")), [facet]);
    }
}

#[test]
fn what_cannot_be_meant_is_refused_with_a_hint() {
    for (url, hint) in [
        ("http:localhost", "http://host"),
        ("ftp://h", "http://host"),
        ("http://", "http://host"),
        ("http://h:port", "http://host"),
        ("http://h:0", "http://host"),
        ("http://h:70000", "http://host"),
        ("http://a,b", "http://host"),
        ("http://[::1", "http://host"),
        ("http://h/a b", "encode"),
        ("http://user:word@h", "token_env"),
        ("http://h?token=x", "token_env"),
        ("http://h?token_env=", "token_file"),
        ("http://h?token_env=A&token_file=/b", "one"),
        ("http://h?ca=/ca.pem", "https://"),
        ("http://h?timeout=0", ""),
        ("http://h?timeout=soon", "250ms"),
        ("http://h?facets=tags", "facets=none"),
        ("http://h?connections=0", "connections=64"),
        ("http://h?max_value=0", "0B"),
        ("http://h?max_value=0B", "256MB"),
        ("http://h?max_value=2GiB", "max_value=16MiB"),
        ("http://h?time_out=1s", "timeout"),
        ("http://h?token_env=%zz", "%25"),
    ] {
        let error = Config::from_url(url).expect_err(url);
        assert!(error.hint().contains(hint), "{url}: {error}");
        assert_eq!(check(url).unwrap_err().to_string(), error.to_string());
        assert!(open(url).is_err());
    }
    let unknown = Config::from_url("http://h?retries=3").unwrap_err();
    assert_eq!(unknown.kind(), ErrorKind::UnknownOption);
}

#[test]
fn no_secret_is_in_a_message() {
    for url in [
        "http://app:hunter2@h",
        "http://h/x?token=hunter2",
        "http://hunter2@h:port",
        "https://h?tken=hunter2",
        "http://h?token_env=A&token=hunter2%zz",
    ] {
        let error = Config::from_url(url).expect_err(url);
        assert!(!error.to_string().contains("hunter2"), "{url}: {error}");
    }
    let mut config = config("https://h/shop");
    config.secret = Some(Secret::Here(Token::new(" hunter2\n").unwrap()));
    let store = Http::open(config.clone());
    let info = store.map(|store| format!("{store:?} {:?}", store.info()));
    assert!(!format!("{config:?} {config} {info:?}").contains("hunter2"));
    assert_eq!(config.to_string(), "h:443/shop");
    for text in ["", "  ", "two words", "ä"] {
        assert!(Token::new(text).is_err(), "{text:?}");
    }
}
