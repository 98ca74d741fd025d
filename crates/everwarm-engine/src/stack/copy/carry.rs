//! Carrying entries over, many at once: each in the order that keeps old values out.
//!
//! 1. The source is asked for them, for their tags and ages.
//! 2. The target is asked what it has: what is as good, or younger, stays. Of all others its leases are taken: what is deleted, set or
//!    cleared in the target from here on ends them.
//! 3. The target is asked again for these: what has become as good meanwhile stays, and what is older goes.
//! 4. The target's stamps are taken. What is invalidated in it from here on is above them.
//! 5. The source is asked again: what counts now, counted after 2 and 4.
//! 6. That is settled in the target under 2 and 4, with what is left of its life.

use std::sync::Arc;
use std::time::Duration;

use everwarm_core::codec::Meta;
use everwarm_core::mark::{Mark, Tag};
use everwarm_core::store::{Bytes, Computed, Failure, Grant, Leased, Leases, Settled};

use super::lots::{Lot, There, incapable, union};
use super::{Copying, Stack};

/// How long is waited between two questions for leases that others have.
const NAP: Duration = Duration::from_millis(200);

/// An entry for the target.
struct Parcel {
    lot: Lot,
    bytes: Bytes,
    left: Duration,
}

impl Copying {
    /// Carries what counts under these names of the source.
    pub(super) async fn carry(&mut self, names: Vec<Arc<str>>) -> Result<(), Failure> {
        let mut names = &names[..];
        while !names.is_empty() {
            let (batch, rest) = names.split_at(self.batch.min(names.len()));
            self.carry_batch(batch.to_vec()).await?;
            names = rest;
        }
        Ok(())
    }

    async fn carry_batch(&mut self, mut names: Vec<Arc<str>>) -> Result<(), Failure> {
        // Whoever died with leases has them for so long.
        let patience = self.to.options.lease_ttl + NAP;
        let mut waited = Duration::ZERO;
        loop {
            let left = self.round(&names).await?;
            if left.is_empty() {
                return Ok(());
            }
            if waited >= patience {
                self.copied.there += left.len() as u64;
                return Ok(());
            }
            self.pause(NAP).await;
            waited += NAP;
            names = left;
        }
    }

    /// One go at these names; those that are to be tried again.
    async fn round(&mut self, names: &[Arc<str>]) -> Result<Vec<Arc<str>>, Failure> {
        let to = Arc::clone(&self.to);
        let leases = to.last().tier.store.leases().ok_or_else(incapable)?;
        let lots = self.from.lots(names).await?;
        let bytes = lots.iter().filter_map(There::lot);
        let bytes = bytes.map(|lot| lot.envelope.len()).sum();
        self.weighed(bytes);
        let lots = self.worth(lots);
        // What stays needs no lease: most of a second run.
        let lots = self.missed(lots).await?;
        let (lots, mut again) = self.leased(leases, lots).await?;
        let (lots, mut done) = self.wanted(lots, &mut again).await?;
        let tags = union(&lots);
        let stamps = to.stamps_for(&tags).await?;
        let parcels = self.packed(lots, (&tags, &stamps), &mut done).await?;
        let settled = to.settled(leases, &parcels, (self.token, &stamps)).await?;
        for (parcel, settled) in parcels.into_iter().zip(settled) {
            match settled {
                Settled::Stored => self.copied.copied += 1,
                // Somebody changed it meanwhile.
                Settled::Lost => self.copied.gone += 1,
                Settled::Overtaken => {
                    self.copied.gone += 1;
                    done.push(parcel.lot.name);
                }
            }
        }
        for name in done {
            to.told(leases.release(&name, self.token).await)?;
        }
        Ok(again)
    }

    /// Those that count in the source.
    fn worth(&mut self, there: Vec<There>) -> Vec<Lot> {
        let mut lots = Vec::with_capacity(there.len());
        for there in there {
            match there {
                There::Lot(lot) => lots.push(lot),
                There::Nothing => self.copied.gone += 1,
                There::Refused(_) => self.copied.refused += 1,
            }
        }
        lots
    }

    /// Those whose leases could be had, and the names of the others.
    async fn leased(
        &self,
        leases: &dyn Leases,
        lots: Vec<Lot>,
    ) -> Result<(Vec<Lot>, Vec<Arc<str>>), Failure> {
        if lots.is_empty() {
            return Ok((lots, Vec::new()));
        }
        let wishes = lots.iter().map(|lot| (&*lot.name, self.token));
        let wishes: Vec<(&str, u64)> = wishes.collect();
        let ttl = self.to.options.lease_ttl;
        let grants = self.to.told(leases.lease_many(&wishes, ttl).await)?;
        let (mut granted, mut held) = (Vec::with_capacity(lots.len()), Vec::new());
        for (lot, grant) in lots.into_iter().zip(grants) {
            match grant {
                Grant::Granted => granted.push(lot),
                Grant::Held(_) => held.push(lot.name),
            }
        }
        Ok((granted, held))
    }

    /// Those in whose place the target has nothing that stays.
    async fn missed(&mut self, lots: Vec<Lot>) -> Result<Vec<Lot>, Failure> {
        let theirs = self.theirs(&lots).await?.into_iter();
        let pairs = lots.into_iter().zip(theirs);
        let missed = pairs.filter(|(lot, theirs)| !self.stays(lot, theirs));
        Ok(missed.map(|(lot, _)| lot).collect())
    }

    /// What the target has under the names of these.
    async fn theirs(&self, lots: &[Lot]) -> Result<Vec<There>, Failure> {
        let names: Vec<Arc<str>> = lots.iter().map(|lot| Arc::clone(&lot.name)).collect();
        self.to.lots(&names).await
    }

    /// Whether what the target has in place of an entry stays, which is counted.
    fn stays(&mut self, lot: &Lot, theirs: &There) -> bool {
        match theirs {
            There::Lot(theirs) if lot.is_like(theirs) || theirs.age < lot.age => {
                self.copied.there += 1;
                true
            }
            There::Refused(refusal) if refusal.is_left_alone() => {
                self.copied.refused += 1;
                true
            }
            _ => false,
        }
    }

    /// Those that the target is in want of, and the names of what it has already. An older value goes, and its name is tried again.
    async fn wanted(
        &mut self,
        lots: Vec<Lot>,
        again: &mut Vec<Arc<str>>,
    ) -> Result<(Vec<Lot>, Vec<Arc<str>>), Failure> {
        let theirs = self.theirs(&lots).await?;
        let (mut wanted, mut done, mut older) =
            (Vec::with_capacity(lots.len()), Vec::new(), Vec::new());
        for (lot, theirs) in lots.into_iter().zip(theirs) {
            if self.stays(&lot, &theirs) {
                done.push(lot.name);
            } else if matches!(theirs, There::Lot(_)) {
                older.push(lot.name);
            } else {
                wanted.push(lot);
            }
        }
        if !older.is_empty() {
            self.strike(&older).await?;
            again.extend(older);
        }
        Ok((wanted, done))
    }

    /// What the source still has of those, for the target, and under its stamps; the names of the others are done.
    async fn packed(
        &mut self,
        lots: Vec<Lot>,
        (tags, stamps): (&[Tag], &[Mark]),
        done: &mut Vec<Arc<str>>,
    ) -> Result<Vec<Parcel>, Failure> {
        let names: Vec<Arc<str>> = lots.into_iter().map(|lot| lot.name).collect();
        let there = self.from.lots(&names).await?;
        let mut parcels = Vec::with_capacity(names.len());
        for (name, there) in names.into_iter().zip(there) {
            let There::Lot(lot) = there else {
                self.copied.gone += 1;
                done.push(name);
                continue;
            };
            // Of tags that came just now there is no stamp.
            if lot
                .labels
                .iter()
                .any(|tag| tags.binary_search(tag).is_err())
            {
                self.copied.gone += 1;
                done.push(name);
                continue;
            }
            match self.to.parcel(lot, stamps) {
                Some(parcel) => parcels.push(parcel),
                None => {
                    self.copied.refused += 1;
                    done.push(name);
                }
            }
        }
        Ok(parcels)
    }
}

impl Stack {
    /// The stamps of what is valid from now on in this stack; none where it has no authority.
    async fn stamps_for(&self, tags: &[Tag]) -> Result<Vec<Mark>, Failure> {
        match self.authority() {
            Some(authority) if !tags.is_empty() => {
                let keep = Some(self.options.longest);
                let answer = authority.begin(&self.namespace, tags, keep).await;
                self.told(answer).map(|reading| reading.shards)
            }
            _ => Ok(Vec::new()),
        }
    }

    /// What this stack is to have of an entry of another; `None` if it cannot.
    fn parcel(&self, lot: Lot, stamps: &[Mark]) -> Option<Parcel> {
        let level = self.last();
        let spans = level.spans(&lot.opened.meta.spans);
        let left = level.ttl(spans.kept()).saturating_sub(lot.age);
        let meta = Meta {
            spans,
            stamps: stamps.into(),
            ..lot.opened.meta.clone()
        };
        let bytes = self.carrier().ok()?.carried(&lot.envelope, &meta).ok()?;
        (!left.is_zero() && !level.is_too_small_for(&bytes)).then_some(Parcel { lot, bytes, left })
    }

    async fn settled(
        &self,
        leases: &dyn Leases,
        parcels: &[Parcel],
        (token, stamps): (u64, &[Mark]),
    ) -> Result<Vec<Settled>, Failure> {
        if parcels.is_empty() {
            return Ok(Vec::new());
        }
        let Some(authority) = self.authority() else {
            let all = parcels.iter().map(|parcel| Leased {
                name: &parcel.lot.name,
                token,
                bytes: parcel.bytes.clone(),
                ttl: Some(parcel.left),
            });
            let all: Vec<Leased<'_>> = all.collect();
            let stored = self.told(leases.set_leased_many(&all).await)?.into_iter();
            let settled = stored.map(|stored| match stored {
                true => Settled::Stored,
                false => Settled::Lost,
            });
            return Ok(settled.collect());
        };
        let all = parcels.iter().map(|parcel| Computed {
            name: &parcel.lot.name,
            namespace: &self.namespace,
            bytes: parcel.bytes.clone(),
            ttl: Some(parcel.left),
            token: Some(token),
            stamps,
            tags: &parcel.lot.labels,
        });
        self.told(authority.settle_many(&all.collect::<Vec<_>>()).await)
    }
}
