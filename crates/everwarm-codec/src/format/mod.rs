//! Formats: how a value becomes bytes, and which one made them.
//!
//! The default is typed MessagePack (`docs/reference/values.md`): plain MessagePack for what it knows, [`Extension`]s for all
//! else. [`Writer`] and [`Reader`] know its bytes and nothing of a language; [`Value`] is a value of any type as a tree;
//! [`to_msgpack`] and [`from_msgpack`] are for Rust types by serde.

mod extension;
mod reader;
mod typed;
mod value;
mod writer;

pub use extension::{Content, Extension};
pub use reader::{MAX_LEVELS, Malformed, Reader, Token};
pub use typed::{from_msgpack, to_msgpack};
pub use value::Value;
pub use writer::{Beyond, Opened, Writer};

/// Values that are nested deeper than this are refused by who writes them.
pub const MAX_DEPTH: usize = 128;

/// Which serializer made a value's bytes. An envelope carries its number; a reader takes the one it is told to take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// Typed MessagePack, the default.
    MessagePack,
    /// Plain JSON.
    Json,
    /// An Arrow IPC stream.
    Arrow,
    /// Python's pickle.
    Pickle,
    /// The user's own, by a number made from its name.
    Custom(u8),
}

/// Numbers from here on are those of custom formats.
const CUSTOM: u8 = 128;

impl Format {
    /// The user's own format of this name: its number tells most names apart.
    ///
    /// ```
    /// use everwarm_codec::format::Format;
    ///
    /// assert_eq!(Format::custom("toml"), Format::custom("toml"));
    /// assert!(Format::custom("toml").number() >= 128);
    /// ```
    #[must_use]
    pub fn custom(name: &str) -> Self {
        Self::Custom(CUSTOM | twox_hash::XxHash3_64::oneshot(name.as_bytes()) as u8)
    }

    /// The number in envelopes.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::MessagePack => 1,
            Self::Json => 2,
            Self::Arrow => 3,
            Self::Pickle => 4,
            Self::Custom(number) => number | CUSTOM,
        }
    }

    /// The format of a name, but for custom ones.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        [Self::MessagePack, Self::Json, Self::Arrow, Self::Pickle]
            .into_iter()
            .find(|format| format.name() == name)
    }

    /// The name users write.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::MessagePack => "msgpack",
            Self::Json => "json",
            Self::Arrow => "arrow",
            Self::Pickle => "pickle",
            Self::Custom(_) => "custom",
        }
    }

    /// Whether whoever can write such bytes can run code where they are read, so that an envelope must prove who did.
    #[must_use]
    pub const fn needs_authentication(self) -> bool {
        matches!(self, Self::Pickle)
    }
}
