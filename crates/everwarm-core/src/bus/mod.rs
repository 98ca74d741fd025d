//! The bus: what a process concludes from the messages of others, and from their absence (DESIGN: validity without clocks).
//!
//! - [`ear`]: numbered messages and heartbeats; whether some were missed, and since when nothing was
//! - [`inbox`]: the messages themselves, until the process looks at them
//! - [`spaces`]: of which namespaces they are
//! - [`mac`], [`replay`]: messages that only who has a key can send, and each only once
//! - [`table`]: the markers that a process knows
//! - [`start`]: whether what was read before anything was heard still held then
//! - [`silence`]: for how long what is known counts when nothing is heard
//!
//! A transport brings messages and heartbeats to an inbox, and hands over what it says; nothing here sends, waits or reads a clock.

pub mod ear;
pub mod inbox;
pub mod mac;
pub mod replay;
pub mod silence;
pub mod spaces;
pub mod start;
pub mod table;

use std::time::Duration;

/// For how long what is known counts after it was confirmed.
pub const CONFIRMED_FOR: Duration = Duration::from_secs(2);
