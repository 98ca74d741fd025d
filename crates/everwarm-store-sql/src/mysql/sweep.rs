//! What has expired is deleted: some rows at a time, so that no statement holds up others for long.

use std::sync::Arc;
use std::time::Duration;

use everwarm_core::store::Failure;

use super::pool::Pool;
use super::script::{Script, Value, octets};
use super::statements::{Statement, Written};

/// Rows that one statement deletes.
const AT_ONCE: i64 = 1_000;
/// For how long messages are kept: who did not look for so long takes everything as changed.
const MESSAGES: Duration = Duration::from_secs(60);

/// Deletes what has expired; how many entries that were.
///
/// # Errors
/// As [`Pool::ask`].
pub(crate) async fn sweep(pool: &Arc<Pool>, written: &Written) -> Result<u64, Failure> {
    let limit = Value::Int(AT_ONCE);
    let since = Value::Int(MESSAGES.as_micros() as i64);
    lift(pool, written).await?;
    let mut swept = 0;
    for (statement, values) in [
        (Statement::Sweep, &[limit][..]),
        (Statement::SweepLeases, &[limit]),
        (Statement::SweepMarkers, &[limit]),
        (Statement::SweepMessages, &[since, limit]),
    ] {
        loop {
            let mut script = Script::new(written);
            let place = script.add(statement, values);
            let gone = pool.ask(script.finish()).await?.affected(place)?;
            if statement == Statement::Sweep {
                swept += gone;
            }
            if gone < AT_ONCE as u64 {
                break;
            }
        }
    }
    Ok(swept)
}

/// Ends suspensions that are over: who finds no marker is given the shard's number, which has to be later than what began under them.
async fn lift(pool: &Arc<Pool>, written: &Written) -> Result<(), Failure> {
    let mut script = Script::new(written);
    let place = script.add(Statement::OverSpaces, &[Value::Int(AT_ONCE)]);
    let spaces = pool.ask(script.finish()).await?.rows(place)?;
    for mut row in spaces {
        let Some(space) = octets(&mut row, 0) else {
            continue;
        };
        let space = Value::Bytes(&space);
        let mut script = Script::new(written);
        script.all(&[Statement::Forget, Statement::Doing, Statement::Start]);
        script.add(Statement::LiftShard, &[space]);
        script.add(Statement::LoadShard, &[space]);
        script.add(Statement::LiftAll, &[space]);
        script.all(&[Statement::Commit]);
        pool.ask(script.finish()).await?;
    }
    Ok(())
}
