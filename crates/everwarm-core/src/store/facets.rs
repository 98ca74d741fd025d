//! What some stores can do besides: each facet is a trait, and offering it is the capability.

use std::time::Duration;

use crate::mark::{Mark, Reading, Tag};

use super::{Answer, Bytes, Found};

/// Numbers that are changed in one step.
///
/// - What counts is no value: `get` of a counter's name gives its decimal text.
/// - A counter that is not there, or has expired, begins at `initial`; only then `ttl` counts.
/// - Of changes made at once none is lost; one that would leave 64 bits is refused.
pub trait Counters: Send + Sync {
    /// Adds `by` and gives the new number. A lease of the name ends.
    fn incr<'a>(
        &'a self,
        name: &'a str,
        by: i64,
        initial: i64,
        ttl: Option<Duration>,
    ) -> Answer<'a, i64>;
}

/// What must hold for a conditional set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Nothing is under the name.
    Absent,
    /// Something is.
    Present,
    /// What is under the name is of this write.
    Version(u64),
}

/// Writes that depend on what is there, in one step.
pub trait Conditional: Send + Sync {
    /// Sets if the condition holds; the number of the write, or `None` if it did not hold. A lease of the name ends if it did.
    fn set_if<'a>(
        &'a self,
        name: &'a str,
        bytes: Bytes,
        ttl: Option<Duration>,
        condition: Condition,
    ) -> Answer<'a, Option<u64>>;

    /// Deletes if what is there is of this write; whether it was.
    fn delete_if<'a>(&'a self, name: &'a str, version: u64) -> Answer<'a, bool>;
}

/// Whether a lease was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grant {
    /// It was.
    Granted,
    /// Somebody else has it, for so long if it is not renewed.
    Held(Duration),
}

/// The right to compute the value of a name, which ends by itself.
///
/// - A name has one holder at most, known by its token; who asks again with the same token renews.
/// - Every other write of the name ends its lease in the same step: set, delete, counters, conditional writes that hold.
/// - What is set under a lease that is not there any more is refused.
/// - `clear` ends the leases of what it clears.
pub trait Leases: Send + Sync {
    /// Asks for the lease of a name. Tokens are random and not 0.
    fn lease<'a>(&'a self, name: &'a str, token: u64, ttl: Duration) -> Answer<'a, Grant>;

    /// Renews a lease; whether it was still there.
    fn renew<'a>(&'a self, name: &'a str, token: u64, ttl: Duration) -> Answer<'a, bool>;

    /// Gives a lease back; whether it was still there.
    fn release<'a>(&'a self, name: &'a str, token: u64) -> Answer<'a, bool>;

    /// Sets under a lease, which ends; whether it was still there and the bytes are stored.
    fn set_leased<'a>(
        &'a self,
        name: &'a str,
        token: u64,
        bytes: Bytes,
        ttl: Option<Duration>,
    ) -> Answer<'a, bool>;
}

/// Some names, and where to go on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// Names.
    pub names: Vec<String>,
    /// What to ask the next page with; `None` after the last.
    pub next: Option<String>,
}

/// The names.
///
/// - A name that is there from the first page to the last is in exactly one of them; others may be or not.
/// - Expired names are in none.
pub trait Scan: Send + Sync {
    /// About `limit` names that begin with `prefix`, from `after` on.
    fn page<'a>(
        &'a self,
        prefix: &'a str,
        after: Option<&'a str>,
        limit: usize,
    ) -> Answer<'a, Page>;
}

/// Ttls of entries that are there.
pub trait Touch: Send + Sync {
    /// Gives the entry this ttl from now on, `None` for no end; whether it was there. Its bytes and its version stay.
    fn expire<'a>(&'a self, name: &'a str, ttl: Option<Duration>) -> Answer<'a, bool>;
}

/// What became of a value that was computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// It is stored.
    Stored,
    /// The lease was not there any more.
    Lost,
    /// An invalidation came since the stamps were taken.
    Overtaken,
}

/// Numbers for invalidations: what makes a store the authority of a stack.
///
/// Tags lie in shards; every step on a shard is atomic, and begins by making the shard anew if it is missing.
///
/// - `begin` and `settle` give a tag without a marker, or with one of another epoch, the shard's reading at that moment, never a
///   stamp's.
/// - A marker only ever grows within its epoch.
/// - A marker lives at least as long as `keep` of the last `begin` or `settle` that named it.
pub trait Generations: Send + Sync {
    /// The stamps for a computation with these tags, before it begins.
    fn begin<'a>(
        &'a self,
        namespace: &'a str,
        tags: &'a [Tag],
        keep: Option<Duration>,
    ) -> Answer<'a, Reading>;

    /// The readings as they are; nothing is made.
    fn read<'a>(&'a self, namespace: &'a str, tags: &'a [Tag]) -> Answer<'a, Reading>;

    /// An entry and the markers of its tags, at one moment and in one trip.
    fn get_with<'a>(
        &'a self,
        name: &'a str,
        namespace: &'a str,
        tags: &'a [Tag],
    ) -> Answer<'a, (Option<Found>, Reading)>;

    /// Invalidates tags: each gets the next number of its shard as its marker. Others are told in the same step.
    fn invalidate<'a>(&'a self, namespace: &'a str, tags: &'a [Tag]) -> Answer<'a, Reading>;

    /// Stores what was computed, if its stamps still cover the markers of its tags and its lease, if there is one, is still
    /// there; in one step.
    fn settle<'a>(&'a self, computed: Computed<'a>) -> Answer<'a, Settled>;
}

/// A computed value on its way into a store.
#[derive(Clone, Debug)]
pub struct Computed<'a> {
    /// The name.
    pub name: &'a str,
    /// The namespace of its tags.
    pub namespace: &'a str,
    /// The bytes.
    pub bytes: Bytes,
    /// How long it is kept.
    pub ttl: Option<Duration>,
    /// The token of its lease; `None`: it has none, and none is asked for.
    pub token: Option<u64>,
    /// The stamps it was computed under.
    pub stamps: &'a [Mark],
    /// Its tags, those from its result among them.
    pub tags: &'a [Tag],
}

/// What somebody else did that this process's memory must know of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// The entry of this name was deleted, or set anew by hand.
    Key(Box<str>),
    /// This tag was invalidated.
    Tag {
        /// The namespace.
        namespace: Box<str>,
        /// The tag.
        tag: Tag,
        /// Its marker.
        marker: Mark,
    },
    /// All names that begin with this prefix were cleared.
    Clear(Box<str>),
}

/// What was done since.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Messages {
    /// What others did, in its order; what this very store object did is left out.
    pub messages: Vec<Message>,
    /// What to ask with next.
    pub up_to: u64,
    /// Whether some are lost: whoever asks has to take everything as changed.
    pub gap: bool,
}

/// What others changed.
///
/// - Every delete, clear and invalidation, and every set but those under a lease or by `settle`, is told to all others within the
///   stated time.
/// - Who is behind by more than the store remembers is told of a gap.
pub trait Notify: Send + Sync {
    /// A number that is another one once there are messages: a look that costs next to nothing.
    fn change(&self) -> u64;

    /// What was done since `after`, which is an earlier `change` or `up_to`.
    fn messages(&self, after: u64) -> Answer<'_, Messages>;
}
