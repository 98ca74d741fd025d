//! The names, in the order of their bytes.

use everwarm_core::store::{Answer, Page, Scan};

use crate::postgres::Postgres;
use crate::postgres::entry::{Octets, values};
use crate::postgres::schema::range;
use crate::postgres::statements::Statement;
use crate::server::failure::unexpected;

impl Scan for Postgres {
    fn page<'a>(
        &'a self,
        prefix: &'a str,
        after: Option<&'a str>,
        limit: usize,
    ) -> Answer<'a, Page> {
        Answer::later(async move {
            let (from, end) = range(prefix);
            let mut from = from.to_vec();
            if let Some(after) = after {
                // The first name behind it.
                from = from.max([after.as_bytes(), &[0]].concat());
            }
            let limit = limit.clamp(1, 10_000);
            let values = values![from, Octets(end), limit as i64];
            let rows = self.ask(Statement::Page, values).await?;
            let names: Option<Vec<String>> = rows
                .iter()
                .map(|row| String::from_utf8(row.try_get(0).ok()?).ok())
                .collect();
            let names = names.ok_or_else(|| unexpected("a scan"))?;
            let next = (names.len() == limit).then(|| names.last().cloned());
            Ok(Page {
                next: next.flatten(),
                names,
            })
        })
    }
}
