//! Another store beside the tiers, while a cache moves from an old store to a new one: changes go to both, the old one first, so that
//! neither has what is gone from the other; and what the new one does not have is brought over when it is asked for.
//!
//! The order keeps old values out of the new store. What is brought over is read after a seat in the new store was taken, as for a
//! computation. A change from before that the old store has taken already; of one that comes later the new store hears after that,
//! and it ends the seat or takes out what was brought.

use std::sync::Arc;
use std::time::Duration;

use everwarm_core::codec::{Codec, Meta};
use everwarm_core::error::Error;
use everwarm_core::store::Failure;
use everwarm_core::using::Read;

use super::fetch::only_if_error;
use super::found::{Change, Done, Fetched, Stored, Written};
use super::owed::Debt;
use super::place::Place;
use super::seat::{Hold, Rights, Seat};
use super::{Options, Stack, Tier};
use crate::shim::Mutex;

/// How much may wait to be told again; beyond, it becomes one that is about everything.
const ROOM: usize = 1_024;

/// What the store beside the tiers is to them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It will take their place: it only hears of changes, of a set as of a deletion.
    New,
    /// Its place was taken.
    Old {
        /// Whether it is still read, and decides what depends on what is there; else it only hears of changes.
        reads: bool,
    },
}

impl Role {
    /// What users call it.
    const fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Old { .. } => "old",
        }
    }
}

/// A store beside the tiers: a stack of its own, with its own authority and its own debts.
pub(super) struct Beside {
    stack: Arc<Stack>,
    role: Role,
    /// What the second of the two is told once more when nothing is owed to the first: until then it may have been brought over, or
    /// its caller walked away between the two.
    again: Mutex<Vec<Debt>>,
}

/// What is to be gone.
#[derive(Clone)]
pub(super) enum Removal {
    Places(Vec<Place>),
    Tags(Arc<[Arc<str>]>),
    Function(Arc<str>),
    Everything,
    Suspended(Arc<[Arc<str>]>, Duration),
    Resumed(Arc<[Arc<str>]>),
}

/// A change on its way to both. Dropped before it has ended, it is told to one of them once more.
struct Underway<'a> {
    told: &'a Stack,
    /// What waits until nothing is owed to the other one; None: it need not wait.
    again: Option<&'a Mutex<Vec<Debt>>>,
    debts: Vec<Debt>,
}

impl Underway<'_> {
    /// Both have it.
    fn ends(mut self) {
        self.debts.clear();
    }
}

impl Drop for Underway<'_> {
    fn drop(&mut self) {
        let Some(again) = self.again.filter(|_| !self.debts.is_empty()) else {
            let incur = |debt| drop(self.told.incur(debt));
            return self.debts.drain(..).for_each(incur);
        };
        let mut again = again.lock();
        again.append(&mut self.debts);
        if again.len() > ROOM {
            *again = vec![self.told.whole()];
        }
    }
}

impl Beside {
    /// The two, the one first that is told first.
    fn in_order<'a>(&'a self, main: &'a Arc<Stack>) -> [&'a Arc<Stack>; 2] {
        match self.role {
            Role::New => [main, &self.stack],
            Role::Old { .. } => [&self.stack, main],
        }
    }

    /// A change that the second has to have if the first has it.
    fn underway<'a>(&'a self, main: &'a Arc<Stack>, removal: &Removal) -> Underway<'a> {
        let [_, told] = self.in_order(main);
        Underway {
            told,
            again: Some(&self.again),
            debts: told.debts_of(removal),
        }
    }

    /// Whether what is not found here is asked for there.
    pub(super) fn is_read(&self) -> bool {
        self.role == Role::Old { reads: true }
    }

    pub(super) const fn stack(&self) -> &Arc<Stack> {
        &self.stack
    }
}

impl Stack {
    /// As [`new`](Self::new), with another store beside the tiers, for as long as a cache moves from one to the other. Processes with the
    /// same two stores in the roles `New`, `Old { reads: true }` and `Old { reads: false }` may be at work at once, if their roles are
    /// neighbours in this order. What users call the tier has its role added.
    ///
    /// # Errors
    /// As `new`.
    pub fn moving(
        tiers: Vec<Tier>,
        (tier, role): (Tier, Role),
        (codec, namespace): (Arc<dyn Codec>, Arc<str>),
        options: Options,
    ) -> Result<Arc<Self>, Error> {
        let label = format!("{} ({})", tier.label, role.name()).into();
        let tier = Tier { label, ..tier };
        let beside = Beside {
            stack: Self::new(
                vec![tier],
                Arc::clone(&codec),
                Arc::clone(&namespace),
                options.clone(),
            )?,
            role,
            again: Mutex::new(Vec::new()),
        };
        Self::with(tiers, Some(beside), (codec, namespace), options)
    }

    /// The old store, while it is read.
    pub(super) fn old(&self) -> Option<&Arc<Self>> {
        let beside = self.beside.as_ref().filter(|beside| beside.is_read())?;
        Some(&beside.stack)
    }

    /// What is owed until a removal is done here.
    fn debts_of(&self, removal: &Removal) -> Vec<Debt> {
        match removal {
            Removal::Places(places) => {
                let name = |place: &Place| Debt::Name(Arc::clone(&place.name));
                places.iter().map(name).collect()
            }
            Removal::Tags(tags) | Removal::Suspended(tags, _) | Removal::Resumed(tags) => {
                vec![self.debt_of_tags(tags)]
            }
            Removal::Function(function) => vec![self.debt_of_function(function)],
            Removal::Everything => vec![self.whole()],
        }
    }

    /// Removes here alone; how many were there, where that is counted.
    async fn remove(self: Arc<Self>, removal: Removal) -> (u64, Done) {
        let done = match removal {
            Removal::Places(places) => return self.delete_places(places).await,
            Removal::Suspended(tags, span) if self.can_suspend() => {
                self.strike(&self.digests(&tags), Some(span)).await
            }
            Removal::Resumed(tags) if self.can_suspend() => {
                self.strike(&self.digests(&tags), None).await
            }
            Removal::Tags(tags) | Removal::Suspended(tags, _) | Removal::Resumed(tags) => {
                self.invalidate_tags(tags).await
            }
            Removal::Function(function) => self.clear_one(function).await,
            Removal::Everything => self.clear_all().await,
        };
        (0, done)
    }

    /// Removes here, and beside.
    pub(super) async fn removed(self: Arc<Self>, removal: Removal) -> (u64, Done) {
        if self.beside.is_none() {
            return self.remove(removal).await;
        }
        Box::pin(self.removed_in_both(removal)).await
    }

    async fn removed_in_both(self: Arc<Self>, removal: Removal) -> (u64, Done) {
        let Some(beside) = &self.beside else {
            return (0, Done::Now);
        };
        let [first, second] = beside.in_order(&self);
        let underway = beside.underway(&self, &removal);
        let (were, before) = first.clone().remove(removal.clone()).await;
        let (are, after) = second.clone().remove(removal).await;
        if before == Done::Pending {
            return (were.max(are), before);
        }
        underway.ends();
        (were.max(are), after)
    }

    /// Writes here as `write` does, and has what lies beside deleted.
    async fn written_in_both<T>(
        self: &Arc<Self>,
        places: Vec<Place>,
        write: impl Future<Output = T>,
    ) -> T {
        let Some(beside) = &self.beside else {
            return write.await;
        };
        let removal = Removal::Places(places);
        let underway = beside.underway(self, &removal);
        let delete = beside.stack.clone().remove(removal);
        let written = match beside.role {
            Role::New => {
                let written = write.await;
                delete.await;
                written
            }
            Role::Old { .. } => {
                delete.await;
                write.await
            }
        };
        underway.ends();
        written
    }

    /// Sets by hand in both, as far as the other one is written at all.
    pub(super) async fn set_in_both(
        self: Arc<Self>,
        entries: Vec<(Place, Vec<u8>, Meta)>,
    ) -> Written {
        let places = entries.iter().map(|(place, ..)| place.clone()).collect();
        let Some((beside, old)) = self.beside.as_ref().zip(self.old()) else {
            return self
                .written_in_both(places, self.clone().set_all(entries))
                .await;
        };
        let underway = beside.underway(&self, &Removal::Places(places));
        old.clone().set_all(entries.clone()).await;
        let written = self.clone().set_all(entries).await;
        underway.ends();
        written
    }

    async fn set_all(self: Arc<Self>, mut entries: Vec<(Place, Vec<u8>, Meta)>) -> Written {
        match entries.pop() {
            Some((place, payload, meta)) if entries.is_empty() => {
                self.set_by_hand(place, payload, meta).await
            }
            Some(last) => {
                entries.push(last);
                self.set_many_by_hand(entries).await
            }
            None => Written::Stored,
        }
    }

    /// Stores what was computed in place of what was there, which the other one is not to have any longer.
    pub(super) async fn settle_in_both(
        self: Arc<Self>,
        seat: Seat,
        computed: (Vec<u8>, Meta),
    ) -> Written {
        let places = vec![seat.place.clone()];
        let settle = self.clone().settle_seat(seat, computed, Duration::ZERO);
        self.written_in_both(places, settle).await
    }

    /// Changes an entry in one step where it is decided, and deletes it in the other one.
    pub(super) async fn amend_in_both<R: Send>(
        self: Arc<Self>,
        place: Place,
        mut change: impl FnMut(Option<&Stored>) -> Change<R> + Send,
    ) -> Result<R, Failure> {
        let Some(beside) = &self.beside else {
            return self.clone().amend_entry(place, change).await;
        };
        let removal = Removal::Places(vec![place.clone()]);
        let (decides, follows) = match self.old() {
            Some(old) => (old, &self),
            None => (&self, &beside.stack),
        };
        // The old store that decides nothing any more is told at last, and need not wait for the new one.
        let again = Some(&beside.again).filter(|_| beside.role != Role::Old { reads: false });
        let underway = Underway {
            told: follows,
            again,
            debts: follows.debts_of(&removal),
        };
        let mut is_changed = false;
        let noted = |found: Option<&Stored>| {
            let change = change(found);
            is_changed = !matches!(change, Change::Keep(_));
            change
        };
        let amended = decides.clone().amend_entry(place, noted).await;
        // One that failed may have been done nevertheless.
        if is_changed || amended.is_err() {
            follows.clone().remove(removal).await;
        }
        underway.ends();
        amended
    }

    /// What the old store has, brought over under a seat; else the seat.
    pub(super) async fn bring(self: &Arc<Self>, seat: Seat, read: Read) -> Fetched {
        let Some(old) = self.old().filter(|_| seat.hold != Hold::Apart) else {
            return Fetched::Lead(seat);
        };
        let place = seat.place.today();
        let find = old
            .clone()
            .get_one(place.clone(), Arc::new([]), (read, true));
        match find.await {
            Some(stored) if old.is_sure(&place, &stored).await => self.bring_in(seat, stored).await,
            _ => Fetched::Lead(seat),
        }
    }

    /// As [`bring`](Self::bring), of many, in one trip to the old store and one for the markers.
    pub(super) async fn bring_many(self: &Arc<Self>, fetched: &mut [Option<Fetched>]) {
        let Some(old) = self.old() else {
            return;
        };
        let seats = fetched.iter_mut().filter(|fetched| {
            matches!(fetched, Some(Fetched::Lead(seat)) if seat.hold != Hold::Apart && seat.old.is_none())
        });
        let seats: Vec<_> = seats.collect();
        let place = |fetched: &&mut Option<Fetched>| match fetched {
            Some(Fetched::Lead(seat)) => Some(seat.place.today()),
            _ => None,
        };
        let places: Vec<Place> = seats.iter().filter_map(place).collect();
        let mut found = old.find_many(places.clone()).await;
        old.keep_sure(&places, &mut found).await;
        for (fetched, stored) in seats.into_iter().zip(found) {
            if let (Some(Fetched::Lead(seat)), Some(stored)) =
                (fetched.take_if(|_| stored.is_some()), stored)
            {
                *fetched = Some(self.bring_in(seat, stored).await);
            }
        }
    }

    /// Stores what the old store has under a seat that was taken before it was read.
    async fn bring_in(self: &Arc<Self>, mut seat: Seat, stored: Stored) -> Fetched {
        let stored = match only_if_error(self.as_ours(stored)) {
            Ok(stored) => stored,
            Err(stored) => {
                seat.old = Some(Box::new(stored));
                return Fetched::Lead(seat);
            }
        };
        let (place, labels) = (seat.place.clone(), seat.labels.clone());
        let value = stored.opened.payload.to_vec();
        let value = (value, stored.opened.meta.clone());
        match self.clone().settle_seat(seat, value, stored.age).await {
            // It was changed since it was read.
            Written::Lost | Written::Overtaken => {
                let rights = Rights::new(self, &place.name);
                Fetched::Lead(self.sit(place, labels, Hold::Apart, rights).await)
            }
            _ => Fetched::Found(stored),
        }
    }

    /// What the old store had, as if it came from the last tier: where it is brought to.
    fn as_ours(&self, mut stored: Stored) -> Stored {
        stored.tier = self.tiers.len() - 1;
        stored.version = None;
        stored.opened.meta.stamps.clear();
        stored
    }

    /// A read that computes nothing: what only the old store has comes along.
    pub(super) async fn get_from_both(
        self: Arc<Self>,
        place: Place,
        tags: Arc<[Arc<str>]>,
        read: Read,
    ) -> Option<Stored> {
        let here = self
            .clone()
            .get_one(place.clone(), Arc::clone(&tags), (read, false));
        if let Some(stored) = here.await {
            return Some(stored);
        }
        let old = self.old()?;
        let there = old.get(place.today(), Arc::clone(&tags), read);
        let stored = there.await?;
        self.brought(place, (tags, read), stored).await
    }

    /// As [`get_from_both`](Self::get_from_both), of many.
    pub(super) async fn get_all_from_both(
        self: Arc<Self>,
        places: Arc<[Place]>,
    ) -> Vec<Option<Stored>> {
        let mut all = self.clone().get_all(Arc::clone(&places), false).await;
        let Some(old) = self.old() else {
            return all;
        };
        let missing = (0..all.len()).filter(|&at| all[at].is_none());
        let missing: Vec<usize> = missing.collect();
        if missing.is_empty() {
            return all;
        }
        let asked: Vec<Place> = missing.iter().map(|&at| places[at].today()).collect();
        let found = old.get_many(asked).await;
        for (at, stored) in missing.into_iter().zip(found) {
            if let Some(stored) = stored {
                let how = (Arc::new([]) as Arc<[Arc<str>]>, Read::Any);
                all[at] = self.brought(places[at].clone(), how, stored).await;
            }
        }
        all
    }

    /// Has what the old store has brought over, unless somebody is about to.
    async fn brought(
        self: &Arc<Self>,
        place: Place,
        (tags, read): (Arc<[Arc<str>]>, Read),
        stored: Stored,
    ) -> Option<Stored> {
        let seat = match self.fetch_behind(place, tags, read).await {
            Fetched::Found(stored) => return Some(stored),
            Fetched::Lead(seat) => seat,
            Fetched::Older(..) | Fetched::Elsewhere => return Some(self.as_ours(stored)),
        };
        // The seat was taken after the first look.
        match self.bring(seat, read).await {
            Fetched::Found(stored) => Some(stored),
            Fetched::Lead(seat) => {
                seat.rights.release().await;
                None
            }
            Fetched::Older(..) | Fetched::Elsewhere => None,
        }
    }

    /// What it says at a look, here alone; else, nothing being counted or brought over, what the old store has.
    pub(super) async fn peek_at_both(
        self: Arc<Self>,
        place: Place,
        tags: Arc<[Arc<str>]>,
    ) -> Option<Stored> {
        let here = self.clone().peek_one(place.clone(), Arc::clone(&tags));
        if let Some(stored) = here.await {
            return Some(stored);
        }
        let there = self.old()?.clone().peek_one(place.today(), tags);
        Some(self.as_ours(there.await?))
    }

    /// The upkeep of the store beside; to be done before that of the tiers where it is the old one, and after it where it is the new one.
    pub(super) async fn keep_beside(self: &Arc<Self>, is_before: bool) {
        let Some(beside) = &self.beside else {
            return;
        };
        if is_before == (beside.role != Role::New) {
            beside.stack.clone().watch_once().await;
        }
        let [first, second] = beside.in_order(self);
        if is_before || first.owed.count() > 0 {
            return;
        }
        let again = std::mem::take(&mut *beside.again.lock());
        for debt in again {
            drop(second.incur(debt));
        }
    }
}
