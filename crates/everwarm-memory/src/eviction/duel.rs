//! Which share of the window would get the most hits: shadows that compete.

use super::Seats;
use super::segments::{Segments, Share};
use super::shadow::Shadow;
use super::sketch::Sketch;

/// W-TinyLFU as its paper has it, the same with a larger window, and LRU.
const SHARES: [Share; 3] = [Share(1), Share(40), Share::WHOLE];
/// Entries up to which a shadow sees all keys, the default of a cache among them.
const EXACT: usize = 10_000;
/// Of more entries shadows see a sample of the keys: so many at most.
const SAMPLE: usize = 2_048;
/// The shadows are compared whenever their room was requested once more in such a part, but not after fewer requests than `FEWEST`.
const TURNS: usize = 8;
const FEWEST: usize = 32;
/// What is left of a count of hits when they are compared again.
const KEPT: f32 = 0.97;
/// A lead must exceed what chance explains, so many standard deviations of it,
const DEVIATIONS: f32 = 1.5;
/// and this part of the room, since to follow another shadow costs misses.
const LEAD: f32 = 0.07;

/// The shadows of one shard, and how they compare.
pub(super) struct Duel {
    sketch: Sketch,
    shadows: [Shadow; 3],
    /// How often, lately, the one hit where the other missed.
    wins: [[f32; 3]; 3],
    /// Requests since the last comparison.
    seen: usize,
    followed: usize,
    /// The shadows see one key in two to the power of this.
    halvings: u32,
    room: usize,
}

impl Duel {
    /// For so many entries.
    pub(super) fn new(entries: usize) -> Self {
        let mut duel = Self {
            sketch: Sketch::new(entries),
            shadows: SHARES.map(Shadow::new),
            wins: [[0.0; 3]; 3],
            seen: 0,
            followed: 0,
            halvings: 0,
            room: 0,
        };
        duel.fit(entries);
        duel
    }

    /// Whether the sketch is still large enough.
    pub(super) fn suits(&self, entries: usize) -> bool {
        entries <= 2 * self.sketch.entries()
    }

    /// Takes note of how many entries there are: as many as have room.
    pub(super) fn fit(&mut self, entries: usize) {
        if entries > EXACT {
            while entries >> self.halvings > SAMPLE {
                self.halvings += 1;
            }
        }
        self.room = entries >> self.halvings;
    }

    /// The share that is followed.
    pub(super) fn share(&self) -> Share {
        SHARES[self.followed]
    }

    /// How often keys were requested.
    pub(super) fn sketch(&self) -> &Sketch {
        &self.sketch
    }

    /// Counts a request of a key; whether another shadow is followed from here on.
    pub(super) fn request(&mut self, hash: u32) -> bool {
        self.sketch.add(hash);
        if hash.wrapping_mul(0x9E37_79B1).leading_zeros() < self.halvings {
            return false;
        }
        let mut hits = [false; 3];
        for (shadow, hit) in self.shadows.iter_mut().zip(&mut hits) {
            *hit = shadow.request(hash, self.room, &self.sketch);
        }
        for (wins, hit) in self.wins.iter_mut().zip(hits) {
            for (win, other) in wins.iter_mut().zip(hits) {
                *win += f32::from(u8::from(hit & !other));
            }
        }
        self.seen += 1;
        self.seen >= (self.room / TURNS).max(FEWEST) && self.compare()
    }

    /// Follows the shadow with the greatest lead, if that is no chance and worth it; whether it is another one.
    fn compare(&mut self) -> bool {
        self.seen = 0;
        let followed = self.followed;
        let mut least = self.room as f32 * LEAD;
        for (one, wins) in self.wins.iter().enumerate() {
            let (won, lost) = (wins[followed], self.wins[followed][one]);
            if won - lost > least.max(DEVIATIONS * (won + lost).sqrt()) {
                least = won - lost;
                self.followed = one;
            }
        }
        for win in self.wins.iter_mut().flatten() {
            *win *= KEPT;
        }
        self.followed != followed
    }

    /// Gives the entries the order of the shadow that is followed, if it is exact.
    pub(super) fn lend(&self, segments: &mut Segments, seats: &mut impl Seats) {
        if self.halvings == 0 {
            self.shadows[self.followed].lend(segments, seats);
        }
    }

    pub(super) fn check(&self) -> Result<(), String> {
        self.shadows.iter().try_for_each(Shadow::check)
    }
}
