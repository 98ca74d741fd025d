//! The services that tests ask, all of them stand-ins; `scripts/servers/up` says where they are.
#![allow(dead_code)]

pub(crate) mod service;

use std::io::Write;
use std::time::Duration;

use everwarm_core::store::{Answer, Failure};
use everwarm_store_object::{Config, Credentials, Objects};

/// moto, which stands in for S3.
pub(crate) const MOTO: &str = "EVERWARM_TEST_MOTO";

/// The URL in a variable. Without one the test is left out, loudly; where nothing may be left out, it fails.
///
/// # Panics
/// Without one, if `CI=true`.
pub(crate) fn url(variable: &str) -> Option<String> {
    let url = std::env::var(variable).ok().filter(|url| !url.is_empty());
    if url.is_none() {
        let is_ci = std::env::var("CI").is_ok_and(|ci| ci == "true");
        assert!(!is_ci, "{variable} is not set");
        // The test runner keeps what `eprintln!` writes to itself.
        let line = format!("LEFT OUT: a test that needs {variable} (scripts/servers/up sets it)\n");
        let _ = std::io::stderr().write_all(line.as_bytes());
    }
    url
}

/// A bucket of a stand-in at `endpoint`, below a prefix that nobody else has.
pub(crate) fn s3(endpoint: &str) -> Config {
    let mut config = Config::from_url(&format!(
        "s3://cache?endpoint={endpoint}&connect_timeout=10s"
    ))
    .expect("a URL");
    config.prefix = format!("t{:x}", everwarm_network::chance::number());
    config.credentials = Credentials::Key {
        id: "test".to_owned(),
        secret: "test".to_owned(),
    };
    config
}

/// A store of its own at moto.
pub(crate) fn moto() -> Option<Config> {
    url(MOTO).map(|url| s3(&url))
}

/// A store of its own at Azurite, which stands in for Azure.
pub(crate) fn azurite() -> Option<Config> {
    let mut config = Config::from_url(&url("EVERWARM_TEST_AZURE")?).expect("a URL");
    config.prefix = format!("t{:x}", everwarm_network::chance::number());
    config.connect_timeout = Duration::from_secs(10);
    Some(config)
}

/// The store that is meant.
pub(crate) fn open(config: &Config) -> Objects {
    Objects::open(config.clone()).expect("nothing is connected yet")
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
    for _ in 0..400 {
        if is_so() {
            return;
        }
        std::thread::sleep(Duration::from_millis(25));
    }
    panic!("{what}: not within ten seconds");
}
