//! Numbers that are changed in one step: by adding to the item's number, under conditions that keep it within 64 bits.

use std::time::Duration;

use everwarm_core::store::{Answer, Counters, Failure, FailureKind};
use serde_json::{Value, json};

use crate::error::{contended, unexpected};
use crate::facets::TRIES;
use crate::item::{ABSENT, Content, Item, Key, bytes, deadline, entry, number, number_of};
use crate::many::taken;
use crate::store::DynamoDb;
use everwarm_network::chance;

impl DynamoDb {
    /// Adds to a number that is there; the new one, or `None` if none is there that it could be added to.
    async fn added(&self, key: &Key, by: i64) -> Result<Option<i64>, Failure> {
        let (within, edge) = match by {
            0.. => ("n <= :edge", i64::MAX - by),
            _ => ("n >= :edge", i64::MIN - by),
        };
        let question = json!({
            "Key": key.json(),
            "UpdateExpression": "SET v = :version REMOVE l, k ADD n :by",
            "ConditionExpression": format!("d > :now AND attribute_exists(n) AND {within}"),
            "ExpressionAttributeValues": {
                ":now": number(self.now()?),
                ":version": number(chance::number()),
                ":by": number(by),
                ":edge": number(edge),
            },
            "ReturnValues": "ALL_NEW",
        });
        let Ok(mut said) = self.link.ask_if("UpdateItem", question).await? else {
            return Ok(None);
        };
        let item = taken(&mut said, "Attributes")?;
        let new = item.and_then(|item| number_of(&item, "n"));
        new.map(Some).ok_or_else(|| unexpected("a counter"))
    }

    /// Puts an item in the place of what was seen there; whether it was still there.
    async fn replaced(&self, item: Item, seen: Option<u64>) -> Result<bool, Failure> {
        let mut values = json!({":now": number(self.now()?)});
        let condition = match seen {
            Some(version) => {
                values[":version"] = number(version);
                "d > :now AND v = :version"
            }
            None => ABSENT,
        };
        let question = json!({
            "Item": item,
            "ConditionExpression": condition,
            "ExpressionAttributeValues": values,
        });
        self.held("PutItem", question).await
    }

    async fn item(&self, key: &Key) -> Result<Option<Item>, Failure> {
        let question = json!({"Key": key.json(), "ConsistentRead": true});
        let mut said: Value = self.link.ask("GetItem", question).await?;
        taken(&mut said, "Item")
    }
}

impl Counters for DynamoDb {
    fn incr<'a>(
        &'a self,
        name: &'a str,
        by: i64,
        initial: i64,
        ttl: Option<Duration>,
    ) -> Answer<'a, i64> {
        Answer::later(async move {
            let key = Key::of(name)?;
            for _ in 0..TRIES {
                if let Some(new) = self.added(&key, by).await? {
                    return Ok(new);
                }
                let now = self.now()?;
                let seen = self.item(&key).await?;
                let live =
                    seen.filter(|item| number_of(item, "d").is_some_and(|end: i64| end > now));
                // One that is there and is a number was changed meanwhile, or would leave 64 bits, or is a text.
                let (before, version, end) = match &live {
                    None => (initial, None, deadline(now, ttl)),
                    Some(item) => {
                        let text = bytes(item).ok_or_else(|| unexpected("a counter"))?;
                        let before = numeral(&text).ok_or_else(no_number)?;
                        let end = number_of(item, "d").ok_or_else(|| unexpected("a counter"))?;
                        (before, number_of(item, "v"), end)
                    }
                };
                let new = before.checked_add(by).ok_or_else(beyond)?;
                if live.as_ref().is_some_and(|item| item.contains_key("n")) {
                    continue;
                }
                let item = entry(&key, Content::Number(new), chance::number(), end)?;
                if self.replaced(item, version).await? {
                    return Ok(new);
                }
            }
            Err(contended("a counter was not changed"))
        })
    }
}

/// The number whose text this is, as `get` would give it.
fn numeral(text: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(text).ok()?;
    let number: i64 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

fn no_number() -> Failure {
    Failure::new(
        FailureKind::Permanent,
        "what is under the name is no number that could be counted up",
        "count under a name of its own",
    )
}

fn beyond() -> Failure {
    Failure::new(
        FailureKind::Permanent,
        "the number would leave 64 bits",
        "delete the counter, and it begins anew",
    )
}
