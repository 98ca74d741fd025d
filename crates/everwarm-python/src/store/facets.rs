//! What a store in Python can do besides, by the methods that it has.

use std::time::Duration;

use everwarm_core::store::{
    Answer, Bytes, Condition, Conditional, Counters, Grant, Leases, Page, Scan, Touch,
};
use pyo3::prelude::*;

use super::argument::Argument::{Data, Nothing, Signed, Text, Ttl, Unsigned};
use super::written::{Written, truth};

impl Counters for Written {
    fn incr<'a>(
        &'a self,
        name: &'a str,
        by: i64,
        initial: i64,
        ttl: Option<Duration>,
    ) -> Answer<'a, i64> {
        let arguments = [Text(name), Signed(by), Signed(initial), Ttl(ttl)];
        self.ask("incr", arguments, "the new number", |given| {
            given.extract().ok()
        })
    }
}

impl Conditional for Written {
    fn set_if<'a>(
        &'a self,
        name: &'a str,
        bytes: Bytes,
        ttl: Option<Duration>,
        condition: Condition,
    ) -> Answer<'a, Option<u64>> {
        let condition = match condition {
            Condition::Absent => Text("absent"),
            Condition::Present => Text("present"),
            Condition::Version(version) => Unsigned(version),
        };
        let arguments = [Text(name), Data(&bytes), Ttl(ttl), condition];
        let version = |given: &Bound<'_, PyAny>| given.extract().ok();
        self.write(
            "set_if",
            (name, &bytes),
            arguments,
            ("the version, or None", version),
        )
    }

    fn delete_if<'a>(&'a self, name: &'a str, version: u64) -> Answer<'a, bool> {
        let arguments = [Text(name), Unsigned(version)];
        self.ask("delete_if", arguments, "whether it was deleted", truth)
    }
}

/// What `lease` gave: nothing if it was granted, else for how long another one has it.
fn grant(given: &Bound<'_, PyAny>) -> Option<Grant> {
    match given.extract::<Option<f64>>().ok()? {
        None => Some(Grant::Granted),
        Some(left) => Some(Grant::Held(Duration::try_from_secs_f64(left).ok()?)),
    }
}

impl Leases for Written {
    fn lease<'a>(&'a self, name: &'a str, token: u64, ttl: Duration) -> Answer<'a, Grant> {
        let arguments = [Text(name), Unsigned(token), Ttl(Some(ttl))];
        self.ask(
            "lease",
            arguments,
            "None if it is granted, else for how many seconds it is held",
            grant,
        )
    }

    fn renew<'a>(&'a self, name: &'a str, token: u64, ttl: Duration) -> Answer<'a, bool> {
        let arguments = [Text(name), Unsigned(token), Ttl(Some(ttl))];
        self.ask("renew", arguments, "whether it was still there", truth)
    }

    fn release<'a>(&'a self, name: &'a str, token: u64) -> Answer<'a, bool> {
        let arguments = [Text(name), Unsigned(token)];
        self.ask("release", arguments, "whether it was still there", truth)
    }

    fn set_leased<'a>(
        &'a self,
        name: &'a str,
        token: u64,
        bytes: Bytes,
        ttl: Option<Duration>,
    ) -> Answer<'a, bool> {
        let arguments = [Text(name), Unsigned(token), Data(&bytes), Ttl(ttl)];
        self.write(
            "set_leased",
            (name, &bytes),
            arguments,
            ("whether it is stored", truth),
        )
    }
}

impl Scan for Written {
    fn page<'a>(
        &'a self,
        prefix: &'a str,
        after: Option<&'a str>,
        limit: usize,
    ) -> Answer<'a, Page> {
        let arguments = [
            Text(prefix),
            after.map_or(Nothing, Text),
            Unsigned(limit as u64),
        ];
        self.ask(
            "scan",
            arguments,
            "(names, what to go on with or None)",
            |given| {
                let (names, next) = given.extract().ok()?;
                Some(Page { names, next })
            },
        )
    }
}

impl Touch for Written {
    fn expire<'a>(&'a self, name: &'a str, ttl: Option<Duration>) -> Answer<'a, bool> {
        self.ask(
            "expire",
            [Text(name), Ttl(ttl)],
            "whether it was there",
            truth,
        )
    }
}
