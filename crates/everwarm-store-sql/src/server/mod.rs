//! What databases behind a connection have in common.
//!
//! [`config`] reads their URLs. A store has one [`link`] for each process that inherits it; what other processes did is [`told`] by messages, which
//! [`teller`] writes and [`hearing`] keeps until they are looked at.

pub(crate) mod address;
pub(crate) mod again;
pub(crate) mod config;
pub(crate) mod failure;
pub(crate) mod hearing;
pub(crate) mod link;
pub(crate) mod met;
mod options;
pub(crate) mod teller;
pub(crate) mod told;
