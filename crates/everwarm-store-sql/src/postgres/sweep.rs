//! What has expired is deleted: some rows at a time, so that no statement holds up others for long.

use std::sync::Arc;

use everwarm_core::store::Failure;

use super::entry::{count, number, values};
use super::pool::Pool;
use super::statements::Statement;
use crate::server::failure::unexpected;

/// Entries that one statement deletes.
const AT_ONCE: i64 = 10_000;

/// Deletes what has expired; how many entries that were.
///
/// # Errors
/// As [`Pool::ask`].
pub(crate) async fn sweep(pool: &Arc<Pool>) -> Result<u64, Failure> {
    let mut swept = 0;
    loop {
        let rows = pool.ask(Statement::Sweep, values![AT_ONCE]).await?;
        swept += count(&rows)?;
        let gone: Option<i64> = rows.first().and_then(|row| row.try_get(1).ok());
        if gone.ok_or_else(|| unexpected("a sweep"))? < AT_ONCE {
            break;
        }
    }
    number(&pool.ask(Statement::SweepMarkers, Vec::new()).await?)?;
    Ok(swept)
}
