//! Fuzzing of URLs of every store: one is taken, or refused with a hint, and no error shows a password.

use everwarm_conformance::{Wrong, fuzz, hunt};
use everwarm_core::error::Error;
use everwarm_tiers::schemes;

/// The word that no error may show where it is a password.
const SECRET: &str = "hush";

/// What a check says of a URL, as users see it, and what to do about it.
type Said = Result<(), (String, String)>;

fn ours(url: &str) -> Said {
    let said = |error: Error| (error.to_string(), error.hint().to_owned());
    schemes::check(url, |client| format!("build {} in", client.feature)).map_err(said)
}

fn check(data: &[u8], check: impl Fn(&str) -> Said) -> Wrong {
    let url = String::from_utf8_lossy(data);
    let Err((said, hint)) = check(&url) else {
        let scheme = url.split_once(':').map_or("", |(scheme, _)| scheme);
        let is_known = schemes::all().any(|known| known == scheme);
        return (!is_known).then_some("a URL without a scheme is taken");
    };
    if said.contains(SECRET) && is_secret(&url) {
        return Some("an error shows a password");
    }
    hint.is_empty()
        .then_some("an error says nothing about what to do")
}

/// Whether the word is there once, and as the password before a host: not within an option.
fn is_secret(url: &str) -> bool {
    let mut parts = url.split(SECRET);
    let (Some(before), Some(behind), None) = (parts.next(), parts.next(), parts.next()) else {
        return false;
    };
    let Some((scheme, user)) = before.split_once("://") else {
        return false;
    };
    if scheme.contains('?') {
        return false;
    }
    let is_user = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    user.strip_suffix(':').is_some_and(is_user) && behind.starts_with('@')
}

const URLS: [&str; 26] = [
    "disk:",
    "disk:///var/cache/shop?max_bytes=4MiB&durability=power",
    "disk://user:hush@/var/cache?max_entries=3",
    "disk:///a%20b?max_bytes=1GiB",
    "file:///var/cache/shop?max_entries=1000",
    "file://user:hush@/var/cache?max_bytes=1",
    "sqlite:///var/cache/shop.db",
    "sqlite://./cache.db?timeout=1s",
    "redis://user:hush@host:6379/0?timeout=80ms",
    "rediss://user:hush@[::1]/3?ca=/ca.pem&hear=tracking",
    "redis+unix://user:hush@/run/redis.sock?db=2",
    "redis+sentinel://user:hush@a:1,b/master/2?sentinel_password=other",
    "redis+cluster://user:hush@a,b:7001?tls=true",
    "memcached://a:11211,b?timeout=100ms",
    "memcacheds://user:hush@host?ca=/ca.pem",
    "postgresql://user:hush@host:5432/shop?sslmode=require",
    "postgres://user:hush@host/shop?table=cache",
    "mysql://user:hush@host:3306/shop?timeout=1s",
    "mariadb://user:hush@host/shop",
    "mongodb://user:hush@host:27017/shop?replicaSet=rs",
    "dynamodb://eu-west-1/table?endpoint=http://127.0.0.1:8000",
    "s3://bucket/prefix?region=eu-west-1",
    "gs://bucket/prefix?timeout=2s",
    "az://account/container/prefix",
    "https://cache.internal/shop?token_env=TOKEN&facets=scan,leases",
    "http://user:hush@host:8080/",
];

#[test]
fn urls() {
    fuzz("URLs", &URLS, |data| check(data, ours));
}

#[test]
fn a_check_that_repeats_what_it_was_given_is_found() {
    // The planted fault: the error has the URL in it.
    let telling = |url: &str| ours(url).map_err(|(said, hint)| (format!("{said} in {url}"), hint));
    let found = hunt(&URLS, |data| check(data, telling)).expect("it is found");
    assert!(found.starts_with("an error shows a password"), "{found}");
}
