//! An ear: hears numbered messages and heartbeats, and knows whether it missed some.
//!
//! Each message carries the reading of its shard, whose counter it raised by one: whoever heard number 7 and then 9 has missed one.
//! A heartbeat is a reading without a message: it confirms that nothing came between, or that something is on its way; what has not
//! come after [`GRACE`] is missed. Which message was missed is not known, so everything has to be taken as changed.
//!
//! No number is believed that only a message tells: one whose number came before, or is beyond what its shard reads afterwards, is not
//! from the server. What it hid is let go of, and a number that was skipped, and comes late, may be such a one.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::clock::Instant;
use crate::mark::Mark;
use crate::shard::JUMP;

/// How much later than a reading the messages up to it may come.
pub const GRACE: Duration = Duration::from_millis(300);

/// What comes to an ear.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// A message, with the reading of its shard after it.
    Message(Mark),
    /// A heartbeat: the reading of a shard that was asked for then.
    Beat {
        /// The reading.
        at: Mark,
        /// When it was asked for.
        asked: Instant,
    },
    /// Messages had to be dropped for want of room.
    Overflow,
    /// The connection is another one: what was sent meanwhile is lost.
    Reconnected,
}

/// What an ear has to say since it was last asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Report {
    /// Messages were missed.
    pub gap: bool,
    /// Another server took over, which may have lost what was acknowledged before.
    pub failover: bool,
}

/// What is known of one shard.
#[derive(Clone, Copy, Debug)]
struct Heard {
    last: Mark,
    /// Up to which moment everything was heard.
    confirmed: Option<Instant>,
    /// A heartbeat that was ahead of the messages.
    ahead: Option<(u64, Instant)>,
    /// The highest number that a heartbeat told.
    read: u64,
    /// Up to which number, that a heartbeat told before, everything was let go of: messages up to it may come late, and are no news.
    let_go: u64,
    /// The last number at the last heartbeat, which no later heartbeat may be behind.
    beaten: u64,
}

/// What a process heard of an authority's shards. A new one has missed everything before, unless somebody else knows that there was
/// nothing to be missed: then it [`begins`](Ear::begins).
///
/// ```
/// use everwarm_core::bus::ear::{Ear, Event};
/// use everwarm_core::clock::Instant;
/// use everwarm_core::mark::Mark;
///
/// let mark = |number| Mark { shard: 0, epoch: 9, number };
/// let mut ear = Ear::new(1);
/// ear.hear(Event::Beat { at: mark(4), asked: Instant::ZERO });
/// assert!(ear.report().gap);
/// ear.hear(Event::Message(mark(5)));
/// assert!(!ear.report().gap);
/// ear.hear(Event::Message(mark(7)));
/// assert!(ear.report().gap);
/// ```
#[derive(Clone, Debug)]
pub struct Ear {
    heard: BTreeMap<u16, Heard>,
    shards: usize,
    report: Report,
}

impl Ear {
    /// An ear for so many shards.
    #[must_use]
    pub fn new(shards: usize) -> Self {
        Self {
            heard: BTreeMap::new(),
            shards,
            report: Report {
                gap: true,
                failover: false,
            },
        }
    }

    /// Expects so many further shards, of which everything before was missed.
    pub const fn widen(&mut self, shards: usize) {
        self.shards += shards;
    }

    /// Takes in what came; whether it is news. A message that comes after it was missed is none: what it says was let go of.
    pub fn hear(&mut self, event: Event) -> bool {
        match event {
            Event::Message(mark) => return self.message(mark),
            Event::Beat { at, asked } => self.beat(at, asked),
            Event::Overflow => self.let_go(),
            // What was not heard of as yet begins, whatever was sent before.
            Event::Reconnected if self.heard.is_empty() => {}
            Event::Reconnected => {
                self.let_go();
                for heard in self.heard.values_mut() {
                    heard.confirmed = None;
                }
            }
        }
        true
    }

    /// Takes in a heartbeat if it is the first that is heard of its shard; whether it is. That is no gap by itself: who knows at which
    /// number the shard was before can tell whether something was missed.
    pub fn begins(&mut self, at: Mark, asked: Instant) -> bool {
        let is_first = !self.heard.contains_key(&at.shard);
        if is_first {
            self.heard.insert(at.shard, Heard::at(at, Some(asked)));
        }
        is_first
    }

    /// What has to be known before anything that was heard is used.
    pub fn report(&mut self) -> Report {
        std::mem::take(&mut self.report)
    }

    /// Up to which moment everything of all shards was heard, once the report was taken; `None` if that is not known.
    #[must_use]
    pub fn confirmed(&self) -> Option<Instant> {
        if self.heard.len() < self.shards {
            return None;
        }
        let mut all = self.heard.values().map(|heard| heard.confirmed);
        all.try_fold(Instant::NEVER, |earliest, confirmed| {
            confirmed.map(|confirmed| earliest.min(confirmed))
        })
    }

    /// Everything that was heard has to be taken as changed.
    fn let_go(&mut self) {
        self.report.gap = true;
        for heard in self.heard.values_mut() {
            heard.let_go = heard.read;
        }
    }

    fn message(&mut self, mark: Mark) -> bool {
        let Some(heard) = self.heard.get_mut(&mark.shard) else {
            self.report.gap = true;
            let heard = Heard::at(mark, None).known_up_to(0);
            self.heard.insert(mark.shard, heard);
            return true;
        };
        let is_same = heard.last.epoch == mark.epoch;
        if is_same && mark.number <= heard.last.number {
            if mark.number > heard.let_go {
                // Two with one number, or one that was skipped: what told the higher number may not be the server's.
                self.report.gap = true;
            }
            return false;
        }
        self.report.failover |= heard.jumps_to(mark);
        if is_same && mark.number == heard.last.number + 1 {
            heard.last = mark;
            heard.catch_up();
        } else {
            self.report.gap = true;
            let read = if is_same { heard.read } else { 0 };
            *heard = Heard::at(mark, heard.confirmed).known_up_to(read);
        }
        true
    }

    fn beat(&mut self, at: Mark, asked: Instant) {
        let Some(heard) = self.heard.get_mut(&at.shard) else {
            self.report.gap = true;
            self.heard.insert(at.shard, Heard::at(at, Some(asked)));
            return;
        };
        let is_same = heard.last.epoch == at.epoch;
        if is_same && at.number < heard.beaten {
            // A number was heard before this was asked for that the server has not given, or no longer knows: what it has now may be
            // older than what it acknowledged.
            self.report.gap = true;
            self.report.failover = true;
            *heard = Heard::at(at, Some(asked));
            return;
        }
        heard.beaten = heard.last.number;
        if is_same {
            heard.read = heard.read.max(at.number);
        }
        if is_same && at.number <= heard.last.number {
            heard.confirmed = heard.confirmed.max(Some(asked));
            return;
        }
        self.report.failover |= heard.jumps_to(at);
        let first = heard.ahead.map_or(asked, |(_, first)| first);
        let is_missed = !is_same || heard.confirmed.is_none() || heard.jumps_to(at);
        if is_missed || asked.since(first) >= GRACE {
            self.report.gap = true;
            *heard = Heard::at(at, Some(asked));
        } else if heard.ahead.is_none() {
            heard.ahead = Some((at.number, asked));
        }
    }
}

impl Heard {
    const fn at(last: Mark, confirmed: Option<Instant>) -> Self {
        Self {
            last,
            confirmed,
            ahead: None,
            read: last.number,
            let_go: last.number,
            beaten: 0,
        }
    }

    /// The same, where heartbeats told of numbers up to this one alone.
    const fn known_up_to(self, read: u64) -> Self {
        Self {
            read,
            let_go: read,
            ..self
        }
    }

    /// Whether only another server gives this number: it jumped from where it was, which is behind what was heard by what is lost.
    const fn jumps_to(&self, mark: Mark) -> bool {
        self.last.epoch == mark.epoch && mark.number >= self.last.number.saturating_add(JUMP / 2)
    }

    /// The messages up to a heartbeat have come.
    fn catch_up(&mut self) {
        if let Some((number, asked)) = self.ahead
            && number <= self.last.number
        {
            self.confirmed = self.confirmed.max(Some(asked));
            self.ahead = None;
        }
    }
}
