//! The stack: the shared tiers of one cache, near to far, behind the memory of the process.
//!
//! Its last tier is the authority, if it offers generations: entries in every tier carry its stamps, and whether one is valid is
//! asked of its markers, wherever the entry lies. Three orders keep old values out:
//!
//! - What is written to a nearer tier is written under a lease of that tier, taken before anything farther was read or computed; a
//!   deletion ends it. So nothing that was read before a deletion comes in after it.
//! - Deletions and invalidations go to the farthest tier first, then nearer, and the memory in front comes last, by the caller.
//! - What could not be done is owed: it is repeated until it is done, and what it is about is a miss meanwhile.
//!
//! No verb fails because of a tier; what went wrong is counted by tier and kind. Verbs on embedded stores are done at the first
//! poll, unless they wait for another process's lease.

mod amend;
mod away;
mod beside;
mod check;
mod complaints;
mod copy;
mod erase;
mod fetch;
mod fetch_many;
mod found;
mod ghosts;
mod glance;
mod health;
mod known;
mod late;
mod level;
mod life;
mod look;
mod many;
mod markers;
mod options;
mod overtaken;
mod owed;
mod place;
mod plain;
mod queue;
mod recent;
mod returns;
mod seat;
mod set;
mod set_at_once;
mod set_now;
mod settle;
mod settle_many;
mod sleep;
mod slide;
mod suspend;
mod tally;
mod tier;
mod watch;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use everwarm_core::bus::CONFIRMED_FOR;
use everwarm_core::bus::silence::Silence;
use everwarm_core::clock::{Clock, Instant};
use everwarm_core::codec::{Codec, Meta, Refusal};
use everwarm_core::error::Error;
use everwarm_core::health::Depth;
use everwarm_core::key::prefix;
use everwarm_core::mark::{Tag, TagKind};
use everwarm_core::store::{Failure, Generations, Info, Notify, Page, Store};
use everwarm_core::using::Read;

pub use beside::Role;
pub use check::Need;
pub use copy::{Copied, Copying, Step};
pub use found::{Change, Done, Event, Fetched, Stored, Value, Written};
pub use glance::Glance;
pub use health::Checkup;
pub use options::Options;
pub use place::{Older, Place, Spot};
pub use seat::Seat;
pub use sleep::{Nap, Sleep, Sleeper};
pub use tally::TierStats;
pub use tier::{Tier, Write};

use beside::Beside;
use known::Known;
use level::Level;
use look::Look;
use markers::Markers;
use owed::Owed;
use place::{Digests, Labels};
use queue::Queue;
use recent::Recent;
use returns::Returns;
use seat::{Hold, Seats};

use crate::shim::{AtomicU64, Mutex};

/// The shared tiers of one cache. It belongs to the process that made it: the child of a fork makes one of its own.
pub struct Stack {
    tiers: Box<[Level]>,
    codec: Arc<dyn Codec>,
    namespace: Arc<str>,
    /// What the stored names of the namespace begin with.
    prefix: Arc<str>,
    namespace_tag: Tag,
    options: Options,
    seats: Seats,
    markers: Markers,
    known: Known,
    owed: Owed,
    queue: Queue,
    /// Up to which message of the authority everything was heard.
    heard: AtomicU64,
    silence: Mutex<Silence>,
    /// Whether the last look at what others did ended before the stores had answered.
    was_cut_short: AtomicBool,
    /// Whether nearer tiers count: nothing was missed that they would have to know of.
    nearer_count: AtomicBool,
    recent: Recent,
    returns: Returns,
    /// When the markers were last asked for anew; 0: never.
    asked_anew: AtomicU64,
    /// The old store that is moved away from, or the new one that is moved to.
    beside: Option<Beside>,
}

impl Stack {
    /// A stack of these tiers, near to far.
    ///
    /// # Errors
    /// Of kind `Config` or `Unsupported`, if there is no tier or a store cannot stand where it stands.
    pub fn new(
        tiers: Vec<Tier>,
        codec: Arc<dyn Codec>,
        namespace: Arc<str>,
        options: Options,
    ) -> Result<Arc<Self>, Error> {
        Self::with(tiers, None, (codec, namespace), options)
    }

    fn with(
        tiers: Vec<Tier>,
        beside: Option<Beside>,
        (codec, namespace): (Arc<dyn Codec>, Arc<str>),
        options: Options,
    ) -> Result<Arc<Self>, Error> {
        check::options(&options)?;
        check::tiers(&tiers)?;
        let longest = options.longest;
        let tiers: Box<[Level]> = tiers
            .into_iter()
            .map(|tier| Level::new(tier, longest, &options.ticker))
            .collect();
        let notify = tiers.last().and_then(|level| level.tier.store.notify());
        let heard = notify.map_or(0, Notify::change);
        let failovers = notify.map_or(0, Notify::failovers);
        let hears = notify.is_none_or(|notify| notify.silence() < CONFIRMED_FOR);
        Ok(Arc::new(Self {
            tiers,
            codec,
            prefix: prefix(&[&namespace]).into(),
            namespace_tag: Tag::of(&namespace, TagKind::Namespace, ""),
            namespace,
            silence: Mutex::new(Silence::new(options.ticker.now(), hears)),
            was_cut_short: AtomicBool::new(false),
            nearer_count: AtomicBool::new(hears),
            recent: Recent::new(failovers),
            returns: Returns::default(),
            options,
            seats: Seats::new(),
            markers: Markers::new(),
            known: Known::new(),
            owed: Owed::new(),
            queue: Queue::new(),
            heard: AtomicU64::new(heard),
            asked_anew: AtomicU64::new(0),
            beside,
        }))
    }

    /// Refuses what the stores cannot do: to be asked when a function is decorated or a verb is first used.
    ///
    /// # Errors
    /// Of kind `Unsupported`.
    pub fn require(&self, need: Need) -> Result<(), Error> {
        if let Some(beside) = &self.beside {
            check::need(&beside.stack().last().tier, need)?;
        }
        check::need(&self.last().tier, need)
    }

    /// The store of the last tier; the old one, while a cache that moves reads it.
    #[must_use]
    pub fn last_store(&self) -> &Arc<dyn Store> {
        let stack = self.old().map_or(self, Arc::as_ref);
        &stack.last().tier.store
    }

    /// What users call a tier.
    #[must_use]
    pub fn label(&self, tier: usize) -> &Arc<str> {
        &self.tiers[tier].tier.label
    }

    /// What each tier is.
    #[must_use]
    pub fn info(&self) -> Vec<Info> {
        self.tiers
            .iter()
            .map(|level| level.tier.store.info())
            .collect()
    }

    /// Why what was there was given up, each time it was since the stores were opened, by tier and beside them.
    #[must_use]
    pub fn doubts(&self) -> Vec<Vec<String>> {
        let tiers = self.levels();
        tiers.map(|level| level.tier.store.doubts()).collect()
    }

    /// Failures that do not pass by themselves, by the label of their tier: the first of each kind, once.
    #[must_use]
    pub fn complaints(&self) -> Vec<(Arc<str>, String)> {
        let of_level = |level: &Level| {
            let label = Arc::clone(&level.tier.label);
            let said = level.complaints.take().into_iter();
            said.map(move |said| (Arc::clone(&label), said))
        };
        self.levels().flat_map(of_level).collect()
    }

    /// What each tier did, and the store beside them.
    #[must_use]
    pub fn stats(&self) -> Vec<TierStats> {
        let stats = |(tier, level): (usize, &Level)| {
            let stats = level.tally.read(&level.tier.label, self.pending(tier));
            match level.tier.store.notify() {
                Some(notify) => stats.with(notify),
                None => stats,
            }
        };
        let mut all: Vec<_> = self.tiers.iter().enumerate().map(stats).collect();
        if let Some(beside) = &self.beside {
            all.extend(beside.stack().stats());
        }
        all
    }

    /// Counts bytes that a tier had and that are no value after all: the border could not read the payload. The caller goes on with
    /// [`fetch`](Self::fetch) and [`Read::Nothing`].
    pub fn count_refused(&self, tier: usize, refusal: Refusal) {
        self.tiers[tier].tally.refusal(refusal);
    }

    /// Takes note of tags that memory in front of the stack holds, so that [`Event::Tag`] can name them. What `fetch`, `settle`,
    /// `set` and `get` are given or find is noted by them.
    pub fn note(&self, tags: &[Arc<str>]) {
        self.markers.unread();
        for name in tags {
            let tag = Tag::of(&self.namespace, TagKind::Tag, name);
            self.known.note(tag, name);
        }
    }

    /// Takes note that memory in front holds what this stack was not asked for: it is of the parent of a forked process.
    pub fn inherits(&self) {
        self.markers.unread();
    }

    /// The value, from the nearest tier that has it, also an old one in the window in which it is served; else the right to compute
    /// it. `tags` are those that are known before: from
    /// the arguments. Under [`Read::Nothing`] no tier is read and no lease waited for: what is computed takes the place of
    /// what is there.
    pub fn fetch(
        self: &Arc<Self>,
        place: Place,
        tags: Arc<[Arc<str>]>,
        read: Read,
    ) -> impl Future<Output = Fetched> + Send + use<> {
        self.clone().fetch_or_lead(place, tags, (read, true))
    }

    /// As [`fetch`](Self::fetch), for a lead that may not [wait](crate::Lead::waits): where the lease is not to be had, it computes
    /// without the right to store.
    pub fn fetch_for(
        self: &Arc<Self>,
        place: Place,
        tags: Arc<[Arc<str>]>,
        (read, waits): (Read, bool),
    ) -> impl Future<Output = Fetched> + Send + use<> {
        self.clone().fetch_or_lead(place, tags, (read, waits))
    }

    /// As [`fetch_for`](Self::fetch_for), after [`find`](Self::find) has found nothing.
    pub fn fetch_unfound(
        self: &Arc<Self>,
        place: Place,
        tags: Arc<[Arc<str>]>,
        waits: bool,
    ) -> impl Future<Output = Fetched> + Send + use<> {
        self.clone().lead_unfound(place, tags, waits)
    }

    /// Whether many reads are one trip, and nothing more than that is done for one that is to be computed where there is nothing: there
    /// is one store, and it answers later.
    #[must_use]
    pub fn finds_together(&self) -> bool {
        let level = self.last();
        self.tiers.len() == 1 && !level.embedded && level.tier.write != Write::Behind
    }

    /// A value that is to be computed where there is none: also an old one, as [`fetch`](Self::fetch) finds it.
    pub fn find(
        self: &Arc<Self>,
        place: Place,
    ) -> impl Future<Output = Option<Stored>> + Send + use<> {
        let tags = Arc::new([]);
        self.clone().get_one(place, tags, (Read::Any, true))
    }

    /// As [`find`](Self::find), of many, in their order.
    pub fn find_many(
        self: &Arc<Self>,
        places: Vec<Place>,
    ) -> impl Future<Output = Vec<Option<Stored>>> + Send + use<> {
        self.clone().get_all(places.into(), true)
    }

    /// As [`fetch`](Self::fetch), in the background, for a caller that was given an old value: only a value that somebody has
    /// computed anew is found, and where another process computes, that is said.
    pub fn fetch_behind(
        self: &Arc<Self>,
        place: Place,
        tags: Arc<[Arc<str>]>,
        read: Read,
    ) -> impl Future<Output = Fetched> + Send + use<> {
        self.clone().fetch_anew(place, tags, read)
    }

    /// As [`fetch`](Self::fetch), of many that may be read: in one trip to each tier. Nothing for those that are to be fetched alone,
    /// after what is led has been settled: another process computes them, or more than a look is needed.
    pub fn fetch_many(
        self: &Arc<Self>,
        wanted: Vec<(Place, Arc<[Arc<str>]>)>,
    ) -> impl Future<Output = Vec<Option<Fetched>>> + Send + use<> {
        self.clone().fetch_all(wanted)
    }

    /// Stores what was computed, unless it was deleted, set or invalidated since. `meta.tags` are all tags, from arguments and
    /// result; `meta.stamps` are filled in.
    pub fn settle(
        self: &Arc<Self>,
        seat: Seat,
        payload: Vec<u8>,
        meta: Meta,
    ) -> impl Future<Output = Written> + Send + use<> {
        let stack = self.clone();
        async move {
            if seat.hold == Hold::Forced && stack.beside.is_some() {
                return Box::pin(stack.settle_in_both(seat, (payload, meta))).await;
            }
            stack
                .settle_seat(seat, (payload, meta), Duration::ZERO)
                .await
        }
    }

    /// As [`settle`](Self::settle), of many: in one trip to each tier. What became of each, in their order.
    pub fn settle_many(
        self: &Arc<Self>,
        computed: Vec<(Seat, Vec<u8>, Meta)>,
    ) -> impl Future<Output = Vec<Written>> + Send + use<> {
        self.clone().settle_seats(computed)
    }

    /// As [`settle`](Self::settle), of what was made of a value of this age: it lives no longer for that.
    pub fn settle_older(
        self: &Arc<Self>,
        seat: Seat,
        payload: Vec<u8>,
        meta: Meta,
        age: Duration,
    ) -> impl Future<Output = Written> + Send + use<> {
        self.clone().settle_seat(seat, (payload, meta), age)
    }

    /// Whether a value that is not to be stored here may not be kept in memory in front either: one of its tags, known only now, was
    /// invalidated elsewhere since the computation began. [`settle`](Self::settle) says the same as [`Written::Overtaken`].
    #[must_use]
    pub fn is_overtaken(&self, seat: &Seat, tags: &[Arc<str>]) -> bool {
        let mut labels = seat.labels.clone();
        self.add_tags(&mut labels, tags);
        self.known.overtook(labels.all(), seat.since)
    }

    /// The value, from the nearest tier that has it; nothing is computed or waited for.
    pub fn get(
        self: &Arc<Self>,
        place: Place,
        tags: Arc<[Arc<str>]>,
        read: Read,
    ) -> impl Future<Output = Option<Stored>> + Send + use<> {
        let stack = self.clone();
        async move {
            if stack.old().is_some() {
                return Box::pin(stack.get_from_both(place, tags, read)).await;
            }
            stack.get_one(place, tags, (read, false)).await
        }
    }

    /// The value in a stack of one embedded store, whose answers are there at once: so without a future. Where it takes more, which may
    /// be that the entry has older names, it says so, and [`get`](Self::get) is to be asked.
    #[must_use]
    pub fn glance(&self, place: &Place, read: Read) -> Glance {
        if !place.older.is_empty() || self.old().is_some() {
            return Glance::Unclear;
        }
        let look = Look {
            read,
            counts: true,
            takes_old: false,
        };
        self.glance_at(place, &self.labels(place, &[]), look)
    }

    /// The value, from the nearest tier that has it: nothing is counted, kept from expiring, or filled.
    pub fn peek(
        self: &Arc<Self>,
        place: Place,
        tags: Arc<[Arc<str>]>,
    ) -> impl Future<Output = Option<Stored>> + Send + use<> {
        let stack = self.clone();
        async move {
            if stack.old().is_some() {
                return Box::pin(stack.peek_at_both(place, tags)).await;
            }
            stack.peek_one(place, tags).await
        }
    }

    /// The values of many, in their order.
    pub fn get_many<P: Into<Arc<[Place]>>>(
        self: &Arc<Self>,
        places: P,
    ) -> impl Future<Output = Vec<Option<Stored>>> + Send + use<P> {
        let (stack, places) = (self.clone(), places.into());
        async move {
            if stack.old().is_some() {
                return Box::pin(stack.get_all_from_both(places)).await;
            }
            stack.get_all(places, false).await
        }
    }

    /// As [`get_many`](Self::get_many), the values alone.
    pub fn values_of<P: Into<Arc<[Place]>>>(
        self: &Arc<Self>,
        places: P,
    ) -> impl Future<Output = Vec<Option<Value>>> + Send + use<P> {
        let (stack, places) = (self.clone(), places.into());
        async move {
            if stack.old().is_some() {
                let all = Box::pin(stack.get_all_from_both(places)).await;
                return all
                    .into_iter()
                    .map(|stored| stored.map(Value::from))
                    .collect();
            }
            stack.get_all(places, false).await
        }
    }

    /// Stored names that begin with `prefix`, within the namespace: some of them, and where to go on.
    pub fn scan(
        self: &Arc<Self>,
        prefix: String,
        after: Option<String>,
        limit: usize,
    ) -> impl Future<Output = Result<Page, Failure>> + Send + use<> {
        self.clone().page(prefix, after, limit)
    }

    /// How each tier is, near to far: all are asked at once, and none is waited for longer than `limit`, but for those that answer on
    /// the thread that asks.
    pub fn health(
        self: &Arc<Self>,
        depth: Depth,
        limit: Duration,
    ) -> impl Future<Output = Vec<Checkup>> + Send + use<> {
        self.clone().look_over(depth, limit)
    }

    /// Lets go of what has expired in the stores; how much, as far as they know.
    pub fn sweep(self: &Arc<Self>) -> impl Future<Output = u64> + Send + use<> {
        self.clone().sweep_all()
    }

    /// Waits until the writes that are queued now are done, and tries what is owed once more, for two seconds at most.
    pub fn flush(self: &Arc<Self>) -> impl Future<Output = ()> + Send + use<> {
        self.clone().flush_all()
    }

    /// Does what there will be no time for later, where the process ends: what is owed is tried once more, queued writes are waited
    /// for, and leases given back. How long that may take is for the caller to say.
    pub fn last_try(self: &Arc<Self>) -> impl Future<Output = ()> + Send + use<> {
        self.clone().finish_all()
    }

    /// Flushes and tries what is owed, for two seconds at most, and closes the stores.
    pub fn close(self: &Arc<Self>) -> impl Future<Output = ()> + Send + use<> {
        self.clone().end()
    }

    fn last(&self) -> &Level {
        self.tiers.last().expect("a stack has a tier")
    }

    /// The tiers, near to far, and the store beside them.
    fn levels(&self) -> impl Iterator<Item = &Level> {
        let beside = self.beside.iter().flat_map(|beside| &beside.stack().tiers);
        self.tiers.iter().chain(beside)
    }

    /// The tiers before the last one, farthest first.
    fn nearer(&self) -> impl Iterator<Item = &Level> {
        self.tiers[..self.tiers.len() - 1].iter().rev()
    }

    fn authority(&self) -> Option<&dyn Generations> {
        self.last().tier.store.generations()
    }

    fn now(&self) -> Instant {
        self.options.ticker.now()
    }

    /// The tags of an entry, as far as they are known; they are noted.
    fn labels(&self, place: &Place, tags: &[Arc<str>]) -> Digests {
        let function = self.known.function(&self.namespace, &place.function);
        let mut labels = Digests::new(self.namespace_tag, function);
        self.add_tags(&mut labels, tags);
        labels
    }

    /// The tags of many entries, as far as they are known before.
    fn labels_of_all(&self, places: &[Place]) -> Labels {
        match places {
            [first, others @ ..]
                if others
                    .iter()
                    .all(|place| Arc::ptr_eq(&place.function, &first.function)) =>
            {
                Labels::Same(self.labels(first, &[]))
            }
            _ => Labels::Each(places.iter().map(|place| self.labels(place, &[])).collect()),
        }
    }

    /// Takes further tags in; they are noted.
    fn add_tags(&self, labels: &mut Digests, tags: &[Arc<str>]) {
        for name in tags {
            let tag = Tag::of(&self.namespace, TagKind::Tag, name);
            self.known.note(tag, name);
            labels.add(tag);
        }
    }
}

impl fmt::Debug for Stack {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Stack")
            .field("namespace", &self.namespace)
            .field("tiers", &self.tiers)
            .finish_non_exhaustive()
    }
}
