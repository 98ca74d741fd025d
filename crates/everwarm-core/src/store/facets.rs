//! What some stores can do besides: each facet is a trait, and offering it is the capability.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use crate::bus::mac::Mac;
use crate::health::Report;
use crate::mark::{Mark, Reading, Tag};

use super::{Answer, Bytes, Entry, Failure, FailureKind, Found};

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
/// - Of many each is granted, or set, as if it were alone: one that is refused keeps no other out.
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

    /// Is over when the lease of the name has ended before its time, as far as the store is told of that; what had ended before this was
    /// asked for is not told. Who waits for it asks for the lease again by itself, too. `None`: the store is told of nothing.
    fn freed<'a>(&'a self, _name: &'a str) -> Option<Freed<'a>> {
        None
    }

    /// Asks for the leases of many names, each with its token; the grants, in their order. Whether they were given is not known if it fails.
    fn lease_many<'a>(
        &'a self,
        names: &'a [(&'a str, u64)],
        ttl: Duration,
    ) -> Answer<'a, Vec<Grant>> {
        Answer::in_turn(names, move |&(name, token)| self.lease(name, token, ttl))
    }

    /// Sets many, each under its lease; of each whether it is stored, in their order.
    fn set_leased_many<'a>(&'a self, entries: &'a [Leased<'a>]) -> Answer<'a, Vec<bool>> {
        Answer::in_turn(entries, |entry| {
            self.set_leased(entry.name, entry.token, entry.bytes.clone(), entry.ttl)
        })
    }
}

/// A wait for the end of somebody's lease, counted from the moment at which it was asked for.
pub type Freed<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// Bytes on their way under a lease.
#[derive(Clone, Debug)]
pub struct Leased<'a> {
    /// The name.
    pub name: &'a str,
    /// The token of its lease.
    pub token: u64,
    /// The bytes.
    pub bytes: Bytes,
    /// How long they are kept.
    pub ttl: Option<Duration>,
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
/// - Of many values each is settled as if it were alone: one that is refused keeps no other out.
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

    /// Many entries, in their order, and the markers of these tags: no invalidation is missing that was acknowledged before.
    fn get_many_with<'a>(
        &'a self,
        names: &'a [&'a str],
        namespace: &'a str,
        tags: &'a [Tag],
    ) -> Answer<'a, (Vec<Option<Found>>, Reading)> {
        if names.is_empty() {
            let reading = self.read(namespace, tags);
            return reading.map(|reading| (Vec::new(), reading));
        }
        let all = Answer::in_turn(names, move |name| self.get_with(name, namespace, tags));
        all.map(|mut all| {
            let last = all.pop();
            let found = all.into_iter().map(|(found, _)| found);
            let (last, reading) = last.expect("there are as many as names");
            (found.chain([last]).collect(), reading)
        })
    }

    /// Whether each write of a name but those that lease and `settle` do, and each deletion of one, takes a number of a shard of the name's
    /// namespace, too, and a `begin` reads all of these shards: so that shards which read the same as before had no such write meanwhile.
    fn counts_writes(&self) -> bool {
        false
    }

    /// Invalidates tags: each gets the next number of its shard as its marker. Others are told in the same step.
    fn invalidate<'a>(&'a self, namespace: &'a str, tags: &'a [Tag]) -> Answer<'a, Reading>;

    /// Stores what was computed, if its stamps still cover the markers of its tags and its lease, if there is one, is still
    /// there; in one step. Where entry and tags lie in several shards, those of other shards are looked at before that step: what is
    /// invalidated between is stored, and its stamps do not cover its markers.
    fn settle<'a>(&'a self, computed: Computed<'a>) -> Answer<'a, Settled>;

    /// Settles many; what became of each, in their order. What is stored is not known if it fails.
    fn settle_many<'a>(&'a self, computed: &'a [Computed<'a>]) -> Answer<'a, Vec<Settled>> {
        Answer::in_turn(computed, |computed| self.settle(computed.clone()))
    }

    /// The stamps of an earlier reading of these tags, if the store remembers one whose markers live as long as `keep` says. They
    /// may be older than now: they are for [`set_under`](Self::set_under) and [`set_with`](Self::set_with) alone.
    fn recall(
        &self,
        _namespace: &str,
        _tags: &[Tag],
        _keep: Option<Duration>,
    ) -> Option<Vec<Mark>> {
        None
    }

    /// Sets by hand, as `Store::set` does, if the stamps are what their shards read now; else it is `Overtaken`, and nothing is done.
    /// Of a store that recalls nothing nobody asks it.
    fn set_under<'a>(&'a self, _computed: Computed<'a>) -> Answer<'a, Settled> {
        Answer::done(Settled::Overtaken)
    }

    /// Begins with these tags, and sets many by hand, as `Store::set_many` does, in one trip: what was sealed under stamps that were
    /// recalled is valid if they cover the markers of this reading, and else has to be set again. Of a store that recalls nothing nobody
    /// asks it.
    fn set_with<'a>(
        &'a self,
        _entries: &'a [Entry<'a>],
        _namespace: &'a str,
        _tags: &'a [Tag],
        _keep: Option<Duration>,
    ) -> Answer<'a, Reading> {
        Answer::failed(Failure::new(
            FailureKind::Capability,
            "the store recalls no stamps",
            "begin, and set then",
        ))
    }
}

/// Tags under which nothing is stored for a while, whatever becomes of who asked for that. A store that has it has
/// [`Generations`].
///
/// - `suspend` invalidates the tags. What begins later is stored neither, by `settle`, until as many have resumed as have suspended.
/// - When the span is over, that ends as by an invalidation: what began before is not stored after.
/// - `resume` invalidates the tags, also those that are not suspended.
/// - `invalidate` leaves them suspended.
pub trait Suspend: Send + Sync {
    /// Suspends tags for a span, or longer where somebody asked for longer.
    fn suspend<'a>(
        &'a self,
        namespace: &'a str,
        tags: &'a [Tag],
        span: Duration,
    ) -> Answer<'a, Reading>;

    /// Ends one suspension of each of the tags.
    fn resume<'a>(&'a self, namespace: &'a str, tags: &'a [Tag]) -> Answer<'a, Reading>;
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
    /// A shard is heard of from this reading on. Whoever read of it at another number may have missed something.
    Begins {
        /// The namespace, as names begin with it, up to the first colon.
        space: Box<str>,
        /// The reading.
        at: Mark,
    },
}

/// What was done since.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Messages {
    /// What others did, in its order; what this very store object did is left out.
    pub messages: Vec<Message>,
    /// What to ask with next.
    pub up_to: u64,
    /// Whether some are lost: whoever asks has to take everything as changed. Those that are here came after the lost ones.
    pub gap: bool,
}

/// What others changed.
///
/// - Every delete, clear and invalidation, and every set but those under a lease or by `settle`, is told to all others within the
///   stated time.
/// - Who is behind by more than the store remembers is told of a gap.
/// - A store that is sent messages may leave out those about namespaces that were never asked of this very object: a namespace is what
///   names begin with, up to the first colon. Of what came before it hears it is told by [`Message::Begins`],
///   or as a gap.
pub trait Notify: Send + Sync {
    /// A number that is another one once there are messages: a look that costs next to nothing.
    fn change(&self) -> u64;

    /// What was done since `after`, which is an earlier `change` or `up_to`.
    fn messages(&self, after: u64) -> Answer<'_, Messages>;

    /// How long ago everything that had been done was known, once the messages are taken; [`Duration::MAX`] if it never was. A store
    /// that looks for itself always knows; one that is sent messages knows it by their numbers.
    fn silence(&self) -> Duration {
        Duration::ZERO
    }

    /// How often another server took over, which may have lost what was acknowledged; one that is embedded is never replaced. It is
    /// another number before the first answer of such a server is given, where the store can tell, and some time later elsewhere.
    fn failovers(&self) -> u64 {
        0
    }

    /// Has messages authenticated: what is told carries a code from here on, and what others tell without one counts for nothing. To
    /// be called before anything is asked of the store. One whose messages nobody else can send has no need of it.
    fn authenticate(&self, _mac: &Arc<dyn Mac>) {}

    /// In which of its ways others are heard, as users call it; `None` where there is but one.
    fn way(&self) -> Option<&'static str> {
        None
    }

    /// How many messages were refused, since nobody who has the key had sent them, or they had come before.
    fn refused(&self) -> u64 {
        0
    }
}

/// What a store says of itself.
///
/// - Nothing that anybody could see is changed by asking, and no entry is read.
/// - It is asked past all layers: what it says trips no breaker and needs no place.
/// - A full report leaves nothing out that a short one has. Each fact has a name of its own.
/// - A closed store refuses.
pub trait Health: Send + Sync {
    /// How long an operation may take, where its user has said so: half of that is slow.
    fn deadline(&self) -> Option<Duration> {
        None
    }

    /// How it is and, if `is_full`, which of its settings are not as they should be.
    fn report(&self, is_full: bool) -> Answer<'_, Report>;
}
