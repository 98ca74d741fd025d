//! Keys: what an entry is known by.
//!
//! A key is bytes: the canonical encoding of a call's arguments, behind the scope they belong to. Every value has
//! exactly one encoding and every encoding belongs to exactly one value, so that equal keys and equal bytes are the
//! same thing, and comparing keys never runs anything but a comparison of bytes. `docs/reference/keys.md` has the
//! grammar, precise enough for another implementation.
//!
//! ```
//! use everwarm_core::key::{Key, Writer};
//!
//! let mut writer = Writer::for_scope(7);
//! writer.int(5);
//! writer.str("sku");
//! let key = Key::from(writer.seal()?);
//! assert_eq!(key.as_bytes(), b"\x07\0\0\0\x11\x05\x43sku");
//! # Ok::<(), everwarm_core::key::Limit>(())
//! ```

mod buffer;
mod decode;
mod name;
mod owned;
mod parts;
mod pieces;
mod short;
pub mod tag;
mod tree;
mod writer;

/// By which a table is searched with a key in another form.
pub use hashbrown::Equivalent;

pub use decode::{Malformed, decode, decode_all};
pub use name::{Digest, Header, Heading, MAX_NAME, function_of, prefix, stored_name};
pub use owned::{Key, KeyRef};
pub use pieces::Pieces;
pub use short::{Part, Short};
pub use tree::{Class, Value};
pub use writer::{Limit, Writer};

/// Texts and byte strings above this many bytes enter a key as their digest.
pub const MAX_INLINE_CONTENT: usize = 1024;
/// A canonical encoding above this many bytes is replaced by its digest.
pub const MAX_KEY: usize = 8 * 1024;
/// An encoding that would take more than this many bytes, digests counted as such, is refused.
pub const MAX_ENCODING: usize = 16 * 1024 * 1024;
/// The deepest nesting of containers.
pub const MAX_DEPTH: usize = 128;
