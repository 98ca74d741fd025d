//! Numbers that are changed in one step.

use std::time::Duration;

use everwarm_core::store::{Answer, Counters};

use crate::postgres::Postgres;
use crate::postgres::entry::{micros, named, number, values};
use crate::postgres::statements::Statement;
use everwarm_network::chance;

impl Counters for Postgres {
    fn incr<'a>(
        &'a self,
        name: &'a str,
        by: i64,
        initial: i64,
        ttl: Option<Duration>,
    ) -> Answer<'a, i64> {
        Answer::later(async move {
            let (channel, told) = self.told(name);
            let version = chance::bigint();
            let values = values![
                named(name)?,
                initial,
                by,
                version,
                micros(ttl),
                channel,
                told
            ];
            number(&self.ask(Statement::Incr, values).await?)
        })
    }
}
