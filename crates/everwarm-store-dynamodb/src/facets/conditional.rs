//! Writes that depend on what is there: a condition of the write itself.

use std::time::Duration;

use everwarm_core::store::{Answer, Bytes, Condition, Conditional};
use serde_json::json;

use crate::item::{ABSENT, Key, LIVE, number};
use crate::store::DynamoDb;

const SAME: &str = "d > :now AND v = :version";

impl Conditional for DynamoDb {
    fn set_if<'a>(
        &'a self,
        name: &'a str,
        bytes: Bytes,
        ttl: Option<Duration>,
        condition: Condition,
    ) -> Answer<'a, Option<u64>> {
        Answer::later(async move {
            let (item, version) = self.entry(name, bytes, ttl)?;
            let mut values = json!({":now": number(self.now()?)});
            let condition = match condition {
                Condition::Absent => ABSENT,
                Condition::Present => LIVE,
                Condition::Version(version) => {
                    values[":version"] = number(version);
                    SAME
                }
            };
            let question = json!({
                "Item": item,
                "ConditionExpression": condition,
                "ExpressionAttributeValues": values,
            });
            let held = self.held("PutItem", question).await?;
            Ok(held.then_some(version))
        })
    }

    fn delete_if<'a>(&'a self, name: &'a str, version: u64) -> Answer<'a, bool> {
        Answer::later(async move {
            let question = json!({
                "Key": Key::of(name)?.json(),
                "ConditionExpression": SAME,
                "ExpressionAttributeValues": {":now": number(self.now()?), ":version": number(version)},
            });
            self.held("DeleteItem", question).await
        })
    }
}
