//! What URLs say, and what cannot be meant.

use std::time::Duration;

use everwarm_core::error::ErrorKind;
use everwarm_core::store::{Durability, Store};
use everwarm_store_mongodb::{Config, MongoDb, Written, check, open};

fn config(url: &str) -> Config {
    Config::from_url(url).unwrap_or_else(|error| panic!("{url}: {error}"))
}

#[test]
fn a_url_says_where() {
    for (url, place) in [
        ("mongodb://localhost/shop", "localhost/shop/everwarm"),
        (
            "mongodb://a:1,b/shop?collection=c&replicaSet=rs0",
            "a:1,b/shop/c",
        ),
        (
            "mongodb://ann:p%40ss@[::1]:7/my-shop",
            "[::1]:7/my-shop/everwarm",
        ),
    ] {
        assert_eq!(config(url).to_string(), place, "{url}");
        assert_eq!(open(url).unwrap().info().place, place);
    }
}

#[test]
fn options_say_how() {
    let config = config(
        "mongodb://h/d?collection=c.d&make_index=false&connect_timeout=3&timeout=80ms&w=2&journal=false&maxPoolSize=7\
         &retryWrites=true&authSource=admin&tls=false",
    );
    assert_eq!(
        (config.collection.as_str(), config.make_index),
        ("c.d", false)
    );
    assert_eq!(config.connect_timeout, Duration::from_secs(3));
    assert_eq!(config.timeout, Some(Duration::from_millis(80)));
    assert_eq!((config.written, config.journal), (Written::By(2), false));
}

#[test]
fn what_is_acknowledged_survives_as_much_as_the_url_says() {
    for (options, survives) in [
        ("", Durability::Power),
        ("w=majority", Durability::Power),
        ("w=2", Durability::Power),
        ("w=1", Durability::Process),
        ("journal=false", Durability::Process),
    ] {
        let store = MongoDb::open(config(&format!("mongodb://localhost/d?{options}")));
        assert_eq!(store.info().durability, survives, "{options}");
    }
}

#[test]
fn what_cannot_be_meant_is_refused_without_secrets() {
    for url in [
        "mongodb",
        "mongo://ann:secret@h/d",
        "mongodb://ann:secret@h",
        "mongodb://ann:secret@h/a.b",
        "mongodb://ann:secret@h:port/d",
        "mongodb://ann:se%zzcret@h/d",
        "mongodb://ann:se%äcret@h/d",
        "mongodb://ann:secret@h/d?collection=",
        "mongodb://ann:secret@h/d?collection=a%24b",
        "mongodb://ann:secret@h/d?collection=system.users",
        "mongodb://ann:secret@h/d?w=0",
        "mongodb://ann:secret@h/d?w=-1",
        "mongodb://ann:secret@h/d?journal=perhaps",
        "mongodb://ann:secret@h/d?retryWrites=perhaps",
        "mongodb://ann:secret@h/d?timeout=soon",
        "mongodb://ann:secret@h/d?tls=perhaps",
    ] {
        let error = check(url).expect_err(url);
        assert_eq!(error.kind(), ErrorKind::Config, "{url}");
        assert!(
            !error.hint().is_empty() && !error.to_string().contains("secret"),
            "{error}"
        );
        assert!(open(url).is_err());
    }
    let error = check("mongodb://h/d?colection=t").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnknownOption);
    assert!(error.hint().contains("collection"), "{error}");
    // Reads from others than the primary would not see what was just written.
    let error = check("mongodb://h/d?readPreference=secondary").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnknownOption);
}

#[test]
#[cfg(not(feature = "srv"))]
fn names_that_are_looked_up_need_a_build_that_does() {
    let error = check("mongodb+srv://cluster.example.com/d").unwrap_err();
    assert!(error.hint().contains("mongodb-srv"), "{error}");
}
