//! The right to compute, in the item of the entry: every write that puts an item in its place ends the lease with it.
//!
//! An item with a lease and no entry is deleted by DynamoDB some time after the lease, so `expires_at` has to be set with it; beside
//! an entry it must stay that of the entry. The two cases are two conditions, the likelier one is tried first.

use std::time::Duration;

use everwarm_core::store::{Answer, Bytes, Failure, Grant, Leased, Leases};
use serde_json::{Value, json};

use crate::clock::{Millis, span_millis};
use crate::error::contended;
use crate::facets::TRIES;
use crate::item::{ABSENT, Item, Key, LIVE, OURS, expires_at, number, number_of};
use crate::many::{abreast, taken};
use crate::store::DynamoDb;

/// What must hold where nobody else has the lease.
const FREE: &str = "(attribute_not_exists(k) OR k <= :now OR l = :token)";

/// Whether a lease is looked for beside an entry.
#[derive(Clone, Copy)]
enum Beside {
    Nothing,
    Entry,
}

impl DynamoDb {
    /// Writes a lease under a condition, beside an entry or where none is; the item, as far as it was told, if it did not hold.
    async fn leased(
        &self,
        (key, token): (&Key, u64),
        ttl: Duration,
        condition: &str,
        beside: Beside,
    ) -> Result<Result<(), Option<Item>>, Failure> {
        let now = self.now()?;
        let end = now.saturating_add(span_millis(ttl));
        let mut values = json!({
            ":now": number(now),
            ":token": number(token),
            ":end": number(end),
        });
        let update = match beside {
            Beside::Nothing => {
                values[":at"] = expires_at(end).unwrap_or_else(|| number(end));
                "SET l = :token, k = :end, expires_at = :at REMOVE b, n, v, d"
            }
            Beside::Entry => "SET l = :token, k = :end",
        };
        let question = json!({
            "Key": key.json(),
            "UpdateExpression": update,
            "ConditionExpression": condition,
            "ExpressionAttributeValues": values,
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        });
        let said = self.link.ask_if("UpdateItem", question).await?;
        Ok(said.map(drop).map_err(|unmet| unmet.0))
    }

    async fn granted(&self, name: &str, token: u64, ttl: Duration) -> Result<Grant, Failure> {
        let key = Key::of(name)?;
        let mut beside = Beside::Nothing;
        for _ in 0..TRIES {
            let there = match beside {
                Beside::Nothing => ABSENT,
                Beside::Entry => LIVE,
            };
            let free = format!("{there} AND {FREE}");
            let Err(item) = self.leased((&key, token), ttl, &free, beside).await? else {
                return Ok(Grant::Granted);
            };
            let item = match item {
                Some(item) => item,
                // Not every stand-in tells what was in the way.
                None => self.seen(&key).await?,
            };
            let now = self.now()?;
            let ends = |name| number_of::<Millis>(&item, name).filter(|&end| end > now);
            match ends("k") {
                Some(end) if number_of(&item, "l") != Some(token) => {
                    let left = u64::try_from(end - now).unwrap_or(0);
                    return Ok(Grant::Held(Duration::from_millis(left)));
                }
                _ => (),
            }
            beside = match ends("d") {
                Some(_) => Beside::Entry,
                None => Beside::Nothing,
            };
        }
        Err(contended("a lease was not given"))
    }

    async fn seen(&self, key: &Key) -> Result<Item, Failure> {
        let question = json!({
            "Key": key.json(),
            "ConsistentRead": true,
            "ProjectionExpression": "d, l, k",
        });
        let mut said: Value = self.link.ask("GetItem", question).await?;
        Ok(taken(&mut said, "Item")?.unwrap_or_default())
    }
}

impl Leases for DynamoDb {
    fn lease<'a>(&'a self, name: &'a str, token: u64, ttl: Duration) -> Answer<'a, Grant> {
        Answer::later(self.granted(name, token, ttl))
    }

    fn renew<'a>(&'a self, name: &'a str, token: u64, ttl: Duration) -> Answer<'a, bool> {
        Answer::later(async move {
            let key = Key::of(name)?;
            let alone = format!("{ABSENT} AND {OURS}");
            if self
                .leased((&key, token), ttl, &alone, Beside::Nothing)
                .await?
                .is_ok()
            {
                return Ok(true);
            }
            let renewed = self.leased((&key, token), ttl, OURS, Beside::Entry).await?;
            Ok(renewed.is_ok())
        })
    }

    fn release<'a>(&'a self, name: &'a str, token: u64) -> Answer<'a, bool> {
        Answer::later(async move {
            let key = Key::of(name)?.json();
            let values = json!({":now": number(self.now()?), ":token": number(token)});
            let delete = json!({
                "Key": key,
                "ConditionExpression": format!("{OURS} AND {ABSENT}"),
                "ExpressionAttributeValues": values,
            });
            if self.held("DeleteItem", delete).await? {
                return Ok(true);
            }
            let remove = json!({
                "Key": key,
                "UpdateExpression": "REMOVE l, k",
                "ConditionExpression": OURS,
                "ExpressionAttributeValues": values,
            });
            self.held("UpdateItem", remove).await
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
            let (item, _) = self.entry(name, bytes, ttl)?;
            let question = json!({
                "Item": item,
                "ConditionExpression": OURS,
                "ExpressionAttributeValues": {":now": number(self.now()?), ":token": number(token)},
            });
            self.held("PutItem", question).await
        })
    }

    fn lease_many<'a>(
        &'a self,
        names: &'a [(&'a str, u64)],
        ttl: Duration,
    ) -> Answer<'a, Vec<Grant>> {
        Answer::later(async move {
            let asked = names
                .iter()
                .map(|&(name, token)| self.granted(name, token, ttl));
            abreast(asked.collect()).await
        })
    }

    fn set_leased_many<'a>(&'a self, entries: &'a [Leased<'a>]) -> Answer<'a, Vec<bool>> {
        Answer::later(async move {
            let sets = entries
                .iter()
                .map(|each| self.set_leased(each.name, each.token, each.bytes.clone(), each.ttl));
            abreast(sets.collect()).await
        })
    }
}
