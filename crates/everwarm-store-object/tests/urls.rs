//! URLs and options: what they say, what is refused, and that no secret is shown.

use std::time::Duration;

use everwarm_core::store::{FailureKind, Store};
use everwarm_store_object::{Config, Credentials, Objects, Service, check};

fn config(url: &str) -> Config {
    Config::from_url(url).unwrap_or_else(|error| panic!("{url}: {error}"))
}

#[test]
fn what_a_url_says() {
    let it = config(
        "s3://bucket/shop/cache/?region=eu-central-1&virtual_host=true&timeout=3s&connections=8&max_value=1GiB",
    );
    assert_eq!(
        (it.service, it.bucket.as_str(), it.prefix.as_str()),
        (Service::S3, "bucket", "shop/cache")
    );
    assert_eq!(
        (it.region.as_deref(), it.virtual_host),
        (Some("eu-central-1"), true)
    );
    assert_eq!(
        (it.timeout, it.connections, it.max_value),
        (Some(Duration::from_secs(3)), 8, 1 << 30)
    );
    assert_eq!(it.to_string(), "bucket/shop/cache");

    let it = config("gs://bucket?credentials_file=/run/key.json&connect_timeout=500ms");
    assert_eq!((it.service, it.prefix.as_str()), (Service::Google, ""));
    assert_eq!(it.credentials, Credentials::File("/run/key.json".into()));
    assert_eq!(it.connect_timeout, Duration::from_millis(500));

    let it = config("az://container/p?account=shop&endpoint=http://127.0.0.1:10000/shop/");
    assert_eq!(
        (it.service, it.account.as_deref()),
        (Service::Azure, Some("shop"))
    );
    assert_eq!(it.to_string(), "container/p at http://127.0.0.1:10000/shop");

    let it = config("s3://bucket?key_env=KEY&secret_env=SECRET&token_env=TOKEN");
    assert!(matches!(it.credentials, Credentials::Variables { .. }));
    assert_eq!(
        config("s3://bucket?anonymous=true").credentials,
        Credentials::Anonymous
    );
    assert_eq!(config("s3://bucket").credentials, Credentials::Environment);
    let it = config("s3://bucket?endpoint=https://s3.internal&ca=/etc/ca.pem");
    assert!(it.ca.is_some());
}

#[test]
fn what_cannot_be_meant_is_refused_with_a_hint() {
    for (url, hint) in [
        ("s3:bucket", "s3://bucket"),
        ("s4://bucket", "s3://bucket"),
        ("s3://", "s3://bucket"),
        ("s3://bu cket", "s3://bucket"),
        ("s3://bucket/a//b", "slashes"),
        ("s3://bucket/../b", "slashes"),
        ("s3://bucket/é", "slashes"),
        ("s3://key:secret@bucket", "key_env="),
        ("s3://bucket?secret=abc", "secret_env"),
        ("s3://bucket?key_env=KEY", "secret_env="),
        ("s3://bucket?anonymous=true&secret_env=S", "anonymous"),
        ("gs://bucket?region=eu", "leave it out"),
        ("gs://bucket?secret_env=S", "credentials_file="),
        ("s3://bucket?account=shop", "leave it out"),
        ("s3://bucket?endpoint=localhost:9000", "https://"),
        ("s3://bucket?ca=/etc/ca.pem", "endpoint="),
        ("s3://bucket?max_value=5GiB", "256MiB"),
        ("s3://bucket?connections=0", "1000"),
        ("s3://bucket?regoin=eu", "region"),
        ("s3://bucket?timeout=soon", ""),
    ] {
        let error = check(url).expect_err(url);
        assert!(error.hint().contains(hint), "{url}: {error}");
        assert!(!error.to_string().contains("abc"), "{error}");
    }
}

#[test]
fn a_secret_is_not_shown() {
    let mut it = config("s3://bucket?region=eu-central-1");
    it.credentials = Credentials::Key {
        id: "known".to_owned(),
        secret: "hidden".to_owned(),
    };
    let store = Objects::open(it.clone()).expect("nothing is connected yet");
    for shown in [
        format!("{it:?}"),
        format!("{store:?}"),
        format!("{:?}", store.info()),
    ] {
        assert!(!shown.contains("hidden"), "{shown}");
    }
    let failure = Objects::open(config(
        "s3://b?key_env=NO_SUCH_KEY&secret_env=NO_SUCH_SECRET",
    ));
    let failure = failure.expect_err("there are no such variables");
    assert_eq!(failure.kind, FailureKind::Authentication);
}

#[test]
fn each_service_opens_without_asking_anybody() {
    for url in [
        "s3://bucket?anonymous=true",
        "gs://bucket?anonymous=true",
        "az://box?account=shop&anonymous=true",
    ] {
        let store =
            everwarm_store_object::open(url).unwrap_or_else(|failure| panic!("{url}: {failure}"));
        assert_eq!(store.info().kind, &url[..2]);
    }
}
