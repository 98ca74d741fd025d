//! Where entries lie that were asked for a short time ago: to name one anew takes a hash of its key, and room for its name.
//!
//! A key's place under one link never changes. Keys of tenants are not kept here, nor those of caches whose names say nothing: what they are is to be
//! in memory no longer than it must.

use std::sync::atomic::{AtomicU64, Ordering};

use everwarm_core::key;
use everwarm_engine::stack::Place;
use parking_lot::Mutex;

use crate::engine::Key;
use crate::home::Keyed;

/// How many are known at most; each has the choice of two seats, by its hash, and where both are taken it takes the first from whoever
/// was there.
const SEATS: usize = 4096;
/// Longer keys are named anew.
const LONGEST: usize = 128;

/// The number of a link: functions of one name share a scope, and not their places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Number(u64);

impl Number {
    /// One that no other link has.
    pub(super) fn fresh() -> Self {
        static LAST: AtomicU64 = AtomicU64::new(0);
        Self(LAST.fetch_add(1, Ordering::Relaxed))
    }
}

/// The places that are known, for all links of a cache.
#[derive(Default)]
pub(super) struct Places(Mutex<Vec<Option<Known>>>);

struct Known {
    link: Number,
    key: key::Key,
    place: Place,
}

impl Places {
    /// The place of a key, if it is known.
    pub(super) fn find(&self, link: Number, keyed: &Keyed) -> Option<Place> {
        let key = content(keyed)?;
        let seats = self.0.lock();
        let [first, other] = choice(keyed.hash);
        let mut known = [seats.get(first)?, &seats[other]].into_iter().flatten();
        let known = known.find(|known| known.link == link && known.key == *key)?;
        Some(known.place.clone())
    }

    /// Takes note of the place of a key.
    pub(super) fn note(&self, link: Number, keyed: &Keyed, place: &Place) {
        let Some(key) = content(keyed) else {
            return;
        };
        let mut seats = self.0.lock();
        if seats.is_empty() {
            seats.resize_with(SEATS, || None);
        }
        let [first, other] = choice(keyed.hash);
        let is_other_free = seats[first].is_some() && seats[other].is_none();
        seats[if is_other_free { other } else { first }] = Some(Known {
            link,
            key: key.clone(),
            place: place.clone(),
        });
    }
}

const fn choice(hash: u64) -> [usize; 2] {
    let first = hash as usize % SEATS;
    [first, first ^ 1]
}

/// The key, if its place may be known.
fn content(keyed: &Keyed) -> Option<&key::Key> {
    match &keyed.key {
        Key::Content(key) if keyed.tenant.is_none() && keyed.key.arguments().len() <= LONGEST => {
            Some(key)
        }
        _ => None,
    }
}
