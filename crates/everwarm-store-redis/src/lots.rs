//! Reads of many entries: those that lie in one slot are one command.

use everwarm_core::mark::Mark;
use everwarm_core::store::{Failure, Found};

use crate::entry::found_at;
use crate::error::unexpected;
use crate::keys::{Kind, Shard, braces, namespace_of};
use crate::link::Timed;
use crate::markers::shard_in;
use crate::packed::{Packed, Words};
use crate::request::Request;
use crate::store::{Redis, check};
use crate::value::Value;

/// How many entries a command reads at most: a server does nothing else meanwhile.
const MOST: usize = 128;

/// Entries that are read in one command.
pub(crate) struct Lot {
    /// The shard that they lie in.
    pub(crate) shard: Shard,
    /// Their keys, and those of what is read behind them.
    pub(crate) keys: Words,
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
        // They are spread evenly, or all in one.
        let most = names.len().div_ceil(self.layout.shards.into()).min(MOST);
        for (place, &name) in names.iter().enumerate() {
            check(name)?;
            // Many of them have a namespace and a shard in common.
            let is_in_space = name
                .strip_prefix(space)
                .is_some_and(|rest| rest.starts_with(':'));
            let named = if is_in_space {
                space
            } else {
                namespace_of(name)
            };
            let of = (named, self.layout.shard_of(name));
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
                    keys: Words::with_room(most, &[&beginning, name]),
                    places: Vec::with_capacity(most),
                });
                lots.len() - 1
            });
            lots[at].keys.add(&[&beginning, name]);
            lots[at].places.push(place);
        }
        Ok(lots)
    }
}

impl Lot {
    /// What is asked.
    pub(crate) fn request(&self) -> Request {
        let mut read = Packed::default();
        read.written("MGET", &self.keys);
        Request::read(self.shard.slot, read)
    }

    /// Takes the entries out of the answer; what is left of it is what was read behind them.
    ///
    /// # Errors
    /// `Corruption` for what no store wrote.
    pub(crate) fn take(
        &self,
        Timed { value, moment }: Timed,
        all: &mut [Option<Found>],
    ) -> Result<std::vec::IntoIter<Value>, Failure> {
        let values = match value {
            Value::Array(values) if values.len() == self.keys.count() => values,
            _ => return Err(unexpected("a read")),
        };
        let mut values = values.into_iter();
        for (place, bytes) in self.places.iter().zip(&mut values) {
            all[*place] = found_at(bytes, moment)?;
        }
        Ok(values)
    }

    /// As [`take`](Self::take), where the shard is read first behind the entries: its reading, and what is left. What lies in a
    /// shard that is not there is a miss.
    ///
    /// # Errors
    /// `Corruption` for what no store wrote.
    pub(crate) fn take_with_shard(
        &self,
        answer: Timed,
        all: &mut [Option<Found>],
    ) -> Result<(Option<Mark>, std::vec::IntoIter<Value>), Failure> {
        let mut rest = self.take(answer, all)?;
        let shard = rest.next().ok_or_else(|| unexpected("a read"))?;
        let mark = shard_in(&shard, &self.shard)?;
        if mark.is_none() {
            self.places.iter().for_each(|&place| all[place] = None);
        }
        Ok((mark, rest))
    }
}
