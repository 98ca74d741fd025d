//! How values become the bytes that stores keep, by serde: the documented format, which Python reads and writes, too.

use std::marker::PhantomData;

use everwarm_codec::format::{from_msgpack, to_msgpack};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::link::Form;

/// That of a type with serde.
pub(crate) fn of_value<V: Serialize + DeserializeOwned>() -> Form<V> {
    Form {
        encode: |value| to_msgpack(value).ok(),
        decode: |bytes| from_msgpack(bytes).ok(),
    }
}

/// That of what a function returns: of a `Result`, under whatever name, the value in its `Ok`; an error is never stored.
#[derive(Debug)]
pub struct Wire<R>(PhantomData<fn() -> R>);

impl<R> Wire<R> {
    /// For this type.
    #[expect(clippy::new_without_default, reason = "only generated code makes one")]
    #[must_use]
    pub const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<T: Serialize + DeserializeOwned, E> Wire<Result<T, E>> {
    /// How it is written.
    #[must_use]
    pub fn form(&self) -> Form<Result<T, E>> {
        Form {
            encode: |value| to_msgpack(value.as_ref().ok()?).ok(),
            decode: |bytes| from_msgpack(bytes).ok().map(Ok),
        }
    }
}

/// What every other type has.
#[diagnostic::on_unimplemented(
    message = "what this function returns cannot lie in a store, for nothing says how `{R}` is written",
    note = "hint: derive `serde::Serialize` and `serde::Deserialize` for it, or leave `cache =` out"
)]
pub trait Written<R> {
    /// How it is written.
    fn form(&self) -> Form<R>;
}

impl<R: Serialize + DeserializeOwned> Written<R> for Wire<R> {
    fn form(&self) -> Form<R> {
        of_value()
    }
}
