//! Departures: why entries are no longer there, as far as it is remembered.
//!
//! A record of fixed size, mapped directly by a fingerprint of the key: the last departure for a place is what it knows.
//! A place that was never written proves that no entry of its keys has left. Nothing of it lies on the way of a hit.

use std::sync::Arc;

use crate::entry::Key;
use crate::shim::Mutex;

/// Parts of the record, each under a lock of its own.
const PARTS: usize = 16;
/// Places of a part, made at its first departure.
const PLACES: usize = 64;

/// Why an entry is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Another entry needed the room.
    Evicted,
    /// Its time was over.
    Expired,
    /// Its key was made gone.
    Deleted,
    /// Its scope was made gone.
    Cleared,
    /// The whole cache was made gone.
    AllCleared,
    /// This tag of its was invalidated.
    Invalidated(Arc<str>),
    /// It was demoted, and there is no window in which a stale value is served.
    MarkedStale,
    /// What was computed for the key was not to be stored.
    NotStored,
    /// What was computed for the key weighs more than an entry of its scope may.
    TooHeavy,
    /// What was to be stored for the key weighs more than the whole cache may.
    HeavierThanAll,
}

impl Reason {
    /// What it is called, in every front.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Evicted => "evicted",
            Self::Expired => "expired",
            Self::Deleted | Self::Invalidated(_) => "invalidated",
            Self::Cleared | Self::AllCleared => "cleared",
            Self::MarkedStale => "marked_stale",
            Self::NotStored => "not_storable",
            Self::TooHeavy | Self::HeavierThanAll => "too_heavy",
        }
    }

    /// The tag or the verb that it came by, or the bound.
    pub(crate) fn by(&self) -> Option<&str> {
        match self {
            Self::Invalidated(tag) => Some(tag),
            Self::Deleted => Some("invalidate"),
            Self::Cleared => Some("clear"),
            Self::AllCleared => Some("cache.clear"),
            Self::MarkedStale => Some("mark_stale"),
            Self::TooHeavy => Some("max_entry_bytes"),
            Self::HeavierThanAll => Some("max_bytes"),
            Self::Evicted | Self::Expired | Self::NotStored => None,
        }
    }
}

/// What is known of a key that has no entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Memory {
    /// Why it left.
    Left(Reason),
    /// No entry of it ever left, so there never was one.
    Never,
    /// Nothing: other departures came after, or the key has no fingerprint.
    Nothing,
}

/// The record of a cache.
#[derive(Debug)]
pub(crate) struct Departures([Mutex<Part>; PARTS]);

#[derive(Debug, Default)]
struct Part(Box<[Place]>);

#[derive(Clone, Debug, Default)]
struct Place {
    fingerprint: u64,
    state: State,
}

#[derive(Clone, Debug, Default)]
enum State {
    #[default]
    Untouched,
    Silent,
    Left(Reason),
}

impl Departures {
    pub(crate) fn new() -> Self {
        Self(std::array::from_fn(|_| Mutex::new(Part::default())))
    }

    /// Remembers why the entry of `key` is not there.
    pub(crate) fn note<K: Key>(&self, key: &K, reason: Reason) {
        self.write(key, State::Left(reason));
    }

    /// Remembers that something left, and not why.
    pub(crate) fn hush<K: Key>(&self, key: &K) {
        self.write(key, State::Silent);
    }

    fn write<K: Key>(&self, key: &K, state: State) {
        let Some(fingerprint) = key.fingerprint() else {
            return;
        };
        let (part, at) = places(fingerprint);
        let mut part = self.0[part].lock();
        if part.0.is_empty() {
            part.0 = vec![Place::default(); PLACES].into();
        }
        part.0[at] = Place { fingerprint, state };
    }

    pub(crate) fn recall<K: Key>(&self, key: &K) -> Memory {
        let Some(fingerprint) = key.fingerprint() else {
            return Memory::Nothing;
        };
        let (part, at) = places(fingerprint);
        match self.0[part].lock().0.get(at) {
            None => Memory::Never,
            Some(place) => match &place.state {
                State::Untouched => Memory::Never,
                State::Left(reason) if place.fingerprint == fingerprint => {
                    Memory::Left(reason.clone())
                }
                State::Left(_) | State::Silent => Memory::Nothing,
            },
        }
    }
}

fn places(fingerprint: u64) -> (usize, usize) {
    let at = fingerprint as usize % (PARTS * PLACES);
    (at / PLACES, at % PLACES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, PartialEq, Eq)]
    struct Print(Option<u64>);

    impl Key for Print {
        type Lock = crate::DefaultLock;

        fn scope(&self) -> u32 {
            1
        }

        fn fingerprint(&self) -> Option<u64> {
            self.0
        }
    }

    #[test]
    fn the_last_departure_of_a_place_is_remembered() {
        let departures = Departures::new();
        let (one, neighbour) = (Print(Some(3)), Print(Some(3 + (PARTS * PLACES) as u64)));
        assert_eq!(departures.recall(&one), Memory::Never);
        departures.note(&one, Reason::Evicted);
        assert_eq!(departures.recall(&one), Memory::Left(Reason::Evicted));
        assert_eq!(departures.recall(&neighbour), Memory::Nothing);
        departures.note(&neighbour, Reason::Expired);
        assert_eq!(departures.recall(&one), Memory::Nothing);
        departures.hush(&neighbour);
        assert_eq!(departures.recall(&neighbour), Memory::Nothing);
        assert_eq!(departures.recall(&Print(Some(4))), Memory::Never);
    }

    #[test]
    fn a_key_without_fingerprint_is_not_remembered() {
        let departures = Departures::new();
        departures.note(&Print(None), Reason::Evicted);
        assert_eq!(departures.recall(&Print(None)), Memory::Nothing);
    }
}
