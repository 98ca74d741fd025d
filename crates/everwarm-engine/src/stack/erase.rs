//! Invalidating, deleting and clearing: farthest tier first, and owed until it is done.

use std::collections::HashSet;
use std::sync::Arc;

use everwarm_core::key::prefix;
use everwarm_core::mark::{Tag, TagKind};

use super::Stack;
use super::beside::Removal;
use super::found::Done;
use super::late::{Late, Paid, Steps};
use super::overtaken::struck;
use super::owed::{Debt, Debtor};
use super::place::Place;
use super::recent::digest;

/// How many names are one question where many are written or deleted. Each question has a deadline of its own, and what one did not
/// come to is owed without the others.
pub(super) const TOGETHER: usize = 256;

impl Stack {
    /// Deletes, in every tier, farthest first; whether it was there. What is being computed for the key, anywhere, is not stored.
    pub fn delete(
        self: &Arc<Self>,
        place: Place,
    ) -> impl Future<Output = (bool, Done)> + Send + use<> {
        let delete = self.delete_many(vec![place]);
        async move {
            let (were, done) = delete.await;
            (were > 0, done)
        }
    }

    /// Deletes many; how many were there.
    pub fn delete_many(
        self: &Arc<Self>,
        places: Vec<Place>,
    ) -> impl Future<Output = (u64, Done)> + Send + use<> {
        self.clone().removed(Removal::Places(places))
    }

    /// Invalidates tags: what was computed under them, and what is being computed, is gone in every tier. The memory in front has to
    /// follow, after this.
    pub fn invalidate(
        self: &Arc<Self>,
        tags: Arc<[Arc<str>]>,
    ) -> impl Future<Output = Done> + Send + use<> {
        self.done(Removal::Tags(tags))
    }

    /// As [`invalidate`](Self::invalidate), for all entries of a function.
    pub fn clear_function(
        self: &Arc<Self>,
        function: Arc<str>,
    ) -> impl Future<Output = Done> + Send + use<> {
        self.done(Removal::Function(function))
    }

    /// As [`invalidate`](Self::invalidate), for the whole namespace.
    pub fn clear(self: &Arc<Self>) -> impl Future<Output = Done> + Send + use<> {
        self.done(Removal::Everything)
    }

    /// Removes; whether it is done.
    pub(super) fn done(
        self: &Arc<Self>,
        removal: Removal,
    ) -> impl Future<Output = Done> + Send + use<> {
        let removed = self.clone().removed(removal);
        async move { removed.await.1 }
    }

    pub(super) async fn delete_places(self: Arc<Self>, places: Vec<Place>) -> (u64, Done) {
        let late = places.iter().flat_map(|place| {
            let older = place.older.iter().map(|older| place.before(older));
            let older = older.map(|before| self.late(&before, None));
            std::iter::once(self.late(place, None)).chain(older)
        });
        let late = late.collect();
        self.delete_or_owe(late).await
    }

    /// Deletes what lies under the older names of an entry that is written now: it would come back when the new one has expired.
    pub(super) async fn end_older(&self, place: &Place) {
        if place.older.is_empty() {
            return;
        }
        let older = place.older.iter().map(|older| place.before(older));
        let late = older.map(|before| self.late(&before, None)).collect();
        self.delete_or_owe(late).await;
    }

    /// Deletes names in every tier, whatever others write meanwhile; how many were there, in one tier or another.
    pub(super) async fn delete_names(&self, names: &[Arc<str>]) -> (u64, Done) {
        let debts = names.iter().map(|name| Debt::Name(Arc::clone(name)));
        self.delete_in_parts(debts.collect()).await
    }

    /// Deletes names in every tier, farthest first; of what a store does not take, the late writes are owed. How many were there.
    pub(super) async fn delete_or_owe(&self, late: Vec<Late>) -> (u64, Done) {
        let debts = late.into_iter().map(|late| Debt::Late(Arc::new(late)));
        self.delete_in_parts(debts.collect()).await
    }

    async fn delete_in_parts(&self, debts: Vec<Debt>) -> (u64, Done) {
        let (mut were, mut done) = (0, Done::Now);
        for part in debts.chunks(TOGETHER) {
            let (there, ended) = self.delete_part(part).await;
            were += there;
            done = done.and(ended);
        }
        (were, done)
    }

    async fn delete_part(&self, debts: &[Debt]) -> (u64, Done) {
        let asked = self.failovers();
        let names = debts.iter().filter_map(Debt::name);
        let names: Vec<Arc<str>> = names.map(Arc::clone).collect();
        let debts = debts.iter().map(|debt| self.incur(debt.clone()));
        let debts: Vec<Debtor<'_>> = debts.collect();
        self.make_way(&names).await;
        let Some(were) = self.delete_everywhere(&names).await else {
            return (0, Done::Pending);
        };
        let mut done = Done::Now;
        for debtor in debts {
            // One that stands for everything is not paid by a deletion.
            let paid = debtor.debt.name().map(|name| Debt::Name(Arc::clone(name)));
            done = done.and(match paid {
                Some(paid) => self.acknowledged_as(debtor, paid, asked),
                None => Done::Pending,
            });
        }
        (were, done)
    }

    pub(super) async fn delete_everywhere(&self, names: &[Arc<str>]) -> Option<u64> {
        let plain: Vec<&str> = names.iter().map(|name| &**name).collect();
        let mut were = 0;
        for level in self.tiers.iter().rev() {
            let store = &level.tier.store;
            let there = match plain[..] {
                [name] => level.said(store.delete(name).await).map(u64::from),
                _ => level.said(store.delete_many(&plain).await),
            };
            were = there?.max(were);
        }
        Some(were)
    }

    pub(super) async fn invalidate_tags(self: Arc<Self>, names: Arc<[Arc<str>]>) -> Done {
        if names.is_empty() {
            return Done::Now;
        }
        self.settle_debt(self.debt_of_tags(&names)).await
    }

    /// The debt of what carries one of these tags.
    pub(super) fn debt_of_tags(&self, names: &[Arc<str>]) -> Debt {
        match self.authority() {
            Some(_) => Debt::Tags(self.digests(names)),
            None => self.whole(),
        }
    }

    /// The debt of all entries of a function.
    pub(super) fn debt_of_function(&self, function: &str) -> Debt {
        match self.authority() {
            Some(_) => Debt::Tags([Tag::of(&self.namespace, TagKind::Function, function)].into()),
            None => Debt::Prefix(prefix(&[&self.namespace, function]).into()),
        }
    }

    pub(super) async fn clear_one(self: Arc<Self>, function: Arc<str>) -> Done {
        let done = self.settle_debt(self.debt_of_function(&function)).await;
        if self.authority().is_some() {
            self.reclaim(&prefix(&[&self.namespace, &function])).await;
        }
        done
    }

    pub(super) async fn clear_all(self: Arc<Self>) -> Done {
        let done = self.settle_debt(self.whole()).await;
        if self.authority().is_some() {
            self.reclaim(&self.prefix).await;
        }
        done
    }

    /// The debt that is about everything in the namespace.
    pub(super) fn whole(&self) -> Debt {
        match self.authority() {
            Some(_) => {
                let tag = Tag::of(&self.namespace, TagKind::Namespace, "");
                Debt::Tags([tag].into())
            }
            None => Debt::Prefix(Arc::clone(&self.prefix)),
        }
    }

    async fn settle_debt(&self, debt: Debt) -> Done {
        let asked = self.failovers();
        let debtor = self.incur(debt);
        match self.pay(&debtor.debt, &mut Steps::new()).await {
            Some(_) => self.acknowledged(debtor, asked),
            None => Done::Pending,
        }
    }

    /// The stores have done what was asked of them after so many failovers.
    pub(super) fn acknowledged(&self, debtor: Debtor<'_>, asked: u64) -> Done {
        let debt = debtor.debt.clone();
        self.acknowledged_as(debtor, debt, asked)
    }

    fn acknowledged_as(&self, debtor: Debtor<'_>, done: Debt, asked: u64) -> Done {
        if !self.remember(done, asked) {
            return Done::Pending;
        }
        debtor.paid();
        Done::Now
    }

    /// Tells the stores what they are owed to be told; nothing if one did not take it.
    pub(super) async fn pay(&self, debt: &Debt, steps: &mut Steps) -> Option<Paid> {
        match debt {
            Debt::Late(late) => return self.catch_up(late, steps).await,
            Debt::Tags(tags) => {
                self.mark(tags).await?;
                let distinct: HashSet<&Tag> = tags.iter().collect();
                steps.take(distinct.len());
            }
            Debt::Name(name) => {
                self.delete_whatever_is_there(name).await?;
                steps.take(1);
            }
            Debt::Written(name, written) => {
                let found = self.last().said(self.last().tier.store.get(name).await)?;
                if found.is_none_or(|found| digest(&found.bytes) != *written) {
                    self.delete_whatever_is_there(name).await?;
                    steps.take(1);
                }
            }
            Debt::Prefix(prefix) => {
                self.seats.void_all(prefix);
                self.queue.take_out_prefix(prefix);
                self.quiesce(|name| name.starts_with(&**prefix)).await;
                for level in self.tiers.iter().rev() {
                    level.said(level.tier.store.clear(prefix).await)?;
                }
                steps.lose();
            }
        }
        Some(Paid::As(debt.clone()))
    }

    async fn delete_whatever_is_there(&self, name: &Arc<str>) -> Option<()> {
        let names = std::slice::from_ref(name);
        self.make_way(names).await;
        self.delete_everywhere(names).await.map(drop)
    }

    /// Has the authority mark tags. What is queued under them would be refused, and goes at once.
    async fn mark(&self, tags: &[Tag]) -> Option<()> {
        let authority = self.authority()?;
        self.queue.take_out_tags(tags);
        let asked = self.markers.asked();
        let answer = authority.invalidate(&self.namespace, tags).await;
        let reading = self.last().said(answer)?;
        self.markers.invalidated(asked, tags, &reading);
        self.overtake(&struck(tags, &reading)).await;
        Some(())
    }

    /// Takes the room back that invalid entries hold, where that needs no trip; they would expire otherwise.
    async fn reclaim(&self, prefix: &str) {
        for level in self.tiers.iter().rev().filter(|level| level.embedded) {
            level.said(level.tier.store.clear(prefix).await);
        }
    }
}
