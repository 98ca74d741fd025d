//! Copying what the last tier of one stack holds to that of another, which has an authority of its own.
//!
//! An entry counts under the stamps of the authority that gave them, so a copy needs stamps of the target's. They are taken **before** the
//! source is asked whether the entry counts, under a lease of the target's that is older still ([`carry`]). So what is invalidated or
//! written in both, the source first, finds no way past: either the source says that the entry does not count any more, or what comes
//! to the target after that meets the copy or ends its lease.
//!
//! What is changed in the source alone reaches no target. Therefore a run ends with a look at all that the target has: what the
//! source has not, or has another value of, goes. What was done in the source before that look began is done in the target after it,
//! also if it was an earlier run that copied, and was killed.

mod carry;
mod check;
mod lots;

use std::sync::Arc;
use std::time::Duration;

use everwarm_core::clock::Instant;
use everwarm_core::error::{Error, ErrorKind};
use everwarm_core::store::{Failure, FailureKind};

use super::Stack;
use super::found::Done;
use super::seat::token;

/// How many names are asked for at once.
const PAGE: usize = 64;
/// How many bytes may be under way before fewer are asked for.
const HEAVY: usize = 8 << 20;
/// How often a page is tried.
const TRIES: u32 = 5;
/// How long is waited before it is tried again, twice as long each time.
const PAUSE: Duration = Duration::from_millis(100);

/// What was done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Copied {
    /// Names that the source has listed.
    pub seen: u64,
    /// Entries that the target has now, and had not.
    pub copied: u64,
    /// Entries that the target has already, or a younger value of; or somebody computes it for the target.
    pub there: u64,
    /// Names whose entries do not count in the source, or were changed while they were copied.
    pub gone: u64,
    /// Entries that cannot be taken elsewhere.
    pub refused: u64,
    /// Entries of the target that were held against the source.
    pub checked: u64,
    /// Entries of the target that had to go: the source has them no longer.
    pub dropped: u64,
}

/// What a step came to.
#[derive(Debug)]
pub struct Step {
    /// What was done since the beginning.
    pub copied: Copied,
    /// Where to go on, in this run or another; `None`: all is done.
    pub place: Option<String>,
    /// Stored names that memory in front of the target must let go of.
    pub struck: Vec<Arc<str>>,
}

/// A copy on its way.
#[derive(Debug)]
pub struct Copying {
    from: Arc<Stack>,
    to: Arc<Stack>,
    at: At,
    copied: Copied,
    struck: Vec<Arc<str>>,
    /// How many entries a second may be looked at.
    rate: Option<u32>,
    /// How many are under way at once.
    batch: usize,
    /// Of all leases of this run: who asks with it again renews.
    token: u64,
}

/// How far it is.
#[derive(Clone, Debug)]
enum At {
    /// This page of the source comes next.
    Pages(Option<String>),
    /// This page of the target is held against the source next.
    Check(Option<String>),
    Done,
}

impl At {
    fn place(&self) -> Option<String> {
        match self {
            Self::Pages(None) => Some("copy".to_owned()),
            Self::Pages(Some(next)) => Some(format!("copy:{next}")),
            // From its beginning: what was changed since is not known.
            Self::Check(_) => Some("check".to_owned()),
            Self::Done => None,
        }
    }

    fn of(place: &str) -> Result<Self, Error> {
        match place.split_once(':') {
            None if place == "copy" => Ok(Self::Pages(None)),
            None if place == "check" => Ok(Self::Check(None)),
            Some(("copy", next)) => Ok(Self::Pages(Some(next.to_owned()))),
            _ => Err(Error::config(
                "no copy was at this place",
                "give the place that an earlier copy told, or none",
            )),
        }
    }
}

impl Stack {
    /// Copies the entries of the last tier to that of another stack, page by page, from a place on that an earlier copy told; `rate` is
    /// how many entries a second it looks at, at most.
    ///
    /// # Errors
    /// Of kind `Unsupported`, where the entries of one cannot count in the other, or a store cannot do its part; of kind `Config` for a place
    /// that none was at.
    pub fn copying(
        self: &Arc<Self>,
        to: &Arc<Self>,
        after: Option<&str>,
        rate: Option<u32>,
    ) -> Result<Copying, Error> {
        self.can_copy_to(to)?;
        Ok(Copying {
            from: Arc::clone(self),
            to: Arc::clone(to),
            at: after.map_or(Ok(At::Pages(None)), At::of)?,
            copied: Copied::default(),
            struck: Vec::new(),
            rate,
            batch: PAGE,
            token: token(),
        })
    }

    fn can_copy_to(&self, to: &Self) -> Result<(), Error> {
        let unsupported = |message, hint| Err(Error::new(ErrorKind::Unsupported, message, hint));
        if self.namespace != to.namespace {
            return unsupported(
                format!(
                    "entries of the namespace {:?} are none of {:?}",
                    self.namespace, to.namespace
                ),
                "give both caches the same namespace",
            );
        }
        if self.codec.carrier().is_none() || to.codec.carrier().is_none() {
            return unsupported(
                "what is sealed with a key is bound to its entry, which only its readers know"
                    .to_owned(),
                "let the new store fill by itself; caches without a keyring can be copied",
            );
        }
        let (source, target) = (&self.last().tier, &to.last().tier);
        for tier in [source, target] {
            if tier.store.scan().is_none() {
                return unsupported(
                    format!("the store {:?} does not list its names", tier.label),
                    "let the new store fill by itself",
                );
            }
        }
        if target.store.leases().is_none() {
            return unsupported(
                format!("the store {:?} has no leases", target.label),
                "only leases keep out what was read before it was deleted: use another store",
            );
        }
        Ok(())
    }
}

impl Copying {
    /// Goes on by a page. What fails for a moment is tried again; after a failure this step may be asked for once more.
    ///
    /// # Errors
    /// Those of the stores.
    pub async fn step(&mut self) -> Result<Step, Failure> {
        let began = self.from.now();
        let before = (self.at.clone(), self.copied);
        let mut tries = 0;
        loop {
            tries += 1;
            match self.turn().await {
                Ok(()) => break,
                Err(failure) => {
                    (self.at, self.copied) = before.clone();
                    let passes =
                        matches!(failure.kind, FailureKind::Transient | FailureKind::Timeout);
                    if !passes || tries == TRIES {
                        return Err(failure);
                    }
                    // What takes too long may be too much.
                    self.batch = (self.batch / 2).max(1);
                    self.pause(PAUSE * 2_u32.pow(tries - 1)).await;
                }
            }
        }
        self.keep_to_rate(before.1, began).await;
        Ok(Step {
            copied: self.copied,
            place: self.at.place(),
            struck: std::mem::take(&mut self.struck),
        })
    }

    async fn turn(&mut self) -> Result<(), Failure> {
        match self.at.clone() {
            At::Pages(after) => {
                if after.is_none() {
                    self.from.flush_queue().await;
                    self.to.flush_queue().await;
                }
                let page = self.from.names(after.as_deref(), self.page()).await?;
                self.copied.seen += page.names.len() as u64;
                self.carry(shared(page.names)).await?;
                self.at = match page.next {
                    None => At::Check(None),
                    next => At::Pages(next),
                };
            }
            At::Check(after) => {
                let page = self.to.names(after.as_deref(), self.page()).await?;
                self.check(shared(page.names)).await?;
                self.at = match page.next {
                    None => At::Done,
                    next => At::Check(next),
                };
            }
            At::Done => {}
        }
        Ok(())
    }

    /// How many names to ask for: at a low rate fewer, so that steps are short.
    fn page(&self) -> usize {
        let rate = self.rate.map_or(PAGE, |rate| rate as usize);
        self.batch.min(rate.max(1))
    }

    async fn keep_to_rate(&self, before: Copied, began: Instant) {
        let Some(rate) = self.rate else {
            return;
        };
        let looked = self.copied.seen + self.copied.checked - before.seen - before.checked;
        let due = Duration::from_secs_f64(looked as f64 / f64::from(rate.max(1)));
        let left = due.saturating_sub(self.from.now().since(began));
        if !left.is_zero() {
            self.pause(left).await;
        }
    }

    /// Deletes entries of the target, in all of its tiers.
    async fn strike(&mut self, names: &[Arc<str>]) -> Result<(), Failure> {
        let (_, done) = self.to.delete_names(names).await;
        self.struck.extend_from_slice(names);
        match done {
            Done::Now => Ok(()),
            Done::Pending => Err(Failure::new(
                FailureKind::Transient,
                "a store did not delete what it has no more reason to have",
                "go on once it answers again; until then it is repeated",
            )),
        }
    }

    async fn pause(&self, span: Duration) {
        self.from.options.sleep.sleep(span).await;
    }

    /// Asks for fewer at once where so many bytes came, and for more where they were few.
    fn weighed(&mut self, bytes: usize) {
        if bytes > HEAVY {
            self.batch = (self.batch / 2).max(1);
        } else if bytes < HEAVY / 4 {
            self.batch = (self.batch * 2).min(PAGE);
        }
    }
}

fn shared(names: Vec<String>) -> Vec<Arc<str>> {
    names.into_iter().map(Arc::from).collect()
}
