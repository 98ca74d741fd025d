//! What URLs say, and what cannot be meant.

use std::path::PathBuf;
use std::time::Duration;

use everwarm_core::error::ErrorKind;
use everwarm_store_redis::{Address, Config, Credentials, Hear, Place, Tls, check, open};

fn tcp(host: &str, port: u16) -> Address {
    Address::Tcp {
        host: host.to_owned(),
        port,
    }
}

fn config(url: &str) -> Config {
    Config::from_url(url).unwrap_or_else(|error| panic!("{url}: {error}"))
}

#[test]
fn each_scheme_says_where() {
    let servers = [
        ("redis://", tcp("localhost", 6379), 0),
        ("redis://:7000", tcp("localhost", 7000), 0),
        ("redis://cache.internal", tcp("cache.internal", 6379), 0),
        ("redis://10.0.0.1:7000/3", tcp("10.0.0.1", 7000), 3),
        ("redis://[::1]:7000/", tcp("::1", 7000), 0),
        ("redis://[fe80::1]?db=4", tcp("fe80::1", 6379), 4),
        (
            "redis+unix:///run/redis.sock?db=2",
            Address::Unix("/run/redis.sock".into()),
            2,
        ),
    ];
    for (url, address, database) in servers {
        let config = config(url);
        assert_eq!(config.place, Place::Server(address), "{url}");
        assert_eq!(config.database, database, "{url}");
        assert_eq!(config.tls, None, "{url}");
    }
    let sentinel = config("redis+sentinel://a,b:1,[::1]/my%20master/2");
    let expected = Place::Sentinel {
        sentinels: vec![tcp("a", 26379), tcp("b", 1), tcp("::1", 26379)],
        name: "my master".to_owned(),
    };
    assert_eq!((sentinel.place, sentinel.database), (expected, 2));
    let cluster = config("redis+cluster://a,b:7001?tls=true");
    assert_eq!(
        cluster.place,
        Place::Cluster(vec![tcp("a", 6379), tcp("b", 7001)])
    );
    assert_eq!(cluster.tls, Some(Tls::default()));
}

#[test]
fn options_say_how() {
    let config =
        config("rediss://h?timeout=80ms&connect_timeout=2&ca=/ca.pem&cert=/c.pem&key=/k.pem");
    assert_eq!(config.timeout, Duration::from_millis(80));
    assert_eq!(config.connect_timeout, Duration::from_secs(2));
    let tls = config.tls.expect("rediss");
    assert_eq!(tls.ca, Some(PathBuf::from("/ca.pem")));
    assert_eq!(tls.identity, Some(("/c.pem".into(), "/k.pem".into())));
}

#[test]
fn how_others_are_heard_is_said() {
    assert_eq!(config("redis://h").hear, Hear::Messages);
    assert_eq!(config("redis://h?hear=messages").hear, Hear::Messages);
    assert_eq!(config("rediss://h?hear=tracking").hear, Hear::Tracking);
    for url in [
        "redis+sentinel://h/name?hear=tracking",
        "redis+cluster://h?hear=tracking",
    ] {
        assert_eq!(config(url).hear, Hear::Tracking, "{url}");
    }
    let error = Config::from_url("redis://h?hear=rumour").expect_err("no way");
    assert!(error.hint().contains("messages"), "{error}");
}

#[test]
fn who_asks_is_decoded() {
    let named = |user: Option<&str>, password: &str| {
        Some(Credentials {
            user: user.map(str::to_owned),
            password: password.to_owned(),
        })
    };
    for (url, expected) in [
        ("redis://h", None),
        ("redis://:pw@h", named(None, "pw")),
        ("redis://app:p%40s%3As@h", named(Some("app"), "p@s:s")),
        // As people write them who do not know better.
        ("redis://app:p@s/s:x@h/1", named(Some("app"), "p@s/s:x")),
        ("redis+unix://app:pw@/run/s", named(Some("app"), "pw")),
    ] {
        assert_eq!(config(url).credentials, expected, "{url}");
    }
    let sentinel = config("redis+sentinel://u:p@a/m?sentinel_username=s&sentinel_password=t%26");
    assert_eq!(sentinel.credentials, named(Some("u"), "p"));
    assert_eq!(sentinel.sentinel_credentials, named(Some("s"), "t&"));
}

#[test]
fn what_cannot_be_meant_is_refused_with_a_hint() {
    for (url, hint) in [
        ("redis:localhost", "redis://host"),
        ("rediscluster://h", "redis+cluster://"),
        ("redis://h:port", "host:port"),
        ("redis://h:0", "host:port"),
        ("redis://h:70000", "host:port"),
        ("redis://[::1", "[::1]:6379"),
        ("redis://a,b", "host:port"),
        ("redis://h/one", "a number"),
        ("redis://h/%30%", "a number"),
        ("redis+unix://run/redis.sock", "three slashes"),
        ("redis+unix://", "three slashes"),
        ("redis+sentinel://a,b", "mymaster"),
        ("redis+sentinel://a,,b/m", "one comma"),
        ("redis+cluster://a/0", "redis+cluster://h1,h2"),
        ("redis+cluster://a?db=1", "db="),
        ("redis://h?timeout=0", ""),
        ("redis://h?timeout=soon", "250ms"),
        ("redis://h?time_out=1s", "timeout"),
        ("redis://h?tls=true", "rediss://"),
        ("redis+cluster://h?tls=maybe", "tls=true"),
        ("redis://h?ca=/ca.pem", "rediss://"),
        ("rediss://h?cert=/c.pem", "both cert= and key="),
        ("redis://h?sentinel_password=x", "sentinel_password="),
        (
            "redis+sentinel://h/m?sentinel_username=x",
            "sentinel_password=",
        ),
        ("redis://user@h", "user:password@host"),
        ("redis://:p%zz@h", "%25"),
    ] {
        let error = Config::from_url(url).expect_err(url);
        assert!(error.hint().contains(hint), "{url}: {error}");
        assert_eq!(check(url).unwrap_err().to_string(), error.to_string());
        assert!(open(url).is_err());
    }
    let unknown = Config::from_url("redis://h?retries=3").unwrap_err();
    assert_eq!(unknown.kind(), ErrorKind::UnknownOption);
}

#[test]
fn no_password_is_in_a_message() {
    for url in [
        "redis://app:hunter2@h:port",
        "redis://app:hun/ter2@h:port",
        "redis://app:hunter2@h/one",
        "redis://app:hunter2@h?tmeout=1s",
        "redis://app:x?hunter2@h",
        "redis://app:hunter2%zz@h",
        "redis://hunter2@h",
        "redi://app:hunter2@h",
        "redis+unix://app:hunter2@run/s",
        "redis+sentinel://app:hunter2@a",
        "redis+sentinel://a/m?sentinel_password=hunter2%zz",
        "redis://h?sentinel_password=hunter2",
        "rediss://app:hunter2@h?cert=x",
    ] {
        let error = Config::from_url(url).expect_err(url);
        for secret in ["hunter2", "ter2"] {
            assert!(!error.to_string().contains(secret), "{url}: {error}");
        }
    }
    let shown = config("redis+sentinel://app:hunter2@a,b/m?sentinel_password=hunter2");
    assert!(!format!("{shown:?} {shown}").contains("hunter2"));
    assert_eq!(shown.to_string(), "a:26379,b:26379/m/0");
}

#[test]
fn files_that_are_none_are_refused_when_the_store_is_opened() {
    let file = std::env::temp_dir().join(format!("everwarm-no-pem-{}", std::process::id()));
    std::fs::write(&file, "no certificate").unwrap();
    for url in [
        "rediss://h?ca=/there/is/none".to_owned(),
        format!("rediss://h?ca={}", file.display()),
        format!("rediss://h?cert={0}&key={0}", file.display()),
    ] {
        check(&url).expect("no file is looked at");
        let failure = open(&url).expect_err(&url);
        assert!(
            failure.hint().contains("PEM") || failure.hint().contains("ca="),
            "{failure}"
        );
    }
    std::fs::remove_file(&file).unwrap();
}
