//! The names that begin with a prefix, a page at a time.
//!
//! The names of a namespace are found by a query in each of its partitions, which reads them alone. A prefix without a colon is the
//! beginning of any number of namespaces: for that the whole table is read.

use everwarm_core::store::Failure;
use serde_json::{Value, json};

use crate::clock::Millis;
use crate::error::unexpected;
use crate::item::{Item, Key, PARTS, cut, number_of, partition};
use crate::link::Link;
use crate::many::taken;

/// Where a page begins: before everything, or after an item.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    /// Which of the partitions is read; 0 for a whole table.
    part: u8,
    after: Option<Key>,
}

/// The partitions in which names of a prefix are looked for; one stands for the whole table.
pub(crate) fn parts(prefix: &str) -> std::ops::Range<u8> {
    match cut(prefix).0 {
        "" => 0..1,
        _ => 0..PARTS,
    }
}

impl Place {
    /// The beginning of a partition.
    pub(crate) const fn of(part: u8) -> Self {
        Self { part, after: None }
    }

    /// Whether it is in this partition.
    pub(crate) const fn is_in(&self, part: u8) -> bool {
        self.part == part
    }

    /// As a text that users hand back.
    pub(crate) fn text(&self) -> String {
        let (pk, sk) = match &self.after {
            Some(key) => (key.pk.as_str(), key.sk.as_str()),
            None => ("", ""),
        };
        format!("{:x}{}:{pk}{sk}", self.part, pk.len())
    }

    /// What a text says, if it is one of ours.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let part = u8::from_str_radix(text.get(..1)?, 16).ok()?;
        let (length, rest) = text.get(1..)?.split_once(':')?;
        let length: usize = length.parse().ok()?;
        let (pk, sk) = (rest.get(..length)?, rest.get(length..)?);
        let key = Key {
            pk: pk.to_owned(),
            sk: sk.to_owned(),
        };
        Some(Self {
            part,
            after: (length > 0).then_some(key),
        })
    }
}

/// A name, and whether there is an entry under it; if not, there may be a lease.
pub(crate) struct Named {
    pub(crate) key: Key,
    pub(crate) name: String,
    pub(crate) is_entry: bool,
}

impl Link {
    /// About `limit` names that begin with `prefix`, of leases, too, and where to go on.
    ///
    /// # Errors
    /// What stood in the way.
    pub(crate) async fn page(
        &self,
        prefix: &str,
        place: &Place,
        limit: usize,
    ) -> Result<(Vec<Named>, Option<Place>), Failure> {
        let (space, rest) = cut(prefix);
        let mut question = json!({
            "Limit": limit.clamp(1, 10_000),
            "ConsistentRead": true,
            "ProjectionExpression": "pk, sk, d",
        });
        if let Some(after) = &place.after {
            question["ExclusiveStartKey"] = after.json();
        }
        let is_query = !space.is_empty();
        if is_query {
            question["KeyConditionExpression"] = json!("pk = :pk AND begins_with(sk, :sk)");
            question["ExpressionAttributeValues"] = json!({
                ":pk": {"S": partition(space, place.part)},
                ":sk": {"S": format!("={rest}")},
            });
        }
        let now = self.client()?.clock.now();
        let operation = if is_query { "Query" } else { "Scan" };
        let mut said = self.ask(operation, question).await?;
        let Value::Array(items) = said["Items"].take() else {
            return Err(unexpected("a page of names"));
        };
        let mut named = Vec::with_capacity(items.len());
        for item in items {
            let Value::Object(item) = item else {
                return Err(unexpected("a page of names"));
            };
            named.extend(of_prefix(&item, prefix, now)?);
        }
        let after = taken(&mut said, "LastEvaluatedKey")?;
        let after = after.map(|item| Key::read(&item)).transpose()?;
        let next = match after {
            Some(key) => Some(Place {
                part: place.part,
                after: Some(key),
            }),
            None => {
                let next = place.part + 1;
                parts(prefix).contains(&next).then(|| Place::of(next))
            }
        };
        Ok((named, next))
    }
}

fn of_prefix(item: &Item, prefix: &str, now: Millis) -> Result<Option<Named>, Failure> {
    let key = Key::read(item)?;
    let name = key.name().filter(|name| name.starts_with(prefix));
    Ok(name.map(|name| Named {
        key,
        name,
        is_entry: number_of::<Millis>(item, "d").is_some_and(|deadline| deadline > now),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_comes_back_from_its_text() {
        let key = Key {
            pk: "eshop:ä7".to_owned(),
            sk: "=a:b".to_owned(),
        };
        for (part, after) in [(0, None), (15, None), (7, Some(key))] {
            let place = Place { part, after };
            assert_eq!(Place::read(&place.text()), Some(place));
        }
        for text in ["", "x", "g0:", "09:a", "0ä", "0x:a"] {
            assert_eq!(Place::read(text), None, "{text}");
        }
    }
}
