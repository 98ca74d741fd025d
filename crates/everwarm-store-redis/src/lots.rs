//! Reads of many entries: those that lie in one slot are one step.

use everwarm_core::mark::Mark;
use everwarm_core::store::{Failure, Found};
use redis::Value;

use crate::entry::{found_at, moment};
use crate::error::unexpected;
use crate::keys::{Kind, Shard, braces, namespace_of};
use crate::markers::shard_in;
use crate::packed::{Packed, Words};
use crate::request::Request;
use crate::store::{Redis, check};

/// How many entries a step reads at most: a server does nothing else meanwhile.
const MOST: usize = 128;

/// Entries that are read in one step.
pub(crate) struct Lot {
    /// The shard that they lie in.
    pub(crate) shard: Shard,
    /// What is asked in the step, behind the entries too.
    pub(crate) step: Packed,
    /// Their keys.
    keys: Words,
    /// The places of their names among all that were asked for.
    places: Vec<usize>,
}

impl Redis {
    /// The entries of these names, by their slots.
    ///
    /// # Errors
    /// `Capacity` for a name that is too long.
    pub(crate) fn lots(&self, names: &[&str]) -> Result<Vec<Lot>, Failure> {
        let mut lots: Vec<Lot> = Vec::new();
        let (mut space, mut number, mut beginning) = ("", 0, String::new());
        for (place, &name) in names.iter().enumerate() {
            check(name)?;
            // Many of them have a shard in common.
            let of = (namespace_of(name), self.layout.shard_of(name));
            if (space, number) != of || beginning.is_empty() {
                (space, number) = of;
                beginning = Kind::Entry.of(&braces(space, number));
                self.attend(space);
            }
            let is_there = |lot: &Lot| (&*lot.shard.space, lot.shard.number) == of;
            let has_room = |lot: &Lot| is_there(lot) && lot.places.len() < MOST;
            let at = lots.iter().rposition(has_room).unwrap_or_else(|| {
                lots.push(Lot {
                    shard: self.layout.shard(space, number),
                    step: Packed::default(),
                    keys: Words::default(),
                    places: Vec::new(),
                });
                lots.len() - 1
            });
            lots[at].keys.add(&[&beginning, name]);
            lots[at].places.push(place);
        }
        for lot in &mut lots {
            lot.step.written("MGET", &lot.keys);
            lot.step.word("TIME");
        }
        Ok(lots)
    }
}

impl Lot {
    /// What is asked; once.
    pub(crate) fn request(&mut self) -> Request {
        Request::in_one_step(self.shard.slot, std::mem::take(&mut self.step))
    }

    /// Takes the entries out of the answer; what is left of it answers what was asked behind them.
    ///
    /// # Errors
    /// `Corruption` for what no store wrote.
    pub(crate) fn take(
        &self,
        answer: Value,
        all: &mut [Option<Found>],
    ) -> Result<Vec<Value>, Failure> {
        let Value::Array(mut entries) = answer else {
            return Err(unexpected("a read"));
        };
        let rest = entries.split_off(2.min(entries.len()));
        let read = <[Value; 2]>::try_from(entries);
        let Ok([Value::Array(values), time]) = read else {
            return Err(unexpected("a read"));
        };
        if values.len() != self.places.len() {
            return Err(unexpected("a read"));
        }
        let moment = moment(&time)?;
        for (place, bytes) in self.places.iter().zip(values) {
            all[*place] = found_at(bytes, moment)?;
        }
        Ok(rest)
    }
    /// As [`take`](Self::take), where the shard was asked for first behind the entries: its reading, and what is left. What lies in a
    /// shard that is not there is a miss.
    ///
    /// # Errors
    /// `Corruption` for what no store wrote.
    pub(crate) fn take_with_shard(
        &self,
        answer: Value,
        all: &mut [Option<Found>],
    ) -> Result<(Option<Mark>, std::vec::IntoIter<Value>), Failure> {
        let mut rest = self.take(answer, all)?.into_iter();
        let shard = rest.next().ok_or_else(|| unexpected("a read"))?;
        let mark = shard_in(&shard, &self.shard)?;
        if mark.is_none() {
            self.places.iter().for_each(|&place| all[place] = None);
        }
        Ok((mark, rest))
    }
}
