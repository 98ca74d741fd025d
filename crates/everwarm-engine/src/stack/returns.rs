//! Leases on their way back: whoever waits for one need not wait until it ends by itself.
//!
//! What cannot be given back at once is left for the next look, also where whoever gives it back gives up on the way.

use std::sync::Arc;

use everwarm_core::clock::Instant;

use super::Stack;
use super::seat::Lease;
use crate::shim::Mutex;

/// How many leases wait to be given back; beyond, those are left alone that end first by themselves.
const ROOM: usize = 1_024;

/// After how many failures to give a lease back the others are left for the next time.
const FAILURES: usize = 4;

/// The leases that wait to be given back.
#[derive(Debug, Default)]
pub(super) struct Returns(Mutex<Vec<Return>>);

/// A lease that is to be given back.
#[derive(Debug)]
struct Return {
    name: Arc<str>,
    lease: Lease,
    /// When it has ended by itself, even if the store gave it long after it was asked for.
    until: Instant,
}

impl Returns {
    fn leave(&self, more: impl IntoIterator<Item = Return>) {
        let mut returns = self.0.lock();
        returns.extend(more);
        while returns.len() > ROOM {
            let ends = returns.iter().enumerate().min_by_key(|(_, one)| one.until);
            let Some((at, _)) = ends else { return };
            returns.remove(at);
        }
    }
}

/// Those that are being given back; dropped on the way, it leaves the others for the next time.
struct GivingBack<'a> {
    stack: &'a Stack,
    left: Vec<Return>,
}

impl GivingBack<'_> {
    /// Gives them back, the last one first. A store that takes none of several is left alone: each may have taken its time.
    async fn go(mut self) {
        let mut failed = Vec::new();
        while let Some(back) = self.left.last() {
            let level = &self.stack.tiers[back.lease.tier];
            let is_done = match level.tier.store.leases() {
                Some(leases) => {
                    let answer = leases.release(&back.name, back.lease.token).await;
                    level.said(answer).is_some()
                }
                None => true,
            };
            let back = self.left.pop();
            if !is_done {
                failed.extend(back);
            }
            if failed.len() == FAILURES {
                break;
            }
        }
        // The others are first next time.
        self.left.splice(0..0, failed);
    }
}

impl Drop for GivingBack<'_> {
    fn drop(&mut self) {
        let now = self.stack.now();
        let left = self.left.drain(..).filter(|back| now < back.until);
        self.stack.returns.leave(left);
    }
}

impl Stack {
    fn to_return(&self, name: &Arc<str>, lease: Lease) -> Return {
        Return {
            name: Arc::clone(name),
            lease,
            until: self.now().after(2 * self.options.lease_ttl),
        }
    }

    /// Gives a lease back where that blocks; what has to be awaited is left to the next look.
    pub(super) fn give_back(&self, name: &Arc<str>, lease: Lease) {
        let level = &self.tiers[lease.tier];
        let Some(leases) = level.tier.store.leases() else {
            return;
        };
        if level.embedded
            && let Ok(answer) = leases.release(name, lease.token).now()
            && level.said(answer).is_some()
        {
            return;
        }
        self.leave_for_later(name, lease);
    }

    /// Leaves a lease to the next look, which gives it back: the store did not take it, or is not asked here.
    pub(super) fn leave_for_later(&self, name: &Arc<str>, lease: Lease) {
        self.returns.leave([self.to_return(name, lease)]);
    }

    /// Gives these leases back before anything else is done.
    pub(super) async fn give_back_now(&self, leases: Vec<(Arc<str>, Lease)>) {
        let left = leases.iter();
        let left = left.map(|(name, lease)| self.to_return(name, *lease));
        let left = left.collect();
        GivingBack { stack: self, left }.go().await;
    }

    /// Gives back the leases that were left for it. What a store does not take is left for the next time: it may have given a lease
    /// whose answer was lost, and whoever asks for that name would wait until it ends.
    pub(super) async fn return_leases(&self) {
        let left = std::mem::take(&mut *self.returns.0.lock());
        if !left.is_empty() {
            GivingBack { stack: self, left }.go().await;
        }
    }
}
