//! The task that hears of others, for as long as the store is open: it looks for messages time and again.
//!
//! Their numbers become visible in their order and without gaps, since who draws one holds the counter until its step is done. So what
//! follows the last number that was read is everything that was told since.

use std::sync::Arc;
use std::time::{Duration, Instant};

use everwarm_core::store::Failure;
use mysql_async::Row;
use tokio::time::{sleep, timeout};

use super::dial::Dialer;
use super::pool::Pool;
use super::script::{Script, Value, cell, octets};
use super::statements::Statement;
use crate::server::failure::unexpected;
use crate::server::hearing::Hearing;

/// How often it looks where nothing was told, and where something was a moment ago.
const PAUSE: Duration = Duration::from_millis(200);
const QUICK: Duration = Duration::from_millis(20);
/// How long one look may take.
const PATIENCE: Duration = Duration::from_secs(2);
/// Messages that one look takes.
const AT_ONCE: i64 = 1_000;

/// Up to where everything was heard.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Place {
    epoch: i64,
    number: i64,
    failovers: u64,
}

/// What one look found.
struct Heard {
    /// The counter; `None` before the first message of all.
    at: Option<(i64, i64)>,
    messages: Vec<(i64, Vec<u8>)>,
}

/// Listens until it is aborted.
pub(crate) async fn listen(hearing: Arc<Hearing>, dialer: Arc<Dialer>, pool: Arc<Pool>) {
    let mut place: Option<Place> = None;
    loop {
        let asked = Instant::now();
        let after = place.map_or(i64::MAX, |place| place.number);
        let mut pause = PAUSE;
        if let Ok(Ok(heard)) = timeout(PATIENCE, look(&dialer, &pool, after)).await {
            let count = heard.messages.len();
            place = Some(take_in(
                &hearing,
                place,
                heard,
                asked,
                dialer.met.failovers(),
            ));
            if count > 0 {
                pause = if count as i64 == AT_ONCE {
                    Duration::ZERO
                } else {
                    QUICK
                };
            }
        }
        sleep(pause).await;
    }
}

async fn look(dialer: &Dialer, pool: &Arc<Pool>, after: i64) -> Result<Heard, Failure> {
    let mut script = Script::new(&dialer.written);
    let heard = script.add(Statement::Hear, &[Value::Int(after), Value::Int(AT_ONCE)]);
    let mut said = pool.ask(script.finish()).await?;
    let rows = said.rows(heard)?;
    let at = rows
        .first()
        .and_then(|row| Some((cell(row, 0)?, cell(row, 1)?)));
    let message = |mut row: Row| {
        let number: Option<i64> = cell(&row, 2)?;
        Some(match number {
            Some(number) => Some((number, octets(&mut row, 3)?)),
            None => None,
        })
    };
    let messages: Option<Vec<_>> = rows.into_iter().map(message).collect();
    let messages = messages.ok_or_else(|| unexpected("a look for messages"))?;
    Ok(Heard {
        at,
        messages: messages.into_iter().flatten().collect(),
    })
}

/// Takes in what was found, and says where to go on.
fn take_in(
    hearing: &Hearing,
    place: Option<Place>,
    heard: Heard,
    asked: Instant,
    failovers: u64,
) -> Place {
    // Before the first message of all the counter counts as one of no epoch.
    let (epoch, number) = heard.at.unwrap_or_default();
    let now = Place {
        epoch,
        number,
        failovers,
    };
    let known = place.filter(|place| {
        let is_same = (place.epoch == epoch || place.epoch == 0) && place.failovers == failovers;
        let first = heard
            .messages
            .first()
            .map_or(number + 1, |(number, _)| *number);
        // What was told between was deleted meanwhile, or never was.
        is_same && place.number <= number && first == place.number + 1
    });
    if known.is_none() {
        hearing.begins(asked);
        return now;
    }
    let last = heard.messages.last().map_or(number, |(number, _)| *number);
    for (_, told) in &heard.messages {
        for line in String::from_utf8_lossy(told).lines() {
            hearing.take_in(line);
        }
    }
    if last == number {
        hearing.beat(asked);
    }
    Place {
        number: last,
        ..now
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::told::of_key;

    #[test]
    fn who_misses_numbers_is_told_of_a_gap() {
        let hearing = Hearing::new("c".to_owned(), Default::default());
        let other = Hearing::new("c".to_owned(), Default::default());
        let told = |name: &str| other.teller.says(&of_key(name)).into_bytes();
        let heard = |number, messages: &[i64]| Heard {
            at: Some((9, number)),
            messages: messages.iter().map(|&at| (at, told("shop:a"))).collect(),
        };
        let mut place = None;
        let mut after = 0;
        // What the counter says, what is there, and whether that is a gap, and how many messages.
        for (number, messages, is_gap, count) in [
            (5, &[][..], true, 0),
            (5, &[], false, 0),
            (7, &[6, 7], false, 2),
            (9, &[9], true, 0),
            (9, &[], false, 0),
            (10, &[], true, 0),
            (3, &[], true, 0),
            (4, &[4], false, 1),
        ] {
            place = Some(take_in(
                &hearing,
                place,
                heard(number, messages),
                Instant::now(),
                0,
            ));
            let taken = hearing.messages(after);
            assert_eq!(
                (taken.gap, taken.messages.len()),
                (is_gap, count),
                "{number}"
            );
            after = taken.up_to;
        }
        let elsewhere = Heard {
            at: Some((8, 5)),
            messages: vec![(5, told("shop:a"))],
        };
        place = Some(take_in(&hearing, place, elsewhere, Instant::now(), 0));
        assert!(hearing.messages(after).gap);
        after = hearing.change();
        take_in(&hearing, place, heard(5, &[]), Instant::now(), 1);
        assert!(hearing.messages(after).gap);
    }
}
