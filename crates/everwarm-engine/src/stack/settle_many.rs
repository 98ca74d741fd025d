//! What becomes of many computed values: each is stored or withheld as if it were alone, in one trip to each tier.
//!
//! What takes more than one question is written alone: where older names have to end first, or the last tier is written behind.

use std::sync::Arc;
use std::time::Duration;

use everwarm_core::codec::Meta;
use everwarm_core::store::{Computed, Entry, Failure, Leased, Settled};

use super::found::Written;
use super::level;
use super::seat::{Hold, Seat};
use super::settle::Ready;
use super::{Stack, Write};

/// What was computed, with its place among all, and what became of it.
struct Going {
    at: usize,
    ready: Ready,
    written: Written,
}

impl Stack {
    pub(super) async fn settle_seats(
        self: Arc<Self>,
        all: Vec<(Seat, Vec<u8>, Meta)>,
    ) -> Vec<Written> {
        let mut came: Vec<Written> = Vec::with_capacity(all.len());
        let (mut together, mut alone) = (Vec::new(), Vec::new());
        for (at, (seat, payload, meta)) in all.into_iter().enumerate() {
            // What is told of it before it is written.
            let mut written = Written::Apart;
            match self.ready(seat, (payload, meta), Duration::ZERO) {
                Ok(ready) if !self.goes_in_one_trip(&ready) => alone.push((at, ready)),
                Ok(ready) => match self.last().takes(&ready.sealed) {
                    Ok(()) => {
                        let written = Written::Apart;
                        together.push(Going { at, ready, written });
                    }
                    Err(error) => written = Written::Refused(error),
                },
                Err((refused, rights)) => {
                    rights.release().await;
                    written = refused;
                }
            }
            came.push(written);
        }
        if !together.is_empty() {
            self.write_all(&mut together).await;
        }
        for going in together {
            came[going.at] = going.written;
            going.ready.rights.release().await;
        }
        for (at, ready) in alone {
            came[at] = self.write_ready(ready).await;
        }
        came
    }

    fn goes_in_one_trip(&self, ready: &Ready) -> bool {
        ready.place.older.is_empty()
            && matches!(ready.hold, Hold::Leased | Hold::Free)
            && self.last().tier.write != Write::Behind
    }

    /// Writes to the last tier, and what is stored there to the nearer ones.
    async fn write_all(self: &Arc<Self>, together: &mut [Going]) {
        let (last, level) = (self.tiers.len() - 1, self.last());
        match self.put_all_last(together).await {
            Ok(settled) => {
                for (going, settled) in together.iter_mut().zip(settled) {
                    going.written = level.settled(settled);
                }
            }
            Err(failure) => {
                level.failed(&failure);
                for going in together.iter_mut() {
                    going.written = Written::Failed(failure.clone());
                }
            }
        }
        let mut stored = Vec::with_capacity(together.len());
        for going in together {
            let Ready {
                place,
                hold,
                rights,
                ..
            } = &mut going.ready;
            if !going.written.is_stored() {
                continue;
            }
            rights.take(last);
            if self.came_too_late(&place.name, *hold, rights) {
                going.written = Written::Lost;
            } else {
                stored.push(&mut going.ready);
            }
        }
        for tier in (0..last).rev() {
            match self.tiers[tier].tier.write {
                Write::Around => {}
                Write::Through => self.put_all_near(tier, &mut stored).await,
                Write::Behind => {
                    for ready in &mut stored {
                        let (name, rights) = (&ready.place.name, &mut ready.rights);
                        self.write_near(tier, name, &ready.sealed, rights).await;
                    }
                }
            }
        }
    }

    async fn put_all_last(&self, together: &[Going]) -> Result<Vec<Settled>, Failure> {
        let (last, level) = (self.tiers.len() - 1, self.last());
        let store = &level.tier.store;
        let ready = || together.iter().map(|going| &going.ready);
        let ttl = |ready: &Ready| Some(level.ttl(ready.sealed.left));
        if let Some(authority) = self.authority() {
            let all = ready().map(|ready| Computed {
                name: &ready.place.name,
                namespace: &self.namespace,
                bytes: ready.sealed.bytes.clone(),
                ttl: ttl(ready),
                token: ready.rights.token(last),
                stamps: &ready.sealed.stamps,
                tags: &ready.sealed.tags,
            });
            return authority.settle_many(&all.collect::<Vec<_>>()).await;
        }
        if let Some(leases) = store.leases() {
            let all = ready().map(|ready| Leased {
                name: &ready.place.name,
                token: ready.rights.token(last).unwrap_or_default(),
                bytes: ready.sealed.bytes.clone(),
                ttl: ttl(ready),
            });
            let set = leases.set_leased_many(&all.collect::<Vec<_>>()).await?;
            let settled = |set| if set { Settled::Stored } else { Settled::Lost };
            return Ok(set.into_iter().map(settled).collect());
        }
        let all = ready().map(|ready| Entry {
            name: &ready.place.name,
            bytes: ready.sealed.bytes.clone(),
            ttl: ttl(ready),
        });
        store.set_many(&all.collect::<Vec<_>>()).await?;
        Ok(vec![Settled::Stored; together.len()])
    }

    /// Writes to a nearer tier what it gave the leases of.
    async fn put_all_near(&self, tier: usize, stored: &mut [&mut Ready]) {
        let level = &self.tiers[tier];
        let Some(leases) = level.tier.store.leases() else {
            return;
        };
        let mut written = Vec::with_capacity(stored.len());
        let mut all = Vec::with_capacity(stored.len());
        for (at, ready) in stored.iter().enumerate() {
            let sealed = &ready.sealed;
            let Some(token) = ready.rights.token(tier) else {
                continue;
            };
            if level.takes(sealed).is_err() {
                continue;
            }
            let ttl = level.ttl(sealed.left);
            written.push(at);
            all.push(Leased {
                name: &ready.place.name,
                token,
                bytes: level::fill(&sealed.bytes, sealed.age, ttl),
                ttl: Some(ttl),
            });
        }
        if all.is_empty() {
            return;
        }
        let answer = level.said(leases.set_leased_many(&all).await);
        drop(all);
        for (at, set) in written.into_iter().zip(answer.unwrap_or_default()) {
            if set {
                level.tally.sets.bump();
                stored[at].rights.take(tier);
            }
        }
    }
}
