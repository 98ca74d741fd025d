//! Entries on their way out.

/// Why the table let an entry go of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Another entry needed the room.
    Capacity,
    /// Its deadline had passed.
    Expired,
    /// A later payload took its place.
    Replaced,
}

/// An entry that is no longer in the table.
#[derive(Debug, PartialEq, Eq)]
pub struct Gone<K, T> {
    /// The key. For an entry that was replaced it is the equal key that came with the later payload.
    pub key: K,
    /// What the entry held.
    pub payload: T,
    /// Why it went.
    pub cause: Cause,
}

/// What left the table to make room for an insertion: iterate to see it, drop it outside of locks of your own.
#[derive(Debug)]
#[must_use = "dropping keys and payloads may run code of theirs"]
pub struct Departed<K, T>(pub(crate) Option<Gone<K, T>>);

impl<K, T> Departed<K, T> {
    /// Whether nothing left.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }
}

impl<K, T> IntoIterator for Departed<K, T> {
    type Item = Gone<K, T>;
    type IntoIter = std::option::IntoIter<Gone<K, T>>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}
