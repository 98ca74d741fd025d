//! Caches of hashes alone: how many hits would each way to choose get?
//!
//! All shadows see the same requests and mostly hold the same keys. So they share one index: a key has the same place
//! in each of them, and what all say of a request costs one lookup.

use everwarm_core::clock::Instant;
use hashbrown::HashTable;

use super::segments::{Segments, Share};
use super::sketch::Sketch;
use super::{Seat, Seats};

/// How many ways are compared.
pub(super) const SHADOWS: usize = 4;
/// The queue of a seat whose shadow does not hold the key.
const ABSENT: u8 = u8::MAX;

/// By what a shadow chooses who leaves.
pub(super) struct Choice<'a> {
    /// Its window.
    pub(super) share: Share,
    /// What it knows of frequency.
    pub(super) sketch: &'a Sketch,
}

struct Ghost {
    hash: u32,
    seat: Seat,
}

impl Ghost {
    fn absent(hash: u32) -> Self {
        let mut seat = Seat::new();
        seat.queue = ABSENT;
        Self { hash, seat }
    }
}

/// The seats of one shadow.
#[derive(Default)]
struct Ghosts(Vec<Ghost>);

impl Seats for Ghosts {
    fn seat(&self, at: u32) -> &Seat {
        &self.0[at as usize].seat
    }

    fn seat_mut(&mut self, at: u32) -> &mut Seat {
        &mut self.0[at as usize].seat
    }

    fn hash(&self, at: u32) -> u32 {
        self.0[at as usize].hash
    }

    fn deadline(&self, _at: u32) -> Instant {
        Instant::NEVER
    }
}

/// One such cache.
#[derive(Default)]
struct Shadow {
    segments: Segments,
    ghosts: Ghosts,
}

/// All of them.
#[derive(Default)]
pub(super) struct Shadows {
    each: [Shadow; SHADOWS],
    vacant: Vec<u32>,
    index: HashTable<u32>,
}

fn spread(hash: u32) -> u64 {
    u64::from(hash).wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

impl Shadow {
    fn holds(&self, at: u32) -> bool {
        self.ghosts.seat(at).queue != ABSENT
    }

    /// Lets the key at this place in, and others out until it has room; these are added to `gone`.
    fn admit(&mut self, at: u32, room: usize, choice: &Choice<'_>, gone: &mut Vec<u32>) {
        let Self { segments, ghosts } = self;
        while segments.len() >= room.max(1) {
            let Some(victim) = segments.victim(ghosts, choice.share, choice.sketch) else {
                break;
            };
            segments.left(ghosts, victim);
            ghosts.seat_mut(victim).queue = ABSENT;
            gone.push(victim);
        }
        segments.admitted(ghosts, at);
        segments.settle_in(ghosts, choice.share, room);
    }
}

impl Shadows {
    /// Requests a key, with room for so many in each shadow; one bit for each that had it.
    pub(super) fn request(
        &mut self,
        hash: u32,
        room: usize,
        choices: &[Choice<'_>; SHADOWS],
    ) -> u8 {
        let at = self.place(hash);
        let (mut had, mut gone) = (0, Vec::new());
        for (number, (shadow, choice)) in self.each.iter_mut().zip(choices).enumerate() {
            if shadow.holds(at) {
                had |= 1 << number;
                shadow.segments.used(&mut shadow.ghosts, at, choice.share);
            } else {
                shadow.admit(at, room, choice, &mut gone);
            }
        }
        for at in gone {
            self.forget(at);
        }
        had
    }

    /// The place of a key, which it is given if it has none.
    fn place(&mut self, hash: u32) -> u32 {
        let known = &self.each[0].ghosts.0;
        let is_it = |&at: &u32| known[at as usize].hash == hash;
        if let Some(&at) = self.index.find(spread(hash), is_it) {
            return at;
        }
        let at = self.vacant.pop().unwrap_or(known.len() as u32);
        for shadow in &mut self.each {
            let ghosts = &mut shadow.ghosts.0;
            if at as usize == ghosts.len() {
                ghosts.push(Ghost::absent(hash));
            } else {
                ghosts[at as usize] = Ghost::absent(hash);
            }
        }
        let known = &self.each[0].ghosts;
        let of = |&at: &u32| spread(known.hash(at));
        self.index.insert_unique(spread(hash), at, of);
        at
    }

    /// Takes the place from a key that no shadow holds any more.
    fn forget(&mut self, at: u32) {
        if self.each.iter().any(|shadow| shadow.holds(at)) {
            return;
        }
        let hash = self.each[0].ghosts.hash(at);
        if let Ok(entry) = self.index.find_entry(spread(hash), |&other| other == at) {
            entry.remove();
            self.vacant.push(at);
        }
    }

    /// Gives entries the order that their hashes have in one shadow.
    pub(super) fn lend(&self, number: usize, segments: &mut Segments, seats: &mut impl Seats) {
        let Shadow {
            segments: model,
            ghosts,
        } = &self.each[number];
        segments.adopt(seats, model, ghosts);
    }

    pub(super) fn check(&self) -> Result<(), String> {
        let places = 0..self.each[0].ghosts.0.len() as u32;
        for shadow in &self.each {
            let held = places.clone().filter(|&at| shadow.holds(at)).count();
            shadow.segments.check(&shadow.ghosts, held)?;
        }
        let is_held = |at: &u32| self.each.iter().any(|shadow| shadow.holds(*at));
        let (held, all) = (places.clone().filter(is_held).count(), places.len());
        if (held, all) != (self.index.len(), held + self.vacant.len()) {
            return Err(format!(
                "{held} of {all} ghosts are held, {} are indexed and {} vacant",
                self.index.len(),
                self.vacant.len()
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::sketch::Ageing;
    use super::*;

    /// Which of four shadows, all of this share but the last, which is LRU, had the keys requested, with room for four.
    fn had(share: Share, keys: &[u32]) -> Vec<u8> {
        let (mut sketch, mut shadows) = (Sketch::new(4, Ageing::Soon), Shadows::default());
        let mut request = |&key: &u32| {
            sketch.add(key);
            let choice = |share| Choice {
                share,
                sketch: &sketch,
            };
            let choices = [share, share, share, Share::WHOLE].map(choice);
            let had = shadows.request(key, 4, &choices);
            shadows.check().unwrap();
            had
        };
        keys.iter().map(&mut request).collect()
    }

    #[test]
    fn with_a_whole_window_the_least_recently_used_leaves() {
        let had = had(Share::WHOLE, &[1, 2, 3, 4, 1, 5, 2, 1]);
        assert_eq!(had, [0, 0, 0, 0, 15, 0, 0, 15]);
    }

    #[test]
    fn with_a_small_window_the_often_used_stay() {
        let had = had(Share(1), &[1, 2, 3, 1, 2, 3, 5, 6, 7, 8, 9, 1, 2, 3]);
        assert_eq!(had[11..], [7, 7, 7], "only LRU forgot them");
    }

    #[test]
    fn less_room_lets_several_go() {
        let (sketch, mut shadows) = (Sketch::new(8, Ageing::Soon), Shadows::default());
        let choices = [Share(10); SHADOWS].map(|share| Choice {
            share,
            sketch: &sketch,
        });
        for key in 0..8 {
            shadows.request(key, 8, &choices);
        }
        assert_eq!(shadows.request(9, 2, &choices), 0);
        assert_eq!(shadows.index.len(), 2);
        shadows.check().unwrap();
    }
}
