//! An entry and its lease, as the one document that they are.
//!
//! | field | is |
//! |---|---|
//! | `_id` | the name |
//! | `b` or `c` | the bytes; or the number whose decimal text they are |
//! | `v` | the number of the write; a document without one is no entry |
//! | `u` | when the entry ends, by the server's clock; none: never |
//! | `lt`, `lu` | the token of the lease, and when it ends |
//! | `x` | when nothing in it is needed any more: what the index goes by |

use std::time::Duration;

use everwarm_core::store::{Bytes, Failure, FailureKind, Found};
use mongodb::bson::raw::RawBsonRef;
use mongodb::bson::spec::BinarySubtype;
use mongodb::bson::{Binary, Bson, Document, RawDocument, doc};

use crate::error::unexpected;
use crate::server::octets;

/// Bytes of a name.
pub(crate) const LONGEST_NAME: usize = 1024;
/// Bytes of a value: a document has 16 MiB, and a command that carries it little more.
pub(crate) const LARGEST: u64 = (16 << 20) - (16 << 10);
/// The longest span that dates can say, with room to spare: 100,000 years.
const LONGEST: Duration = Duration::from_secs(100_000 * 365 * 86_400);

/// A name that can be.
///
/// # Errors
/// `Capacity` for one that is too long.
pub(crate) fn named(name: &str) -> Result<String, Failure> {
    if name.len() <= LONGEST_NAME {
        return Ok(name.to_owned());
    }
    Err(Failure::new(
        FailureKind::Capacity,
        format!("a name of {} bytes is too long for the store", name.len()),
        format!("use names of {LONGEST_NAME} bytes at most"),
    ))
}

/// The same, for all of them.
///
/// # Errors
/// As [`named`].
pub(crate) fn all_named(names: &[&str]) -> Result<Vec<String>, Failure> {
    names.iter().map(|name| named(name)).collect()
}

/// The fields that hold a value.
///
/// # Errors
/// `Capacity` for one that is too large.
pub(crate) fn written(bytes: &Bytes) -> Result<Document, Failure> {
    if bytes.len() as u64 > LARGEST {
        return Err(Failure::new(
            FailureKind::Capacity,
            format!(
                "a value of {} bytes is too large for a document",
                bytes.len()
            ),
            "store less under one name, or compress",
        ));
    }
    Ok(match number(bytes) {
        Some(number) => doc! { "c": number },
        None => doc! { "b": binary(bytes) },
    })
}

/// The number whose text these bytes are, as it is written.
fn number(bytes: &[u8]) -> Option<i64> {
    if bytes.len() > 20 {
        return None;
    }
    let number: i64 = std::str::from_utf8(bytes).ok()?.parse().ok()?;
    (number.to_string().as_bytes() == bytes).then_some(number)
}

/// Bytes, as the server is given them.
pub(crate) fn binary(bytes: &[u8]) -> Bson {
    Bson::Binary(Binary {
        subtype: BinarySubtype::Generic,
        bytes: bytes.to_vec(),
    })
}

/// A span in milliseconds; what is shorter than one is none at all.
pub(crate) fn millis(span: Duration) -> i64 {
    i64::try_from(span.min(LONGEST).as_millis()).unwrap_or(i64::MAX)
}

/// What is read of an entry: `l` is what is left of its ttl.
pub(crate) fn fields() -> Document {
    doc! { "b": 1, "c": 1, "v": 1, "l": left_of("$u") }
}

/// What is read of an entry to know whether it is there.
pub(crate) fn life() -> Document {
    doc! { "v": 1, "l": left_of("$u") }
}

/// What is left until a date, in milliseconds; null where there is none.
pub(crate) fn left_of(date: &str) -> Document {
    doc! { "$subtract": [date, "$$NOW"] }
}

/// What a document says of an entry: None where there is none, or it has expired.
///
/// # Errors
/// `Corruption`.
pub(crate) fn found(row: &RawDocument) -> Result<Option<Found>, Failure> {
    let strange = || unexpected("a read");
    let field = |name| row.get(name).map_err(|_| strange());
    let Some(RawBsonRef::Int64(version)) = field("v")? else {
        return Ok(None);
    };
    let remaining = match field("l")? {
        Some(RawBsonRef::Int64(left)) => match u64::try_from(left) {
            Ok(left @ 1..) => Some(Duration::from_millis(left)),
            _ => return Ok(None),
        },
        None | Some(RawBsonRef::Null) => None,
        _ => return Err(strange()),
    };
    let bytes = match (field("b")?, field("c")?) {
        (Some(RawBsonRef::Binary(binary)), _) => octets(binary.bytes),
        (_, Some(RawBsonRef::Int64(number))) => Bytes::from(number.to_string()),
        _ => return Err(strange()),
    };
    Ok(Some(Found {
        bytes,
        remaining,
        version: version as u64,
    }))
}

/// Whether what a step took away was an entry that had not expired.
pub(crate) fn was_live(row: &Document) -> bool {
    let is_over = matches!(row.get("l"), Some(Bson::Int64(left)) if *left <= 0);
    matches!(row.get("v"), Some(Bson::Int64(_))) && !is_over
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_the_text_of_a_number_is_one() {
        for text in [
            "0",
            "7",
            "-3",
            "9223372036854775807",
            "-9223372036854775808",
        ] {
            assert_eq!(
                number(text.as_bytes())
                    .map(|number| number.to_string())
                    .as_deref(),
                Some(text)
            );
        }
        for text in [
            "",
            "-",
            "+7",
            "07",
            "-0",
            " 7",
            "1.5",
            "9223372036854775808",
            "٣",
        ] {
            assert_eq!(number(text.as_bytes()), None, "{text:?}");
        }
    }

    #[test]
    fn spans_end_somewhere() {
        assert_eq!(millis(Duration::from_micros(999)), 0);
        assert_eq!(millis(Duration::MAX), millis(LONGEST));
    }
}
