//! Changes of one object that depend on what is there: it is read, looked at, and written under the condition that nobody came between.

use std::time::Duration;

use bytes::Bytes;
use everwarm_core::store::Failure;
use everwarm_network::chance;
use object_store::PutMode;

use crate::client::{Client, Part, Seen, Undone};
use crate::error::{careless, contended, damaged};
use crate::head::{Head, LENGTH};

/// How often a change is tried: who changes an object without a pause wins for as long as that lasts.
pub(crate) const TRIES: u32 = 64;
/// The longest wait between two tries is a chance of this.
const LONGEST: Duration = Duration::from_millis(400);

/// What becomes of an entry.
pub(crate) enum Step<T> {
    /// Nothing.
    Leave(T),
    /// It is written, with these bytes.
    Put(Head, Bytes, T),
    /// It is taken away.
    Delete(T),
}

/// An entry as it was read.
pub(crate) struct Entry {
    /// What holds of it now.
    pub(crate) head: Head,
    /// Its bytes, if all of it was read.
    pub(crate) bytes: Bytes,
    /// What time it is.
    pub(crate) now: u64,
}

impl Client {
    /// What was read, as an entry.
    pub(crate) fn entry(&self, seen: Option<&Seen>) -> Result<Entry, Failure> {
        let now = self.clock.now();
        let Some(seen) = seen else {
            return Ok(Entry {
                head: Head::default(),
                bytes: Bytes::new(),
                now,
            });
        };
        let head = Head::read(&seen.bytes).ok_or_else(|| damaged(&self.config))?;
        Ok(Entry {
            head: head.at(now),
            bytes: seen.bytes.slice(LENGTH..),
            now,
        })
    }

    /// Fails where nothing can be changed in one step.
    pub(crate) async fn compares(&self) -> Result<(), Failure> {
        match self.honours().await?.writes {
            true => Ok(()),
            false => Err(careless(&self.config)),
        }
    }

    /// Changes an entry in one step.
    pub(crate) async fn change<T>(
        &self,
        name: &str,
        part: Part,
        mut step: impl FnMut(Entry) -> Result<Step<T>, Failure>,
    ) -> Result<T, Failure> {
        self.compares().await?;
        let key = self.keys.entry(name);
        for tries in 0..TRIES {
            pause(tries).await?;
            let seen = self.read(&key, part).await?;
            let done = match step(self.entry(seen.as_ref())?)? {
                Step::Leave(value) => return Ok(value),
                Step::Put(head, bytes, value) => {
                    let head = head.written(chance::number());
                    self.write(&key, head, bytes, mode(seen.as_ref()))
                        .await
                        .map(|()| value)
                }
                Step::Delete(value) => self.emptied(&key, seen.as_ref()).await.map(|()| value),
            };
            match done {
                Err(Undone::Unmet | Undone::Missing) => {}
                Err(Undone::Failed(failure)) => return Err(failure),
                Ok(value) => return Ok(value),
            }
        }
        Err(contended(&self.config, TRIES))
    }

    /// Takes away what was seen. Where deletes have no conditions, something that says there is nothing takes its place.
    async fn emptied(&self, key: &str, seen: Option<&Seen>) -> Result<(), Undone> {
        let Some(version) = seen.map(|seen| &seen.version) else {
            return Ok(());
        };
        if self.honoured().is_some_and(|honours| honours.deletes) {
            return self.delete(key, Some(version)).await;
        }
        let nothing = Head::default().written(chance::number());
        self.write(key, nothing, Bytes::new(), mode(seen)).await
    }
}

/// How what was seen is replaced.
pub(crate) fn mode(seen: Option<&Seen>) -> PutMode {
    seen.map_or(PutMode::Create, |seen| {
        PutMode::Update(seen.version.clone())
    })
}

/// Gives way to others before another try, longer each time.
pub(crate) async fn pause(tries: u32) -> Result<(), Failure> {
    if tries == 0 {
        return Ok(());
    }
    let most = Duration::from_millis(4 << tries.min(10)).min(LONGEST);
    everwarm_runtime::pause(chance::part_of(most)).await
}
