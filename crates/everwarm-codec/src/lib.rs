//! Everwarm's codec: bytes in, bytes out.
//!
//! A [`Pipeline`](pipeline::Pipeline) makes one envelope of a value's bytes and what is known of them, and back: it
//! [compresses](compress), writes the [body], and seals it in a [suite], from a checksum to AES-256-GCM with
//! keys of a [`Keyring`](keyring::Keyring). The bytes are specified in `docs/reference/envelope.md`, for ever.
//!
//! Nothing that is stored is trusted: what is opened is a value of this key, or a class of
//! [`Refusal`](everwarm_core::codec::Refusal).
#![forbid(unsafe_code)]

pub mod body;
pub mod compress;
pub mod draft;
pub mod format;
pub mod keyring;
pub mod master;
pub mod messages;
pub mod names;
pub mod pipeline;
pub mod suite;

mod bind;
mod carry;
mod checksum;
mod encrypt;
mod envelope;
mod kdf;
mod mac;
