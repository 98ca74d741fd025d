//! Calls that compute on their own thread, without anything to be shared unless somebody comes to wait.

use std::hash::Hash;

use everwarm_core::clock::Instant;
use everwarm_core::settle::Outcome;
use everwarm_core::using::Plan;
use everwarm_engine::{Absence, Ask, Caller, Key, Plain, Sitting};

use crate::cache::Cache;
use crate::call::{Call, here, unlimited};
use crate::chain;
use crate::form::Typed;
use crate::home::{Home, Worth};
use crate::judge::Judge;
use crate::renewed::{Old, Renewed, anew};
use crate::share::{Failure, Share};

impl<K: Key, V: Clone> Call<'_, K, V> {
    /// Answers the call on this thread, which computes what is due and parks while somebody else computes.
    pub(crate) fn run_here<X: Share, C, J>(&self, compute: C, judge: J) -> Result<V, X>
    where
        C: FnOnce(Option<Old<V>>) -> Result<Renewed<V>, X>,
        J: FnOnce(&V) -> Outcome,
    {
        let Some(sitting) = self.sit() else {
            return self.run(&mut Some((compute, judge)), here, unlimited());
        };
        // How long it takes matters to windows alone.
        let began = match self.policy.has_only_ttl() {
            true => Instant::ZERO,
            false => self.home.now(),
        };
        let given = chain::within(sitting.id(), || compute(None));
        let (value, tags) = match given {
            Ok(renewed) => renewed.into_parts(),
            Err(error) => {
                sitting.fail(|| error.share());
                return Err(error);
            }
        };
        let outcome = self.admitted(judge(&value), &value);
        if tags.is_empty()
            && let Some(plain) = self.home.plain(outcome, &self.policy)
        {
            let weight = self.home.weigh(self.key, &value);
            sitting.keep(&value, Plain { weight, ..plain });
            return Ok(value);
        }
        let worth = Worth::of(outcome, 0, (self.home, &self.policy, began));
        if worth.is_none() && !matches!(outcome, Outcome::Failed { .. }) {
            self.home.scope.count_refused();
        }
        sitting.settle(&value, self.kept(worth, (&value, &tags)));
        Ok(value)
    }

    /// The right to compute on this thread, if that takes neither a turn nor a permit.
    fn sit(&self) -> Option<Sitting<'_, K, V, Failure>> {
        if self.plan != Plan::ORDINARY
            || self.home.patience.bulkhead.is_some()
            || self.home.link.is_some()
        {
            return None;
        }
        let ask = Ask {
            scope: &self.home.scope,
            hash: self.hash,
            key: self.key,
            tags: self.tags,
            caller: on_this_thread(),
            again: false,
        };
        self.home.engine.sit(ask, Absence::UNKNOWN)
    }
}

/// Who computes here, and parks where it waits.
fn on_this_thread() -> Caller<'static> {
    Caller {
        thread: chain::thread(),
        chain: &[],
        blocks_thread: true,
    }
}

impl<K: Hash + Eq + Clone, V: Clone> Cache<K, V> {
    /// The value of a key that memory did not have, in a cache where there is nothing to say of a value but when it ends; as any call
    /// in others. Apart from what a hit does, so that this is short.
    #[inline(never)]
    pub(crate) fn compute<Q: ToOwned<Owned = K> + ?Sized>(
        &self,
        (hash, key): (u64, &Q),
        absence: Absence,
        compute: impl FnOnce() -> V,
    ) -> V {
        let home = &*self.home;
        if !self.is_plain {
            let Ok(value) = self.using().compute((hash, key), |_| anew(compute()));
            return value;
        }
        let owned = Typed(key.to_owned());
        let ask = Ask {
            scope: &home.scope,
            hash,
            key: &owned,
            tags: &[],
            caller: on_this_thread(),
            again: false,
        };
        let Some(sitting) = home.engine.sit(ask, absence) else {
            let Ok(value) = self.using().compute((hash, key), |_| anew(compute()));
            return value;
        };
        let value = chain::within(sitting.id(), compute);
        if let Some(plain) = home.plain(Outcome::Value { ttl: None }, &home.policy) {
            let weight = home.weigh(&owned, &value);
            sitting.keep(&value, Plain { weight, ..plain });
        }
        value
    }
}

/// Whether every value of a cache is kept, without tags and with nothing but an end, and computed at once.
pub(crate) fn is_plain<K: Key, V>(home: &Home<K, V>, judge: &Judge<V>, has_tags: bool) -> bool {
    judge.is_nothing.is_none()
        && judge.ttl_of.is_none()
        && judge.when.is_none()
        && !has_tags
        && home.patience.bulkhead.is_none()
        && home.link.is_none()
        && home.policy.max_entry_bytes.is_none()
        && home.policy.has_only_ttl()
}
