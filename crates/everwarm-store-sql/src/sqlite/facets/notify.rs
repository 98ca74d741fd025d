//! What others changed: rows with numbers, of which the latest thousands are kept.

use everwarm_core::store::{Answer, Messages, Notify};

use crate::sqlite::Sqlite;
use crate::sqlite::error::Step;
use crate::sqlite::reading::View;
use crate::sqlite::told::message;

impl Notify for Sqlite {
    fn change(&self) -> u64 {
        // A look that fails gives a number that is no message's: whoever asks then is told of the failure.
        self.read(last).map_or(0, |last| last as u64)
    }

    fn messages(&self, after: u64) -> Answer<'_, Messages> {
        let messages = self.connections().and_then(|connections| {
            self.read_at_once(|view| {
                let (after, last) = (after as i64, last(view)?);
                let up_to = last as u64;
                let mut told = Messages {
                    up_to,
                    ..Messages::default()
                };
                if after == last || (after < last && connections.own.are_all(after, last)) {
                    return Ok(told);
                }
                let first = view.row("SELECT min(id) FROM %told%", [], |row| row.get(0))?;
                told.gap = after > last || first.flatten().is_none_or(|first: i64| after + 1 < first);
                let text = "SELECT kind, name, tag, epoch, number FROM %told% WHERE id > ?1 AND origin <> ?2 ORDER BY id";
                let mut statement = view.prepared(text)?;
                let rows = statement.query_map((after, connections.origin), message)?;
                for message in rows {
                    told.messages.extend(message?);
                }
                Ok(told)
            })
        });
        Answer::Now(messages)
    }
}

/// The number of the last message.
fn last(view: &View<'_>) -> Step<i64> {
    let last = view.row("SELECT max(id) FROM %told%", [], |row| row.get(0))?;
    Ok(last.flatten().unwrap_or(0))
}
