//! Spaces: of which namespaces a process hears.
//!
//! Whoever needs to hear of a namespace has asked for something of it before. So each is listened to from its first verb on. One inbox takes the messages of all of them: there each shard of each has a number
//! of its own.

use std::collections::HashMap;

use crate::mark::Mark;

use super::inbox::Inbox;

/// The namespaces that a process has asked for.
///
/// ```
/// use everwarm_core::bus::{inbox::Inbox, spaces::Spaces};
/// use everwarm_core::mark::Mark;
///
/// let mut inbox = Inbox::new(0, 100);
/// let mut spaces = Spaces::new(1, 100);
/// assert!(spaces.attend("shop", &mut inbox) && spaces.attend("office", &mut inbox));
/// assert_eq!(spaces.unheard(1).collect::<Vec<_>>(), ["office"]);
/// let mark = Mark { shard: 0, epoch: 9, number: 4 };
/// assert_eq!(spaces.numbered("office", mark), Some(Mark { shard: 1, ..mark }));
/// assert_eq!(spaces.numbered("elsewhere", mark), None);
/// ```
#[derive(Clone, Debug)]
pub struct Spaces {
    /// Shards of each.
    shards: u16,
    most: usize,
    numbers: HashMap<Box<str>, usize>,
    names: Vec<Box<str>>,
    /// How many of them are listened to.
    heard: usize,
}

impl Spaces {
    /// Nothing was asked for yet. Of more than `most` namespaces a process never knows that it heard everything.
    #[must_use]
    pub fn new(shards: u16, most: usize) -> Self {
        Self {
            shards,
            most,
            numbers: HashMap::new(),
            names: Vec::new(),
            heard: 0,
        }
    }

    /// Whether something of this namespace was asked for.
    #[must_use]
    pub fn knows(&self, space: &str) -> bool {
        self.numbers.contains_key(space)
    }

    /// Whether nothing was asked for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// Hears of this namespace from here on; whether it did not before. The inbox expects its shards before anything is heard of them:
    /// until then not everything is.
    pub fn attend(&mut self, space: &str, inbox: &mut Inbox) -> bool {
        let number = self.names.len();
        if number > self.most || self.knows(space) {
            return false;
        }
        inbox.widen(usize::from(self.shards));
        if number < self.most {
            self.numbers.insert(space.into(), number);
        }
        self.names.push(space.into());
        true
    }

    /// The namespaces behind the first `subscribed`, to which nobody listens as yet.
    pub fn unheard(&self, subscribed: usize) -> impl Iterator<Item = &str> {
        let names = self.names.iter().take(self.most).skip(subscribed);
        names.map(|name| &**name)
    }

    /// Takes note that the first `count` are listened to.
    pub fn subscribed(&mut self, count: usize) {
        self.heard = self.heard.max(count);
    }

    /// The namespaces that are listened to, or were.
    pub fn heard(&self) -> impl Iterator<Item = &str> {
        self.names[..self.heard].iter().map(|name| &**name)
    }

    /// A reading by the number that the inbox knows its shard by.
    #[must_use]
    pub fn numbered(&self, space: &str, mark: Mark) -> Option<Mark> {
        let number = *self.numbers.get(space)?;
        let (shards, within) = (usize::from(self.shards), usize::from(mark.shard));
        let shard = (within < shards).then(|| number * shards + within)?;
        Some(Mark {
            shard: u16::try_from(shard).ok()?,
            ..mark
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beyond_the_bound_not_everything_is_heard() {
        let (mut inbox, mut spaces) = (Inbox::new(0, 10), Spaces::new(1, 2));
        let attended = ["a", "b", "c", "d"].map(|space| spaces.attend(space, &mut inbox));
        assert_eq!(attended, [true, true, true, false]);
        assert_eq!(spaces.unheard(0).collect::<Vec<_>>(), ["a", "b"]);
        assert!(!spaces.knows("c") && !spaces.attend("a", &mut inbox));
    }
}
