//! What URLs say, and what cannot be meant.

use std::time::Duration;

use everwarm_core::error::ErrorKind;
use everwarm_core::store::{Durability, Store};
use everwarm_store_dynamodb::{Config, DynamoDb, Keys, check, commands, open};

fn config(url: &str) -> Config {
    Config::from_url(url).unwrap_or_else(|error| panic!("{url}: {error}"))
}

#[test]
fn a_url_says_where_and_how() {
    let plain = config("dynamodb://shop-cache");
    assert_eq!(plain.table, "shop-cache");
    assert!(plain.consistent && !plain.make_table && plain.keys.is_none());
    let full = config(
        "dynamodb://a.b_c?region=eu-west-1&endpoint=http://[::1]:8000/&profile=work&consistent=false&make_table=1\
         &ca=/ca.pem&connections=7&connect_timeout=3&timeout=80ms",
    );
    assert_eq!(full.region.as_deref(), Some("eu-west-1"));
    assert_eq!(full.endpoint.as_deref(), Some("http://[::1]:8000"));
    assert_eq!(full.profile.as_deref(), Some("work"));
    assert_eq!((full.consistent, full.make_table), (false, true));
    assert_eq!(full.ca, Some("/ca.pem".into()));
    assert_eq!(full.connections, 7);
    assert_eq!(full.connect_timeout, Duration::from_secs(3));
    assert_eq!(full.timeout, Some(Duration::from_millis(80)));
}

#[test]
fn keys_are_said_in_the_url_and_never_repeated() {
    let config = config("dynamodb://AKIA7:se%2Fcr%2Bet@table?region=eu-west-1");
    let expected = Keys {
        id: "AKIA7".to_owned(),
        secret: "se/cr+et".to_owned(),
    };
    assert_eq!(config.keys, Some(expected));
    let store = DynamoDb::open(config.clone()).unwrap();
    let shown = [
        format!("{config:?}"),
        config.to_string(),
        format!("{store:?}"),
        store.info().place,
    ];
    assert!(
        shown
            .iter()
            .all(|text| !text.contains("se/cr") && !text.contains("AKIA7"))
    );
    assert_eq!(store.info().place, "table in eu-west-1");
    assert_eq!(store.info().kind, "dynamodb");
    assert_eq!(store.info().durability, Durability::Power);
}

#[test]
fn what_cannot_be_meant_is_refused_with_a_hint() {
    for url in [
        "dynamodb",
        "dynamo://table",
        "dynamodb://",
        "dynamodb://ab",
        "dynamodb://a b c",
        "dynamodb://table/other",
        "dynamodb://id@table",
        "dynamodb://:secret@table",
        "dynamodb://id:secret%zz@table",
        "dynamodb://id:secret?a@table",
        "dynamodb://id:secret@table?profile=work",
        "dynamodb://table?region=",
        "dynamodb://table?region=Frankfurt",
        "dynamodb://table?endpoint=localhost:8000",
        "dynamodb://table?endpoint=http://a/b",
        "dynamodb://table?profile=",
        "dynamodb://table?consistent=perhaps",
        "dynamodb://table?connections=0",
        "dynamodb://table?timeout=soon",
    ] {
        let error = check(url).expect_err(url);
        assert_eq!(error.kind(), ErrorKind::Config, "{url}");
        assert!(
            !error.hint().is_empty() && !error.to_string().contains("secret%"),
            "{error}"
        );
        assert!(open(url).is_err());
    }
    let error = check("dynamodb://table?regoin=eu-west-1").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnknownOption);
    assert!(error.hint().contains("region"), "{error}");
}

#[test]
fn the_commands_that_make_a_table_name_it_and_its_place() {
    let written = commands("dynamodb://a:b@shop?region=eu-west-1").unwrap();
    let lines: Vec<&str> = written.lines().collect();
    assert_eq!(lines.len(), 2);
    for line in lines {
        assert!(
            line.contains("--table-name shop ") && line.contains("--region eu-west-1"),
            "{line}"
        );
    }
    assert!(!written.contains("a:b"));
}
