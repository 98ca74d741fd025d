//! Seats: the right to compute a value and to store it.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use everwarm_core::clock::Instant;
use everwarm_core::lease::{Event, Holder};
use everwarm_core::mark::{Mark, Tag};
use everwarm_core::store::{Failure, Grant};

use super::Stack;
use super::found::{Stored, Written};
use super::overtaken::Basis;
use super::place::{Digests, Place};
use crate::process::Process;
use crate::shim::Mutex;

/// How many seats are renewed; whoever sits beyond computes without the right to store.
const ROOM: usize = 65_536;

/// The right to compute. Dropping it gives its leases back.
#[must_use = "dropping a seat hands the computation over"]
pub struct Seat {
    pub(super) place: Place,
    pub(super) labels: Digests,
    pub(super) stamps: Vec<Mark>,
    /// How many strange tags had been heard of when it began.
    pub(super) since: u64,
    pub(super) hold: Hold,
    pub(super) rights: Rights,
    /// The value to be served if the computation fails.
    pub(super) old: Option<Box<Stored>>,
}

impl Seat {
    /// Takes out the value that is to be served if the computation fails.
    pub fn take_old(&mut self) -> Option<Stored> {
        self.old.take().map(|old| *old)
    }

    /// Whether it is without the right to store: its lease could not be had, or something is owed. Nothing but this process keeps
    /// others from computing the same then.
    #[must_use]
    pub fn is_apart(&self) -> bool {
        self.hold == Hold::Apart
    }
}

/// By what right a value is written to the last tier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hold {
    /// Its lease, which is among the rights.
    Leased,
    /// None is needed: the store has no leases.
    Free,
    /// It takes the place of whatever is there, and of what others compute.
    Forced,
    /// None: it is not written.
    Apart,
}

impl fmt::Debug for Seat {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Seat")
            .field("place", &self.place.name)
            .field("hold", &self.hold)
            .finish_non_exhaustive()
    }
}

/// The leases of one name, by tier. Those that were not used are given back when it is dropped.
pub(super) struct Rights {
    stack: Arc<Stack>,
    name: Arc<str>,
    leases: Vec<Lease>,
    /// Its number among those that are renewed, if it is.
    id: Option<u64>,
    /// Whether a write ended the leases.
    spent: AtomicBool,
    process: Process,
}

/// A lease of a tier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lease {
    pub(super) tier: usize,
    pub(super) token: u64,
}

impl Rights {
    pub(super) fn new(stack: &Arc<Stack>, name: &Arc<str>) -> Self {
        Self {
            stack: Arc::clone(stack),
            name: Arc::clone(name),
            leases: Vec::new(),
            id: None,
            spent: AtomicBool::new(false),
            process: Process::current(),
        }
    }

    /// Asks for the lease of a tier; `None` if the tier did not answer or has none to give.
    pub(super) async fn ask(&mut self, tier: usize) -> Option<Grant> {
        let grant = self.ask_on(tier).await;
        if grant.is_none() {
            self.give_back(tier);
        }
        grant
    }

    /// The same, for who may ask again: by the same token if there was no answer, since it may have been given the lease.
    pub(super) async fn ask_on(&mut self, tier: usize) -> Option<Grant> {
        let stack = Arc::clone(&self.stack);
        let level = &stack.tiers[tier];
        let leases = level.tier.store.leases()?;
        let earlier = self.token(tier);
        let token = earlier.unwrap_or_else(|| self.wish(tier));
        let answer = leases
            .lease(&self.name, token, stack.options.lease_ttl)
            .await;
        match level.counted(answer) {
            Ok(grant) => {
                self.granted(tier, grant);
                Some(grant)
            }
            Err(failure) => {
                if earlier.is_none() {
                    self.failed(tier, &failure);
                }
                None
            }
        }
    }

    /// Notes that the lease of a tier is asked for, before it is: whoever gives up meanwhile may have been given it. Its token.
    pub(super) fn wish(&mut self, tier: usize) -> u64 {
        let token = token();
        self.leases.push(Lease { tier, token });
        token
    }

    /// Notes what the tier said to that.
    pub(super) fn granted(&mut self, tier: usize, grant: Grant) {
        if grant != Grant::Granted {
            self.take(tier);
        }
    }

    /// Notes that the tier did not answer to what was asked for once. Whether it was given is not known, unless nobody heard of it: what
    /// is not there need not go back, and a store that is away is told of many once it is there.
    pub(super) fn failed(&mut self, tier: usize, failure: &Failure) {
        if failure.is_unasked() {
            self.take(tier);
        }
    }

    pub(super) const fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// The token of a tier's lease, which is used up by that.
    pub(super) fn take(&mut self, tier: usize) -> Option<u64> {
        let at = self.leases.iter().position(|lease| lease.tier == tier)?;
        Some(self.leases.swap_remove(at).token)
    }

    /// The token of a tier's lease.
    pub(super) fn token(&self, tier: usize) -> Option<u64> {
        let mut leases = self.leases.iter();
        leases
            .find(|lease| lease.tier == tier)
            .map(|lease| lease.token)
    }

    /// The leases have ended by a write: there is nothing to be given back.
    pub(super) fn spend(&self) {
        self.spent.store(true, Ordering::Relaxed);
    }

    /// The part that is a tier's lease, with a life of its own.
    pub(super) fn part(&mut self, tier: usize) -> Self {
        let mut part = Self::new(&self.stack, &self.name);
        if let Some(token) = self.take(tier) {
            part.leases.push(Lease { tier, token });
            part.enter(None);
        }
        part
    }

    /// Has the leases renewed from here on, and what is about to be computed be overtaken; whether there was room.
    pub(super) fn enter(&mut self, tags: Option<&Digests>) -> bool {
        let terms = (self.stack.now(), self.stack.options.lease_ttl);
        let basis = tags.map(|tags| Basis::new(tags.clone()));
        let id = self
            .stack
            .seats
            .enter(&self.name, (&self.leases, basis), terms);
        self.id = id;
        id.is_some()
    }

    /// What is computed begins with these stamps. Where it is overtaken already, its leases are given back.
    pub(super) fn begin(&mut self, stamps: &[Mark]) {
        if let Some(id) = self.id
            && self.stack.seats.begin(&self.name, id, stamps)
        {
            self.give_all_back();
        }
    }

    /// Whether the key was written or deleted by this process since.
    pub(super) fn are_void(&self) -> bool {
        self.right() == Right::Void
    }

    /// Why nothing may be stored any more, as far as this process knows.
    pub(super) fn lost(&self) -> Option<Written> {
        match self.right() {
            Right::Kept => None,
            Right::Void => Some(Written::Lost),
            Right::Overtaken => Some(Written::Overtaken),
        }
    }

    fn right(&self) -> Right {
        let right = self.id.map(|id| self.stack.seats.right(&self.name, id));
        right.unwrap_or(Right::Kept)
    }

    /// Has the leases renewed no more. Those of what was overtaken are on their way back already.
    fn leave(&mut self) {
        if let Some(id) = self.id.take()
            && self.stack.seats.leave(&self.name, id) == Right::Overtaken
        {
            self.leases.clear();
        }
    }

    /// Gives the leases back that were not used, and waits until the stores know: who waits for them is woken now, and not after the
    /// next look.
    pub(super) async fn release(mut self) {
        if self.process.is_parent() || self.spent.load(Ordering::Relaxed) {
            return;
        }
        self.leave();
        let stack = Arc::clone(&self.stack);
        while let Some(&Lease { tier, token }) = self.leases.last() {
            let level = &stack.tiers[tier];
            let mut is_back = true;
            if let Some(leases) = level.tier.store.leases() {
                let answer = leases.release(&self.name, token).await;
                is_back = level.said(answer).is_some();
            }
            self.leases.pop();
            if !is_back {
                stack.leave_for_later(&self.name, Lease { tier, token });
            }
        }
    }

    /// Gives the leases of a tier back.
    pub(super) fn give_back(&mut self, tier: usize) {
        while let Some(token) = self.take(tier) {
            self.stack.give_back(&self.name, Lease { tier, token });
        }
    }

    /// Gives the leases of all tiers back.
    pub(super) fn give_all_back(&mut self) {
        for lease in std::mem::take(&mut self.leases) {
            self.stack.give_back(&self.name, lease);
        }
    }
}

impl Drop for Rights {
    fn drop(&mut self) {
        // A forked child has no part in its parent's leases, and must not touch what the parent's threads may have locked.
        if self.process.is_parent() {
            return;
        }
        self.leave();
        if !self.spent.load(Ordering::Relaxed) {
            self.give_all_back();
        }
    }
}

/// A number that nobody else has drawn: the standard library seeds its hashers from the operating system, and a forked child has
/// another process number.
pub(super) fn token() -> u64 {
    RandomState::new().hash_one(std::process::id()).max(1)
}

/// The seats that are taken in this process.
#[derive(Debug)]
pub(super) struct Seats {
    taken: Mutex<Taken>,
}

#[derive(Debug)]
struct Taken {
    by_name: HashMap<Arc<str>, Vec<Sitting>>,
    count: usize,
    last: u64,
    /// Before this moment no lease has to be renewed.
    due: Instant,
}

#[derive(Debug)]
struct Sitting {
    id: u64,
    leases: Vec<(Lease, Holder)>,
    right: Right,
    /// What is computed, if something is.
    basis: Option<Basis>,
}

/// Whether a value may be stored when it is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Right {
    /// As far as this process knows.
    Kept,
    /// No: the key was written or deleted meanwhile.
    Void,
    /// No: it was invalidated meanwhile, and its leases are not its own any more.
    Overtaken,
}

impl Sitting {
    /// Takes the right to store.
    fn void(&mut self) {
        if self.right == Right::Kept {
            self.right = Right::Void;
        }
        for (_, holder) in &mut self.leases {
            *holder = holder.after(Event::Overwritten);
        }
    }

    /// Takes the right to store, and the leases.
    fn overtake(&mut self) -> impl Iterator<Item = Lease> + use<> {
        self.right = Right::Overtaken;
        let leases = std::mem::take(&mut self.leases);
        leases.into_iter().map(|(lease, _)| lease)
    }
}

/// A lease that has to be renewed.
struct Renewal {
    name: Arc<str>,
    id: u64,
    lease: Lease,
}

impl Seats {
    pub(super) fn new() -> Self {
        Self {
            taken: Mutex::new(Taken {
                by_name: HashMap::new(),
                count: 0,
                last: 0,
                due: Instant::NEVER,
            }),
        }
    }

    /// Takes a seat with leases of this life that were asked for now.
    fn enter(
        &self,
        name: &Arc<str>,
        (leases, basis): (&[Lease], Option<Basis>),
        (now, ttl): (Instant, Duration),
    ) -> Option<u64> {
        let mut taken = self.taken.lock();
        if taken.count >= ROOM {
            return None;
        }
        taken.count += 1;
        taken.last += 1;
        let id = taken.last;
        let holder = Holder::Holding { asked: now };
        taken.due = taken.due.min(holder.due(ttl));
        let sitting = Sitting {
            id,
            leases: leases.iter().map(|lease| (*lease, holder)).collect(),
            right: Right::Kept,
            basis,
        };
        let name = Arc::clone(name);
        taken.by_name.entry(name).or_default().push(sitting);
        Some(id)
    }

    /// Leaves a seat; what had become of its right to store.
    fn leave(&self, name: &str, id: u64) -> Right {
        let mut taken = self.taken.lock();
        let Some(sitting) = taken.by_name.get_mut(name) else {
            return Right::Kept;
        };
        let Some(at) = sitting.iter().position(|sitting| sitting.id == id) else {
            return Right::Kept;
        };
        let left = sitting.swap_remove(at);
        if sitting.is_empty() {
            taken.by_name.remove(name);
        }
        taken.count -= 1;
        left.right
    }

    fn right(&self, name: &str, id: u64) -> Right {
        let taken = self.taken.lock();
        let mut sitting = taken.by_name.get(name).into_iter().flatten();
        let sitting = sitting.find(|sitting| sitting.id == id);
        sitting.map_or(Right::Kept, |sitting| sitting.right)
    }

    /// A computation begins with these stamps; whether it is overtaken already, and whoever sits has to give its leases back.
    fn begin(&self, name: &str, id: u64, stamps: &[Mark]) -> bool {
        let mut taken = self.taken.lock();
        let mut sitting = taken.by_name.get_mut(name).into_iter().flatten();
        let Some(sitting) = sitting.find(|sitting| sitting.id == id) else {
            return false;
        };
        let basis = sitting.basis.as_mut();
        let is_overtaken = basis.is_some_and(|basis| basis.begins(stamps));
        if is_overtaken {
            drop(sitting.overtake());
        }
        is_overtaken
    }

    /// Takes the right to store from all whom these invalidations overtook; their leases.
    pub(super) fn overtake(&self, struck: &[(Tag, Mark)]) -> Vec<(Arc<str>, Lease)> {
        let mut leases = Vec::new();
        let mut taken = self.taken.lock();
        for (name, all) in &mut taken.by_name {
            for sitting in all {
                let basis = sitting.basis.as_mut();
                if basis.is_some_and(|basis| basis.meets(struck)) {
                    leases.extend(sitting.overtake().map(|lease| (Arc::clone(name), lease)));
                }
            }
        }
        drop(taken);
        // In an order that the simulator can repeat.
        leases.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        leases
    }

    /// Takes the right to store from all who sit for a name.
    pub(super) fn void(&self, name: &str) {
        let mut taken = self.taken.lock();
        let sitting = taken.by_name.get_mut(name).into_iter().flatten();
        sitting.for_each(Sitting::void);
    }

    /// As [`void`](Self::void), for all names that begin with `prefix`.
    pub(super) fn void_all(&self, prefix: &str) {
        let mut taken = self.taken.lock();
        for (_, sitting) in taken
            .by_name
            .iter_mut()
            .filter(|(name, _)| name.starts_with(prefix))
        {
            sitting.iter_mut().for_each(Sitting::void);
        }
    }

    /// The leases that have to be renewed now, those of who sat first at first.
    fn to_renew(&self, now: Instant, ttl: Duration) -> Vec<Renewal> {
        let mut taken = self.taken.lock();
        if now < taken.due {
            return Vec::new();
        }
        let mut next = Instant::NEVER;
        let mut due = Vec::new();
        for (name, sitting) in taken
            .by_name
            .iter()
            .flat_map(|(name, all)| all.iter().map(move |one| (name, one)))
        {
            for (lease, holder) in &sitting.leases {
                next = next.min(holder.due(ttl));
                if holder.due(ttl) <= now {
                    due.push(Renewal {
                        name: Arc::clone(name),
                        id: sitting.id,
                        lease: *lease,
                    });
                }
            }
        }
        taken.due = next;
        due.sort_unstable_by_key(|renewal| (renewal.id, renewal.lease.tier));
        due
    }

    /// Takes note of what a store said to a renewal.
    fn renewed(&self, renewal: &Renewal, event: Event) {
        let mut taken = self.taken.lock();
        let sitting = taken.by_name.get_mut(&*renewal.name).into_iter().flatten();
        let sitting = sitting.filter(|sitting| sitting.id == renewal.id);
        for (lease, holder) in sitting.flat_map(|sitting| &mut sitting.leases) {
            if *lease == renewal.lease {
                *holder = holder.after(event);
            }
        }
    }
}

impl Stack {
    /// Renews the leases of those who sit, at a third of their life.
    pub(super) async fn renew_leases(&self) {
        let ttl = self.options.lease_ttl;
        for renewal in self.seats.to_renew(self.now(), ttl) {
            let level = &self.tiers[renewal.lease.tier];
            let Some(leases) = level.tier.store.leases() else {
                continue;
            };
            let asked = self.now();
            let answer = leases.renew(&renewal.name, renewal.lease.token, ttl).await;
            if let Some(was_there) = level.said(answer) {
                let event = Event::Renewed { asked, was_there };
                self.seats.renewed(&renewal, event);
            }
        }
    }
}
