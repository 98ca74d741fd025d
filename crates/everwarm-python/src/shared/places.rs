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

/// So many rows of seats there are; a key sits in that of its hash.
const ROWS: usize = 512;
/// So many seats a row has: with few, some keys of a thousand would take each other's again and again.
const SEATS: usize = 8;
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
pub(super) struct Places(Mutex<Vec<Row>>);

/// Some of them. Hashes lie apart: a look takes one line of these, and what it finds.
#[derive(Default)]
struct Row {
    hashes: [u64; SEATS],
    seats: [Option<Known>; SEATS],
    /// Which seat is taken next where none is free.
    next: usize,
}

struct Known {
    link: Number,
    key: key::Key,
    place: Place,
}

impl Places {
    /// The place of a key, if it is known.
    pub(super) fn find(&self, link: Number, keyed: &Keyed) -> Option<Place> {
        let key = content(keyed)?;
        let rows = self.0.lock();
        rows.get(row_of(keyed.hash))?.find(link, keyed.hash, key)
    }

    /// Takes note of the place of a key.
    pub(super) fn note(&self, link: Number, keyed: &Keyed, place: &Place) {
        let Some(key) = content(keyed) else {
            return;
        };
        let known = Known {
            link,
            key: key.clone(),
            place: place.clone(),
        };
        let mut rows = self.0.lock();
        if rows.is_empty() {
            rows.resize_with(ROWS, Row::default);
        }
        let forgotten = rows[row_of(keyed.hash)].note(keyed.hash, known);
        drop(rows);
        drop(forgotten);
    }
}

impl Row {
    fn find(&self, link: Number, hash: u64, key: &key::Key) -> Option<Place> {
        let mut seats = self.hashes.iter().zip(&self.seats);
        seats.find_map(|(other, seat)| {
            let known = seat.as_ref().filter(|_| *other == hash)?;
            (known.link == link && known.key == *key).then(|| known.place.clone())
        })
    }

    /// Seats one, and gives who sat there.
    fn note(&mut self, hash: u64, known: Known) -> Option<Known> {
        let free = self.seats.iter().position(Option::is_none);
        let at = free.unwrap_or_else(|| {
            self.next = (self.next + 1) % SEATS;
            self.next
        });
        self.hashes[at] = hash;
        self.seats[at].replace(known)
    }
}

const fn row_of(hash: u64) -> usize {
    hash as usize % ROWS
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

#[cfg(test)]
mod tests {
    use std::hash::BuildHasher;

    use everwarm_core::key::Writer;
    use everwarm_engine::stack::Spot;
    use foldhash::fast::FixedState;

    use super::*;

    fn keyed(number: u32) -> Keyed {
        let mut key = Writer::for_scope(1);
        key.bytes(&number.to_le_bytes());
        let key = Key::from(key.seal().expect("it is short"));
        Keyed {
            hash: FixedState::default().hash_one(number),
            key,
            instance: None,
            bound: false,
            tenant: None,
        }
    }

    fn place(number: u32) -> Place {
        Place::from(Spot {
            name: number.to_string().into(),
            function: "".into(),
            schema: "".into(),
            key: [].into(),
            tenant: [].into(),
            older: [].into(),
        })
    }

    #[test]
    fn a_place_is_that_of_its_key_and_link() {
        let (places, one, other) = (Places::default(), Number::fresh(), Number::fresh());
        let (key, same_hash) = (
            keyed(1),
            Keyed {
                hash: keyed(1).hash,
                ..keyed(2)
            },
        );
        assert!(places.find(one, &key).is_none());
        places.note(one, &key, &place(1));
        places.note(one, &same_hash, &place(2));
        let name = |link, key: &Keyed| places.find(link, key).map(|place| place.name.to_string());
        assert_eq!(name(one, &key).as_deref(), Some("1"));
        assert_eq!(name(one, &same_hash).as_deref(), Some("2"));
        assert_eq!(name(other, &key), None);
    }

    #[test]
    fn a_thousand_keys_are_known_at_once_and_the_last_ones_always() {
        let (places, link) = (Places::default(), Number::fresh());
        for number in 0..1_000 {
            places.note(link, &keyed(number), &place(number));
        }
        let known = |numbers: std::ops::Range<u32>| {
            numbers
                .filter(|number| places.find(link, &keyed(*number)).is_some())
                .count()
        };
        assert!(known(0..1_000) > 990);
        for number in 1_000..20_000 {
            places.note(link, &keyed(number), &place(number));
            assert!(places.find(link, &keyed(number)).is_some());
        }
        assert!(known(0..20_000) <= ROWS * SEATS);
    }
}
