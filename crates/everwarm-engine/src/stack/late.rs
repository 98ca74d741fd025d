//! Late writes: a deletion or a set of one name that the store did not take when it was asked for.
//!
//! Meanwhile others may have written that name. What is there is held against the moment at which it was to be written or deleted: ages
//! follow from what is left, so no two clocks are compared. What is surely newer stays, and the debt is void. What is surely older was there
//! when the write was asked for, so nobody can have deleted the name since: the value takes its place, or it goes, each on the condition
//! that it is still the same. What may be one or the other goes.
//!
//! Four things make an entry one of those that go. A computation may have begun long before its value came, and a life that is changed
//! makes a value no newer: such envelopes [say so](everwarm_core::codec::Meta::is_of_its_write). A write of this very process whose answer
//! was lost may come to the store when the way there is open again ([ghosts](super::ghosts)). Servers that take over have clocks of their
//! own, and a clock that was set back makes all look younger, which shows where more is left than was given. And within a margin no age
//! counts.
//!
//! Where nothing is there, a deletion by others has left no trace. The value is written only if the shards have counted nothing since its
//! stamps were taken but what this process does here: first a deletion, which tells others and ends what they compute, and then the write
//! under a lease that was taken before the shards were read.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use everwarm_core::clock::Instant;
use everwarm_core::codec::Refusal;
use everwarm_core::mark::{Mark, valid};
use everwarm_core::store::{Computed, Condition, Conditional, FailureKind, Found, Grant, Settled};

use super::Stack;
use super::owed::Debt;
use super::place::Place;
use super::recent::digest;
use super::seat::{Lease, token};
use super::settle::Sealed;

/// How often it is looked at what is there when others are faster.
const TRIES: usize = 8;

/// Within which ages are taken for the same: clocks have ticks, and stores count milliseconds.
const MARGIN: Duration = Duration::from_millis(100);

/// The part of an age by which clocks may have run apart.
const DRIFT: u32 = 1_024;

/// A write of one name that is late.
pub(super) struct Late {
    pub(super) place: Place,
    /// When it was to be done.
    at: Instant,
    /// After how many failovers.
    failovers: u64,
    /// What was to be set; `None`: it was to be deleted, or the value is not to be had any more.
    value: Option<Sealed>,
    /// The latest readings of the shards that were known when it was to be set: its stamps, or later ones.
    known: Vec<Mark>,
}

impl Late {
    /// How many bytes wait with it.
    pub(super) fn size(&self) -> u64 {
        self.value.as_ref().map_or(0, Sealed::size)
    }

    /// The same, as a deletion.
    pub(super) fn without_value(&self) -> Self {
        Self {
            place: self.place.clone(),
            value: None,
            known: Vec::new(),
            ..*self
        }
    }

    /// The same, where the shards were known to be so far when it was to be set.
    pub(super) fn knowing(mut self, shards: &[Mark]) -> Self {
        for known in &mut self.known {
            let of = |mark: &&Mark| (mark.shard, mark.epoch) == (known.shard, known.epoch);
            if let Some(mark) = shards.iter().find(of) {
                known.number = known.number.max(mark.number);
            }
        }
        self
    }
}

/// What became of a debt.
pub(super) enum Paid {
    /// The stores have done this.
    As(Debt),
    /// Nothing is to be done any more.
    Void,
}

/// How many numbers of the shards were surely taken by the debts of one round; `None`: that is not known.
pub(super) struct Steps(Option<u64>);

impl Steps {
    pub(super) const fn new() -> Self {
        Self(Some(0))
    }

    pub(super) fn take(&mut self, more: usize) {
        self.0 = self.0.map(|steps| steps + more as u64);
    }

    pub(super) const fn lose(&mut self) {
        self.0 = None;
    }

    /// Whether nobody else took any between these readings of all shards.
    fn are_all(&self, before: &[Mark], after: &[Mark]) -> bool {
        let of = |mark: &Mark| before.iter().find(|other| other.shard == mark.shard);
        let taken = |mark: &Mark| {
            let before = of(mark).filter(|before| before.epoch == mark.epoch)?;
            mark.number.checked_sub(before.number)
        };
        let taken: Option<Vec<u64>> = after.iter().map(taken).collect();
        before.len() == after.len()
            && self.0.is_some()
            && taken.map(|all| all.iter().sum()) == self.0
    }
}

impl fmt::Debug for Late {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Late")
            .field("name", &self.place.name)
            .field("at", &self.at)
            .finish_non_exhaustive()
    }
}

impl PartialEq for Late {
    /// Each is another one.
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
    }
}

impl Eq for Late {}

/// What is under the name, by when it came there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum There {
    /// The very write that is late: only its answer was.
    Done,
    /// What others wrote later, or nothing that was ever an entry.
    Newer,
    /// What was there before.
    Older,
    /// Either.
    Unclear,
}

impl Stack {
    /// A write of this name that is about to be late, if it is not done: it is of this moment.
    pub(super) fn late(&self, place: &Place, value: Option<Sealed>) -> Late {
        self.late_since(place, value, self.now())
    }

    pub(super) fn late_since(&self, place: &Place, value: Option<Sealed>, at: Instant) -> Late {
        Late {
            place: place.clone(),
            at,
            failovers: self.failovers(),
            known: value
                .as_ref()
                .map_or_else(Vec::new, |value| value.stamps.to_vec()),
            value,
        }
    }

    /// Does a late write, or finds that it is outdated; nothing if a store did not take it.
    pub(super) async fn catch_up(&self, late: &Late, steps: &mut Steps) -> Option<Paid> {
        let name = &late.place.name;
        if !self.owed.has(late) {
            return Some(Paid::Void);
        }
        self.make_way(std::slice::from_ref(name)).await;
        if !self.owed.has(late) {
            // A later write may have been queued, and be out of the queue again by that.
            return self.delete_late(late, steps).await;
        }
        let store = &self.last().tier.store;
        let tells_ages = late.failovers == self.failovers() && self.owed.knows_ghosts(self.now());
        let Some(conditional) = store.conditional().filter(|_| tells_ages) else {
            return self.delete_late(late, steps).await;
        };
        let mut value = match &late.value {
            Some(value) if self.is_still_valid(late, value).await? => Some(value),
            _ => None,
        };
        for _ in 0..TRIES {
            let asked = self.now();
            let Some(found) = self.last().said(store.get(name).await)? else {
                return match value {
                    Some(value) => self.write_where_nothing_is(late, value, steps).await,
                    None => self.delete_late(late, steps).await,
                };
            };
            let done = match (self.compare(late, &found, asked), value) {
                (There::Done, Some(value)) => Some((written(name, value), 0)),
                (There::Newer, _) => {
                    self.owed.outdates(name);
                    Some((Paid::Void, 0))
                }
                (There::Older, Some(sealed)) => {
                    match self
                        .replace(late, sealed, (conditional, found.version))
                        .await
                    {
                        Ok(true) => Some((written(name, sealed), 1)),
                        Ok(false) => None,
                        // What is there must go at least.
                        Err(kind) if refuses(kind) => {
                            value = None;
                            None
                        }
                        Err(_) => return None,
                    }
                }
                (There::Done | There::Older | There::Unclear, _) => {
                    let answer = conditional.delete_if(name, found.version).await;
                    let deleted = self.last().said(answer)?;
                    deleted.then(|| (Paid::As(Debt::Name(Arc::clone(name))), 1))
                }
            };
            if let Some((paid, taken)) = done {
                steps.take(taken);
                for level in self.nearer() {
                    level.said(level.tier.store.delete(name).await)?;
                }
                return Some(paid);
            }
        }
        None
    }

    /// Deletes in every tier, whatever is there.
    async fn delete_late(&self, late: &Late, steps: &mut Steps) -> Option<Paid> {
        let name = &late.place.name;
        self.delete_everywhere(std::slice::from_ref(name)).await?;
        steps.take(1);
        Some(Paid::As(Debt::Name(Arc::clone(name))))
    }

    /// Whether a value that waits has some of its life left, and nothing that it depends on was invalidated; its tags have markers then.
    async fn is_still_valid(&self, late: &Late, value: &Sealed) -> Option<bool> {
        if self.ttl_of(late, value).is_zero() {
            return Some(false);
        }
        let Some(authority) = self.authority() else {
            return Some(true);
        };
        let asked = self.markers.asked();
        let keep = Some(self.options.longest);
        let answer = authority.begin(&self.namespace, &value.tags, keep).await;
        let reading = self.last().said(answer)?;
        self.markers.feed(asked, &value.tags, &reading);
        Some(valid(&value.stamps, reading.markers))
    }

    /// What is left of its life in the last tier: less than when it was to be written, so that its age is that of the write.
    fn ttl_of(&self, late: &Late, value: &Sealed) -> Duration {
        let whole = self.last().ttl(value.left);
        whole.saturating_sub(self.now().since(late.at))
    }

    /// When what is there came, as seen from the late write, by the answer to a question asked at that moment.
    fn compare(&self, late: &Late, found: &Found, asked: Instant) -> There {
        let level = self.last();
        let binding = late.place.binding(&self.namespace);
        let opened = match self.codec.open(&binding, &found.bytes) {
            Ok(opened) => opened,
            Err(Refusal::Foreign) => return There::Newer,
            Err(_) => return There::Unclear,
        };
        if found.remaining.is_none() {
            return There::Unclear;
        }
        let Some(age) = level.known_age(&opened.meta.spans, found.remaining) else {
            return There::Unclear;
        };
        let margin = MARGIN + level.tier.store.limits().ttl_precision + age / DRIFT;
        // It was looked at between these two moments.
        let order = if age.saturating_add(margin) < asked.since(late.at) {
            Ordering::Greater
        } else if age > self.now().since(late.at).saturating_add(margin) {
            Ordering::Less
        } else {
            Ordering::Equal
        };
        let digest = digest(&found.bytes);
        let is_own = late.value.as_ref();
        let is_own = is_own.is_some_and(|value| value.bytes == found.bytes);
        match order {
            // Where it came late, others may have written before it.
            Ordering::Equal | Ordering::Less if is_own => There::Done,
            _ if is_own || self.owed.is_ghost(&late.place.name, digest) => There::Unclear,
            Ordering::Less => There::Older,
            Ordering::Greater if opened.meta.is_of_its_write() => There::Newer,
            _ => There::Unclear,
        }
    }

    /// Writes in place of what was there before; whether that still was, or why it was not taken.
    async fn replace(
        &self,
        late: &Late,
        value: &Sealed,
        (conditional, version): (&dyn Conditional, u64),
    ) -> Result<bool, FailureKind> {
        let ttl = Some(self.ttl_of(late, value));
        let (name, bytes) = (&late.place.name, value.bytes.clone());
        let condition = Condition::Version(version);
        let level = self.last();
        match conditional.set_if(name, bytes, ttl, condition).await {
            Ok(version) => {
                level.away.answered();
                level.tally.sets.add(u64::from(version.is_some()));
                Ok(version.is_some())
            }
            Err(failure) => {
                level.failed(&failure);
                Err(failure.kind)
            }
        }
    }

    /// Deletes where nothing is, and writes if it is sure then that nobody else has done either.
    async fn write_where_nothing_is(
        &self,
        late: &Late,
        value: &Sealed,
        steps: &mut Steps,
    ) -> Option<Paid> {
        let name = &late.place.name;
        let nothing = self.delete_late(late, steps).await?;
        let authority = self.authority().filter(|all| all.counts_writes());
        let Some(leases) = self
            .last()
            .tier
            .store
            .leases()
            .filter(|_| authority.is_some())
        else {
            return Some(nothing);
        };
        let lease = Lease {
            tier: self.tiers.len() - 1,
            token: token(),
        };
        let answer = leases
            .lease(name, lease.token, self.options.lease_ttl)
            .await;
        match self.last().said(answer) {
            Some(Grant::Granted) => {}
            // Somebody has begun to compute it since.
            Some(Grant::Held(_)) => return Some(nothing),
            None => {
                self.leave_for_later(name, lease);
                return Some(nothing);
            }
        }
        if self.write_alone(late, value, (lease.token, steps)).await == Some(true) {
            return Some(written(name, value));
        }
        self.give_back_now(vec![(Arc::clone(name), lease)]).await;
        Some(nothing)
    }

    /// Writes under a lease, if nobody took a number since the stamps were taken; whether it is written.
    async fn write_alone(
        &self,
        late: &Late,
        value: &Sealed,
        (token, steps): (u64, &Steps),
    ) -> Option<bool> {
        let (level, name) = (self.last(), &late.place.name);
        let now = self.stamps(&value.tags).await.ok()?;
        let is_there = level.said(level.tier.store.get(name).await)?.is_some();
        if is_there || !steps.are_all(&late.known, &now) {
            return Some(false);
        }
        let computed = Computed {
            name,
            namespace: &self.namespace,
            bytes: value.bytes.clone(),
            ttl: Some(self.ttl_of(late, value)),
            token: Some(token),
            stamps: &value.stamps,
            tags: &value.tags,
        };
        let settled = level.said(self.authority()?.settle(computed).await)?;
        level.tally.sets.add(u64::from(settled == Settled::Stored));
        Some(settled == Settled::Stored)
    }
}

fn written(name: &Arc<str>, value: &Sealed) -> Paid {
    Paid::As(Debt::Written(Arc::clone(name), digest(&value.bytes)))
}

/// Whether a store that fails so takes no write, but may take a deletion.
const fn refuses(kind: FailureKind) -> bool {
    !matches!(
        kind,
        FailureKind::Transient | FailureKind::Timeout | FailureKind::Authentication
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(shard: u16, epoch: u64, number: u64) -> Mark {
        Mark {
            shard,
            epoch,
            number,
        }
    }

    #[test]
    fn steps_are_all_if_the_shards_say_so() {
        let before = [mark(0, 9, 4), mark(1, 7, 0)];
        let mut steps = Steps::new();
        assert!(steps.are_all(&before, &before));
        steps.take(2);
        for (after, are_all) in [
            ([mark(0, 9, 5), mark(1, 7, 1)], true),
            ([mark(0, 9, 6), mark(1, 7, 0)], true),
            ([mark(0, 9, 6), mark(1, 7, 1)], false),
            ([mark(0, 9, 5), mark(1, 7, 0)], false),
            ([mark(0, 9, 3), mark(1, 7, 3)], false),
            ([mark(0, 8, 6), mark(1, 7, 0)], false),
        ] {
            assert_eq!(steps.are_all(&before, &after), are_all, "{after:?}");
        }
        assert!(
            !steps.are_all(&before, &[mark(0, 9, 6)]),
            "a shard is missing"
        );
        steps.lose();
        assert!(!steps.are_all(&before, &[mark(0, 9, 5), mark(1, 7, 1)]));
    }
}
