//! What a memory store can do besides: counters, conditional writes, leases, names, ttls.

use std::collections::BTreeSet;
use std::time::Duration;

use everwarm_core::lease::Request;
use everwarm_core::store::{
    Answer, Bytes, Condition, Conditional, Counters, Failure, FailureKind, Grant, Leases, Page,
    Scan, Touch,
};

use super::{MemoryStore, Write};

impl Counters for MemoryStore {
    fn incr<'a>(
        &'a self,
        name: &'a str,
        by: i64,
        initial: i64,
        ttl: Option<Duration>,
    ) -> Answer<'a, i64> {
        self.at_once(|place| {
            let (hash, now) = (place.hash(name), place.clock.now());
            let mut stripe = place.stripe(hash);
            let there = place.seen(hash, name, now, |held| (held.bytes.clone(), held.until));
            let (number, until) = match there {
                None => (initial, place.until(now, ttl)),
                Some((bytes, until)) => (number(&bytes)?, until),
            };
            let number = number.checked_add(by).ok_or_else(|| {
                Failure::new(
                    FailureKind::Permanent,
                    "a counter would leave 64 bits",
                    "delete it, and begin anew",
                )
            })?;
            let bytes = Bytes::from(number.to_string());
            let (_, departed) = place.put(hash, Write { name, bytes, until }, now)?;
            stripe.leases.remove(name);
            self.tell_of(name);
            drop(stripe);
            drop(departed);
            Ok(number)
        })
    }
}

/// The number that this is the text of.
fn number(bytes: &[u8]) -> Result<i64, Failure> {
    let text = std::str::from_utf8(bytes).ok();
    let number = text.and_then(|text| text.parse().ok());
    number.ok_or_else(|| {
        Failure::new(
            FailureKind::Permanent,
            "what is counted up is no number",
            "count under a name of its own",
        )
    })
}

impl Conditional for MemoryStore {
    fn set_if<'a>(
        &'a self,
        name: &'a str,
        bytes: Bytes,
        ttl: Option<Duration>,
        condition: Condition,
    ) -> Answer<'a, Option<u64>> {
        self.at_once(|place| {
            let (hash, now) = (place.hash(name), place.clock.now());
            let until = place.until(now, ttl);
            let mut stripe = place.stripe(hash);
            let version = place.seen(hash, name, now, |held| held.version);
            let holds = match condition {
                Condition::Absent => version.is_none(),
                Condition::Present => version.is_some(),
                Condition::Version(expected) => version == Some(expected),
            };
            if !holds {
                return Ok(None);
            }
            let (version, departed) = place.put(hash, Write { name, bytes, until }, now)?;
            stripe.leases.remove(name);
            self.tell_of(name);
            drop(stripe);
            drop(departed);
            Ok(Some(version))
        })
    }

    fn delete_if<'a>(&'a self, name: &'a str, version: u64) -> Answer<'a, bool> {
        self.at_once(|place| {
            let (hash, now) = (place.hash(name), place.clock.now());
            let mut stripe = place.stripe(hash);
            if place.seen(hash, name, now, |held| held.version) != Some(version) {
                return Ok(false);
            }
            stripe.leases.remove(name);
            let (was, taken) = place.take(hash, name, now);
            self.tell_of(name);
            drop(stripe);
            drop(taken);
            Ok(was)
        })
    }
}

impl Leases for MemoryStore {
    fn lease<'a>(&'a self, name: &'a str, token: u64, ttl: Duration) -> Answer<'a, Grant> {
        self.at_once(|place| {
            super::Place::check_name(name)?;
            let now = place.clock.now();
            let mut stripe = place.stripe(place.hash(name));
            Ok(stripe.ask(name, token, Request::Take(ttl), now))
        })
    }

    fn renew<'a>(&'a self, name: &'a str, token: u64, ttl: Duration) -> Answer<'a, bool> {
        self.at_once(|place| {
            let now = place.clock.now();
            let mut stripe = place.stripe(place.hash(name));
            Ok(stripe.ask(name, token, Request::Renew(ttl), now) == Grant::Granted)
        })
    }

    fn release<'a>(&'a self, name: &'a str, token: u64) -> Answer<'a, bool> {
        self.at_once(|place| {
            let now = place.clock.now();
            let mut stripe = place.stripe(place.hash(name));
            Ok(stripe.ask(name, token, Request::Release, now) == Grant::Granted)
        })
    }

    fn set_leased<'a>(
        &'a self,
        name: &'a str,
        token: u64,
        bytes: Bytes,
        ttl: Option<Duration>,
    ) -> Answer<'a, bool> {
        self.at_once(|place| {
            let (hash, now) = (place.hash(name), place.clock.now());
            let until = place.until(now, ttl);
            let mut stripe = place.stripe(hash);
            if !stripe.is_held(name, token, now) {
                return Ok(false);
            }
            let (_, departed) = place.put(hash, Write { name, bytes, until }, now)?;
            stripe.leases.remove(name);
            drop(stripe);
            drop(departed);
            Ok(true)
        })
    }
}

impl Scan for MemoryStore {
    fn page<'a>(
        &'a self,
        prefix: &'a str,
        after: Option<&'a str>,
        limit: usize,
    ) -> Answer<'a, Page> {
        self.at_once(|place| {
            let (now, limit) = (place.clock.now(), limit.max(1));
            // The first names in their order: entries may change their place in the table while it is walked.
            let mut first: BTreeSet<Box<str>> = BTreeSet::new();
            place.table.for_each(|name, held| {
                let is_next = after.is_none_or(|after| &**name > after);
                if !is_next || held.until <= now || !name.starts_with(prefix) {
                    return;
                }
                if first.len() <= limit || first.last().is_some_and(|last| name < last) {
                    first.insert(name.clone());
                }
                if first.len() > limit + 1 {
                    first.pop_last();
                }
            });
            let is_last = first.len() <= limit;
            let names: Vec<String> = first.into_iter().take(limit).map(String::from).collect();
            let next = if is_last { None } else { names.last().cloned() };
            Ok(Page { names, next })
        })
    }
}

impl Touch for MemoryStore {
    fn expire<'a>(&'a self, name: &'a str, ttl: Option<Duration>) -> Answer<'a, bool> {
        self.at_once(|place| {
            let (hash, now) = (place.hash(name), place.clock.now());
            let until = place.until(now, ttl);
            let _stripe = place.stripe(hash);
            let Some(mut found) = place.table.find(hash, name) else {
                return Ok(false);
            };
            let (held, deadline) = found.content();
            if deadline <= now {
                return Ok(false);
            }
            held.until = until;
            found.redate(until);
            Ok(true)
        })
    }
}
