//! What the stores behind a connection have in common.
//!
//! [`url`] takes a URL apart, and [`options`] reads what stands behind its question mark; [`tls`] is whom a store trusts, and as whom
//! it shows itself; [`waiters`] are those who wait for the end of somebody's lease; [`chance`] is what must not come twice; [`patience`] is
//! whether a thread looks for its answer before it sleeps.
#![forbid(unsafe_code)]

pub mod chance;
pub mod options;
pub mod patience;
pub mod tls;
pub mod url;
pub mod waiters;
