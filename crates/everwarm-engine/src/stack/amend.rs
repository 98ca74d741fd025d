//! Changes in place: look at the entry of the last tier, and write if nobody else did meanwhile.

use std::sync::Arc;

use everwarm_core::codec::Meta;
use everwarm_core::mark::{Mark, valid};
use everwarm_core::store::{Condition, Conditional, Failure, FailureKind, Found};
use everwarm_core::using::Read;

use super::Stack;
use super::found::{Change, Stored};
use super::look::Look;
use super::owed::Debt;
use super::place::Place;
use super::queue::Nap;
use super::recent::digest;

/// How often a change is tried when others are faster.
const TRIES: usize = 100;

const LOOK: Look = Look {
    read: Read::Any,
    counts: false,
    takes_old: false,
};

/// What is under a name at one moment: as bytes, and as a value if it is a valid one.
struct Current {
    version: Option<u64>,
    stored: Option<Stored>,
    /// The stamps of this moment.
    stamps: Vec<Mark>,
    /// Whether they are those of all shards.
    has_all: bool,
}

impl Current {
    /// Whether this is the value that is there.
    fn has(&self, payload: &[u8]) -> bool {
        let stored = self.stored.as_ref();
        stored.is_some_and(|stored| stored.opened.payload == payload)
    }
}

impl Stack {
    /// Looks at the entry in the last tier and changes it in one step; `change` is asked again if somebody else was faster. It is
    /// given nothing where the entry is expired or invalid. Numbers, `add`, `replace`, `expire`, `persist`, `touch`, `add_tags`,
    /// `mark_stale` and `compare_and_set` are such changes.
    pub fn amend<R, F>(
        self: &Arc<Self>,
        place: Place,
        change: F,
    ) -> impl Future<Output = Result<R, Failure>> + Send + use<R, F>
    where
        R: Send + 'static,
        F: FnMut(Option<&Stored>) -> Change<R> + Send + 'static,
    {
        let stack = self.clone();
        async move {
            if stack.beside.is_some() {
                return Box::pin(stack.amend_in_both(place, change)).await;
            }
            stack.amend_entry(place, change).await
        }
    }

    /// Sets under a condition; whether it held. [`Condition::Version`] is that of [`get_exact`](Self::get_exact).
    pub fn set_if(
        self: &Arc<Self>,
        place: Place,
        payload: Vec<u8>,
        meta: Meta,
        condition: Condition,
    ) -> impl Future<Output = Result<bool, Failure>> + Send + use<> {
        self.clone().set_under(place, (payload, meta), condition)
    }

    /// The value in the last tier, with the number of its write.
    pub fn get_exact(
        self: &Arc<Self>,
        place: Place,
    ) -> impl Future<Output = Option<Stored>> + Send + use<> {
        self.old().unwrap_or(self).clone().exact(place)
    }

    /// The entry of the last tier.
    pub(super) async fn exact(self: Arc<Self>, place: Place) -> Option<Stored> {
        self.settle_queued(&place).await;
        let labels = self.labels(&place, &[]);
        if self.owes(&place.name, labels.all()) {
            return None;
        }
        let accepted = self.look_at_last(&place, &labels, LOOK).await?;
        Some(accepted.stored)
    }

    pub(super) async fn amend_entry<R>(
        self: Arc<Self>,
        place: Place,
        mut change: impl FnMut(Option<&Stored>) -> Change<R> + Send,
    ) -> Result<R, Failure> {
        let conditional = self.conditional()?;
        self.end_older(&place).await;
        self.settle_queued(&place).await;
        let mut nap = Nap::new(&self);
        for attempt in 0..TRIES {
            let current = self.current(&place, attempt == 0).await?;
            let (done, give) = match change(current.stored.as_ref()) {
                Change::Keep(give) => return Ok(give),
                Change::Delete(give) => match current.version {
                    Some(version) => {
                        let asked = self.failovers();
                        let answer = conditional.delete_if(&place.name, version).await;
                        let deleted = self.changed(&place, answer).await?;
                        let name = Debt::Name(Arc::clone(&place.name));
                        if deleted && !self.remember(name, asked) {
                            self.owe_name(&place.name);
                        }
                        (deleted, give)
                    }
                    None => return Ok(give),
                },
                Change::Write(payload, meta, give) => {
                    let done = self.write_if(&place, &current, (&payload, meta)).await?;
                    (done, give)
                }
            };
            if done {
                self.seats.void(&place.name);
                self.empty_nearer(&[&place.name]).await;
                return Ok(give);
            }
            nap.take().await;
        }
        Err(Failure::new(
            FailureKind::Transient,
            "others kept changing the entry",
            "try again, or let fewer writers change it at once",
        ))
    }

    pub(super) async fn set_under(
        self: Arc<Self>,
        place: Place,
        (payload, meta): (Vec<u8>, Meta),
        condition: Condition,
    ) -> Result<bool, Failure> {
        let change = move |there: Option<&Stored>| {
            let holds = match condition {
                Condition::Absent => there.is_none(),
                Condition::Present => there.is_some(),
                Condition::Version(version) => {
                    there.is_some_and(|stored| stored.version == Some(version))
                }
            };
            if holds {
                Change::Write(payload.clone(), meta.clone(), true)
            } else {
                Change::Keep(false)
            }
        };
        self.amend(place, change).await
    }

    /// Writes in place of what is under the name now; whether it was that still.
    async fn write_if(
        &self,
        place: &Place,
        current: &Current,
        (payload, mut meta): (&[u8], Meta),
    ) -> Result<bool, Failure> {
        let labels = self.labels(place, &meta.tags);
        if self.owes(&place.name, labels.all()) {
            return Err(pending());
        }
        // The same value under no further tag is as old as it was.
        let stamps = match &current.stored {
            Some(stored) if carries(&stored.opened.meta, &meta) => {
                stored.opened.meta.stamps.to_vec()
            }
            // Markers for its tags have to be there; stamps from before cover them unless an invalidation came between, or they are of
            // fewer shards.
            _ => {
                let (_, markers) = self.begun(labels.all()).await?;
                if !current.has_all && !valid(&current.stamps, markers) {
                    return Ok(false);
                }
                current.stamps.clone()
            }
        };
        if current.has(payload) {
            meta.is_from_before();
        }
        let sealed = self
            .seal(place, (payload, meta), stamps, labels.all())
            .map_err(|error| Failure::new(FailureKind::Permanent, error.message(), error.hint()))?;
        let level = self.last();
        let condition = current
            .version
            .map_or(Condition::Absent, Condition::Version);
        let ttl = Some(level.ttl(sealed.left));
        let answer = self
            .conditional()?
            .set_if(&place.name, sealed.bytes.clone(), ttl, condition)
            .await;
        if answer.is_err() {
            self.owed
                .haunted(self.now(), &place.name, digest(&sealed.bytes));
        }
        let written = self.changed(place, answer).await?.is_some();
        if written {
            level.tally.sets.bump();
        }
        Ok(written)
    }

    /// What the last tier has. The stamps are taken first, or in the same step: no invalidation up to them met what is valid
    /// afterwards. At first they are not asked for where the authority remembers that it was, not long ago: markers last, and what
    /// is changed in place keeps the stamps that it has.
    async fn current(&self, place: &Place, at_first: bool) -> Result<Current, Failure> {
        let labels = self.labels(place, &[]);
        let is_recalled = at_first && self.recalled(labels.all()).is_some();
        let taken = match is_recalled {
            true => None,
            false => Some(self.stamps(labels.all()).await?),
        };
        let (found, beside) = self.read_last(&place.name, &labels).await?;
        let has_all = taken.is_some();
        let stamps = match (taken, &beside.reading) {
            (Some(taken), _) => taken,
            (None, Some(reading)) => reading.shards.clone(),
            (None, None) => Vec::new(),
        };
        let version = found.as_ref().map(|found: &Found| found.version);
        let entry = found.and_then(|found| self.enter_last(place, &labels, found));
        let at_hand = beside.at_hand(&labels);
        let accepted = match entry {
            Some(entry) => self.accept_exactly(entry, place, at_hand, LOOK).await?,
            None => None,
        };
        Ok(Current {
            version,
            stored: accepted.map(|accepted| accepted.stored),
            stamps,
            has_all,
        })
    }

    fn conditional(&self) -> Result<&dyn Conditional, Failure> {
        self.last().tier.store.conditional().ok_or_else(|| {
            Failure::new(
                FailureKind::Capability,
                "the store cannot change an entry in one step",
                "use a store that can, or set the entry as a whole",
            )
        })
    }

    /// What the last tier said to a change. A failure is counted and passed on; since it may have been done nevertheless, nearer tiers
    /// keep nothing of what was there before.
    async fn changed<T>(&self, place: &Place, answer: Result<T, Failure>) -> Result<T, Failure> {
        if let Err(failure) = &answer {
            self.last().failed(failure);
            self.empty_nearer(&[&place.name]).await;
        }
        answer
    }

    /// Has the writes done that are queued for a name.
    async fn settle_queued(self: &Arc<Self>, place: &Place) {
        let last = self.tiers.len() - 1;
        if self.queue.find(last, &place.name).is_some() {
            self.flush_queue().await;
        }
    }
}

/// Whether all tags of `after` were those of `before` already.
fn carries(before: &Meta, after: &Meta) -> bool {
    after.tags.iter().all(|tag| before.tags.contains(tag))
}

fn pending() -> Failure {
    Failure::new(
        FailureKind::Transient,
        "the store has not taken an invalidation yet",
        "try again later",
    )
}
