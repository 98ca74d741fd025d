//! Files for tests.

use std::time::Duration;

use everwarm_conformance::{Fixture, wait};
use everwarm_core::store::{Answer, Bytes, Failure, Store};
pub(crate) use everwarm_store_sql::sqlite::{Config, Sqlite};

/// A file of the fixture's own. Others may write for long on a loaded machine.
pub(crate) fn config(fixture: &Fixture) -> Config {
    Config {
        busy_timeout: Duration::from_secs(20),
        ..Config::new(fixture.directory().join("cache.db"))
    }
}

/// A store in it.
pub(crate) fn store(fixture: &Fixture) -> Sqlite {
    Sqlite::open(config(fixture)).expect("a store")
}

/// The answer that is there at once.
pub(crate) fn now<T>(answer: Answer<'_, T>) -> Result<T, Failure> {
    answer.now().unwrap_or_else(|later| wait(later))
}

/// What is under a name, as a text.
pub(crate) fn text(store: &dyn Store, name: &str) -> Option<String> {
    let found = now(store.get(name)).expect("it reads");
    found.map(|found| String::from_utf8_lossy(&found.bytes).into_owned())
}

pub(crate) fn put(store: &dyn Store, name: &str, text: &str) {
    now(store.set(name, Bytes::copy_from_slice(text.as_bytes()), None)).expect("it writes");
}
