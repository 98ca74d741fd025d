//! The right to compute, among all processes that ask the same collection. A lease ends by the server's clock, and lies in the document
//! of its entry, so that what ends it does so in the same step. Nobody is told of its end: who waits asks again.

use std::time::Duration;

use everwarm_core::store::{Answer, Bytes, Failure, Grant, Leased, Leases};
use futures_util::future::try_join_all;
use mongodb::bson::{Document, doc};

use crate::entry::named;
use crate::error::unexpected;
use crate::server::Server;
use crate::steps::{from_now, if_held, lease, lease_fields, put, with, without_lease};
use crate::store::MongoDb;

impl Server {
    async fn lease(&self, name: String, token: u64, ttl: Duration) -> Result<Grant, Failure> {
        let query = doc! { "_id": name };
        let after = (lease_fields(), true);
        let held = self.change(query, lease(token, ttl), after).await?;
        let held = held.ok_or_else(|| unexpected("a lease"))?;
        let (Ok(holder), Ok(left)) = (held.get_i64("lt"), held.get_i64("left")) else {
            return Err(unexpected("a lease"));
        };
        if holder as u64 == token {
            return Ok(Grant::Granted);
        }
        let left = u64::try_from(left).unwrap_or(0).max(1);
        Ok(Grant::Held(Duration::from_millis(left)))
    }

    /// Makes a document into another one while its lease is held; whether it was.
    pub(crate) async fn while_held(
        &self,
        (name, token): (&str, u64),
        other: Document,
    ) -> Result<bool, Failure> {
        let query = doc! { "_id": name, "lt": token as i64 };
        let before = self.change(query, if_held(other), (lease_fields(), false));
        let before = before.await?;
        Ok(before.is_some_and(|before| before.get_i64("left").is_ok_and(|left| left > 0)))
    }
}

fn leased(entry: &Leased<'_>) -> Result<(String, u64, Document), Failure> {
    let fields = put(&entry.bytes, entry.ttl)?.1;
    Ok((named(entry.name)?, entry.token, fields))
}

impl Leases for MongoDb {
    fn lease<'a>(&'a self, name: &'a str, token: u64, ttl: Duration) -> Answer<'a, Grant> {
        self.later(move |server| {
            let name = named(name);
            async move { server.lease(name?, token, ttl).await }
        })
    }

    fn renew<'a>(&'a self, name: &'a str, token: u64, ttl: Duration) -> Answer<'a, bool> {
        self.later(move |server| {
            let name = named(name);
            let longer = with(doc! { "lu": from_now(ttl) });
            async move { server.while_held((&name?, token), longer).await }
        })
    }

    fn release<'a>(&'a self, name: &'a str, token: u64) -> Answer<'a, bool> {
        self.later(move |server| {
            let name = named(name);
            async move { server.while_held((&name?, token), without_lease()).await }
        })
    }

    fn set_leased<'a>(
        &'a self,
        name: &'a str,
        token: u64,
        bytes: Bytes,
        ttl: Option<Duration>,
    ) -> Answer<'a, bool> {
        self.later(move |server| {
            let entry = leased(&Leased {
                name,
                token,
                bytes,
                ttl,
            });
            async move {
                let (name, token, fields) = entry?;
                server.while_held((&name, token), fields).await
            }
        })
    }

    fn lease_many<'a>(
        &'a self,
        names: &'a [(&'a str, u64)],
        ttl: Duration,
    ) -> Answer<'a, Vec<Grant>> {
        self.later(move |server| {
            let names: Result<Vec<_>, Failure> = names
                .iter()
                .map(|&(name, token)| Ok((named(name)?, token)))
                .collect();
            async move {
                let asked = names?.into_iter();
                let asked = asked.map(|(name, token)| server.lease(name, token, ttl));
                try_join_all(asked).await
            }
        })
    }

    fn set_leased_many<'a>(&'a self, entries: &'a [Leased<'a>]) -> Answer<'a, Vec<bool>> {
        self.later(move |server| {
            let entries: Result<Vec<_>, _> = entries.iter().map(leased).collect();
            async move {
                let set = async |(name, token, fields): (String, u64, Document)| {
                    server.while_held((&name, token), fields).await
                };
                try_join_all(entries?.into_iter().map(set)).await
            }
        })
    }
}
