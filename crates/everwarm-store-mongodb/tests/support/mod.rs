//! The server that tests ask; `scripts/servers/up` says where it is.
#![allow(dead_code)]

use std::io::Write;
use std::time::Duration;

use everwarm_core::store::{Answer, Failure};
use everwarm_store_mongodb::{Config, MongoDb};
use mongodb::bson::{Document, doc};

const VARIABLE: &str = "EVERWARM_TEST_MONGODB";

/// The URL of the server. Without one the test is left out, loudly; where nothing may be left out, it fails.
///
/// # Panics
/// Without one, if `CI=true`.
pub(crate) fn url() -> Option<String> {
    let url = std::env::var(VARIABLE).ok().filter(|url| !url.is_empty());
    if url.is_none() {
        let is_ci = std::env::var("CI").is_ok_and(|ci| ci == "true");
        let left_out = std::env::var("EVERWARM_TEST_LEFT_OUT").unwrap_or_default();
        assert!(
            !is_ci || left_out.contains(VARIABLE),
            "{VARIABLE} is not set"
        );
        // The test runner keeps what `eprintln!` writes to itself.
        let line = format!("LEFT OUT: a test that needs {VARIABLE} (scripts/servers/up sets it)\n");
        let _ = std::io::stderr().write_all(line.as_bytes());
    }
    url
}

/// A collection of a test's own, with more patience than a connection needs: the machine may be busy.
pub(crate) fn config(collection: &str) -> Option<Config> {
    let mut config = Config::from_url(&url()?).expect("a URL");
    config.collection = format!("{collection}_{}", std::process::id());
    config.connect_timeout = Duration::from_secs(10);
    Some(config)
}

/// A store in a collection of a test's own.
pub(crate) fn store(collection: &str) -> Option<MongoDb> {
    config(collection).map(MongoDb::open)
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
    for _ in 0..800 {
        if is_so() {
            return;
        }
        std::thread::sleep(Duration::from_millis(25));
    }
    panic!("{what}: not within twenty seconds");
}

/// Puts a document into the collection of a store, as somebody else would.
///
/// # Panics
/// If the server refuses it.
pub(crate) fn write(store: &MongoDb, name: &str, fill: impl FnOnce(&mut Document)) {
    use everwarm_core::store::Store;

    let url = url().expect("a test that gets here has a server");
    let place = store.info().place;
    let mut parts = place.rsplit('/');
    let (collection, database) = (
        parts.next().expect("a collection"),
        parts.next().expect("a database"),
    );
    let mut document = doc! { "_id": name };
    fill(&mut document);
    let runtime = everwarm_runtime::handle().expect("a runtime");
    runtime.block_on(async {
        let client = mongodb::Client::with_uri_str(&url).await.expect("a client");
        let collection = client.database(database).collection::<Document>(collection);
        collection
            .insert_one(document)
            .await
            .expect("it is written");
    });
}
