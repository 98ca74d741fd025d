//! What has expired is deleted: some rows at a time, so that no statement holds up others for long.

use std::sync::Arc;
use std::time::Duration;

use everwarm_core::store::Failure;
use tokio::time::sleep;

use super::entry::{count, number, values};
use super::error::unexpected;
use super::pool::Pool;
use super::statements::Statement;
use everwarm_network::chance;

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

/// Does that time and again, until it is aborted. Of many processes each has a moment of its own.
pub(crate) async fn sweep_on(pool: Arc<Pool>, every: Duration) {
    let part = chance::bigint() as f64 / i64::MAX as f64;
    sleep(every.mul_f64(part)).await;
    loop {
        // What fails now is tried again the next time; those who ask are told of it by what they ask.
        let _ = sweep(&pool).await;
        sleep(every).await;
    }
}
