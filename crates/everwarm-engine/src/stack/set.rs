//! Setting by hand: the value takes the place of what is there, and of what is being computed.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use everwarm_core::codec::Meta;
use everwarm_core::mark::{Mark, Tag};
use everwarm_core::store::Failure;

use super::erase::TOGETHER;
use super::found::Written;
use super::late::Late;
use super::owed::Debt;
use super::place::{Digests, Place};
use super::seat::{Hold, Rights};
use super::settle::Sealed;
use super::{Stack, Write};

/// The envelopes of many values.
#[derive(Default)]
struct Batch {
    sealed: Vec<(Arc<str>, Sealed)>,
    /// Those that may be written later, since the authority does not answer.
    kept: HashMap<Arc<str>, Sealed>,
    /// Why the last of the others is not written.
    refused: Option<Written>,
}

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
                self.delete_or_owe(vec![self.late(&place, None)]).await;
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
            Ok(sealed) => self.set_sealed(&place, sealed, rights).await,
            Err((written, kept)) => {
                // What is there is older than what was to be set.
                self.delete_or_owe(vec![self.late(&place, kept)]).await;
                written
            }
        }
    }

    /// The envelope of a value that is set now, with the stamps of this moment; else why there is none, and one that may be written later
    /// if the authority does not answer.
    async fn sealed_now(
        &self,
        place: &Place,
        payload: &[u8],
        meta: Meta,
    ) -> Result<Sealed, (Written, Option<Sealed>)> {
        let labels = self.labels(place, &meta.tags);
        if self.owes("", labels.all()) {
            self.markers.unread();
            return Err((Written::Apart, None));
        }
        let stamps = match self.stamps(labels.all()).await {
            Ok(stamps) => stamps,
            Err(failure) => {
                let kept = self.sealed_before(place, (payload, meta), &labels);
                return Err((Written::Failed(failure), kept));
            }
        };
        self.seal(place, (payload, meta), stamps, labels.all())
            .map_err(|error| (Written::Refused(error), None))
    }

    /// The envelope of a value with the stamps that are known from before: it counts if nothing was invalidated since.
    fn sealed_before(
        &self,
        place: &Place,
        value: (&[u8], Meta),
        labels: &Digests,
    ) -> Option<Sealed> {
        let stamps = self.markers.shards();
        if stamps.is_empty() {
            return None;
        }
        let sealed = self.seal(place, value, stamps, labels.all()).ok()?;
        (!self.last().is_too_small_for(&sealed.bytes)).then_some(sealed)
    }

    /// Writes an envelope in place of what is there: to the last tier first, then to nearer ones under the leases among the rights,
    /// which were taken before. A nearer tier that is not written is emptied.
    pub(super) async fn set_sealed(
        self: &Arc<Self>,
        place: &Place,
        sealed: Sealed,
        mut rights: Rights,
    ) -> Written {
        let (name, since) = (&place.name, self.now());
        self.make_way(std::slice::from_ref(name)).await;
        let unsure = Unsure::of(self, std::slice::from_ref(name));
        let written = self
            .write_last(place, &sealed, Hold::Forced, &mut rights)
            .await;
        unsure.ends();
        if !written.is_stored() {
            let kept = matches!(written, Written::Failed(_)).then_some(sealed);
            let late = self.late_since(place, kept, since);
            self.delete_or_owe(vec![late]).await;
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
        // Only now: what was owed kept what nearer tiers had from being read.
        self.owed.overwritten(name);
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
        let places: Vec<Place> = entries.iter().map(|(place, ..)| place.clone()).collect();
        let names = places.iter().map(|place| Arc::clone(&place.name));
        let names: Vec<Arc<str>> = names.collect();
        let (since, shards) = (self.now(), self.markers.shards());
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
            let batch = self.sealed_all(&entries, &labels, &stamps);
            match self.write_in_parts(&batch.sealed, begins.take()).await {
                Ok((stored, failed)) => {
                    let stored: Vec<Arc<str>> = stored.into_iter().map(Arc::clone).collect();
                    let refused = batch.refused.clone();
                    let late =
                        |place: &Place, kept| self.late_since(place, kept, since).knowing(&shards);
                    self.after_set((&places, late), &stored, batch).await;
                    return refused.or(failed).unwrap_or(Written::Stored);
                }
                Err(newer) => stamps = Ok(newer),
            }
        }
    }

    /// What else has to be done of what was to be set: where it was not, what is there is older, and the write is late.
    async fn after_set(
        &self,
        (places, late): (&[Place], impl Fn(&Place, Option<Sealed>) -> Late),
        stored: &[Arc<str>],
        batch: Batch,
    ) {
        self.empty_nearer(&stored.iter().collect::<Vec<_>>()).await;
        for name in stored {
            self.owed.overwritten(name);
        }
        let stored: HashSet<&Arc<str>> = stored.iter().collect();
        let mut kept = batch.kept;
        kept.extend(batch.sealed);
        let gone = places.iter().filter(|place| !stored.contains(&place.name));
        let gone = gone.map(|place| late(place, kept.remove(&place.name)));
        let gone: Vec<Late> = gone.collect();
        if !gone.is_empty() {
            self.delete_or_owe(gone).await;
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

    /// The envelopes of many values under the stamps of one moment, or why there are none.
    fn sealed_all(
        &self,
        entries: &[(Place, Vec<u8>, Meta)],
        labels: &[Digests],
        stamps: &Result<Vec<Mark>, Failure>,
    ) -> Batch {
        let mut batch = Batch::default();
        if let Err(failure) = stamps {
            batch.refused = Some(Written::Failed(failure.clone()));
        }
        for ((place, payload, meta), labels) in entries.iter().zip(labels) {
            if self.owes("", labels.all()) {
                self.markers.unread();
                batch.refused = Some(Written::Apart);
                continue;
            }
            let name = Arc::clone(&place.name);
            let given = (&payload[..], meta.clone());
            let Ok(stamps) = stamps else {
                let kept = self.sealed_before(place, given, labels);
                batch.kept.extend(kept.map(|sealed| (name, sealed)));
                continue;
            };
            match self.seal(place, given, stamps.clone(), labels.all()) {
                Ok(envelope) => match self.last().takes(&envelope) {
                    Ok(()) => batch.sealed.push((name, envelope)),
                    Err(error) => batch.refused = Some(Written::Refused(error)),
                },
                Err(error) => batch.refused = Some(Written::Refused(error)),
            }
        }
        batch
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
