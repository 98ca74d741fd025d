//! All promises of a store, checked one by one.

use std::any::Any;
use std::fmt;
use std::panic::{self, AssertUnwindSafe};

use crate::harness::Harness;
use crate::promise::Broken;
use crate::store::offered;
use crate::suites::{PROMISES, Promise};

/// What became of one promise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was kept.
    Kept,
    /// The store does not offer the facet.
    NotOffered,
    /// It was broken.
    Broken(Broken),
}

/// What became of all promises.
#[derive(Clone, Debug)]
pub struct Report {
    /// Each promise, in the order of the contract, and what became of it.
    pub outcomes: Vec<(Promise, Outcome)>,
}

impl Report {
    /// Whether every promise was kept, but for those of facets that are not offered.
    #[must_use]
    pub fn is_kept(&self) -> bool {
        self.broken().next().is_none()
    }

    /// Those that were broken, and how.
    pub fn broken(&self) -> impl Iterator<Item = (&Promise, &Broken)> {
        self.outcomes
            .iter()
            .filter_map(|(promise, outcome)| match outcome {
                Outcome::Broken(broken) => Some((promise, broken)),
                _ => None,
            })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (promise, outcome) in &self.outcomes {
            let word = match outcome {
                Outcome::Kept => "kept       ",
                Outcome::NotOffered => "not offered",
                Outcome::Broken(_) => "BROKEN     ",
            };
            write!(formatter, "{word} {}::{}", promise.suite, promise.name)?;
            if let Outcome::Broken(broken) = outcome {
                write!(formatter, ": {broken}")?;
            }
            writeln!(formatter)?;
        }
        Ok(())
    }
}

/// Checks every promise, each in a place of its own.
#[must_use]
pub fn run(harness: &Harness) -> Report {
    let outcomes = PROMISES
        .iter()
        .map(|&promise| (promise, check(harness, &promise)));
    Report {
        outcomes: outcomes.collect(),
    }
}

/// Checks one promise. A panic of the store breaks it.
#[must_use]
pub fn check(harness: &Harness, promise: &Promise) -> Outcome {
    let checked = panic::catch_unwind(AssertUnwindSafe(|| {
        let bench = harness.bench()?;
        let is_offered = offered(&*bench.store)
            .iter()
            .any(|&(facet, is_offered)| facet == promise.suite && is_offered);
        if promise.suite != "store" && !is_offered {
            return Ok(Outcome::NotOffered);
        }
        (promise.check)(&bench).map(|()| Outcome::Kept)
    }));
    match checked {
        Ok(outcome) => outcome.unwrap_or_else(Outcome::Broken),
        Err(panic) => Outcome::Broken(broken_by(&*panic)),
    }
}

/// What a panic broke.
pub(crate) fn broken_by(panic: &(dyn Any + Send)) -> Broken {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    Broken::new(format!("it panicked: {}", text.unwrap_or("without a word")))
}

/// Checks one promise for a test, which fails if it is broken or cannot be checked.
///
/// # Panics
/// If the promise is not kept.
pub fn hold(harness: &Harness, suite: &str, name: &str) {
    let promise = PROMISES
        .iter()
        .find(|promise| promise.suite == suite && promise.name == name)
        .unwrap_or_else(|| panic!("there is no promise {suite}::{name}"));
    match check(harness, promise) {
        Outcome::Kept => {}
        Outcome::NotOffered => panic!("the facet {suite} is not offered"),
        Outcome::Broken(broken) => panic!("{suite}::{name} is broken: {broken}"),
    }
}
