//! Writes that depend on what is there.

use std::time::Duration;

use everwarm_core::store::{Answer, Bytes, Condition, Conditional};

use crate::postgres::Postgres;
use crate::postgres::entry::{count, micros, named, values, written};
use crate::postgres::statements::Statement;
use everwarm_network::chance;

impl Conditional for Postgres {
    fn set_if<'a>(
        &'a self,
        name: &'a str,
        bytes: Bytes,
        ttl: Option<Duration>,
        condition: Condition,
    ) -> Answer<'a, Option<u64>> {
        Answer::later(async move {
            let (channel, told) = self.told(name);
            let (name, bytes, version) = (named(name)?, written(bytes)?, chance::bigint());
            let mut values = values![name, bytes, version, micros(ttl), channel, told];
            let statement = match condition {
                Condition::Absent => Statement::SetAbsent,
                Condition::Present => {
                    values.push(Box::new(None::<i64>));
                    Statement::SetPresent
                }
                Condition::Version(expected) => {
                    values.push(Box::new(Some(expected as i64)));
                    Statement::SetPresent
                }
            };
            let rows = self.ask(statement, values).await?;
            Ok((count(&rows)? > 0).then_some(version as u64))
        })
    }

    fn delete_if<'a>(&'a self, name: &'a str, version: u64) -> Answer<'a, bool> {
        Answer::later(async move {
            let (channel, told) = self.told(name);
            let values = values![named(name)?, version as i64, channel, told];
            Ok(count(&self.ask(Statement::DeleteIf, values).await?)? > 0)
        })
    }
}
