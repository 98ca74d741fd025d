//! A store as a third party would write it: a map, its own clock, one facet; three lines hold it to the contract.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use everwarm_core::store::{
    Answer, Bytes, Durability, Failure, FailureKind, Found, Info, Limits, Page, Scan, Store,
};

#[derive(Debug, Default)]
struct MapStore {
    entries: Mutex<Entries>,
    is_closed: AtomicBool,
}

/// Bytes, and when they end.
type Entries = BTreeMap<String, (Bytes, Option<Instant>)>;

fn found((bytes, until): &(Bytes, Option<Instant>)) -> Option<Found> {
    let left = until.map(|until| until.saturating_duration_since(Instant::now()));
    (left != Some(Duration::ZERO)).then(|| Found {
        bytes: bytes.clone(),
        remaining: left,
        version: 0,
    })
}

impl MapStore {
    fn with<T>(&self, act: impl FnOnce(&mut Entries) -> T) -> Answer<'_, T> {
        if self.is_closed.load(Ordering::Relaxed) {
            let closed = Failure::new(FailureKind::Closed, "the map is closed", "open another one");
            return Answer::failed(closed);
        }
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        Answer::done(act(&mut entries))
    }
}

impl Store for MapStore {
    fn info(&self) -> Info {
        Info {
            kind: "map",
            place: String::new(),
            durability: Durability::None,
            embedded: true,
        }
    }

    fn limits(&self) -> Limits {
        Limits {
            longest_name: usize::MAX,
            largest_value: u64::MAX,
            longest_ttl: None,
            ttl_precision: Duration::ZERO,
        }
    }

    fn get<'a>(&'a self, name: &'a str) -> Answer<'a, Option<Found>> {
        self.with(|entries| entries.get(name).and_then(found))
    }

    fn set<'a>(&'a self, name: &'a str, bytes: Bytes, ttl: Option<Duration>) -> Answer<'a, ()> {
        let until = ttl.map(|ttl| Instant::now() + ttl);
        self.with(|entries| drop(entries.insert(name.to_owned(), (bytes, until))))
    }

    fn delete<'a>(&'a self, name: &'a str) -> Answer<'a, bool> {
        self.with(|entries| entries.remove(name).as_ref().and_then(found).is_some())
    }

    fn clear<'a>(&'a self, prefix: &'a str) -> Answer<'a, u64> {
        self.with(|entries| {
            let before = entries.len();
            entries.retain(|name, _| !name.starts_with(prefix));
            (before - entries.len()) as u64
        })
    }

    fn ping(&self) -> Answer<'_, ()> {
        self.with(|_| ())
    }

    fn close(&self) -> Answer<'_, ()> {
        self.is_closed.store(true, Ordering::Relaxed);
        Answer::done(())
    }

    fn scan(&self) -> Option<&dyn Scan> {
        Some(self)
    }
}

impl Scan for MapStore {
    fn page<'a>(
        &'a self,
        prefix: &'a str,
        after: Option<&'a str>,
        limit: usize,
    ) -> Answer<'a, Page> {
        self.with(|entries| {
            let live = entries.iter().filter(|(_, entry)| found(entry).is_some());
            let names = live.map(|(name, _)| name);
            let mut names: Vec<String> = names
                .filter(|name| {
                    name.starts_with(prefix) && after.is_none_or(|after| name.as_str() > after)
                })
                .take(limit + 1)
                .cloned()
                .collect();
            let is_last = names.len() <= limit;
            names.truncate(limit);
            let next = if is_last { None } else { names.last().cloned() };
            Page { names, next }
        })
    }
}

everwarm_conformance::store!(alone |_| MapStore::default(); scan);
