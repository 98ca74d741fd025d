//! Rust types by serde, over the same wire.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::MAX_DEPTH;

/// The bytes of a value: what Python writes for the same plain value, a struct being a dict of its fields.
///
/// ```
/// use everwarm_codec::format::{from_msgpack, to_msgpack};
///
/// let prices = vec![("apple".to_owned(), 3), ("pear".to_owned(), 4)];
/// assert_eq!(from_msgpack::<Vec<(String, i32)>>(&to_msgpack(&prices)?)?, prices);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// If the type says that it has none.
pub fn to_msgpack<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, rmp_serde::encode::Error> {
    rmp_serde::to_vec_named(value)
}

/// The value that these bytes are. Extensions, Python's tuples for instance, are none.
///
/// # Errors
/// If they are no value of this type, nested too deep, or more than one value.
pub fn from_msgpack<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, rmp_serde::decode::Error> {
    let mut reader = rmp_serde::Deserializer::new(bytes);
    reader.set_max_depth(MAX_DEPTH);
    let value = T::deserialize(&mut reader)?;
    if reader.get_ref().is_empty() {
        Ok(value)
    } else {
        Err(serde::de::Error::custom("there are bytes behind the value"))
    }
}
