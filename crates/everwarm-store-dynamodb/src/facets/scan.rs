//! The names.

use everwarm_core::store::{Answer, Failure, FailureKind, Page, Scan};

use crate::pages::Place;
use crate::store::DynamoDb;

impl Scan for DynamoDb {
    fn page<'a>(
        &'a self,
        prefix: &'a str,
        after: Option<&'a str>,
        limit: usize,
    ) -> Answer<'a, Page> {
        Answer::later(async move {
            let place = match after {
                None => Place::default(),
                Some(text) => Place::read(text).ok_or_else(|| {
                    Failure::new(
                        FailureKind::Permanent,
                        "what says where the next page begins is not of this store",
                        "hand back `next` of the page before",
                    )
                })?,
            };
            let (named, next) = self.link.page(prefix, &place, limit).await?;
            let names = named.into_iter().filter(|named| named.is_entry);
            Ok(Page {
                names: names.map(|named| named.name).collect(),
                next: next.map(|place| place.text()),
            })
        })
    }
}
