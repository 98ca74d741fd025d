//! What happened in a run, in the order in which it did.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};

use everwarm_core::clock::Instant;
use everwarm_core::store::Bytes;

use crate::runtime::Runtime;

/// The number of a key.
pub type Key = u64;
/// The number of a computation, or of a set by hand, which makes a value, too.
pub type Computation = u64;
/// The number of a node.
pub type Node = usize;

/// A value that says what it is: of which key, and which computation made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Value {
    /// Its key.
    pub key: Key,
    /// What made it.
    pub computation: Computation,
}

impl Value {
    const SIZE: usize = 16;

    /// Its bytes.
    #[must_use]
    pub fn bytes(self) -> Vec<u8> {
        let mut bytes = self.key.to_le_bytes().to_vec();
        bytes.extend(self.computation.to_le_bytes());
        bytes
    }

    /// The value whose bytes these are.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Option<Self> {
        let (key, computation) = bytes.split_at_checked(8)?;
        Some(Self {
            key: u64::from_le_bytes(key.try_into().ok()?),
            computation: u64::from_le_bytes(computation.try_into().ok()?),
        })
    }

    /// The value in an envelope, whose payload comes last and is neither compressed nor encrypted here.
    pub(crate) fn of_envelope(envelope: &Bytes) -> Option<Self> {
        Self::of(&envelope[envelope.len().checked_sub(Self::SIZE)?..])
    }
}

/// What is deleted or invalidated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// One key.
    Key(Key),
    /// The keys of a tag.
    Tag(u64),
    /// All keys.
    All,
}

/// How many tags there are.
pub(crate) const TAGS: u64 = 2;

impl Target {
    /// Whether this key is meant.
    #[must_use]
    pub const fn meets(self, key: Key) -> bool {
        match self {
            Self::Key(target) => target == key,
            Self::Tag(tag) => key % TAGS == tag,
            Self::All => true,
        }
    }
}

/// Where a value came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum From {
    /// The node's memory.
    Memory,
    /// A tier behind it.
    Tier(usize),
    /// Another call of the node, which computed it.
    Leader,
    /// This very call.
    Computed,
}

/// Whether a computation was done with the right to store its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Right {
    /// With the lease.
    Leased,
    /// Without: the store did not answer, or the wait was too long.
    Apart,
}

/// One thing that happened.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum What {
    /// A node started.
    Started,
    /// A node was killed.
    Killed,
    /// A call began.
    CallBegan(u64, Key),
    /// It returned.
    CallReturned(u64, Value, From),
    /// A call's computation began.
    ComputationBegan(Computation, Key, Right, u64),
    /// It ended.
    ComputationEnded(Computation),
    /// A set by hand began.
    SetBegan(Computation, Key),
    /// It returned; whether the store has it.
    SetReturned(Computation, bool),
    /// A change in place began, of what had been read before.
    ChangeBegan(Computation, Key),
    /// It returned; whether it was done, if that is known.
    ChangeReturned(Computation, Option<bool>),
    /// A deletion or invalidation began.
    UndoingBegan(u64, Target),
    /// It returned; whether the store has it.
    UndoingReturned(u64, bool),
    /// The node's memory let go of this.
    Struck(Target),
    /// The store took a value that was computed, or set under a condition, in place of another.
    Settled(Computation, Option<Computation>),
    /// Something was disturbed, until then.
    Disturbed(Incident, Instant),
}

/// What disturbs a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Incident {
    /// A node hears nothing; whether it notices when that ends.
    BusCut {
        /// Which node.
        node: Node,
        /// Whether it notices.
        noticed: bool,
    },
    /// A node does not reach the store.
    LinkCut(Node),
    /// A node reaches nothing, hears nothing, and does not notice.
    Isolated(Node),
    /// The store takes its time.
    Slow,
    /// A node is killed, and started later.
    Kill(Node),
    /// The store loses everything.
    Restart,
    /// The store loses the markers of tags.
    MarkersLost,
    /// Somebody tells a node, under a number so far ahead, what nobody did.
    Forged {
        /// Which node.
        node: Node,
        /// How far ahead of the last one the number is.
        ahead: u64,
    },
    /// A replica takes over that had not heard of what was done since then.
    Failover(Instant),
}

/// An event of a node.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Event {
    /// When.
    pub at: Instant,
    /// Which node; of the store's events that of nobody.
    pub node: Node,
    /// What.
    pub what: What,
}

/// The node that events of the store and of the world have.
pub(crate) const NOBODY: Node = usize::MAX;

impl fmt::Display for Event {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.at.as_nanos() as f64 / 1e9;
        match self.node {
            NOBODY => write!(formatter, "{seconds:9.4} store   {:?}", self.what),
            node => write!(formatter, "{seconds:9.4} node {node}  {:?}", self.what),
        }
    }
}

/// Where nodes record.
#[derive(Clone)]
pub(crate) struct Recorder {
    runtime: Runtime,
    inner: Arc<Mutex<Inner>>,
}

#[derive(Default)]
struct Inner {
    events: Vec<Event>,
    number: u64,
}

impl Recorder {
    /// An empty history.
    #[must_use]
    pub(crate) fn new(runtime: &Runtime) -> Self {
        Self {
            runtime: runtime.clone(),
            inner: Arc::default(),
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("no panic")
    }

    /// Records what a node did now.
    pub(crate) fn record(&self, node: Node, what: What) {
        let at = self.runtime.now();
        self.inner().events.push(Event { at, node, what });
    }

    /// A number that nothing else in the history has.
    #[must_use]
    pub(crate) fn number(&self) -> u64 {
        let mut inner = self.inner();
        inner.number += 1;
        inner.number
    }

    /// The history.
    #[must_use]
    pub(crate) fn take(&self) -> Vec<Event> {
        std::mem::take(&mut self.inner().events)
    }
}
