//! Setting by hand: the value takes the place of what is there, and of what is being computed.

use std::collections::HashSet;
use std::sync::Arc;

use everwarm_core::codec::Meta;
use everwarm_core::mark::{Mark, Tag};

use super::erase::TOGETHER;
use super::found::Written;
use super::owed::Debt;
use super::place::{Digests, Place};
use super::seat::{Hold, Rights};
use super::settle::Sealed;
use super::{Stack, Write};

/// Names that are being written. If the caller gives up meanwhile, the write may come to the store after whatever is asked next, and
/// what was read before it would pass for its value: they are owed then.
pub(super) struct Unsure<'a> {
    stack: &'a Stack,
    names: &'a [Arc<str>],
}

impl<'a> Unsure<'a> {
    pub(super) const fn of(stack: &'a Stack, names: &'a [Arc<str>]) -> Self {
        Self { stack, names }
    }

    /// The store has answered.
    pub(super) fn ends(mut self) {
        self.names = &[];
    }
}

impl Drop for Unsure<'_> {
    fn drop(&mut self) {
        for name in self.names {
            self.stack.owe_name(name);
        }
    }
}

impl Stack {
    /// Sets by hand: what is being computed for the key, anywhere, is not stored.
    pub fn set(
        self: &Arc<Self>,
        place: Place,
        payload: Vec<u8>,
        meta: Meta,
    ) -> impl Future<Output = Written> + Send + use<> {
        let stack = self.clone();
        async move {
            if stack.beside.is_some() {
                return Box::pin(stack.set_in_both(vec![(place, payload, meta)])).await;
            }
            stack.set_by_hand(place, payload, meta).await
        }
    }

    /// Sets many by hand.
    pub fn set_many(
        self: &Arc<Self>,
        entries: Vec<(Place, Vec<u8>, Meta)>,
    ) -> impl Future<Output = Written> + Send + use<> {
        let stack = self.clone();
        async move {
            if stack.beside.is_some() {
                return Box::pin(stack.set_in_both(entries)).await;
            }
            stack.set_many_by_hand(entries).await
        }
    }

    pub(super) async fn set_by_hand(
        self: Arc<Self>,
        place: Place,
        payload: Vec<u8>,
        mut meta: Meta,
    ) -> Written {
        if let Some(written) = self.set_now(&place, &payload, &mut meta) {
            if !written.is_stored() {
                // What is there is older than what was to be set.
                self.delete_names(std::slice::from_ref(&place.name)).await;
            }
            return written;
        }
        if let Some(written) = Box::pin(self.set_in_one_trip(&place, &payload, &meta)).await {
            return written;
        }
        self.end_older(&place).await;
        let mut rights = Rights::new(&self, &place.name);
        for tier in 0..self.tiers.len() - 1 {
            if self.tiers[tier].tier.write == Write::Through {
                rights.ask(tier).await;
            }
        }
        match self.sealed_now(&place, &payload, meta).await {
            Ok(sealed) => self.set_sealed(&place.name, sealed, rights).await,
            Err(written) => {
                // What is there is older than what was to be set.
                self.delete_names(std::slice::from_ref(&place.name)).await;
                written
            }
        }
    }

    /// The envelope of a value that is set now, with the stamps of this moment.
    async fn sealed_now(
        &self,
        place: &Place,
        payload: &[u8],
        meta: Meta,
    ) -> Result<Sealed, Written> {
        let labels = self.labels(place, &meta.tags);
        if self.owes("", labels.all()) {
            self.markers.unread();
            return Err(Written::Apart);
        }
        let stamps = self.stamps(labels.all()).await;
        let stamps = stamps.map_err(Written::Failed)?;
        self.seal(place, (payload, meta), stamps, labels.all())
            .map_err(Written::Refused)
    }

    /// Writes an envelope in place of what is there: to the last tier first, then to nearer ones under the leases among the rights,
    /// which were taken before. A nearer tier that is not written is emptied.
    pub(super) async fn set_sealed(
        self: &Arc<Self>,
        name: &Arc<str>,
        sealed: Sealed,
        mut rights: Rights,
    ) -> Written {
        self.make_way(std::slice::from_ref(name)).await;
        let unsure = Unsure::of(self, std::slice::from_ref(name));
        let written = self
            .write_last(name, &sealed, Hold::Forced, &mut rights)
            .await;
        unsure.ends();
        if !written.is_stored() {
            self.delete_names(std::slice::from_ref(name)).await;
            return written;
        }
        // Before a write that waits, a nearer tier could be filled with what is there: it is emptied again after that write.
        let now = self.last().tier.write != Write::Behind;
        for tier in (0..self.tiers.len() - 1).rev() {
            let through = now && self.tiers[tier].tier.write == Write::Through;
            if !through || !self.write_near(tier, name, &sealed, &mut rights).await {
                self.empty(tier, name).await;
            }
        }
        written
    }

    /// Takes the right to store under these names from all who compute in this process, and takes out what is queued.
    pub(super) async fn make_way(&self, names: &[Arc<str>]) {
        for name in names {
            self.seats.void(name);
            self.queue.take_out_name(self.tiers.len(), name);
        }
        self.quiesce(|other| names.iter().any(|name| **name == *other))
            .await;
    }

    /// Deletes what a nearer tier has under a name; if it does not, that is owed.
    pub(super) async fn empty(&self, tier: usize, name: &Arc<str>) {
        let level = &self.tiers[tier];
        if level.said(level.tier.store.delete(name).await).is_none() {
            self.owe_name(name);
        }
    }

    /// Owes the deletion of a name.
    pub(super) fn owe_name(&self, name: &Arc<str>) {
        drop(self.incur(Debt::Name(Arc::clone(name))));
    }

    pub(super) async fn set_many_by_hand(
        self: Arc<Self>,
        entries: Vec<(Place, Vec<u8>, Meta)>,
    ) -> Written {
        if self.last().tier.write == Write::Behind {
            let mut all = Written::Stored;
            for (place, payload, meta) in entries {
                let written = Arc::clone(&self).set_by_hand(place, payload, meta).await;
                if !written.is_stored() {
                    all = written;
                }
            }
            return all;
        }
        let names: Vec<Arc<str>> = entries
            .iter()
            .map(|(place, ..)| Arc::clone(&place.name))
            .collect();
        let of = |(place, _, meta): &(Place, Vec<u8>, Meta)| self.labels(place, &meta.tags);
        let labels: Vec<Digests> = entries.iter().map(of).collect();
        let tags = Digests::union(&labels);
        let recalled = self.recalled(&tags);
        let mut begins = recalled.is_some().then_some(&tags[..]);
        let mut stamps = match recalled {
            Some(stamps) => Ok(stamps),
            None => self.stamps(&tags).await,
        };
        self.make_way(&names).await;
        loop {
            let (sealed, refused) = match &stamps {
                Ok(stamps) => self.sealed_all(&entries, &labels, stamps),
                Err(failure) => (Vec::new(), Some(Written::Failed(failure.clone()))),
            };
            match self.write_in_parts(&sealed, begins.take()).await {
                Ok((kept, failed)) => {
                    self.after_set(&names, &kept).await;
                    return refused.or(failed).unwrap_or(Written::Stored);
                }
                Err(newer) => stamps = Ok(newer),
            }
        }
    }

    /// What else has to be done of names that were to be set: those that were not are deleted, since what is there is older.
    async fn after_set(&self, names: &[Arc<str>], kept: &[&Arc<str>]) {
        let is_kept: HashSet<&Arc<str>> = kept.iter().copied().collect();
        let gone = names.iter().filter(|name| !is_kept.contains(name));
        let gone: Vec<Arc<str>> = gone.map(Arc::clone).collect();
        self.empty_nearer(kept).await;
        if !gone.is_empty() {
            self.delete_names(&gone).await;
        }
    }

    /// Writes many to the last tier, each part with a deadline of its own: those that were written, and why the last of the others was
    /// not. Where two parts in a row were not, the rest is not tried. With the first one `begins` begins with these tags.
    ///
    /// # Errors
    /// The stamps of now, where those that all were sealed under were recalled and are not: nothing that was written is valid.
    async fn write_in_parts<'a>(
        &self,
        sealed: &'a [(Arc<str>, Sealed)],
        mut begins: Option<&[Tag]>,
    ) -> Result<(Vec<&'a Arc<str>>, Option<Written>), Vec<Mark>> {
        let (mut kept, mut failed, mut in_a_row) = (Vec::new(), None, 0);
        for part in sealed.chunks(TOGETHER) {
            if in_a_row == 2 {
                break;
            }
            let names: Vec<Arc<str>> = part.iter().map(|(name, _)| Arc::clone(name)).collect();
            let unsure = Unsure::of(self, &names);
            let written = self.write_many(part, begins.take()).await;
            unsure.ends();
            match written {
                Ok(None) => {
                    in_a_row = 0;
                    kept.extend(part.iter().map(|(name, _)| name));
                }
                Ok(Some(newer)) => return Err(newer),
                Err(failure) => {
                    in_a_row += 1;
                    failed = Some(Written::Failed(failure));
                }
            }
        }
        Ok((kept, failed))
    }

    /// The envelopes of many values under the stamps of one moment, without those that cannot be sealed, and why the last of those
    /// cannot.
    fn sealed_all(
        &self,
        entries: &[(Place, Vec<u8>, Meta)],
        labels: &[Digests],
        stamps: &[Mark],
    ) -> (Vec<(Arc<str>, Sealed)>, Option<Written>) {
        let mut sealed = Vec::with_capacity(entries.len());
        let mut refused = None;
        for ((place, payload, meta), labels) in entries.iter().zip(labels) {
            if self.owes("", labels.all()) {
                self.markers.unread();
                refused = Some(Written::Apart);
                continue;
            }
            let given = (&payload[..], meta.clone());
            match self.seal(place, given, stamps.to_vec(), labels.all()) {
                Ok(envelope) => match self.last().takes(&envelope) {
                    Ok(()) => sealed.push((Arc::clone(&place.name), envelope)),
                    Err(error) => refused = Some(Written::Refused(error)),
                },
                Err(error) => refused = Some(Written::Refused(error)),
            }
        }
        (sealed, refused)
    }

    /// Deletes from all tiers but the last one; what is not done is owed.
    pub(super) async fn empty_nearer(&self, names: &[&Arc<str>]) {
        for names in names.chunks(TOGETHER) {
            let plain: Vec<&str> = names.iter().map(|name| &***name).collect();
            for level in self.nearer() {
                let answer = level.tier.store.delete_many(&plain).await;
                if level.said(answer).is_none() {
                    names.iter().for_each(|name| self.owe_name(name));
                }
            }
        }
    }
}
