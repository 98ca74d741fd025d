//! The right to compute, among all processes that ask the same tables. A lease ends by the server's clock.

use std::time::Duration;

use everwarm_core::store::{Answer, Bytes, Failure, Freed, Grant, Leased, Leases};
use tokio_postgres::Row;

use crate::postgres::Postgres;
use crate::postgres::connection::Values;
use crate::postgres::entry::{micros, named, values, written};
use crate::postgres::statements::Statement;
use crate::server::failure::unexpected;
use crate::server::told::of_freed;
use everwarm_network::chance;

/// How long a lease counts as held that was given between two looks of one statement.
const SOON: Duration = Duration::from_millis(10);

impl Postgres {
    /// What is told when a lease ends that somebody waits for: the channel and the message.
    pub(super) fn freed_message(&self, name: &str) -> (String, String) {
        let channel = &self.link.hearing().teller.channel;
        (channel.clone(), of_freed(name))
    }

    fn leased(&self, entry: &Leased<'_>) -> Result<Values, Failure> {
        let (channel, freed) = self.freed_message(entry.name);
        let (name, bytes) = (named(entry.name)?, written(entry.bytes.clone())?);
        let (version, ttl) = (chance::bigint(), micros(entry.ttl));
        let token = entry.token as i64;
        Ok(values![name, token, channel, freed, bytes, version, ttl])
    }
}

fn timed(name: &str, token: u64, ttl: Duration) -> Result<Values, Failure> {
    Ok(values![named(name)?, token as i64, micros(Some(ttl))])
}

/// What the statement says of a lease that was asked for.
fn granted(rows: &[Row]) -> Result<Grant, Failure> {
    let Some(row) = rows.first() else {
        return Ok(Grant::Held(SOON));
    };
    match (row.try_get(0), row.try_get::<_, Option<i64>>(1)) {
        (Ok(true), _) => Ok(Grant::Granted),
        (Ok(false), Ok(left)) => {
            let left = left.and_then(|left| u64::try_from(left).ok()).unwrap_or(0);
            Ok(Grant::Held(Duration::from_micros(left.max(1))))
        }
        _ => Err(unexpected("a lease")),
    }
}

impl Leases for Postgres {
    fn lease<'a>(&'a self, name: &'a str, token: u64, ttl: Duration) -> Answer<'a, Grant> {
        Answer::later(async move {
            let values = timed(name, token, ttl)?;
            granted(&self.ask(Statement::Lease, values).await?)
        })
    }

    fn renew<'a>(&'a self, name: &'a str, token: u64, ttl: Duration) -> Answer<'a, bool> {
        Answer::later(async move {
            let values = timed(name, token, ttl)?;
            Ok(!self.ask(Statement::Renew, values).await?.is_empty())
        })
    }

    fn release<'a>(&'a self, name: &'a str, token: u64) -> Answer<'a, bool> {
        Answer::later(async move {
            let (channel, freed) = self.freed_message(name);
            let values = values![named(name)?, token as i64, channel, freed];
            Ok(!self.ask(Statement::Release, values).await?.is_empty())
        })
    }

    fn set_leased<'a>(
        &'a self,
        name: &'a str,
        token: u64,
        bytes: Bytes,
        ttl: Option<Duration>,
    ) -> Answer<'a, bool> {
        Answer::later(async move {
            let values = self.leased(&Leased {
                name,
                token,
                bytes,
                ttl,
            })?;
            Ok(!self.ask(Statement::SetLeased, values).await?.is_empty())
        })
    }

    fn freed<'a>(&'a self, name: &'a str) -> Option<Freed<'a>> {
        Some(Box::pin(self.link.hearing().waiters.wait(name)))
    }

    fn lease_many<'a>(
        &'a self,
        names: &'a [(&'a str, u64)],
        ttl: Duration,
    ) -> Answer<'a, Vec<Grant>> {
        Answer::later(async move {
            let asked = names
                .iter()
                .map(|&(name, token)| Ok((Statement::Lease, timed(name, token, ttl)?)));
            let asked: Result<Vec<_>, Failure> = asked.collect();
            let said = self.link.ask_each(asked?).await?;
            said.into_iter().map(|rows| granted(&rows?)).collect()
        })
    }

    fn set_leased_many<'a>(&'a self, entries: &'a [Leased<'a>]) -> Answer<'a, Vec<bool>> {
        Answer::later(async move {
            let asked = entries
                .iter()
                .map(|entry| Ok((Statement::SetLeased, self.leased(entry)?)));
            let asked: Result<Vec<_>, Failure> = asked.collect();
            let said = self.link.ask_each(asked?).await?;
            said.into_iter().map(|rows| Ok(!rows?.is_empty())).collect()
        })
    }
}
