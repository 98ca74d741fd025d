//! Reading to compute where there is nothing: the value, or the seat of who computes it.

use std::sync::Arc;

use everwarm_core::mark::Mark;
use everwarm_core::store::Grant;
use everwarm_core::using::Read;

use super::Stack;
use super::found::Fetched;
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
        read: Read,
    ) -> Fetched {
        let labels = self.labels(&place, &tags);
        let look = Look { read, counts: true };
        let looked = match self.glance(&place, &labels, look) {
            Glance::Found(stored) => return Fetched::Found(stored),
            Glance::Nothing => true,
            Glance::Unclear => false,
        };
        // Apart, so that what a hit moves about is small.
        Box::pin(self.fetch_further(place, labels, look, looked)).await
    }

    async fn fetch_further(
        self: Arc<Self>,
        place: Place,
        labels: Digests,
        look: Look,
        looked: bool,
    ) -> Fetched {
        let mut rights = Rights::new(&self, &place.name);
        if look.read == Read::Nothing {
            for tier in 0..self.tiers.len() - 1 {
                rights.ask(tier).await;
            }
            return self.sit(place, labels, Hold::Forced, rights).await;
        }
        if self.owed.is_about(&place.name, labels.all()) {
            return self.sit(place, labels, Hold::Apart, rights).await;
        }
        if !looked && let Some(stored) = self.look(&place, &labels, look, Some(&mut rights)).await {
            return Fetched::Found(stored);
        }
        let hold = self.take_lease(&mut rights).await;
        // Whoever had the lease before may have stored the value by now.
        if hold == Hold::Leased {
            let again = Look {
                counts: false,
                ..look
            };
            if let Some(accepted) = self.look_at_last(&place, &labels, again).await {
                let sealed = accepted.sealed();
                for tier in (0..accepted.stored.tier).rev() {
                    self.write_near(tier, &place.name, &sealed, &mut rights)
                        .await;
                }
                self.tiers[accepted.stored.tier].tally.hits.bump();
                return Fetched::Found(accepted.stored);
            }
        }
        self.sit(place, labels, hold, rights).await
    }

    /// Takes the lease of the last tier, and waits for who has it.
    async fn take_lease(&self, rights: &mut Rights) -> Hold {
        let last = self.tiers.len() - 1;
        if self.last().tier.store.leases().is_none() {
            return Hold::Free;
        }
        let began = self.now();
        let mut nap = Nap::new(self);
        loop {
            match rights.ask(last).await {
                Some(Grant::Granted) => return Hold::Leased,
                Some(Grant::Held(_)) => {}
                None => return Hold::Apart,
            }
            let waited = nap.slept.max(self.now().since(began));
            if waited >= self.options.wait_timeout {
                return Hold::Apart;
            }
            nap.take().await;
        }
    }

    /// Takes the seat of who computes, with the stamps of this moment.
    async fn sit(
        &self,
        place: Place,
        labels: Digests,
        mut hold: Hold,
        mut rights: Rights,
    ) -> Fetched {
        let since = self.known.heard();
        let mut stamps = Vec::new();
        if hold != Hold::Apart {
            match self.stamps(&labels).await {
                Some(taken) if rights.enter() => stamps = taken,
                _ => hold = Hold::Apart,
            }
        }
        if hold == Hold::Apart {
            rights.give_all_back();
        }
        Fetched::Lead(Seat {
            place,
            labels,
            stamps,
            since,
            hold,
            rights,
        })
    }

    /// The stamps of what begins now; none are needed where there is no authority.
    pub(super) async fn stamps(&self, labels: &Digests) -> Option<Vec<Mark>> {
        let Some(authority) = self.authority() else {
            return Some(Vec::new());
        };
        let asked = self.markers.asked();
        let keep = Some(self.options.longest);
        let answer = authority.begin(&self.namespace, labels.all(), keep).await;
        let reading = self.last().said(answer)?;
        self.markers.feed(asked, labels.all(), &reading);
        Some(reading.shards)
    }
}
