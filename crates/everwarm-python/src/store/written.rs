//! A store that its user wrote in Python: an object with the methods of `everwarm.Store`.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use everwarm_core::store::{
    Answer, Bytes, Conditional, Counters, Durability, Entry, Failure, FailureKind, Found, Info,
    Leases, Limits, Scan, Store, Touch,
};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;

use super::argument::Argument::{self, Data, Entries, Text, Texts, Ttl};
use super::failure;
use super::said::{durability, limits, own_method, refuse_coroutine};
use crate::{calling, errors, texts};

/// The facets, and the methods that make them: all of them, or none.
const FACETS: [(&str, &[&str]); 5] = [
    ("counters", &["incr"]),
    ("conditional", &["set_if", "delete_if"]),
    ("leases", &["lease", "renew", "release", "set_leased"]),
    ("scan", &["scan"]),
    ("touch", &["expire"]),
];
const NEEDED: [&str; 4] = ["get", "set", "delete", "clear"];
const OPTIONAL: [&str; 6] = [
    "get_many",
    "set_many",
    "delete_many",
    "sweep",
    "ping",
    "close",
];

/// A store in Python. It is called on the thread of the caller, who waits.
pub(super) struct Written {
    object: Py<PyAny>,
    /// The name of its class, for messages.
    name: String,
    limits: Limits,
    durability: Durability,
    /// Which methods it has.
    methods: Vec<&'static str>,
    is_closed: AtomicBool,
}

impl Written {
    /// A store of the methods that the object has.
    pub(super) fn new(object: &Bound<'_, PyAny>) -> PyResult<Self> {
        let py = object.py();
        let name = texts::of(&object.get_type().qualname()?);
        let all = NEEDED
            .iter()
            .chain(&OPTIONAL)
            .chain(FACETS.iter().flat_map(|(_, methods)| *methods));
        let mut methods = Vec::new();
        for method in all.copied() {
            if let Some(found) = own_method(object, method)? {
                refuse_coroutine(&name, method, &found)?;
                methods.push(method);
            }
        }
        let lacks = |needed: &[&'static str]| {
            needed
                .iter()
                .copied()
                .find(|method| !methods.contains(method))
        };
        if let Some(method) = lacks(&NEEDED) {
            let hint = "a store has at least get, set, delete and clear, as `everwarm.Store` says";
            return Err(errors::config(
                py,
                &format!("the store {name} has no method {method}"),
                hint,
            ));
        }
        for (facet, needed) in FACETS {
            if let Some(method) = lacks(needed)
                && needed.iter().any(|method| methods.contains(method))
            {
                let hint = format!("give it all of {}, or none", needed.join(", "));
                let message =
                    format!("the store {name} has a part of {facet} without the method {method}");
                return Err(errors::config(py, &message, &hint));
            }
        }
        Ok(Self {
            object: object.clone().unbind(),
            limits: limits(object)?,
            durability: durability(object, &name)?,
            name,
            methods,
            is_closed: AtomicBool::new(false),
        })
    }

    fn has(&self, method: &str) -> bool {
        self.methods.contains(&method)
    }

    /// Whether it has the methods of a facet.
    fn offers(&self, facet: &str) -> bool {
        FACETS
            .iter()
            .any(|(name, methods)| *name == facet && self.has(methods[0]))
    }

    /// Calls a method, and reads what it gives.
    pub(super) fn ask<'a, T, const N: usize>(
        &'a self,
        verb: &'static str,
        arguments: [Argument<'_>; N],
        expected: &str,
        read: impl FnOnce(&Bound<'_, PyAny>) -> Option<T>,
    ) -> Answer<'a, T> {
        if self.is_closed.load(Ordering::Relaxed) {
            return Answer::failed(closed(&self.name));
        }
        let asked = Python::try_attach(|py| {
            let given = self
                .object
                .bind(py)
                .getattr(verb)
                .and_then(|method| {
                    let arguments = Argument::all(py, arguments)?;
                    calling::call(
                        &method,
                        arguments.each_ref().map(|argument| argument.as_borrowed()),
                    )
                })
                .map_err(|error| failure::of_exception(py, &self.name, verb, error))?;
            read(&given).ok_or_else(|| failure::of_answer(&self.name, verb, expected))
        });
        // Without an interpreter there is no store.
        Answer::Now(asked.unwrap_or_else(|| Err(closed(&self.name))))
    }

    fn check(&self, name: &str, bytes: &Bytes) -> Result<(), Failure> {
        if bytes.len() as u64 > self.limits.largest_value {
            return Err(Failure::new(
                FailureKind::Capacity,
                format!(
                    "a value of {} bytes is too large for the store {}",
                    bytes.len(),
                    self.name
                ),
                "its largest_value says what it takes",
            ));
        }
        self.check_name(name)
    }

    fn check_name(&self, name: &str) -> Result<(), Failure> {
        if name.len() > self.limits.longest_name {
            return Err(Failure::new(
                FailureKind::Permanent,
                format!(
                    "a name of {} bytes is too long for the store {}",
                    name.len(),
                    self.name
                ),
                "its longest_name says what it takes",
            ));
        }
        Ok(())
    }

    /// Calls a method that sets bytes, if they may be set.
    pub(super) fn write<'a, T, const N: usize>(
        &'a self,
        verb: &'static str,
        (name, bytes): (&str, &Bytes),
        arguments: [Argument<'_>; N],
        (expected, read): (&str, impl FnOnce(&Bound<'_, PyAny>) -> Option<T>),
    ) -> Answer<'a, T> {
        match self.check(name, bytes) {
            Ok(()) => self.ask(verb, arguments, expected, read),
            Err(failure) => Answer::failed(failure),
        }
    }
}

fn closed(name: &str) -> Failure {
    Failure::new(
        FailureKind::Closed,
        format!("the store {name} is closed"),
        "open another one",
    )
}

/// What `get` gave: nothing, or bytes with what is left of their ttl, and perhaps their version.
fn found(given: &Bound<'_, PyAny>) -> Option<Option<Found>> {
    if given.is_none() {
        return Some(None);
    }
    let (bytes, left, version) = given
        .extract::<(PyBackedBytes, Option<f64>, u64)>()
        .or_else(|_| {
            given
                .extract()
                .map(|(bytes, left): (PyBackedBytes, Option<f64>)| (bytes, left, 0))
        })
        .ok()?;
    let remaining = match left {
        // It ended while it was fetched.
        Some(left) if left <= 0.0 => return Some(None),
        Some(left) => Some(Duration::try_from_secs_f64(left).ok()?),
        None => None,
    };
    Some(Some(Found {
        bytes: Bytes::copy_from_slice(&bytes),
        remaining,
        version,
    }))
}

const FOUND: &str =
    "None, or (bytes, seconds left or None), with the version behind it if it has set_if";

/// What a method gave that says how many, as far as it knows.
fn count(given: &Bound<'_, PyAny>) -> Option<u64> {
    if given.is_none() {
        Some(0)
    } else {
        given.extract().ok()
    }
}

pub(super) fn truth(given: &Bound<'_, PyAny>) -> Option<bool> {
    given.extract().ok()
}

pub(super) fn nothing(_: &Bound<'_, PyAny>) -> Option<()> {
    Some(())
}

impl Store for Written {
    fn info(&self) -> Info {
        Info {
            kind: "python",
            place: self.name.clone(),
            durability: self.durability,
            embedded: true,
        }
    }

    fn limits(&self) -> Limits {
        self.limits
    }

    fn get<'a>(&'a self, name: &'a str) -> Answer<'a, Option<Found>> {
        self.ask("get", [Text(name)], FOUND, found)
    }

    fn set<'a>(&'a self, name: &'a str, bytes: Bytes, ttl: Option<Duration>) -> Answer<'a, ()> {
        let arguments = [Text(name), Data(&bytes), Ttl(ttl)];
        self.write("set", (name, &bytes), arguments, ("None", nothing))
    }

    fn delete<'a>(&'a self, name: &'a str) -> Answer<'a, bool> {
        self.ask("delete", [Text(name)], "whether it was there", truth)
    }

    fn get_many<'a>(&'a self, names: &'a [&'a str]) -> Answer<'a, Vec<Option<Found>>> {
        if !self.has("get_many") {
            return Answer::in_turn(names, |name| self.get(name));
        }
        let expected = "a list of what get gives, one for each name";
        self.ask("get_many", [Texts(names)], expected, |given| {
            let all = given.try_iter().ok()?.map(|each| found(&each.ok()?));
            let all: Option<Vec<_>> = all.collect();
            all.filter(|all| all.len() == names.len())
        })
    }

    fn set_many<'a>(&'a self, entries: &'a [Entry<'a>]) -> Answer<'a, ()> {
        if !self.has("set_many") {
            let set = |entry: &'a Entry<'a>| self.set(entry.name, entry.bytes.clone(), entry.ttl);
            return Answer::in_turn(entries, set).map(drop);
        }
        let fault = entries
            .iter()
            .find_map(|entry| self.check(entry.name, &entry.bytes).err());
        match fault {
            Some(failure) => Answer::failed(failure),
            None => self.ask("set_many", [Entries(entries)], "None", nothing),
        }
    }

    fn delete_many<'a>(&'a self, names: &'a [&'a str]) -> Answer<'a, u64> {
        if !self.has("delete_many") {
            let were = Answer::in_turn(names, |name| self.delete(name));
            return were.map(|were| were.into_iter().filter(|&was| was).count() as u64);
        }
        self.ask("delete_many", [Texts(names)], "how many were there", count)
    }

    fn clear<'a>(&'a self, prefix: &'a str) -> Answer<'a, u64> {
        self.ask(
            "clear",
            [Text(prefix)],
            "how many there were, or None",
            count,
        )
    }

    fn sweep(&self) -> Answer<'_, u64> {
        if !self.has("sweep") {
            return Answer::done(0);
        }
        self.ask("sweep", [], "how many there were, or None", count)
    }

    fn ping(&self) -> Answer<'_, ()> {
        if self.has("ping") {
            return self.ask("ping", [], "None", nothing);
        }
        match self.is_closed.load(Ordering::Relaxed) {
            true => Answer::failed(closed(&self.name)),
            false => Answer::done(()),
        }
    }

    fn close(&self) -> Answer<'_, ()> {
        if self.is_closed.load(Ordering::Relaxed) {
            return Answer::done(());
        }
        let answer = match self.has("close") {
            true => self.ask("close", [], "None", nothing),
            false => Answer::done(()),
        };
        self.is_closed.store(true, Ordering::Relaxed);
        answer
    }

    fn counters(&self) -> Option<&dyn Counters> {
        self.offers("counters").then_some(self)
    }

    fn conditional(&self) -> Option<&dyn Conditional> {
        self.offers("conditional").then_some(self)
    }

    fn leases(&self) -> Option<&dyn Leases> {
        self.offers("leases").then_some(self)
    }

    fn scan(&self) -> Option<&dyn Scan> {
        self.offers("scan").then_some(self)
    }

    fn touch(&self) -> Option<&dyn Touch> {
        self.offers("touch").then_some(self)
    }
}

impl fmt::Debug for Written {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Written")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
