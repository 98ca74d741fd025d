//! The right to compute, among all processes that ask the same tables. A lease ends by the server's clock. The store is not told of ends.

use std::collections::HashMap;
use std::time::Duration;

use everwarm_core::store::{Answer, Bytes, Failure, Grant, Leased, Leases};
use mysql_async::Row;

use crate::mysql::Mysql;
use crate::mysql::entry::{micros, named};
use crate::mysql::script::{Value, cell, octets};
use crate::mysql::statements::Statement;
use crate::mysql::store::{AT_ONCE, all_named};
use crate::server::failure::unexpected;
use everwarm_network::chance;

/// How long a lease counts as held that ended between two looks of one script.
const SOON: Duration = Duration::from_millis(10);

/// What rows of names, tokens and spans say of the leases that were asked for.
fn granted(rows: Vec<Row>, names: &[(&str, u64)]) -> Option<Vec<Grant>> {
    let read = |mut row: Row| {
        let held: (i64, i64) = (cell(&row, 1)?, cell(&row, 2)?);
        Some((octets(&mut row, 0)?, held))
    };
    let held: HashMap<Vec<u8>, (i64, i64)> = rows.into_iter().map(read).collect::<Option<_>>()?;
    let grants = names
        .iter()
        .map(|(name, token)| match held.get(name.as_bytes()) {
            Some((by, _)) if *by as u64 == *token => Grant::Granted,
            Some((_, left)) => {
                Grant::Held(Duration::from_micros(u64::try_from(*left).unwrap_or(1)))
            }
            None => Grant::Held(SOON),
        });
    Some(grants.collect())
}

impl Mysql {
    async fn one_held(&self, statement: Statement, values: &[Value<'_>]) -> Result<bool, Failure> {
        let mut script = self.link.script();
        let place = script.add(statement, values);
        Ok(self.link.ask(script).await?.affected(place)? > 0)
    }
}

impl Leases for Mysql {
    fn lease<'a>(&'a self, name: &'a str, token: u64, ttl: Duration) -> Answer<'a, Grant> {
        Answer::later(async move {
            let mut grants = self.lease_many(&[(name, token)], ttl).await?;
            grants.pop().ok_or_else(|| unexpected("a lease"))
        })
    }

    fn renew<'a>(&'a self, name: &'a str, token: u64, ttl: Duration) -> Answer<'a, bool> {
        Answer::later(async move {
            let values = [
                Value::End(micros(Some(ttl))),
                Value::Bytes(named(name)?),
                Value::Int(token as i64),
            ];
            self.one_held(Statement::Renew, &values).await
        })
    }

    fn release<'a>(&'a self, name: &'a str, token: u64) -> Answer<'a, bool> {
        Answer::later(async move {
            let values = [Value::Bytes(named(name)?), Value::Int(token as i64)];
            self.one_held(Statement::Release, &values).await
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
            let entry = Leased {
                name,
                token,
                bytes,
                ttl,
            };
            let stored = self.set_leased_many(&[entry]).await?;
            stored.first().copied().ok_or_else(|| unexpected("a set"))
        })
    }

    fn lease_many<'a>(
        &'a self,
        names: &'a [(&'a str, u64)],
        ttl: Duration,
    ) -> Answer<'a, Vec<Grant>> {
        Answer::later(async move {
            let mut all = Vec::with_capacity(names.len());
            for asked in names.chunks(AT_ONCE) {
                let mut sorted = asked.to_vec();
                sorted.sort_by_key(|(name, _)| *name);
                let end = Value::End(micros(Some(ttl)));
                let rows: Result<Vec<_>, Failure> = sorted
                    .iter()
                    .map(|(name, token)| {
                        let (name, token) = (Value::Bytes(named(name)?), Value::Int(*token as i64));
                        Ok(vec![name, end, token, end])
                    })
                    .collect();
                let wanted: Vec<&str> = asked.iter().map(|(name, _)| *name).collect();
                let wanted = all_named(&wanted)?;
                let mut script = self.link.script();
                script.add(Statement::Lease, &[Value::Rows(&rows?)]);
                let place = script.add(Statement::SayLeases, &[Value::Any(&wanted)]);
                let rows = self.link.ask(script).await?.rows(place)?;
                let mut grants = granted(rows, asked).ok_or_else(|| unexpected("a lease"))?;
                all.append(&mut grants);
            }
            Ok(all)
        })
    }

    fn set_leased_many<'a>(&'a self, entries: &'a [Leased<'a>]) -> Answer<'a, Vec<bool>> {
        Answer::later(async move {
            let mut order: Vec<usize> = (0..entries.len()).collect();
            order.sort_by_key(|&at| entries[at].name);
            let mut stored = vec![false; entries.len()];
            for lot in lots(&order, |at| entries[at].bytes.len()) {
                let mut script = self.link.script();
                script.all(&[Statement::Start]);
                let mut places = Vec::new();
                for &at in &lot {
                    let entry = &entries[at];
                    let values = [
                        Value::Bytes(&entry.bytes),
                        Value::Int(chance::bigint()),
                        Value::End(micros(entry.ttl)),
                        Value::Bytes(named(entry.name)?),
                        Value::Int(entry.token as i64),
                    ];
                    places.push((at, script.add(Statement::SetLeased, &values)));
                }
                script.all(&[Statement::Commit]);
                let mut said = self.link.ask(script).await?;
                for (at, place) in places {
                    stored[at] = said.affected(place)? > 0;
                }
            }
            Ok(stored)
        })
    }
}

/// What is asked in several scripts, since one has no room for all of it.
pub(super) fn lots(order: &[usize], size: impl Fn(usize) -> usize) -> Vec<Vec<usize>> {
    const BYTES: usize = 512 << 10;
    const ENTRIES: usize = 200;
    let (mut all, mut bytes) = (Vec::<Vec<usize>>::new(), 0);
    for &at in order {
        match all.last_mut() {
            Some(lot) if lot.len() < ENTRIES && bytes + size(at) <= BYTES => lot.push(at),
            _ => {
                all.push(vec![at]);
                bytes = 0;
            }
        }
        bytes += size(at);
    }
    all
}
