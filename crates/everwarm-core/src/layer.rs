//! The contract of layers: what is wrapped around every verb of a store.

use std::sync::Arc;

use crate::store::{Answer, Bytes};

/// Which verb a layer stands around; a layer may treat them differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verb {
    /// Reads: may be done twice.
    Read,
    /// Writes that leave the same when they are done twice.
    Write,
    /// Changes that do not, such as those of counters and leases: never done twice.
    Change,
    /// What goes over all entries, clears and sweeps: it takes as long as that takes.
    All,
    /// Pings and the end.
    Life,
    /// Taking in what others did. What was invalidated has to be heard of whatever becomes of other operations, so nothing but a time
    /// limit keeps it out; and where it is sent by the server it lies here already, and says nothing of how the store does.
    Listen,
}

impl Verb {
    /// All of them, in the order of their declaration.
    pub const ALL: [Self; 6] = [
        Self::Read,
        Self::Write,
        Self::Change,
        Self::All,
        Self::Life,
        Self::Listen,
    ];

    /// The name users see.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Change => "change",
            Self::All => "all",
            Self::Life => "life",
            Self::Listen => "listen",
        }
    }
}

/// What an entry counts beside its bytes where many are asked for at once: they take their time, however small they are.
pub const EACH: usize = 8 << 10;

/// What `count` entries count beside their bytes.
#[must_use]
pub const fn besides(count: usize) -> usize {
    count.saturating_sub(1).saturating_mul(EACH)
}

/// One policy around the attempts of a store.
///
/// - Each call of `attempt` is one attempt; a layer makes one, several or none.
/// - A layer that has nothing to say passes the answer on as it is.
pub trait Layer: Send + Sync {
    /// The answer to one operation, of which `size` bytes are sent or expected. Each entry but the first counts [`EACH`] besides.
    fn around<'a, T: Send + 'a>(
        &'a self,
        verb: Verb,
        size: usize,
        attempt: impl Fn() -> Answer<'a, T> + Send + Sync + 'a,
    ) -> Answer<'a, T>;

    /// The same for a read that looks for entries: the function says whether an answer is that there are none.
    fn look<'a, T: Send + 'a>(
        &'a self,
        _is_miss: fn(&T) -> bool,
        size: usize,
        attempt: impl Fn() -> Answer<'a, T> + Send + Sync + 'a,
    ) -> Answer<'a, T> {
        self.around(Verb::Read, size, attempt)
    }

    /// The bytes of an entry that was found, on their way out. Only a layer that plays a damaged store changes them.
    fn found(&self, bytes: Bytes) -> Bytes {
        bytes
    }
}

#[deny(clippy::missing_trait_methods)]
impl<L: Layer> Layer for Arc<L> {
    fn around<'a, T: Send + 'a>(
        &'a self,
        verb: Verb,
        size: usize,
        attempt: impl Fn() -> Answer<'a, T> + Send + Sync + 'a,
    ) -> Answer<'a, T> {
        (**self).around(verb, size, attempt)
    }

    fn look<'a, T: Send + 'a>(
        &'a self,
        is_miss: fn(&T) -> bool,
        size: usize,
        attempt: impl Fn() -> Answer<'a, T> + Send + Sync + 'a,
    ) -> Answer<'a, T> {
        (**self).look(is_miss, size, attempt)
    }

    fn found(&self, bytes: Bytes) -> Bytes {
        (**self).found(bytes)
    }
}
