//! The names, in the order of their bytes.

use everwarm_core::store::{Answer, Page, Scan};

use crate::sqlite::Sqlite;
use crate::sqlite::schema::range;

impl Scan for Sqlite {
    fn page<'a>(
        &'a self,
        prefix: &'a str,
        after: Option<&'a str>,
        limit: usize,
    ) -> Answer<'a, Page> {
        let (mut from, end) = range(prefix);
        if let Some(after) = after {
            // The first name behind it.
            from = from.max([after.as_bytes(), &[0]].concat());
        }
        let limit = limit.clamp(1, 10_000);
        let page = self.read(|view| {
            let mut statement = view.prepared(
                "SELECT name FROM %entries% WHERE name >= ?1 AND name < ?2 AND until > ?3 ORDER BY name LIMIT ?4",
            )?;
            let values = (&from, &end, view.now, limit as i64);
            let names = statement.query_map(values, |row| {
                String::from_utf8(row.get(0)?).map_err(|_| rusqlite::Error::InvalidQuery)
            })?;
            let names = names.collect::<rusqlite::Result<Vec<_>>>()?;
            let next = (names.len() == limit).then(|| names.last().cloned());
            Ok(Page {
                next: next.flatten(),
                names,
            })
        });
        Answer::Now(page)
    }
}
