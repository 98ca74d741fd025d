//! Reads of many entries: those that lie in one slot are one command.

use everwarm_core::mark::Mark;
use everwarm_core::store::{Failure, Found};

use crate::entry::found_at;
use crate::error::unexpected;
use crate::keys::{Kind, Shard, braces, is_in, namespace_of};
use crate::link::Timed;
use crate::markers::shard_in;
use crate::packed::{Packed, Words};
use crate::request::Request;
use crate::store::{Redis, check};
use crate::value::Value;

/// How many entries a command reads at most: a server does nothing else meanwhile.
pub(crate) const MOST: usize = 128;

/// Entries that are read in one command.
pub(crate) struct Lot {
    /// The shard that they lie in.
    pub(crate) shard: Shard,
    /// Their keys, and those of what is read behind them.
    pub(crate) keys: Words,
    /// What their keys begin with.
    beginning: String,
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
        // They are spread evenly, or all in one.
        let most = names.len().div_ceil(self.layout.shards.into()).min(MOST);
        for (place, &name) in names.iter().enumerate() {
            check(name)?;
            let number = self.layout.shard_of(name);
            let has_room = |lot: &Lot| lot.has_room_for(name, number);
            let at = lots.iter().rposition(has_room).unwrap_or_else(|| {
                let shard = self.layout.shard(namespace_of(name), number);
                self.attend(&shard.space);
                let beginning = Kind::Entry.of(&braces(&shard.space, number));
                lots.push(Lot {
                    shard,
                    keys: Words::with_room(most, &[&beginning, name]),
                    beginning,
                    places: Vec::with_capacity(most),
                });
                lots.len() - 1
            });
            let lot = &mut lots[at];
            lot.keys.add(&[&lot.beginning, name]);
            lot.places.push(place);
        }
        Ok(lots)
    }
}

impl Lot {
    /// Whether an entry of this name, which lies in the shard of this number, is read with it.
    fn has_room_for(&self, name: &str, number: u16) -> bool {
        self.shard.number == number && self.places.len() < MOST && is_in(&self.shard.space, name)
    }

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn names_of_a_namespace_are_read_together_and_others_apart() {
        let config = Config::from_url("redis://127.0.0.1:1/0").expect("a URL");
        let store = Redis::open(config).expect("nothing is connected yet");
        let names = [
            "shop:f::1",
            "shopping:f::1",
            "shop:f::2",
            "shop",
            "sho:p",
            "shop:",
        ];
        let lots = store.lots(&names).expect("they are short");
        let read = |lot: &Lot| (lot.shard.space.to_string(), lot.places.clone());
        let read: Vec<_> = lots.iter().map(read).collect();
        let (shop, shopping, sho) = ("shop".to_owned(), "shopping".to_owned(), "sho".to_owned());
        assert_eq!(
            read,
            [
                (shop, vec![0, 2, 3, 5]),
                (shopping, vec![1]),
                (sho, vec![4])
            ]
        );
        for lot in &lots {
            let asked = lot.request().keys().1;
            let keys = lot.places.iter().map(|&place| names[place]);
            let keys: Vec<_> = keys.map(|name| store.layout.keys(name).entry).collect();
            assert_eq!(asked, keys);
        }
        let many = vec!["shop:f::1"; 2 * MOST + 1];
        let lots = store.lots(&many).expect("they are short");
        let counts: Vec<_> = lots.iter().map(|lot| lot.places.len()).collect();
        assert_eq!(counts, [MOST, MOST, 1]);
    }
}
