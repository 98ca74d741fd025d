//! The servers that tests ask; `scripts/servers/up` says where they are.
#![allow(dead_code)]

pub(crate) mod cluster;
pub(crate) mod door;
pub(crate) mod monitor;

use std::future::Future;
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use everwarm_core::store::{Answer, Failure};
use everwarm_store_redis::{Config, Redis, Tls};

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

/// What a variable's URL says, with more patience than an operation needs: the machine may be busy.
pub(crate) fn config(variable: &str) -> Option<Config> {
    let mut config = Config::from_url(&url(variable)?).expect("a URL");
    if let (Some(Tls { ca, .. }), Ok(file)) =
        (&mut config.tls, std::env::var("EVERWARM_TEST_REDIS_CA"))
    {
        *ca = Some(file.into());
    }
    let file = |name| std::env::var(name).ok().map(PathBuf::from);
    let identity = file("EVERWARM_TEST_REDIS_CERT").zip(file("EVERWARM_TEST_REDIS_KEY"));
    if let Some(tls) = &mut config.tls {
        tls.identity = identity;
    }
    config.timeout = Duration::from_secs(10);
    config.connect_timeout = Duration::from_secs(10);
    Some(config)
}

/// A store as a variable's URL says.
pub(crate) fn store(variable: &str) -> Option<Redis> {
    config(variable).map(|config| Redis::open(config).expect("a store"))
}

/// How a test asks.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Way {
    /// On its own thread, which blocks.
    Blocking,
    /// As a task would.
    Awaiting,
}

impl Way {
    /// Does `work` in this way.
    pub(crate) fn run<T>(self, work: impl FnOnce() -> T) -> T {
        match self {
            Self::Blocking => everwarm_runtime::waiting(work),
            Self::Awaiting => work(),
        }
    }
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

/// Does `work` on a runtime of its own.
pub(crate) fn on_runtime<T>(work: impl Future<Output = T>) -> T {
    everwarm_runtime::handle()
        .expect("a runtime")
        .block_on(work)
}
