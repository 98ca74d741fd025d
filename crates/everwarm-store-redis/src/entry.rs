//! What lies under the key of an entry: a letter, the number of the write, and the bytes.

use std::time::Duration;

use everwarm_core::store::{Bytes, Failure, Found};
use redis::Value;

use crate::error::{answered, unexpected};

/// What an entry begins with.
const LETTER: u8 = b'e';
/// Bytes before those of the value.
pub(crate) const HEADER: usize = 9;

/// The longest that anything is kept.
pub(crate) const LONGEST: Duration = Duration::from_secs(30 * 86_400);

/// The header of a write with this number.
pub(crate) fn header(version: u64) -> Bytes {
    let mut header = [LETTER; HEADER];
    header[1..].copy_from_slice(&version.to_be_bytes());
    Bytes::copy_from_slice(&header)
}

/// A ttl in milliseconds, as the server takes it: no entry is without one.
pub(crate) fn millis(ttl: Option<Duration>) -> i64 {
    let ttl = ttl.map_or(LONGEST, |ttl| ttl.min(LONGEST));
    (ttl.as_millis() as i64).max(1)
}

/// The entry that a server's answer to GET and PTTL tells of.
///
/// # Errors
/// `Corruption` for what no store wrote.
pub(crate) fn found(answer: Value) -> Result<Option<Found>, Failure> {
    let Value::Array(parts) = answer else {
        return Err(unexpected("a read"));
    };
    match <[Value; 2]>::try_from(parts) {
        Ok([Value::Nil, _]) => Ok(None),
        Ok([Value::BulkString(bytes), Value::Int(left)]) => written(bytes, left).map(Some),
        Ok([Value::ServerError(error), _]) => Err(answered(&error)),
        _ => Err(unexpected("a read")),
    }
}

fn written(bytes: Vec<u8>, left: i64) -> Result<Found, Failure> {
    let header = bytes.first_chunk::<HEADER>();
    let Some([LETTER, version @ ..]) = header else {
        return Err(unexpected("a read"));
    };
    Ok(Found {
        version: u64::from_be_bytes(*version),
        // One that ended within the step has nothing left.
        remaining: (left != -1).then(|| Duration::from_millis(left.max(0) as u64)),
        bytes: Bytes::from(bytes).slice(HEADER..),
    })
}
