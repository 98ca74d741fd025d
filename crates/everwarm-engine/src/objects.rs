//! The verbs that object APIs need beside `put` and `delete`: writes under a condition, changes in place, a walk, an end.

use std::mem;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use everwarm_core::clock::{Clock, Instant};
use everwarm_core::generation::Stamp;
use everwarm_core::judge::{Judgement, Validity, judge};
use everwarm_core::lifetime::Lifetime;
use everwarm_memory::Place;
use hashbrown::Equivalent;

use crate::cache::{Cache, Put};
use crate::entry::{Entry, Key, Term};
use crate::hit::Left;
use crate::listener::Incoming;
use crate::scope::Scope;
use crate::tags::{self, Tags};
use crate::version::Versions;
use crate::windows;

/// The shortest ttl that is noted: as fine as the time since a write is known.
const SHORTEST: Duration = Duration::from_micros(1);

/// What must hold of the key for a put to take effect. An entry that is expired or invalid is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// No entry is there.
    Absent,
    /// An entry is there.
    Present,
    /// The entry of this write is there.
    Version(u64),
}

/// What came of a conditional write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Written {
    /// The value is there.
    Done,
    /// The condition does not hold, or the cache was closed; nothing has changed.
    Unmet,
    /// The value is too heavy for the memory, whatever would leave; it is counted as refused, and nothing else has changed.
    Refused,
}

impl Written {
    /// Whether the value is there.
    #[must_use]
    pub fn is_done(self) -> bool {
        self == Self::Done
    }
}

/// A change of an entry in place: its value, its version and its age stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Amendment<'a> {
    /// It has this ttl from now on; `None`: it stays.
    Expire(Option<Duration>),
    /// The ttl that it was last given begins anew.
    Renew,
    /// It is fresh no longer. Computations of it that run are not affected.
    Stale,
    /// It carries these tags too.
    Tag(&'a [Arc<str>]),
}

/// What a conditional write knows of the entry that is there.
struct Known {
    version: u64,
    term: Term,
    tags: Tags,
}

impl Known {
    fn new<V>(entry: &Entry<V>, deadline: Instant) -> Self {
        let keep_until = tags::lifetime(&entry.tags).map_or(deadline, Lifetime::keep_until);
        Self {
            version: entry.written.as_nanos(),
            term: Term {
                deadline,
                keep_until,
            },
            tags: entry.tags.clone(),
        }
    }

    fn meets(this: Option<&Self>, condition: Condition) -> bool {
        match (this, condition) {
            (None, Condition::Absent) | (Some(_), Condition::Present) => true,
            (Some(known), Condition::Version(version)) => known.version == version,
            (None, _) | (Some(_), Condition::Absent) => false,
        }
    }
}

/// The tags of an entry that is to be written or dated anew, with the ttl noted that it was last given.
fn with_given_ttl(versions: &Versions, written: Instant, deadline: Instant, tags: &Tags) -> Tags {
    if deadline == Instant::NEVER || tags::lifetime(tags).is_some() {
        return tags.clone();
    }
    let given = tags::ttl(tags).unwrap_or_else(|| versions.since(written, deadline));
    tags::with_ttl(tags, given.max(SHORTEST))
}

impl<K: Key, V: Clone, E: Clone> Cache<K, V, E> {
    /// Puts a value if the condition holds, as one step. A put that takes effect ends the computation of its key as
    /// [`put`](Self::put) does; one that does not leaves it alone.
    pub fn put_if(&self, put: Put<'_, K, V>, condition: Condition) -> Written {
        let (tags, term) = windows::dated(&self.authority.intern(put.tags), &put.lifetime);
        self.write(put, self.stamp(), |known, _| {
            Known::meets(known.as_ref(), condition).then_some((term, tags))
        })
    }

    /// Puts a value that was read elsewhere, unless an entry is there or an invalidation came since the reading began, at
    /// `since`; says whether it did. The value is so old already.
    pub fn fill(&self, put: Put<'_, K, V>, age: Duration, since: Stamp) -> bool {
        let tags = tags::with_age(self.authority.intern(put.tags), age);
        let (tags, term) = windows::dated(&tags, &put.lifetime);
        let scope = put.scope;
        self.write(put, since, |known, _| {
            let may = known.is_none() && self.authority.allows(since, &scope.mark, &tags);
            may.then_some((term, tags))
        })
        .is_done()
    }

    /// Puts a value that was written elsewhere in the place of all that carries the tag `own`, which is one of its tags, unless an
    /// invalidation came since that writing began, at `since`; says whether it did. What carried `own` is gone in any case, and
    /// so is what is being read or computed under it.
    pub fn supersede(&self, put: Put<'_, K, V>, own: &Arc<str>, since: Stamp) -> bool {
        let names = self.authority.intern(put.tags);
        let (tags, term) = windows::dated(&names, &put.lifetime);
        let began = (since, &put.scope.mark, &names);
        let Some(stamp) = self.authority.supersede(own, began) else {
            return false;
        };
        self.write(put, stamp, |_, _| Some((term, tags))).is_done()
    }

    /// The stamp of what begins at this moment.
    #[must_use]
    pub fn stamp(&self) -> Stamp {
        self.authority.stamp()
    }

    /// Puts `put.value` in the place of the value of the write `version`, if that is there. The entry keeps its life and
    /// its tags, whatever `put` says of them.
    pub fn exchange(&self, put: Put<'_, K, V>, version: u64) -> Written {
        self.write(put, self.stamp(), |known, versions| {
            let known = known.filter(|known| known.version == version)?;
            let written = Instant::from_nanos(version);
            let tags = with_given_ttl(versions, written, known.term.deadline, &known.tags);
            Some((known.term, tags))
        })
    }

    /// Writes with the term and the tags that `decide` gives for what is there, if it gives any.
    fn write(
        &self,
        put: Put<'_, K, V>,
        stamp: Stamp,
        decide: impl FnOnce(Option<Known>, &Versions) -> Option<(Term, Tags)>,
    ) -> Written {
        let Put {
            scope, hash, key, ..
        } = put;
        if !self.has_room_for(&key, put.weight) {
            scope.count_refused();
            return Written::Refused;
        }
        let now = self.ticker.now();
        let mut seats = self.seats(hash);
        let (known, left) = self.look(scope, hash, &key, |entry, deadline, _| {
            Known::new(entry, deadline)
        });
        let decided = decide(known, &seats.versions).filter(|_| !self.is_closed());
        let Some((term, tags)) = decided else {
            drop(seats);
            self.let_go_of_found(scope, left);
            return Written::Unmet;
        };
        let entry = Entry {
            value: put.value,
            stamp,
            written: seats.versions.next(now),
            tags,
        };
        let doomed = seats.vacate(hash, &key);
        let incoming = Incoming {
            entry,
            term,
            weight: put.weight,
            now,
        };
        let stored = self.store(scope, hash, key, incoming);
        drop(seats);
        drop(doomed);
        self.let_go_of_found(scope, left);
        self.let_go(scope, stored);
        Written::Done
    }

    /// Changes an entry in place; says whether it was there.
    pub fn amend<Q: Equivalent<K> + ?Sized>(
        &self,
        scope: &Scope,
        hash: u64,
        key: &Q,
        amendment: Amendment<'_>,
    ) -> bool {
        // Before the entry is judged: a tag met by an invalidation before that is none of its concern.
        let added = match amendment {
            Amendment::Tag(names) => self.authority.intern(names),
            _ => None,
        };
        let now = self.ticker.now();
        let seats = self.seats(hash);
        let Some(mut found) = self.memory.find(hash, key) else {
            return false;
        };
        let (entry, deadline) = found.content();
        let finding = self.judge_closely(scope, entry, deadline);
        if !finding.is_fresh() {
            let left = finding.is_over().then(|| Left::new(found, finding));
            drop(seats);
            self.let_go_of_found(scope, left);
            return false;
        }
        let (tags, term) = if tags::lifetime(&entry.tags).is_some() {
            self.amended(&entry.tags, amendment, &added)
        } else {
            let (tags, deadline) = match amendment {
                Amendment::Tag(_) => (tags::union(&entry.tags, &added), deadline),
                Amendment::Stale => (tags::with_stale(&entry.tags, true), now),
                Amendment::Expire(Some(ttl)) => (tags::with_ttl(&entry.tags, ttl), now.after(ttl)),
                Amendment::Expire(None) => (entry.tags.clone(), Instant::NEVER),
                Amendment::Renew => {
                    let tags =
                        with_given_ttl(&seats.versions, entry.written, deadline, &entry.tags);
                    let ttl = tags::ttl(&tags).filter(|_| deadline != Instant::NEVER);
                    (tags, ttl.map_or(Instant::NEVER, |ttl| now.after(ttl)))
                }
            };
            (
                tags,
                Term {
                    deadline,
                    keep_until: deadline,
                },
            )
        };
        let before = mem::replace(&mut entry.tags, tags);
        if term.deadline != deadline || term.keep_until != found.kept_until() {
            found.redate_and_keep(term.deadline, term.keep_until);
        }
        drop(found);
        drop(seats);
        drop(before);
        true
    }

    /// The tags and the term that an entry with windows has after a change.
    fn amended(&self, tags: &Tags, amendment: Amendment<'_>, added: &Tags) -> (Tags, Term) {
        let now = self.ticker.now();
        let lifetime = tags::lifetime(tags).copied();
        let lifetime = lifetime.unwrap_or(Lifetime::endless(now));
        let ttl = lifetime
            .slide()
            .map_or(lifetime.fresh_until().since(lifetime.written()), |slide| {
                slide.by
            });
        match amendment {
            Amendment::Tag(_) => {
                let tags = tags::union(tags, added);
                let term = windows::term(&tags, &lifetime);
                (tags, term)
            }
            Amendment::Stale => {
                let tags = tags::with_stale(tags, true);
                let mut term = windows::term(&tags, &lifetime);
                if judge(&lifetime, now, Validity::Demoted) == Judgement::Gone {
                    term.keep_until = now;
                }
                (tags, term)
            }
            Amendment::Expire(ttl) => windows::dated(tags, &lifetime.given(now, ttl)),
            Amendment::Renew => windows::dated(tags, &lifetime.given(now, Some(ttl))),
        }
    }

    /// The keys of a scope whose entries are fresh, from a part of the memory of at most `most` entries, and where to go on
    /// from, unless that was the end. A key that stays from the first call to the last is given exactly once.
    pub fn scan(&self, scope: &Scope, from: Place, most: u32) -> (Vec<K>, Option<Place>) {
        let mut keys = Vec::new();
        let next = self.memory.walk(from, most, |key, entry, deadline| {
            if key.scope() == scope.id() && self.judge_closely(scope, entry, deadline).is_fresh() {
                keys.push(key.clone());
            }
        });
        (keys, next)
    }

    /// Ends the cache: all entries leave, and none is stored from here on. Calls still compute, each for itself, as bypasses.
    pub fn close(&self) {
        self.closed.store(1, Ordering::Release);
        // Whoever found the cache open and is about to store does so under such a lock.
        for shard in 0..self.memory.shards() {
            drop(self.flights.lock(shard));
        }
        self.clear();
    }
}

impl<K: Key, V, E> Cache<K, V, E> {
    /// Whether the cache was closed.
    #[inline]
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire) != 0
    }
}
