//! Numbers that are changed in one step: read, and replaced if they are still what was read.
//!
//! The server's own arithmetic knows no sign and no end of 64 bits. Each change writes the number anew, which must not lengthen its life:
//! a counter carries its end by the server's clock, since what is left of an item is whole seconds, and each change would round it up.

use std::time::Duration;

use everwarm_core::store::{Answer, Counters, Failure, FailureKind};

use crate::batch::{Batch, Mode};
use crate::error::{contended, unexpected};
use crate::item::{Clock, Item, Kind, header};
use crate::life::Life;
use crate::replies::Written;
use crate::store::{Memcached, TRIES, given};
use everwarm_network::chance::number;

impl Memcached {
    async fn incr_one(
        &self,
        name: &str,
        (by, initial): (i64, i64),
        ttl: Option<Duration>,
    ) -> Result<i64, Failure> {
        let node = self.node(name)?;
        let (key, mut item, now) = self.look_with_clock(node, name).await?;
        for _ in 0..TRIES {
            let there = item.as_ref().filter(|item| item.is_there());
            let (before, life, ends) = match there {
                Some(item) => {
                    let (life, ends) = kept(item, now);
                    (number_in(item)?, life, ends)
                }
                None => {
                    let life = Life::of(ttl);
                    (initial, life, now.after(life.seconds()))
                }
            };
            let after = before.checked_add(by).ok_or_else(beyond)?;
            let text = after.to_string();
            let mode = item.as_ref().map_or(Mode::Add, |item| Mode::Over(item.cas));
            let terms = self.terms(node, (mode, Kind::Counter), life).await?;
            let head = header(number(), text.len(), ends);
            // Where others were first, what they left is there at once: a trip for each attempt.
            let mut batch = Batch::default();
            batch.set(&key, &[&head, text.as_bytes()], terms);
            batch.get(&key, "vftc");
            let replies = node.exchange(batch, true).await?;
            let [written, left] = &replies[..] else {
                return Err(unexpected("a counter"));
            };
            if written.written()? == Written::Done {
                return Ok(after);
            }
            item = Item::read(left)?;
        }
        Err(contended())
    }
}

/// What a number keeps of its life, and when that ends.
fn kept(item: &Item, now: Clock) -> (Life, Clock) {
    let life = item.life();
    match (item.kind, now.until(item.ends)) {
        (Kind::Counter, Some(left)) => (Life::kept(Some(left), item.less), item.ends),
        // It was set as a value or given another life, or the server has lost its clock.
        _ => (life, now.after(life.seconds())),
    }
}

/// The number that an item is the text of.
fn number_in(item: &Item) -> Result<i64, Failure> {
    let value = item.value();
    let text = std::str::from_utf8(&value).ok();
    text.and_then(|text| text.parse().ok()).ok_or_else(|| {
        Failure::new(
            FailureKind::Permanent,
            "what is counted up is no number",
            "count under a name of its own",
        )
    })
}

fn beyond() -> Failure {
    Failure::new(
        FailureKind::Permanent,
        "a counter would leave 64 bits",
        "delete it, and begin anew",
    )
}

impl Counters for Memcached {
    fn incr<'a>(
        &'a self,
        name: &'a str,
        by: i64,
        initial: i64,
        ttl: Option<Duration>,
    ) -> Answer<'a, i64> {
        given(self.incr_one(name, (by, initial), ttl))
    }
}
