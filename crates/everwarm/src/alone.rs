//! Calls that compute on their own thread, without anything to be shared unless somebody comes to wait.

use everwarm_core::settle::Outcome;
use everwarm_engine::{Ask, Caller, Key, Sitting};

use crate::call::{Call, here, unlimited};
use crate::chain;
use crate::home::Worth;
use crate::renewed::{Old, Renewed};
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
        let began = self.home.now();
        let given = chain::within(sitting.id(), || compute(None));
        let (value, tags) = match given {
            Ok(renewed) => renewed.into_parts(),
            Err(error) => {
                sitting.fail(|| error.share());
                return Err(error);
            }
        };
        let outcome = judge(&value);
        let worth = Worth::of(outcome, 0, (self.home, &self.policy, began));
        if worth.is_none() && !matches!(outcome, Outcome::Failed { .. }) {
            self.home.scope.count_refused();
        }
        sitting.settle(&value, self.kept(worth, (&value, &tags)));
        Ok(value)
    }

    /// The right to compute on this thread, if that takes neither a turn nor a permit.
    fn sit(&self) -> Option<Sitting<'_, K, V, Failure>> {
        if self.refresh || self.home.patience.bulkhead.is_some() {
            return None;
        }
        self.home.engine.sit(Ask {
            scope: &self.home.scope,
            hash: self.hash,
            key: self.key,
            tags: self.tags,
            caller: Caller {
                thread: chain::thread(),
                chain: &[],
                blocks_thread: true,
            },
            again: false,
        })
    }
}
