//! The contract of layers: what is wrapped around every verb of a store.

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
    /// Pings and the end.
    Life,
}

/// One policy around the attempts of a store.
///
/// - Each call of `attempt` is one attempt; a layer makes one, several or none.
/// - A layer that has nothing to say passes the answer on as it is.
pub trait Layer: Send + Sync {
    /// The answer to one operation, of which `size` bytes are sent or expected.
    fn around<'a, T: Send + 'a>(
        &'a self,
        verb: Verb,
        size: usize,
        attempt: impl Fn() -> Answer<'a, T> + Send + Sync + 'a,
    ) -> Answer<'a, T>;

    /// The bytes of an entry that was found, on their way out. Only a layer that plays a damaged store changes them.
    fn found(&self, bytes: Bytes) -> Bytes {
        bytes
    }
}
