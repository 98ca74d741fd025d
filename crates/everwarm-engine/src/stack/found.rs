//! What a stack answers.

use std::sync::Arc;
use std::time::Duration;

use everwarm_core::codec::Opened;
use everwarm_core::error::Error;
use everwarm_core::judge::{Freshness, Judgement};
use everwarm_core::store::{Bytes, Failure};

use super::seat::Seat;

/// A value that a tier had: nothing that this process knows of invalidated it. It is fresh, unless old ones were asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored {
    /// The value's bytes and what is known of it.
    pub opened: Opened,
    /// How long it is fresh from now on; `None`: for ever.
    pub remaining: Option<Duration>,
    /// What it is worth at this age.
    pub judgement: Judgement,
    /// The time since it was written; after `expire`, `persist` and `touch`, since then.
    pub age: Duration,
    /// Which tier had it, from the nearest on: an index for [`Stack::label`](super::Stack::label).
    pub tier: usize,
    /// The number of its write, if it comes from the last tier and that one is conditional.
    pub version: Option<u64>,
    /// Which of the place's older names it was under; `None`: its own.
    pub older: Option<usize>,
}

impl Stored {
    /// One of which nothing is known as yet but the tier.
    #[inline(always)]
    pub(super) fn unread(tier: usize) -> Self {
        Self {
            opened: Opened::default(),
            remaining: None,
            judgement: Judgement::Gone,
            age: Duration::ZERO,
            tier,
            version: None,
            older: None,
        }
    }

    /// Whether it is within its ttl, and not due to be computed anew.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        self.judgement == Judgement::Serve(Freshness::Fresh)
    }
}

/// The value alone of what a tier had.
#[derive(Clone, Debug, PartialEq)]
pub struct Value {
    /// The number of its format.
    pub format: u8,
    /// Its bytes.
    pub payload: Bytes,
    /// Which tier had it.
    pub tier: usize,
    /// Which of the place's older names it was under; `None`: its own.
    pub older: Option<usize>,
}

impl From<Stored> for Value {
    fn from(stored: Stored) -> Self {
        Self {
            format: stored.opened.meta.format,
            payload: stored.opened.payload,
            tier: stored.tier,
            older: stored.older,
        }
    }
}

/// What is taken of each of many: all that is known of it, or its value alone.
pub(super) trait Taken: From<Stored> + Send {
    /// Where values go of which nothing else is wanted.
    fn values(all: &mut [Option<Self>]) -> Option<&mut [Option<Value>]>;
}

impl Taken for Stored {
    fn values(_: &mut [Option<Self>]) -> Option<&mut [Option<Value>]> {
        None
    }
}

impl Taken for Value {
    fn values(all: &mut [Option<Self>]) -> Option<&mut [Option<Value>]> {
        Some(all)
    }
}

/// What became of a read that is to compute if there is nothing.
#[derive(Debug)]
pub enum Fetched {
    /// A value was there.
    Found(Stored),
    /// One was under an older name: what is made of it is for the seat to store.
    Older(Box<Stored>, Seat),
    /// Nothing was: the right to compute. It knows the value to be served if that fails.
    Lead(Seat),
    /// An old value is there, and another process computes it anew.
    Elsewhere,
}

/// What became of a write. None of it is a failure of the call that computed the value.
#[derive(Clone, Debug, PartialEq)]
pub enum Written {
    /// It is stored, or queued to be.
    Stored,
    /// The key was written or deleted meanwhile, or the lease ended.
    Lost,
    /// One of its tags was invalidated since the computation began: memory in front must not keep it either, which may have learned
    /// of the tag only now.
    Overtaken,
    /// It was computed without the right to store it: the lease could not be had, or an invalidation is pending.
    Apart,
    /// The value cannot be sealed, or is larger than the last tier takes.
    Refused(Error),
    /// The last tier failed.
    Failed(Failure),
}

/// Whether an invalidation or deletion has reached the stores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    /// It has.
    Now,
    /// A store did not do it: it is repeated until it is done, and until then what it is about is a miss in this process.
    Pending,
}

impl Done {
    /// Whether both have been done.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        match self {
            Self::Now => other,
            Self::Pending => Self::Pending,
        }
    }
}

/// What somebody else did, that memory in front of the stack must know of.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// The entry of this stored name was deleted, or set by hand.
    Key(Box<str>),
    /// This tag was invalidated.
    Tag(Arc<str>),
    /// This function was cleared.
    Function(Arc<str>),
    /// Everything has to be taken as changed: the namespace was cleared, or messages are lost.
    Everything,
}

/// What to do with an entry that was looked at.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "it is taken apart at once")]
pub enum Change<R> {
    /// Leave it as it is.
    Keep(R),
    /// Write this in its place.
    Write(Vec<u8>, everwarm_core::codec::Meta, R),
    /// Delete it.
    Delete(R),
}
