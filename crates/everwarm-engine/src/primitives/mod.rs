//! What else processes share through a store than values: leases that users hold, and limiters.
//!
//! They need a store and nothing else of a cache: its last tier, or memory. Their names begin with a mark that no entry's name has,
//! so that no `clear` meets them. Time is the store's own, as in everything that processes share.

mod holdings;
mod lease;
mod limiter;

pub use holdings::Holdings;
pub use lease::{Held, Permits};
pub use limiter::Limiter;

use std::sync::Arc;

use everwarm_core::error::{Error, ErrorKind};
use everwarm_core::store::Store;

/// What the names of primitives begin with: no part of an entry's name has it unescaped.
pub const MARK: char = '!';

/// Refuses a store that does not offer what a primitive needs.
fn need(is_there: bool, store: &Arc<dyn Store>, primitive: &str, what: &str) -> Result<(), Error> {
    if is_there {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Unsupported,
        format!(
            "{primitive} needs {what}, which the store {:?} does not offer",
            store.info().kind
        ),
        "use another store as the last tier, or a cache in memory, within one process",
    ))
}
