//! The contract of stores: bytes under names, elsewhere than in this process's memory.
//!
//! A store does the six verbs of [`Store`]; what else it can do, it offers as a facet: the facet's presence *is* the
//! capability. The contract, in the order in which `everwarm-conformance` checks it:
//!
//! - What was set is found, byte for byte, until its ttl ends, it is deleted, cleared, or evicted.
//! - A set replaces whole: no reader ever sees parts of two values.
//! - After its ttl a value is not found any more, whether or not it still takes room.
//! - `remaining` is by the store's own clock, and never more than what was set.
//! - To delete what is not there succeeds, and says false.
//! - Bulk verbs do what the single ones do, one by one or all at once, in no order that may be relied on.
//! - `clear` takes all names that begin with a prefix, and no other.
//! - Names are texts of up to [`Limits::longest_name`] bytes; two names are never the same entry.
//! - What a store cannot take it refuses with an error of its kind, and whatever was there before stays or is gone: it is never
//!   something else.
//! - Every verb may be called from any thread at any time; one that is abandoned leaves no trace in others.

mod answer;
mod facets;
mod failure;
mod shared;

use std::fmt;
use std::time::Duration;

pub use answer::Answer;
pub use bytes::Bytes;
pub use facets::{
    Computed, Condition, Conditional, Counters, Freed, Generations, Grant, Health, Leased, Leases,
    Message, Messages, Notify, Page, Scan, Settled, Suspend, Touch,
};
pub use failure::{Failure, FailureKind};

/// What a store holds under a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The bytes, as they were set.
    pub bytes: Bytes,
    /// What is left of the ttl, by the store's clock; `None`: it has no end.
    pub remaining: Option<Duration>,
    /// The number of the write, if the store is [`Conditional`]: no two writes under one name have the same; else 0.
    pub version: u64,
}

/// One entry of a bulk set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// The name.
    pub name: &'a str,
    /// The bytes.
    pub bytes: Bytes,
    /// How long it is kept; `None`: without end.
    pub ttl: Option<Duration>,
}

/// What a store is, for people who look at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Info {
    /// The scheme of its URL: `disk`.
    pub kind: &'static str,
    /// Where it is, without secrets.
    pub place: String,
    /// What an acknowledged set survives.
    pub durability: Durability,
    /// Whether a verb may block its thread (it answers at once), as an embedded store does.
    pub embedded: bool,
}

/// What an acknowledged set survives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Durability {
    /// Nothing: it is in this process's memory.
    None,
    /// The end of this process, however it comes.
    Process,
    /// The loss of power.
    Power,
}

impl Durability {
    /// The name users say.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Process => "process",
            Self::Power => "power",
        }
    }
}

/// What a store takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a name.
    pub longest_name: usize,
    /// Bytes of a value. A store that hears from its server how much that is says before what no server exceeds, and refuses what this
    /// one does not take once it has asked.
    pub largest_value: u64,
    /// The longest ttl; longer ones are cut to it.
    pub longest_ttl: Option<Duration>,
    /// By how much an entry may outlive its ttl.
    pub ttl_precision: Duration,
}

/// Where bytes are kept.
pub trait Store: Send + Sync + fmt::Debug {
    /// What it is.
    fn info(&self) -> Info;

    /// What it takes.
    fn limits(&self) -> Limits;

    /// What is under the name.
    fn get<'a>(&'a self, name: &'a str) -> Answer<'a, Option<Found>>;

    /// Puts bytes under the name, in place of what was there. A lease of the name ends.
    fn set<'a>(&'a self, name: &'a str, bytes: Bytes, ttl: Option<Duration>) -> Answer<'a, ()>;

    /// Takes away what is under the name; whether something was. A lease of the name ends, also where there was nothing.
    fn delete<'a>(&'a self, name: &'a str) -> Answer<'a, bool>;

    /// What is under each of the names, in their order.
    fn get_many<'a>(&'a self, names: &'a [&'a str]) -> Answer<'a, Vec<Option<Found>>> {
        Answer::in_turn(names, |name| self.get(name))
    }

    /// Sets many.
    fn set_many<'a>(&'a self, entries: &'a [Entry<'a>]) -> Answer<'a, ()> {
        Answer::in_turn(entries, |entry| {
            self.set(entry.name, entry.bytes.clone(), entry.ttl)
        })
        .map(|_| ())
    }

    /// Deletes many; how many were there.
    fn delete_many<'a>(&'a self, names: &'a [&'a str]) -> Answer<'a, u64> {
        Answer::in_turn(names, |name| self.delete(name))
            .map(|were| were.into_iter().filter(|&was| was).count() as u64)
    }

    /// Takes away all names that begin with `prefix`; how many, as far as it is known.
    fn clear<'a>(&'a self, prefix: &'a str) -> Answer<'a, u64>;

    /// Takes away what has expired; how many, as far as it is known.
    fn sweep(&self) -> Answer<'_, u64> {
        Answer::done(0)
    }

    /// Answers if the store is there and works.
    fn ping(&self) -> Answer<'_, ()>;

    /// Ends the work; every later verb fails as [`FailureKind::Closed`]. Closing twice is no error.
    fn close(&self) -> Answer<'_, ()>;

    /// Why what was there was given up, each time it was since the store was opened: sentences for a log.
    fn doubts(&self) -> Vec<String> {
        Vec::new()
    }

    /// Whether what it gave was found whole on this very read, by a checksum of 64 bits or more over every byte: nobody need check
    /// that again.
    fn proves(&self, _found: &Found) -> bool {
        false
    }

    /// Whether its answers may come later: those of a store behind a connection do, and those of an embedded one that waits for others.
    fn may_wait(&self) -> bool {
        !self.info().embedded
    }

    /// How many reads are one question where more are asked at once: they leave in several then, and the first is answered while the
    /// others are made. None: all are one, as is well where each question has its price.
    fn lot(&self) -> Option<usize> {
        None
    }

    /// Forgets, in the child of a fork, what belongs to the parent: connections, descriptors, locks.
    fn after_fork(&self) {}

    /// Numbers that are changed in one step.
    fn counters(&self) -> Option<&dyn Counters> {
        None
    }

    /// Writes that depend on what is there.
    fn conditional(&self) -> Option<&dyn Conditional> {
        None
    }

    /// The right to compute, among processes.
    fn leases(&self) -> Option<&dyn Leases> {
        None
    }

    /// The names.
    fn scan(&self) -> Option<&dyn Scan> {
        None
    }

    /// Ttls of entries that are there.
    fn touch(&self) -> Option<&dyn Touch> {
        None
    }

    /// Numbers for invalidations.
    fn generations(&self) -> Option<&dyn Generations> {
        None
    }

    /// What others changed.
    fn notify(&self) -> Option<&dyn Notify> {
        None
    }

    /// Tags under which nothing is stored for a while.
    fn suspending(&self) -> Option<&dyn Suspend> {
        None
    }

    /// What it says of itself.
    fn health(&self) -> Option<&dyn Health> {
        None
    }
}
