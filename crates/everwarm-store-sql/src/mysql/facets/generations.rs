//! Numbers for invalidations: a namespace is a shard, which is a row.

use std::time::Duration;

use everwarm_core::mark::{Reading, Tag};
use everwarm_core::store::{Answer, Computed, Failure, Found, Generations, Settled};

use crate::mysql::Mysql;
use crate::mysql::entry::{Looked, micros, named, sorted};
use crate::mysql::script::{Script, Value};
use crate::mysql::statements::Statement;
use crate::mysql::store::{AT_ONCE, all_named, tell_of};
use crate::server::failure::unexpected;
use crate::server::told::of_tag;
use everwarm_network::chance;

use super::leases::lots;

/// How often a beginning is looked at again during which a suspension ended.
const LOOKS: usize = 4;
/// By how much longer than was asked for, besides twice that, markers are kept.
const LONGER: i64 = 60_000_000;

/// What is done with tags.
#[derive(Clone, Copy)]
pub(super) enum Strike {
    Invalidate,
    Suspend(Duration),
    Resume,
}

/// An instant up to which markers are needed, and one up to which they are kept then.
fn kept(keep: Option<Duration>) -> [Value<'static>; 2] {
    let keep = micros(keep);
    let longer = keep.map(|keep| keep.checked_mul(2)?.checked_add(LONGER));
    [Value::End(keep), Value::End(longer.flatten())]
}

impl Mysql {
    /// Invalidates tags, and suspends them for a span, or ends a suspension of each.
    pub(super) async fn strike(
        &self,
        namespace: &str,
        tags: &[Tag],
        how: Strike,
    ) -> Result<Reading, Failure> {
        let space = Value::Bytes(named(namespace)?);
        let (span, by, more) = match how {
            Strike::Invalidate => (Value::Null, 0, 0),
            Strike::Suspend(span) => (Value::End(micros(Some(span))), 1, 1),
            Strike::Resume => (Value::Null, 0, -1),
        };
        let (epoch, number) = (Value::Text("@e"), Value::Text("@n"));
        let each = sorted(tags.iter());
        let (now, by) = (Value::End(Some(0)), Value::Int(by));
        let rows = each.iter();
        let rows: Vec<_> = rows
            .map(|&tag| vec![space, Value::Bytes(tag), epoch, number, now, span, by])
            .collect();
        let mut script = self.link.script();
        script.all(&[Statement::Forget, Statement::Doing, Statement::Start]);
        let fresh = Value::Int(chance::bigint());
        script.add(Statement::StrikeShard, &[space, fresh]);
        script.add(Statement::LoadShard, &[space]);
        if !rows.is_empty() {
            script.add(Statement::Strike, &[Value::Rows(&rows), Value::Int(more)]);
            for tag in tags {
                let line = self.says(&of_tag(namespace, tag));
                let values = [Value::Bytes(line.as_bytes()), space, Value::Bytes(&tag.0)];
                script.add(Statement::Line, &values);
            }
            tell_of(&mut script, Value::Text("@told"));
        }
        let place = read(&mut script, namespace, tags, Value::Int(0), &[])?;
        script.all(&[Statement::Commit]);
        let rows = self.link.ask(script).await?.rows(place)?;
        Ok(Looked::of(rows, tags, &[])?.reading)
    }

    /// Makes a shard and the markers of tags where they are missing, and ends suspensions that are over.
    async fn hold(
        &self,
        namespace: &str,
        tags: &[Tag],
        keep: Option<Duration>,
    ) -> Result<Reading, Failure> {
        let space = Value::Bytes(named(namespace)?);
        let each = sorted(tags.iter());
        let any = Value::Any(&each);
        let mut script = self.link.script();
        script.all(&[Statement::Forget, Statement::Start]);
        let fresh = Value::Int(chance::bigint());
        script.add(Statement::HoldShard, &[space, fresh]);
        script.add(Statement::Over, &[space, any]);
        script.add(Statement::LiftShard, &[space]);
        script.add(Statement::LoadShard, &[space]);
        script.add(Statement::Lift, &[space, any]);
        mark(&mut script, space, &each, keep);
        let place = read(&mut script, namespace, tags, Value::Int(0), &[])?;
        script.all(&[Statement::Commit]);
        let rows = self.link.ask(script).await?.rows(place)?;
        Ok(Looked::of(rows, tags, &[])?.reading)
    }

    /// Settles what was computed under one namespace in one step; what became of each.
    async fn settle_lot(
        &self,
        namespace: &str,
        lot: &[&Computed<'_>],
    ) -> Result<Vec<Settled>, Failure> {
        let space = Value::Bytes(named(namespace)?);
        let all = sorted(lot.iter().flat_map(|computed| computed.tags));
        let keep = lot.iter().map(|computed| computed.ttl);
        // `None` is without end, and so the longest.
        let keep = keep
            .max_by_key(|ttl| ttl.unwrap_or(Duration::MAX))
            .flatten();
        let mut script = self.link.script();
        script.all(&[Statement::Forget, Statement::Start]);
        script.add(Statement::ShareShard, &[space]);
        for (at, computed) in lot.iter().enumerate() {
            let stamps = stamps(computed);
            script.add(Statement::Stamp, &[Value::Text(&stamps)]);
            let each = sorted(computed.tags.iter());
            let variable = format!("@c{at}");
            let values = [Value::Text(&variable), Value::Tags(&each), space];
            script.add(Statement::Cover, &values);
        }
        mark(&mut script, space, &all, keep);
        let mut places = Vec::new();
        for (at, computed) in lot.iter().enumerate() {
            let covered = format!("@c{at} = 1");
            let name = Value::Bytes(named(computed.name)?);
            let (bytes, version) = (Value::Bytes(&computed.bytes), Value::Int(chance::bigint()));
            let (end, covered) = (Value::End(micros(computed.ttl)), Value::Text(&covered));
            places.push(match computed.token {
                None => {
                    let values = [name, bytes, version, end, covered];
                    script.add(Statement::SetCovered, &values)
                }
                Some(token) => {
                    let token = Value::Int(token as i64);
                    let values = [bytes, version, end, name, token, covered];
                    script.add(Statement::SetLeasedCovered, &values)
                }
            });
        }
        script.all(&[Statement::Commit]);
        let columns: String = (0..lot.len()).map(|at| format!(", @c{at}")).collect();
        let values = [space, Value::Any(&all), Value::Text(&columns)];
        let place = script.add(Statement::SayCovered, &values);
        let mut said = self.link.ask(script).await?;
        let is_over = said.cell::<i64>(place, 0)? != 0;
        let settled = places.iter().enumerate().map(|(at, &written)| {
            let is_covered = said.cell::<i64>(place, 1 + at)? != 0;
            Ok(match (is_covered, said.affected(written)?) {
                (false, _) => Settled::Overtaken,
                (true, 0) => Settled::Lost,
                (true, _) => Settled::Stored,
            })
        });
        let settled: Vec<Settled> = settled.collect::<Result<_, Failure>>()?;
        if is_over {
            // What begins from here on is stored again.
            let tags: Vec<Tag> = lot
                .iter()
                .flat_map(|computed| computed.tags)
                .copied()
                .collect();
            self.hold(namespace, &tags, keep).await?;
        }
        Ok(settled)
    }
}

/// Makes markers that are missing.
fn mark(script: &mut Script<'_>, space: Value<'_>, tags: &[&[u8]], keep: Option<Duration>) {
    let [needed, until] = kept(keep);
    let values = [space, until, Value::Tags(tags), space, needed];
    script.add(Statement::Mark, &values);
}

/// Reads a shard, the markers of tags, and entries; the place of that.
fn read(
    script: &mut Script<'_>,
    namespace: &str,
    tags: &[Tag],
    needed: Value<'_>,
    names: &[&str],
) -> Result<usize, Failure> {
    let tags = sorted(tags.iter());
    let names = all_named(names)?;
    let space = Value::Bytes(named(namespace)?);
    let values = [needed, Value::Any(&tags), space, Value::Any(&names)];
    Ok(script.add(Statement::Read, &values))
}

/// The stamps of the one shard as a table.
fn stamps(computed: &Computed<'_>) -> String {
    let stamps = computed.stamps.iter().filter(|stamp| stamp.shard == 0);
    let rows: Vec<String> = stamps
        .map(|stamp| {
            let (epoch, number) = (stamp.epoch as i64, stamp.number as i64);
            format!("SELECT {epoch} AS epoch, {number} AS number")
        })
        .collect();
    if rows.is_empty() {
        return "SELECT NULL AS epoch, NULL AS number".to_owned();
    }
    rows.join(" UNION ALL ")
}

impl Mysql {
    async fn look(
        &self,
        namespace: &str,
        tags: &[Tag],
        needed: Value<'_>,
        names: &[&str],
    ) -> Result<Looked, Failure> {
        let mut script = self.link.script();
        let place = read(&mut script, namespace, tags, needed, names)?;
        let rows = self.link.ask(script).await?.rows(place)?;
        Looked::of(rows, tags, names)
    }
}

impl Generations for Mysql {
    fn begin<'a>(
        &'a self,
        namespace: &'a str,
        tags: &'a [Tag],
        keep: Option<Duration>,
    ) -> Answer<'a, Reading> {
        Answer::later(async move {
            let [needed, _] = kept(keep);
            let looked = self.look(namespace, tags, needed, &[]).await?;
            if looked.is_complete {
                return Ok(looked.reading);
            }
            let mut looks = LOOKS;
            loop {
                let reading = self.hold(namespace, tags, keep).await?;
                if looks == 0 || reading.markers.iter().all(Option::is_some) {
                    return Ok(reading);
                }
                looks -= 1;
            }
        })
    }

    fn read<'a>(&'a self, namespace: &'a str, tags: &'a [Tag]) -> Answer<'a, Reading> {
        Answer::later(async move {
            let looked = self.look(namespace, tags, Value::Int(0), &[]).await?;
            Ok(looked.reading)
        })
    }

    fn get_with<'a>(
        &'a self,
        name: &'a str,
        namespace: &'a str,
        tags: &'a [Tag],
    ) -> Answer<'a, (Option<Found>, Reading)> {
        Answer::later(async move {
            let looked = self.look(namespace, tags, Value::Int(0), &[name]).await?;
            let Looked {
                mut found, reading, ..
            } = looked;
            Ok((found.pop().flatten(), reading))
        })
    }

    fn get_many_with<'a>(
        &'a self,
        names: &'a [&'a str],
        namespace: &'a str,
        tags: &'a [Tag],
    ) -> Answer<'a, (Vec<Option<Found>>, Reading)> {
        Answer::later(async move {
            // The markers that count are those that are read with the last entries: none is older than an entry beside it.
            let (first, last) = names.split_at(names.len().saturating_sub(AT_ONCE));
            let mut all = Vec::with_capacity(names.len());
            if !first.is_empty() {
                all = everwarm_core::store::Store::get_many(self, first).await?;
            }
            let mut looked = self.look(namespace, tags, Value::Int(0), last).await?;
            all.append(&mut looked.found);
            Ok((all, looked.reading))
        })
    }

    fn invalidate<'a>(&'a self, namespace: &'a str, tags: &'a [Tag]) -> Answer<'a, Reading> {
        Answer::later(self.strike(namespace, tags, Strike::Invalidate))
    }

    fn settle<'a>(&'a self, computed: Computed<'a>) -> Answer<'a, Settled> {
        Answer::later(async move {
            let settled = self.settle_lot(computed.namespace, &[&computed]).await?;
            settled
                .first()
                .copied()
                .ok_or_else(|| unexpected("a settlement"))
        })
    }

    fn settle_many<'a>(&'a self, computed: &'a [Computed<'a>]) -> Answer<'a, Vec<Settled>> {
        Answer::later(async move {
            let mut order: Vec<usize> = (0..computed.len()).collect();
            // In one order two that settle the same names do not wait for each other.
            order.sort_by_key(|&at| (computed[at].namespace, computed[at].name));
            let mut settled = vec![Settled::Lost; computed.len()];
            for space in order.chunk_by(|&a, &b| computed[a].namespace == computed[b].namespace) {
                for lot in lots(space, |at| computed[at].bytes.len()) {
                    let each: Vec<&Computed<'_>> = lot.iter().map(|&at| &computed[at]).collect();
                    let said = self.settle_lot(each[0].namespace, &each).await?;
                    for (at, outcome) in lot.into_iter().zip(said) {
                        settled[at] = outcome;
                    }
                }
            }
            Ok(settled)
        })
    }
}
