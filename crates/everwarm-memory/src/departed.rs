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

/// An entry that was taken out.
#[derive(Debug, PartialEq, Eq)]
pub struct Taken<K, T> {
    /// The key.
    pub key: K,
    /// What the entry held.
    pub payload: T,
    /// What it weighed; 0 in a memory that does not weigh.
    pub weight: u64,
}

/// An entry that had to leave.
#[derive(Debug, PartialEq, Eq)]
pub struct Gone<K, T> {
    /// The key. For an entry that was replaced it may be the equal key that came with the later payload.
    pub key: K,
    /// What the entry held.
    pub payload: T,
    /// What it weighed; 0 in a memory that does not weigh.
    pub weight: u64,
    /// Why it went.
    pub cause: Cause,
}

/// What left the table to make room for an insertion: iterate to see it, drop it outside of locks of your own.
#[derive(Debug)]
#[must_use = "dropping keys and payloads may run code of theirs"]
pub struct Departed<K, T> {
    /// The only one, nearly always: it needs no allocation.
    first: Option<Gone<K, T>>,
    others: Vec<Gone<K, T>>,
}

impl<K, T> Departed<K, T> {
    pub(crate) fn none() -> Self {
        Self {
            first: None,
            others: Vec::new(),
        }
    }

    pub(crate) fn add(&mut self, gone: Gone<K, T>) {
        match self.first {
            None => self.first = Some(gone),
            Some(_) => self.others.push(gone),
        }
    }

    /// What left, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Gone<K, T>> {
        self.first.iter().chain(&self.others)
    }

    /// Whether nothing left.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.first.is_none()
    }
}

impl<K, T> IntoIterator for Departed<K, T> {
    type Item = Gone<K, T>;
    type IntoIter =
        std::iter::Chain<std::option::IntoIter<Self::Item>, std::vec::IntoIter<Self::Item>>;

    fn into_iter(self) -> Self::IntoIter {
        self.first.into_iter().chain(self.others)
    }
}
