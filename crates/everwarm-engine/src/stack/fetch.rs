//! Reading to compute where there is nothing: the value, or the seat of who computes it.

use std::sync::Arc;
use std::time::Duration;

use everwarm_core::judge::Judgement;
use everwarm_core::lease::{Wait, answered};
use everwarm_core::mark::{Mark, Tag};
use everwarm_core::store::{Failure, Grant};
use everwarm_core::using::Read;

use super::Stack;
use super::found::{Fetched, Stored};
use super::glance::Glance;
use super::look::Look;
use super::place::{Digests, Place};
use super::queue::Nap;
use super::seat::{Hold, Rights, Seat};

impl Stack {
    pub(super) async fn fetch_or_lead(
        self: Arc<Self>,
        place: Place,
        tags: Arc<[Arc<str>]>,
        (read, waits): (Read, bool),
    ) -> Fetched {
        let labels = self.labels(&place, &tags);
        let look = Look {
            read,
            counts: true,
            takes_old: true,
        };
        // What an embedded store does not need is apart, so that what a hit moves about is small.
        let (found, looked) = match self.glance_at(&place, &labels, look) {
            Glance::Found(stored) => (Some(stored), true),
            Glance::Nothing => (None, true),
            Glance::Unclear if self.is_alone(look) => (
                Box::pin(self.look_at_only(&place, &labels, look)).await,
                true,
            ),
            Glance::Unclear => (None, false),
        };
        let old = match found.map(only_if_error) {
            Some(Ok(stored)) => return self.fetched(&place, stored).await,
            Some(Err(stored)) => Some(stored),
            None => None,
        };
        Box::pin(self.fetch_further(place, labels, (look, waits), (looked, old))).await
    }

    pub(super) async fn lead_unfound(
        self: Arc<Self>,
        place: Place,
        tags: Arc<[Arc<str>]>,
        waits: bool,
    ) -> Fetched {
        let labels = self.labels(&place, &tags);
        let look = Look {
            read: Read::Any,
            counts: true,
            takes_old: true,
        };
        self.fetch_further(place, labels, (look, waits), (true, None))
            .await
    }

    async fn fetch_further(
        self: Arc<Self>,
        place: Place,
        labels: Digests,
        (look, waits): (Look, bool),
        (looked, mut old): (bool, Option<Stored>),
    ) -> Fetched {
        let mut rights = Rights::new(&self, &place.name);
        if look.read == Read::Nothing {
            for tier in 0..self.tiers.len() - 1 {
                rights.ask(tier).await;
            }
            return Fetched::Lead(self.sit(place, labels, Hold::Forced, rights).await);
        }
        if self.owes(&place.name, labels.all()) {
            return Fetched::Lead(self.sit(place, labels, Hold::Apart, rights).await);
        }
        if !looked && let Some(stored) = self.look(&place, &labels, look, Some(&mut rights)).await {
            match only_if_error(stored) {
                Ok(stored) => return self.fetched(&place, stored).await,
                Err(stored) => old = Some(stored),
            }
        }
        let hold = self.take_lease(&mut rights, waits).await;
        // Whoever had the lease before may have stored the value by now.
        if hold == Hold::Leased
            && let Some(stored) = self.look_again(&place, &labels, look, &mut rights).await
        {
            rights.release().await;
            return Fetched::Found(stored);
        }
        let mut seat = self.sit(place, labels, hold, rights).await;
        seat.old = old.map(Box::new);
        match seat.old {
            Some(_) => Fetched::Lead(seat),
            None => self.older_or_lead(seat, look).await,
        }
    }

    /// What somebody has stored since it was looked for, and nearer tiers are filled with.
    async fn look_again(
        self: &Arc<Self>,
        place: &Place,
        labels: &Digests,
        look: Look,
        rights: &mut Rights,
    ) -> Option<Stored> {
        let again = Look {
            counts: false,
            ..look
        };
        let accepted = self.look_at_last(place, labels, again).await?;
        if !accepted.stored.is_quiet() {
            return None;
        }
        let sealed = accepted.sealed();
        for tier in (0..accepted.stored.tier).rev() {
            self.write_near(tier, &place.name, &sealed, rights).await;
        }
        self.tiers[accepted.stored.tier].tally.hits.bump();
        Some(accepted.stored)
    }

    /// For a caller that was given an old value and computes it anew: what somebody has stored meanwhile, else the seat, unless
    /// another process computes. Nobody is waited for.
    pub(super) async fn fetch_anew(
        self: Arc<Self>,
        place: Place,
        tags: Arc<[Arc<str>]>,
        read: Read,
    ) -> Fetched {
        let labels = self.labels(&place, &tags);
        let mut rights = Rights::new(&self, &place.name);
        if self.owes(&place.name, labels.all()) {
            return Fetched::Lead(self.sit(place, labels, Hold::Apart, rights).await);
        }
        let look = Look {
            read,
            counts: false,
            takes_old: true,
        };
        let found = self.look(&place, &labels, look, Some(&mut rights)).await;
        if let Some(stored) = found.filter(Stored::is_quiet) {
            return Fetched::Found(stored);
        }
        let last = self.tiers.len() - 1;
        let hold = match self.last().tier.store.leases() {
            None => Hold::Free,
            Some(_) => match rights.ask(last).await {
                Some(Grant::Granted) => Hold::Leased,
                Some(Grant::Held(_)) => return Fetched::Elsewhere,
                None => Hold::Apart,
            },
        };
        if hold == Hold::Leased
            && let Some(stored) = self.look_again(&place, &labels, look, &mut rights).await
        {
            rights.release().await;
            return Fetched::Found(stored);
        }
        Fetched::Lead(self.sit(place, labels, hold, rights).await)
    }

    /// What is to be had under an older name, else the right to compute. The seat's stamps are from before: what is stored of an older
    /// value is as good as what would be computed now.
    async fn older_or_lead(self: &Arc<Self>, seat: Seat, look: Look) -> Fetched {
        let seat = match self.beside {
            None => seat,
            Some(_) => match Box::pin(self.bring(seat, look.read)).await {
                Fetched::Lead(seat) if seat.old.is_none() => seat,
                fetched => return fetched,
            },
        };
        if seat.place.older.is_empty() {
            return Fetched::Lead(seat);
        }
        match self.look_at_older(&seat.place, &seat.labels, look).await {
            Some(stored) if self.is_sure(&seat.place, &stored).await => {
                self.tiers[stored.tier].tally.hits.bump();
                Fetched::Older(Box::new(stored), seat)
            }
            _ => Fetched::Lead(seat),
        }
    }

    /// Takes the lease of the last tier, and waits for who has it. What is not to be had may have been given: sitting gives it back.
    async fn take_lease(&self, rights: &mut Rights, waits: bool) -> Hold {
        let limit = match waits {
            true => self.options.wait_timeout,
            false => Duration::ZERO,
        };
        let last = self.tiers.len() - 1;
        let Some(leases) = self.last().tier.store.leases() else {
            return Hold::Free;
        };
        let began = self.now();
        let mut nap = Nap::new(self);
        let name = Arc::clone(rights.name());
        // Asked for before the lease is asked for again, so that its end is not missed.
        let mut freed = None;
        let mut was_held = false;
        loop {
            let grant = rights.ask_on(last).await;
            let waited = nap.slept.max(self.now().since(began));
            match answered(grant, was_held, (waited, limit)) {
                Wait::Compute => return Hold::Leased,
                Wait::Apart => return Hold::Apart,
                Wait::Again => {
                    was_held = grant.is_some();
                    let ends = freed.take();
                    let is_first = ends.is_none();
                    if let Some(ends) = ends {
                        nap.take_until(ends).await;
                    }
                    freed = leases.freed(&name);
                    if is_first && freed.is_none() {
                        nap.take().await;
                    }
                }
            }
        }
    }

    /// Takes the seat of who computes, with the stamps of this moment.
    pub(super) async fn sit(
        &self,
        place: Place,
        labels: Digests,
        mut hold: Hold,
        mut rights: Rights,
    ) -> Seat {
        let since = self.known.heard();
        let mut stamps = Vec::new();
        if hold != Hold::Apart {
            let has_room = rights.enter(Some(&labels));
            match self.stamps(labels.all()).await {
                Ok(taken) if has_room => stamps = taken,
                _ => hold = Hold::Apart,
            }
            rights.begin(&stamps);
        }
        if hold == Hold::Apart {
            self.markers.unread();
            rights.give_all_back();
        }
        Seat {
            place,
            labels,
            stamps,
            since,
            hold,
            rights,
            old: None,
        }
    }

    /// The stamps of what begins now; none are needed where there is no authority.
    ///
    /// # Errors
    /// Why there are none; it is counted.
    pub(super) async fn stamps(&self, tags: &[Tag]) -> Result<Vec<Mark>, Failure> {
        Ok(self.begun(tags).await?.0)
    }

    /// The same, with the markers of the tags, which are all there.
    pub(super) async fn begun(&self, tags: &[Tag]) -> Result<Begun, Failure> {
        let Some(authority) = self.authority() else {
            return Ok(Begun::default());
        };
        let asked = self.markers.asked();
        let keep = Some(self.options.longest);
        let answer = authority.begin(&self.namespace, tags, keep).await;
        let answer = self.last().counted(answer);
        let reading = answer.inspect_err(|_| self.markers.unread())?;
        self.markers.feed(asked, tags, &reading);
        Ok((reading.shards, reading.markers))
    }
}

/// Stamps, and markers.
pub(super) type Begun = (Vec<Mark>, Vec<Option<Mark>>);

/// Whether a value is served, or is there in case the computation fails.
#[expect(clippy::result_large_err, reason = "both are taken apart at once")]
pub(super) fn only_if_error(stored: Stored) -> Result<Stored, Stored> {
    match stored.judgement {
        Judgement::OnlyIfError => Err(stored),
        _ => Ok(stored),
    }
}
