//! What becomes of a computed value: it is sealed, written to the last tier if nothing came between, and then to nearer ones.

use std::sync::Arc;
use std::time::Duration;

use everwarm_core::codec::{Meta, Stamps};
use everwarm_core::error::{Error, ErrorKind};
use everwarm_core::mark::{Mark, Tag};
use everwarm_core::store::{Answer, Bytes, Computed, Failure, FailureKind, Settled};

use super::found::Written;
use super::level::{self, Level};
use super::place::Place;
use super::queue::Queued;
use super::recent::digest;
use super::seat::{Hold, Rights, Seat};
use super::{Stack, Write};

/// An envelope on its way into tiers.
#[derive(Clone)]
pub(super) struct Sealed {
    pub(super) bytes: Bytes,
    /// How old it is.
    pub(super) age: Duration,
    /// What is left of its life.
    pub(super) left: Option<Duration>,
    pub(super) stamps: Arc<[Mark]>,
    pub(super) tags: Arc<[Tag]>,
}

impl Sealed {
    /// The same, of this age already.
    pub(super) fn aged(self, age: Duration) -> Self {
        Self {
            age,
            left: self.left.map(|left| left.saturating_sub(age)),
            ..self
        }
    }

    pub(super) fn size(&self) -> u64 {
        self.bytes.len() as u64
    }
}

/// What was computed, sealed, with the right to write it.
pub(super) struct Ready {
    pub(super) place: Place,
    pub(super) hold: Hold,
    pub(super) rights: Rights,
    pub(super) sealed: Sealed,
}

impl Written {
    /// Whether the value is stored, or will be.
    #[must_use]
    pub fn is_stored(&self) -> bool {
        *self == Self::Stored
    }
}

impl Stack {
    /// Seals a value that is written now.
    pub(super) fn seal(
        &self,
        place: &Place,
        (payload, mut meta): (&[u8], Meta),
        stamps: impl Into<Stamps>,
        tags: &[Tag],
    ) -> Result<Sealed, Error> {
        meta.spans = self.last().spans(&meta.spans);
        meta.stamps = stamps.into();
        let binding = place.binding(&self.namespace);
        Ok(Sealed {
            bytes: self.codec.seal(&binding, &meta, payload)?,
            age: Duration::ZERO,
            left: meta.spans.kept(),
            stamps: meta.stamps.as_slice().into(),
            tags: tags.into(),
        })
    }

    /// What is to be written of what was computed under a seat, or why nothing is, and the rights that are not used.
    #[expect(clippy::result_large_err, reason = "both are taken apart at once")]
    pub(super) fn ready(
        &self,
        mut seat: Seat,
        (payload, mut meta): (Vec<u8>, Meta),
        age: Duration,
    ) -> Result<Ready, (Written, Rights)> {
        self.add_tags(&mut seat.labels, &meta.tags);
        let tags = seat.labels.all();
        if self.known.overtook(tags, seat.since) {
            return Err((Written::Overtaken, seat.rights));
        }
        if seat.hold == Hold::Apart || self.owes(&seat.place.name, tags) {
            return Err((Written::Apart, seat.rights));
        }
        if let Some(lost) = seat.rights.lost() {
            return Err((lost, seat.rights));
        }
        let stamps = std::mem::take(&mut seat.stamps);
        meta.is_from_before();
        let sealed = self.seal(&seat.place, (&payload, meta), stamps, tags);
        let sealed = match sealed {
            Ok(sealed) => sealed.aged(age),
            Err(error) => return Err((Written::Refused(error), seat.rights)),
        };
        let Seat {
            place,
            hold,
            rights,
            ..
        } = seat;
        Ok(Ready {
            place,
            hold,
            rights,
            sealed,
        })
    }

    pub(super) async fn settle_seat(
        self: Arc<Self>,
        seat: Seat,
        computed: (Vec<u8>, Meta),
        age: Duration,
    ) -> Written {
        match self.ready(seat, computed, age) {
            Ok(ready) => self.write_ready(ready).await,
            Err((written, rights)) => {
                rights.release().await;
                written
            }
        }
    }

    /// Writes what was computed, to the last tier first.
    pub(super) async fn write_ready(self: &Arc<Self>, ready: Ready) -> Written {
        let Ready {
            place,
            hold,
            mut rights,
            sealed,
        } = ready;
        self.end_older(&place).await;
        if hold == Hold::Forced {
            return self.set_sealed(&place, sealed, rights).await;
        }
        let written = self.write_last(&place, &sealed, hold, &mut rights).await;
        if written.is_stored() {
            if self.came_too_late(&place.name, hold, &rights) {
                return Written::Lost;
            }
            self.write_nearer(&place.name, &sealed, &mut rights).await;
        }
        rights.release().await;
        written
    }

    /// Whether what is stored was deleted while it was written, which a store without leases does not refuse; it is owed then.
    pub(super) fn came_too_late(&self, name: &Arc<str>, hold: Hold, rights: &Rights) -> bool {
        let late = hold == Hold::Free && rights.are_void();
        if late {
            self.owe_name(name);
        }
        late
    }

    /// Writes to the last tier, now or later.
    pub(super) async fn write_last(
        self: &Arc<Self>,
        place: &Place,
        sealed: &Sealed,
        hold: Hold,
        rights: &mut Rights,
    ) -> Written {
        let (tier, name) = (self.tiers.len() - 1, &place.name);
        let token = rights.token(tier);
        if self.last().tier.write != Write::Behind {
            let written = self.put(tier, name, sealed, (hold, token)).await;
            if written.is_stored() {
                rights.take(tier);
            }
            return written;
        }
        // Once it waits, nobody is there to hear of it.
        if let Err(error) = self.last().takes(sealed) {
            return Written::Refused(error);
        }
        let queued = Queued {
            sealed: sealed.clone(),
            place: Some(place.clone()),
            hold,
            rights: rights.part(tier),
            since: self.now(),
        };
        if self.write_behind(tier, name, queued) {
            Written::Stored
        } else {
            Written::Failed(overflow())
        }
    }

    /// Writes to the tiers before the last one that are written, as far as their leases are held.
    async fn write_nearer(self: &Arc<Self>, name: &Arc<str>, sealed: &Sealed, rights: &mut Rights) {
        for tier in (0..self.tiers.len() - 1).rev() {
            if self.tiers[tier].tier.write != Write::Around {
                self.write_near(tier, name, sealed, rights).await;
            }
        }
    }

    /// Writes to a nearer tier, if its lease is held; whether it is written, or will be.
    pub(super) async fn write_near(
        self: &Arc<Self>,
        tier: usize,
        name: &Arc<str>,
        sealed: &Sealed,
        rights: &mut Rights,
    ) -> bool {
        let Some(token) = rights.token(tier) else {
            return false;
        };
        if self.tiers[tier].tier.write == Write::Behind {
            let queued = Queued {
                sealed: sealed.clone(),
                place: None,
                hold: Hold::Leased,
                rights: rights.part(tier),
                since: self.now(),
            };
            return self.write_behind(tier, name, queued);
        }
        let written = self
            .put(tier, name, sealed, (Hold::Leased, Some(token)))
            .await;
        if written.is_stored() {
            rights.take(tier);
        }
        written.is_stored()
    }

    /// Writes to a tier, by the right that there is, and counts.
    pub(super) async fn put(
        &self,
        tier: usize,
        name: &Arc<str>,
        sealed: &Sealed,
        (hold, token): (Hold, Option<u64>),
    ) -> Written {
        let level = &self.tiers[tier];
        if let Err(error) = level.takes(sealed) {
            return Written::Refused(error);
        }
        let ttl = level.ttl(sealed.left);
        let asked = self.failovers();
        let is_last = tier + 1 == self.tiers.len();
        let answer = if !is_last {
            let bytes = level::fill(&sealed.bytes, sealed.age, ttl);
            leased(self, tier, name, (bytes, ttl, token)).await
        } else {
            self.put_last(name, sealed, ttl, (hold, token)).await
        };
        match answer {
            Ok(settled) => {
                if is_last && hold == Hold::Forced {
                    self.remember_write(name, &sealed.bytes, asked);
                }
                level.settled(settled)
            }
            Err(failure) => {
                level.failed(&failure);
                if is_last && hold == Hold::Forced {
                    self.owed.haunted(self.now(), name, digest(&sealed.bytes));
                }
                Written::Failed(failure)
            }
        }
    }

    async fn put_last(
        &self,
        name: &str,
        sealed: &Sealed,
        ttl: Duration,
        (hold, token): (Hold, Option<u64>),
    ) -> Result<Settled, Failure> {
        let store = &self.last().tier.store;
        let bytes = sealed.bytes.clone();
        match (hold, self.authority()) {
            (Hold::Forced, _) | (Hold::Free, None) => {
                let done = store.set(name, bytes, Some(ttl)).await;
                done.map(|()| Settled::Stored)
            }
            (Hold::Leased | Hold::Free, Some(authority)) => {
                let computed = Computed {
                    name,
                    namespace: &self.namespace,
                    bytes,
                    ttl: Some(ttl),
                    token,
                    stamps: &sealed.stamps,
                    tags: &sealed.tags,
                };
                authority.settle(computed).await
            }
            (Hold::Leased, None) => {
                let tier = self.tiers.len() - 1;
                leased(self, tier, name, (bytes, ttl, token)).await
            }
            (Hold::Apart, _) => Ok(Settled::Lost),
        }
    }
}

impl Level {
    /// Whether a value is not too large; it is counted if it is.
    pub(super) fn takes(&self, sealed: &Sealed) -> Result<(), Error> {
        if !self.is_too_small_for(&sealed.bytes) {
            return Ok(());
        }
        self.tally.error(FailureKind::Capacity);
        let most = self.tier.store.limits().largest_value;
        Err(Error::new(
            ErrorKind::Unsupported,
            format!("a value is larger than the store takes, which is up to {most} bytes"),
            "let the store take larger values, compress them, or keep them in memory only",
        ))
    }

    /// What became of a value, which is counted.
    pub(super) fn settled(&self, settled: Settled) -> Written {
        self.away.answered();
        match settled {
            Settled::Stored => {
                self.tally.sets.bump();
                Written::Stored
            }
            Settled::Lost => Written::Lost,
            Settled::Overtaken => Written::Overtaken,
        }
    }
}

/// Sets under a lease of the tier.
async fn leased(
    stack: &Stack,
    tier: usize,
    name: &str,
    (bytes, ttl, token): (Bytes, Duration, Option<u64>),
) -> Result<Settled, Failure> {
    let leases = stack.tiers[tier].tier.store.leases();
    let (Some(leases), Some(token)) = (leases, token) else {
        return Ok(Settled::Lost);
    };
    let stored: Answer<'_, bool> = leases.set_leased(name, token, bytes, Some(ttl));
    Ok(if stored.await? {
        Settled::Stored
    } else {
        Settled::Lost
    })
}

fn overflow() -> Failure {
    Failure::new(
        FailureKind::Capacity,
        "there is no room for another write that waits",
        "write through, or raise the bounds of the queue",
    )
}
