//! The names, in the order of their bytes.

use everwarm_core::store::{Answer, Page, Scan};
use mysql_async::Row;

use crate::mysql::Mysql;
use crate::mysql::entry::range;
use crate::mysql::script::{Value, octets};
use crate::mysql::statements::Statement;
use crate::server::failure::unexpected;

impl Scan for Mysql {
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
            let mut script = self.link.script();
            let values = [
                Value::Bytes(&from),
                Value::Bytes(&end),
                Value::Int(limit as i64),
            ];
            let place = script.add(Statement::Page, &values);
            let rows = self.link.ask(script).await?.rows(place)?;
            let name = |mut row: Row| String::from_utf8(octets(&mut row, 0)?).ok();
            let names: Option<Vec<String>> = rows.into_iter().map(name).collect();
            let names = names.ok_or_else(|| unexpected("a scan"))?;
            let next = (names.len() == limit).then(|| names.last().cloned());
            Ok(Page {
                next: next.flatten(),
                names,
            })
        })
    }
}
