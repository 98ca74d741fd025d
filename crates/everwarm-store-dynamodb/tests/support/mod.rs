//! The stand-ins that tests ask; `scripts/servers/up` says where they are.
#![allow(dead_code)]

pub(crate) mod stub;

use std::io::Write;
use std::time::Duration;

use everwarm_core::store::{Answer, Failure};
use everwarm_store_dynamodb::{Config, DynamoDb};

pub(crate) const MOTO: &str = "EVERWARM_TEST_MOTO";
pub(crate) const DYNALITE: &str = "EVERWARM_TEST_DYNALITE";

/// Where a stand-in is. Without one the test is left out, loudly; where nothing may be left out, it fails.
///
/// # Panics
/// Without one, if `CI=true`.
pub(crate) fn endpoint(variable: &str) -> Option<String> {
    let endpoint = std::env::var(variable).ok().filter(|url| !url.is_empty());
    if endpoint.is_none() {
        let is_ci = std::env::var("CI").is_ok_and(|ci| ci == "true");
        assert!(!is_ci, "{variable} is not set");
        // The test runner keeps what `eprintln!` writes to itself.
        let line = format!("LEFT OUT: a test that needs {variable} (scripts/servers/up sets it)\n");
        let _ = std::io::stderr().write_all(line.as_bytes());
    }
    endpoint
}

/// A table of a test's own, made when it is first used.
pub(crate) fn config(variable: &str, table: &str) -> Option<Config> {
    Some(at(&endpoint(variable)?, table))
}

/// The same, at an endpoint.
pub(crate) fn at(endpoint: &str, table: &str) -> Config {
    let table = format!("{table}_{}", std::process::id());
    let url = format!("dynamodb://test:secret@{table}?endpoint={endpoint}&make_table=true");
    let mut config = Config::from_url(&url).expect("a URL");
    config.connect_timeout = Duration::from_secs(10);
    config
}

/// A store in a table of a test's own.
pub(crate) fn store(variable: &str, table: &str) -> Option<DynamoDb> {
    config(variable, table).map(|config| DynamoDb::open(config).expect("a store"))
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
