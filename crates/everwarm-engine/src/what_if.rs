//! What the hit ratio would be at other sizes, estimated while the cache runs.
//!
//! Three small memories stand for the cache at half, the same and twice its bounds. They see the keys whose hash falls into
//! one part of all hashes, and their bounds are that part of the cache's; they hold no values, evict in the cache's own
//! order, and judge deadlines and invalidations as the cache does. That keys are sampled by their hash keeps each one's whole
//! history or nothing of it, which is why a part tells of the whole: Waldspurger and others, "Cache modeling and optimization
//! using miniature simulations", USENIX ATC 2017. A few keys that are asked for very often distort it, in all three alike. So
//! only what the three differ by is taken from them, and added to the true hit ratio.
//!
//! Until somebody asks, no hash is in the sample, and a hit pays for one test of its hash. A question has the cache followed for a
//! stretch of lookups. In it a hit of the sample is only [recorded](crate::recording); who misses, or asks, plays to the three what was
//! recorded until then. When the stretch is over no hash is in the sample again. The next one begins with the first question by
//! which so many lookups were made that all stretches together are a small part of them. What the cache met with in the stretches is
//! counted apart, since only that can be compared with the three.

use std::num::{NonZeroU64, NonZeroUsize};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};

use everwarm_core::clock::{Clock, Instant};
use everwarm_core::generation::Stamp;
use everwarm_memory::{Bounds, Look, Memory, Newcomer, RawMutex};

use crate::cache::Cache;
use crate::entry::Key;
use crate::recording::{Event, Recorded, Recording};
use crate::scope::Scope;
use crate::shim::Mutex;
use crate::tags::Tags;

/// The fewest entries that a memory of the same size holds, if the cache itself has as many.
const FEWEST: u64 = 128;
/// The smallest part of all keys, as a power of one half.
const SMALLEST_PART: u32 = 8;
/// A stretch has so many lookups of the sample for each entry of the middle memory: to fill the three, and to compare them for a while.
const STRETCH: u64 = 64;
/// Of so many lookups one is followed at most, but for one stretch: it costs about one hit more.
const RARELY: u64 = 128;
/// As many misses as the size of the part counts for.
const FEW: f64 = 16.0;
/// One lookup, as lookups are counted that may stand for others.
const ONE: u64 = 1 << 8;
/// What an entry is taken to weigh while none is known.
const USUAL_WEIGHT: u64 = 1_024;

/// Hit ratios that the lookups since the first question would have had; None while there were none.
///
/// What half and twice differ by from the same comes from the stretches of these lookups in which the cache was followed.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct WhatIf {
    /// At half the bounds.
    pub half: Option<f64>,
    /// At the same bounds: this one is no estimate.
    pub same: Option<f64>,
    /// At twice the bounds.
    pub twice: Option<f64>,
    /// Lookups since the first question.
    pub lookups: u64,
    /// How many of them the estimates are made from.
    pub sampled: u64,
}

/// The sample of one cache.
pub(crate) struct Sample<L: RawMutex> {
    /// A hash is in the sample if it has none of these bits: the highest ones, which nothing else looks at.
    mask: AtomicU64,
    bounds: Bounds,
    trials: OnceLock<Trials<L>>,
}

struct Trials<L: RawMutex> {
    half: Trial<L>,
    same: Trial<L>,
    twice: Trial<L>,
    part: u32,
    /// Lookups of the sample in a stretch.
    stretch: u64,
    /// In parts of [`ONE`], and so are the hits.
    lookups: AtomicU64,
    before: Lookups,
    /// Lookups of the sample so far, and those with which this stretch ends.
    followed: AtomicU64,
    until: AtomicU64,
    stretches: Mutex<Stretches>,
    recording: Recording,
    /// Held by who plays what was recorded.
    playing: Mutex<()>,
}

/// What the cache itself has met with.
#[derive(Clone, Copy, Default)]
struct Lookups {
    hits: u64,
    all: u64,
}

impl Lookups {
    fn since(self, before: Self) -> Self {
        Self {
            hits: self.hits.saturating_sub(before.hits),
            all: self.all.saturating_sub(before.all),
        }
    }

    fn and(self, others: Self) -> Self {
        Self {
            hits: self.hits + others.hits,
            all: self.all + others.all,
        }
    }
}

/// What the cache has met with while it was followed.
struct Stretches {
    over: Lookups,
    /// With what the one began that is not over.
    begun: Option<Lookups>,
}

impl Stretches {
    fn seen(&self, now: Lookups) -> Lookups {
        let begun = self.begun.map(|begun| now.since(begun));
        self.over.and(begun.unwrap_or_default())
    }
}

/// A memory of another size.
struct Trial<L: RawMutex> {
    memory: Memory<u64, Known, L>,
    hits: AtomicU64,
}

/// What a trial knows of an entry: all that decides whether it is valid.
#[derive(Clone)]
pub(crate) struct Known {
    pub(crate) scope: u32,
    pub(crate) stamp: Stamp,
    pub(crate) tags: Tags,
    pub(crate) deadline: Instant,
    pub(crate) weight: u64,
}

impl<L: RawMutex> Sample<L> {
    pub(crate) fn new(bounds: Bounds) -> Self {
        Self {
            mask: AtomicU64::new(u64::MAX),
            bounds,
            trials: OnceLock::new(),
        }
    }

    /// Whether the sample may hold keys of this hash.
    #[inline(always)]
    pub(crate) fn holds(&self, hash: u64) -> bool {
        hash & self.mask.load(Relaxed) == 0
    }

    /// Something happened to a key of the sample, or to all, but that it was looked up.
    pub(crate) fn note(&self, event: Event) {
        if let Some(trials) = self.trials.get() {
            trials.recording.note(event);
        }
    }

    /// The three, which a question brings into being, and as often as may be has them follow the cache for another stretch.
    fn begin(&self, usual_weight: u64, now: Lookups) -> &Trials<L> {
        let trials = self
            .trials
            .get_or_init(|| Trials::new(self.bounds, usual_weight, now));
        let may_be = now.since(trials.before).all / RARELY;
        let mut stretches = trials.stretches.lock();
        let followed = trials.followed.load(Relaxed);
        if stretches.begun.is_some() {
            trials.until.fetch_max(may_be + trials.stretch, Relaxed);
        } else if followed <= may_be {
            trials.until.store(followed + trials.stretch, Relaxed);
            stretches.begun = Some(now);
            let mask = u64::MAX.checked_shl(u64::BITS - trials.part).unwrap_or(0);
            self.mask.store(mask, Relaxed);
        }
        drop(stretches);
        trials
    }

    /// Ends the stretch, if there was enough of it; what the cache has met with is only asked for then.
    fn end(&self, trials: &Trials<L>, now: impl FnOnce() -> Lookups) {
        let mut stretches = trials.stretches.lock();
        if stretches.begun.is_some() && trials.is_enough() {
            self.mask.store(u64::MAX, Relaxed);
            stretches.over = stretches.seen(now());
            stretches.begun = None;
        }
    }
}

impl<L: RawMutex> Trials<L> {
    fn new(bounds: Bounds, usual_weight: u64, before: Lookups) -> Self {
        let by_weight = |max: NonZeroU64| max.get() / usual_weight.max(1);
        let entries = (bounds.max_entries.get() as u64)
            .min(bounds.max_bytes.map_or(u64::MAX, by_weight))
            .max(1);
        let part = (entries / FEWEST).max(1).ilog2().min(SMALLEST_PART);
        let trial = |halves: u64| Trial::new(bounds, halves, part + 1);
        let stretch = STRETCH * (entries >> part).max(FEWEST);
        Self {
            half: trial(1),
            same: trial(2),
            twice: trial(4),
            part,
            stretch,
            lookups: AtomicU64::new(0),
            before,
            followed: AtomicU64::new(0),
            until: AtomicU64::new(0),
            stretches: Mutex::new(Stretches {
                over: Lookups::default(),
                begun: None,
            }),
            recording: Recording::default(),
            playing: Mutex::new(()),
        }
    }

    /// Whether the stretch has all the lookups that it is to have.
    fn is_enough(&self) -> bool {
        self.followed.load(Relaxed) >= self.until.load(Relaxed)
    }

    /// Does to the three what was done to the cache.
    fn change(&self, event: Event) {
        match event {
            Event::Stored { hash, known, now } => {
                self.each(|trial| trial.admit(hash, known.clone(), now));
            }
            Event::Removed(hash) => self.each(|trial| drop(trial.memory.remove(hash, &hash))),
            Event::Cleared(scope) => {
                let stays = |known: &Known| scope.is_some_and(|scope| scope != known.scope);
                self.each(|trial| drop(trial.memory.retain(|_, known| stays(known))));
            }
            Event::Looked { .. } => {}
        }
    }

    /// Has `act` done to each, the largest first.
    fn each(&self, mut act: impl FnMut(&Trial<L>)) {
        [&self.twice, &self.same, &self.half]
            .into_iter()
            .for_each(&mut act);
    }

    fn what_if(&self, now: Lookups) -> WhatIf {
        let all = now.since(self.before);
        if all.all == 0 {
            return WhatIf::default();
        }
        let same = all.hits as f64 / all.all as f64;
        let seen = self.stretches.lock().seen(now);
        let sampled = self.lookups.load(Relaxed) / ONE;
        let trial_hits = |trial: &Trial<L>| (trial.hits.load(Relaxed) as f64) / ONE as f64;
        let here = trial_hits(&self.same);
        // How many lookups one of the sample stands for: the cache's own misses beside those of the trial tell, and the
        // size of the part does as long as there are few.
        let misses = seen.all.saturating_sub(seen.hits) as f64;
        let trial_misses = sampled as f64 - here;
        let due = (1_u64 << self.part) as f64;
        let stands_for = (misses + FEW * due) / (trial_misses.max(0.0) + FEW);
        let other = |trial| {
            let more = (trial_hits(trial) - here) * stands_for / seen.all.max(1) as f64;
            (same + more).clamp(0.0, 1.0)
        };
        WhatIf {
            half: Some(other(&self.half)),
            same: Some(same),
            twice: Some(other(&self.twice)),
            lookups: all.all,
            sampled,
        }
    }
}

impl<L: RawMutex> Trial<L> {
    /// A memory of so many halves of the bounds, and of that only one of two to the power of `part`.
    fn new(bounds: Bounds, halves: u64, part: u32) -> Self {
        let scaled = |bound: u64| {
            let bound = (u128::from(bound) * u128::from(halves)) >> part;
            NonZeroU64::new(u64::try_from(bound).unwrap_or(u64::MAX)).unwrap_or(NonZeroU64::MIN)
        };
        // All else is the cache's own, its order of eviction above all.
        let mut own = bounds;
        own.max_entries = NonZeroUsize::try_from(scaled(bounds.max_entries.get() as u64))
            .unwrap_or(NonZeroUsize::MAX);
        own.max_bytes = bounds.max_bytes.map(|max| scaled(max.get()));
        Self {
            memory: Memory::with_shards(own, 1),
            hits: AtomicU64::new(0),
        }
    }

    fn admit(&self, hash: u64, known: Known, now: Instant) {
        let newcomer = Newcomer {
            hash,
            key: hash,
            deadline: known.deadline,
            keep_until: known.deadline,
            weight: known.weight,
            payload: known,
        };
        drop(self.memory.admit(newcomer, now));
    }

    /// What the entry weighs, if a valid one is there; one that is not valid leaves.
    fn find(&self, hash: u64, is_valid: &impl Fn(&Known) -> bool) -> Option<u64> {
        let (found, _) = self.memory.look(hash, &hash, |known, _, _| {
            if is_valid(known) {
                Look::Touch(Some(known.weight))
            } else {
                Look::Drop(None)
            }
        });
        found.flatten()
    }
}

impl<K: Key, V: Clone, E: Clone> Cache<K, V, E> {
    /// What the hit ratio would have been at half, the same and twice the bounds, since this was asked for the first time:
    /// from then on a part of all keys is watched for a while, and again after later questions.
    pub fn what_if(&self) -> WhatIf {
        let usual = match self.memory.len() as u64 {
            0 => USUAL_WEIGHT,
            entries => self.memory.weight() / entries,
        };
        let lookups = self.met();
        let trials = self.sample.begin(usual, lookups);
        self.play(trials);
        trials.what_if(lookups)
    }

    fn met(&self) -> Lookups {
        let totals = self.totals();
        Lookups {
            hits: totals.hits,
            all: totals.hits + totals.misses,
        }
    }

    /// Plays to the trials what was recorded since this was done last.
    fn play(&self, trials: &Trials<K::Lock>) {
        let _playing = trials.playing.lock();
        let Recorded { events, lost } = trials.recording.take();
        let share = ONE + lost as u64 * ONE / (events.len() as u64).max(1);
        let mut scope: Option<Arc<Scope>> = None;
        for event in events {
            let Event::Looked { scope: id, .. } = event else {
                trials.change(event);
                continue;
            };
            if scope.as_ref().is_none_or(|scope| scope.id() != id) {
                scope = self.scope_of(id);
            }
            if let Some(scope) = &scope {
                self.look_up(trials, scope, event, share);
            }
        }
    }

    /// A key of the sample was looked up. What was found there is put into the trials that do not have it.
    #[cold]
    #[inline(never)]
    pub(crate) fn sampled(&self, scope: &Scope, hash: u64, found: Option<(Tags, Instant)>) {
        let Some(trials) = self.sample.trials.get() else {
            return;
        };
        let is_miss = found.is_none();
        let event = Event::Looked {
            hash,
            scope: scope.id(),
            stamp: self.authority.stamp(),
            now: self.ticker.now(),
            found,
        };
        trials.recording.note(event);
        trials.followed.fetch_add(1, Relaxed);
        if is_miss {
            self.play(trials);
        }
        if trials.is_enough() {
            self.sample.end(trials, || self.met());
        }
    }

    /// Looks a key up in the trials as it was in the cache; for how many lookups that stands.
    fn look_up(&self, trials: &Trials<K::Lock>, scope: &Scope, event: Event, share: u64) {
        let Event::Looked {
            hash,
            stamp,
            now,
            found,
            ..
        } = event
        else {
            return;
        };
        let is_valid = |known: &Known| {
            let Known { deadline, tags, .. } = known;
            *deadline > now
                && self
                    .authority
                    .allowed(known.stamp, stamp, &scope.mark, tags)
        };
        trials.lookups.fetch_add(share, Relaxed);
        let mut found = found.map(|(tags, deadline)| Known {
            scope: scope.id(),
            stamp,
            tags,
            deadline,
            weight: self.usual_weight(),
        });
        trials.each(|trial| {
            match (trial.find(hash, &is_valid), &mut found) {
                (Some(weight), known) => {
                    trial.hits.fetch_add(share, Relaxed);
                    // The smaller ones are told the true weight by the larger ones.
                    known.iter_mut().for_each(|known| known.weight = weight);
                }
                (None, Some(known)) => trial.admit(hash, known.clone(), now),
                (None, None) => {}
            }
        });
    }

    fn usual_weight(&self) -> u64 {
        self.memory.weight() / (self.memory.len() as u64).max(1)
    }
}
