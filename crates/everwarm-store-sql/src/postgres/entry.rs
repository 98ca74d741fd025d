//! Names, values and spans, as the database is given them and gives them back.

use std::error::Error;
use std::time::Duration;

use everwarm_core::mark::{Mark, Reading, Tag};
use everwarm_core::store::{Bytes, Failure, FailureKind, Found};
use tokio_postgres::Row;
use tokio_postgres::types::private::BytesMut;
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};

use crate::server::failure::unexpected;

/// Bytes of a name: what an index of the database takes, with room to spare.
pub(crate) const LONGEST_NAME: usize = 1024;
/// Bytes of a value: a row has to go through the server's memory more than once.
pub(crate) const LARGEST: u64 = 256 << 20;
/// The longest span that timestamps can say, with room to spare: 200,000 years.
const LONGEST: Duration = Duration::from_secs(200_000 * 365 * 86_400);

/// From here on numbers of microseconds are rounded.
const EXACT: f64 = (1_u64 << 53) as f64;

/// The values of a statement's parameters.
macro_rules! values {
    ($($value:expr),* $(,)?) => {
        vec![$(Box::new($value) as Box<dyn tokio_postgres::types::ToSql + Sync + Send>),*]
    };
}
pub(crate) use values;

/// Bytes as a `bytea`, shared until they are written.
#[derive(Debug)]
pub(crate) struct Octets(pub(crate) Bytes);

impl ToSql for Octets {
    fn to_sql(
        &self,
        kind: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        let bytes: &[u8] = &self.0;
        bytes.to_sql(kind, out)
    }

    fn accepts(kind: &Type) -> bool {
        <&[u8] as ToSql>::accepts(kind)
    }

    to_sql_checked!();
}

/// A name, as it is stored.
///
/// # Errors
/// `Capacity` for one that is too long.
pub(crate) fn named(name: &str) -> Result<Octets, Failure> {
    if name.len() <= LONGEST_NAME {
        return Ok(Octets(Bytes::copy_from_slice(name.as_bytes())));
    }
    Err(Failure::new(
        FailureKind::Capacity,
        format!("a name of {} bytes is too long for the store", name.len()),
        format!("use names of {LONGEST_NAME} bytes at most"),
    ))
}

/// A value, as it is stored.
///
/// # Errors
/// `Capacity` for one that is too large.
pub(crate) fn written(bytes: Bytes) -> Result<Octets, Failure> {
    if bytes.len() as u64 <= LARGEST {
        return Ok(Octets(bytes));
    }
    Err(Failure::new(
        FailureKind::Capacity,
        format!("a value of {} bytes is too large for a table", bytes.len()),
        "store less under one name",
    ))
}

/// A span in microseconds; what is shorter than one is none at all.
pub(crate) fn micros(span: Option<Duration>) -> Option<f64> {
    span.map(|span| {
        let span = span.min(LONGEST).as_micros() as f64;
        // Beyond that not every microsecond is a number; none is to be kept for longer than was said.
        if span < EXACT { span } else { span.next_down() }
    })
}

/// What is in a row from this column on: bytes, version, and microseconds that are left.
pub(crate) fn found(row: &Row, from: usize) -> Result<Found, Failure> {
    let read = || {
        let bytes: &[u8] = row.try_get(from).ok()?;
        let version: i64 = row.try_get(from + 1).ok()?;
        let left: Option<i64> = row.try_get(from + 2).ok()?;
        Some(Found {
            bytes: Bytes::copy_from_slice(bytes),
            remaining: left.map(|left| Duration::from_micros(u64::try_from(left).unwrap_or(0))),
            version: version as u64,
        })
    };
    read().ok_or_else(|| unexpected("a read"))
}

/// The number in the first column of the first row.
pub(crate) fn number(rows: &[Row]) -> Result<i64, Failure> {
    let number = rows.first().and_then(|row| row.try_get(0).ok());
    number.ok_or_else(|| unexpected("a count"))
}

/// The count in the first column of the first row.
pub(crate) fn count(rows: &[Row]) -> Result<u64, Failure> {
    u64::try_from(number(rows)?).map_err(|_| unexpected("a count"))
}

/// The tags as the database knows them.
pub(crate) fn digests(tags: &[Tag]) -> Vec<Vec<u8>> {
    tags.iter().map(|tag| tag.0.to_vec()).collect()
}

/// The reading in a row.
pub(crate) fn reading(row: &Row, tags: usize) -> Result<Reading, Failure> {
    let mark = |epoch: Option<i64>, number: Option<i64>| {
        Some(Mark {
            shard: 0,
            epoch: epoch? as u64,
            number: number? as u64,
        })
    };
    let read = || {
        let at = mark(row.try_get(0).ok()?, row.try_get(1).ok()?);
        let epochs: Option<Vec<Option<i64>>> = row.try_get(2).ok()?;
        let numbers: Option<Vec<Option<i64>>> = row.try_get(3).ok()?;
        let pairs = epochs
            .into_iter()
            .flatten()
            .zip(numbers.into_iter().flatten());
        let markers: Vec<_> = pairs.map(|(epoch, number)| mark(epoch, number)).collect();
        (markers.len() == tags).then_some(Reading {
            shards: at.into_iter().collect(),
            markers,
        })
    };
    read().ok_or_else(|| unexpected("a reading"))
}
