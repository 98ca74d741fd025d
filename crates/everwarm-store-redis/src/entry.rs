//! What lies under the key of an entry: a letter, the number of the write, when it ends by the server's clock, and the bytes.

use std::time::Duration;

use bytes::Buf;
use everwarm_core::store::{Bytes, Failure, Found};

use crate::error::{answered, unexpected};
use crate::value::Value;

/// What an entry begins with.
const LETTER: u8 = b'E';
/// Bytes before those of the value.
pub(crate) const HEADER: usize = BEGINNING + 8;
/// Bytes before the end, which only the server can say.
const BEGINNING: usize = 9;

/// The longest that anything is kept.
pub(crate) const LONGEST: Duration = Duration::from_secs(30 * 86_400);

/// The header of a write with this number, but for its end.
pub(crate) fn header(version: u64) -> Bytes {
    let mut header = [LETTER; BEGINNING];
    header[1..].copy_from_slice(&version.to_be_bytes());
    Bytes::copy_from_slice(&header)
}

/// All of an entry that lies aside until a script says when it ends.
pub(crate) fn aside(version: u64, bytes: &[u8]) -> Vec<u8> {
    [&header(version)[..], &[0; HEADER - BEGINNING], bytes].concat()
}

/// A ttl in milliseconds, as the server takes it: no entry is without one.
pub(crate) fn millis(ttl: Option<Duration>) -> i64 {
    let ttl = ttl.map_or(LONGEST, |ttl| ttl.min(LONGEST));
    (ttl.as_millis() as i64).max(1)
}

/// What the server's clock shows, in microseconds: its answer to TIME.
///
/// # Errors
/// `Corruption` for what no server answers.
pub(crate) fn micros(answer: &Value) -> Result<u64, Failure> {
    let Value::Array(parts) = answer else {
        return Err(unexpected("a look at the time"));
    };
    let [seconds, micros] = parts.as_slice() else {
        return Err(unexpected("a look at the time"));
    };
    let number = |part: &Value| part.text()?.parse::<u64>().ok();
    let micros = number(seconds).and_then(|seconds| {
        let micros = number(micros)?;
        seconds.checked_mul(1_000_000)?.checked_add(micros)
    });
    micros.ok_or_else(|| unexpected("a look at the time"))
}

/// The entry that lies in what was there at a moment of the server's.
///
/// # Errors
/// `Corruption` for what no store wrote.
pub(crate) fn found_at(bytes: Value, moment: u64) -> Result<Option<Found>, Failure> {
    match bytes {
        Value::Nil => Ok(None),
        Value::BulkString(bytes) => written(bytes, moment).map(Some),
        Value::ServerError(error) => Err(answered(&error)),
        _ => Err(unexpected("a read")),
    }
}

fn written(mut bytes: Bytes, moment: u64) -> Result<Found, Failure> {
    let Some(([LETTER, numbers @ ..], _)) = bytes.split_first_chunk::<HEADER>() else {
        return Err(unexpected("a read"));
    };
    let both = u128::from_be_bytes(*numbers);
    let (version, end) = ((both >> u64::BITS) as u64, both as u64);
    bytes.advance(HEADER);
    Ok(Found {
        version,
        // One that has ended by now has nothing left.
        remaining: Some(Duration::from_millis(end.saturating_sub(moment))),
        bytes,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_counted_by_the_servers_clock() {
        let time = Value::Array(vec![Value::bulk("1700000000"), Value::bulk("250999")]);
        assert_eq!(micros(&time), Ok(1_700_000_000_250_999));
        let end = 1_700_000_003_250_u64.to_be_bytes();
        let entry = || Value::bulk([&header(7)[..], &end, b"value"].concat());
        let there = |moment| found_at(entry(), moment).expect("it was written");
        let first = there(1_700_000_000_250).expect("it is there");
        assert_eq!((first.version, &first.bytes[..]), (7, &b"value"[..]));
        assert_eq!(first.remaining, Some(Duration::from_secs(3)));
        let late = there(1_700_000_003_251).expect("it is there");
        assert_eq!(late.remaining, Some(Duration::ZERO));
        assert_eq!(found_at(Value::Nil, 0), Ok(None));
    }

    #[test]
    fn what_no_store_wrote_is_said_to_be_that() {
        for entry in ["", "e", "another's", "x1234567812345678 too"] {
            assert!(found_at(Value::bulk(entry), 0).is_err(), "{entry}");
        }
        for time in [
            Value::Nil,
            Value::Array(vec![Value::bulk("1")]),
            Value::Array(vec![Value::bulk("1"), Value::Int(1)]),
        ] {
            assert!(micros(&time).is_err(), "{time:?}");
        }
    }
}
