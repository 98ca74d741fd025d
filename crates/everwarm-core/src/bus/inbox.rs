//! An inbox: what an ear let in, until the process looks at it.
//!
//! It makes a [`Notify`](crate::store::Notify) of messages that are sent: a transport brings what comes, and answers the facet's
//! questions from here. What came before a gap is not handed over after it: a marker that was overtaken by a missed one would pass
//! for the last.

use std::collections::VecDeque;
use std::time::Duration;

use crate::clock::Instant;
use crate::mark::Mark;
use crate::store::{Message, Messages};

use super::ear::{Ear, Event};

/// A bounded queue of messages behind an ear.
///
/// ```
/// use everwarm_core::bus::inbox::Inbox;
/// use everwarm_core::clock::Instant;
/// use everwarm_core::mark::Mark;
/// use everwarm_core::store::Message;
///
/// let mark = |number| Mark { shard: 0, epoch: 9, number };
/// let mut inbox = Inbox::new(1, 100);
/// inbox.beat(mark(4), Instant::ZERO, || Message::Begins { space: "shop".into(), at: mark(4) });
/// let seen = inbox.messages(0);
/// assert_eq!(seen.messages.len(), 1);
/// inbox.message(mark(5), Some(Message::Key("a".into())));
/// let news = inbox.messages(seen.up_to);
/// assert_eq!((news.messages.len(), news.gap), (1, false));
/// ```
#[derive(Clone, Debug)]
pub struct Inbox {
    ear: Ear,
    room: usize,
    messages: VecDeque<(u64, Message)>,
    /// Counts messages and gaps.
    count: u64,
    gap_at: u64,
    failovers: u64,
}

impl Inbox {
    /// An inbox for the messages of so many shards, of which it keeps up to `room`.
    #[must_use]
    pub fn new(shards: usize, room: usize) -> Self {
        let mut inbox = Self {
            ear: Ear::new(shards),
            room,
            messages: VecDeque::new(),
            count: 0,
            gap_at: 0,
            failovers: 0,
        };
        inbox.conclude();
        inbox
    }

    /// Expects the messages of so many further shards, too.
    pub const fn widen(&mut self, shards: usize) {
        self.ear.widen(shards);
    }

    /// Takes in a message with its number; `None` if it tells only what this very process did.
    pub fn message(&mut self, mark: Mark, message: Option<Message>) {
        let is_news = self.ear.hear(Event::Message(mark));
        if is_news && message.is_some() && self.messages.len() >= self.room {
            self.ear.hear(Event::Overflow);
        }
        self.conclude();
        if let Some(message) = message.filter(|_| is_news) {
            self.count += 1;
            self.messages.push_back((self.count, message));
        }
    }

    /// Takes in a message that the transport adds to those with numbers: one that is lost shows in nothing that comes after it, so it
    /// is lost only with the connection.
    pub fn unnumbered(&mut self, message: Message) {
        if self.messages.len() >= self.room {
            self.ear.hear(Event::Overflow);
        }
        self.conclude();
        self.count += 1;
        self.messages.push_back((self.count, message));
    }

    /// Takes in a heartbeat: the reading of a shard that was asked for then. Of the first one of a shard it is told that it begins.
    pub fn beat(&mut self, at: Mark, asked: Instant, begins: impl FnOnce() -> Message) {
        if self.ear.begins(at, asked) {
            self.unnumbered(begins());
        } else {
            self.hear(Event::Beat { at, asked });
        }
    }

    /// Takes in what is no message.
    pub fn hear(&mut self, event: Event) {
        self.ear.hear(event);
        self.conclude();
    }

    /// A number that is another one once there is something to hand over.
    #[must_use]
    pub const fn change(&self) -> u64 {
        self.count
    }

    /// What came after `after`; what came up to it is forgotten.
    pub fn messages(&mut self, after: u64) -> Messages {
        self.messages.retain(|(number, _)| *number > after);
        let messages = self.messages.iter().map(|(_, message)| message.clone());
        Messages {
            messages: messages.collect(),
            up_to: self.count,
            gap: self.gap_at > after,
        }
    }

    /// How long ago everything was known, once the messages are taken; [`Duration::MAX`] if it never was.
    #[must_use]
    pub fn silence(&self, now: Instant) -> Duration {
        self.ear
            .confirmed()
            .map_or(Duration::MAX, |confirmed| now.since(confirmed))
    }

    /// How often another server took over.
    #[must_use]
    pub const fn failovers(&self) -> u64 {
        self.failovers
    }

    fn conclude(&mut self) {
        let report = self.ear.report();
        self.failovers += u64::from(report.failover);
        if report.gap {
            self.messages.clear();
            self.count += 1;
            self.gap_at = self.count;
        }
    }
}
