//! Which way to choose would get the most hits: shadows that compete.

use super::segments::{Segments, Share};
use super::shadows::{Choice, SHADOWS, Shadows};
use super::sketch::{Ageing, Sketch};
use super::{Part, Seats};

/// The ways: W-TinyLFU as its paper has it, with a longer memory, with a larger window, and LRU.
const WAYS: [(Share, Ageing); SHADOWS] = [
    (Share(1), Ageing::Soon),
    (Share(1), Ageing::Late),
    (Share(40), Ageing::Soon),
    (Share::WHOLE, Ageing::Soon),
];
/// Entries up to which shadows see all keys. Of more entries they see a sample of the keys that is so large at most.
const EXACT: usize = 1_024;
/// Entries from which on the counts of their requests do not fit into the processor's nearest caches.
const LARGE: usize = 8_192;
/// The shadows are compared whenever their room was requested once more in such a part, but not after fewer requests than `FEWEST`.
const TURNS: usize = 4;
const FEWEST: usize = 32;
/// What is left of a count of hits when they are compared again.
const KEPT: f32 = 0.985;
/// A lead must exceed what chance explains: so many standard deviations of it.
const DEVIATIONS: f32 = 3.0;
/// So many rooms of hits a shadow may be ahead of the entries that follow it.
const PATIENCE: f32 = 0.5;

/// The shadows of one shard, and how they compare. What each eviction looks at comes first, so that it lies together.
#[repr(C)]
pub(super) struct Duel {
    /// How often all keys were requested, where shadows see a sample or none.
    whole: Option<Sketch>,
    followed: usize,
    part: Part,
    /// For about so many entries.
    entries: usize,
    room: usize,
    /// The shadows see one key in two to the power of this.
    halvings: u32,
    is_large: bool,
    /// How often the keys that the shadows see were requested, by what ages soon and what ages late.
    sketches: Box<[Sketch]>,
    /// Requests since the last comparison.
    seen: usize,
    /// How often, lately, the one hit where the other missed.
    wins: [[f32; SHADOWS]; SHADOWS],
    /// How often, lately, each shadow hit where the entries that followed it missed, less the reverse.
    debts: [f32; SHADOWS],
    shadows: Shadows,
}

impl Duel {
    /// For so many entries, with what was learnt for another number of them.
    pub(super) fn new(entries: usize, before: Option<&Self>, part: &Part) -> Self {
        let mut halvings = 0;
        while entries >> halvings > EXACT {
            halvings += 1;
        }
        let room = entries >> halvings;
        let followed = before.map_or(part.way(), |before| before.followed);
        let (is_led, soon_and_late) = (part.is_led(), [Ageing::Soon, Ageing::Late]);
        Self {
            shadows: Shadows::default(),
            sketches: match is_led {
                true => Box::default(),
                false => soon_and_late
                    .map(|ageing| Sketch::of_shadows(room, ageing, halvings == 0))
                    .into(),
            },
            whole: (is_led || halvings > 0).then(|| Sketch::new(entries, WAYS[followed].1)),
            wins: [[0.0; SHADOWS]; SHADOWS],
            debts: [0.0; SHADOWS],
            seen: 0,
            followed,
            halvings,
            entries,
            room,
            is_large: part.of_all(entries) >= LARGE,
            part: part.clone(),
        }
    }

    /// Whether it was made for about so many entries.
    #[inline]
    pub(super) fn suits(&self, entries: usize) -> bool {
        entries <= 2 * self.entries && 8 * entries >= self.entries
    }

    /// Takes note of how many entries there are: as many as have room.
    #[inline]
    pub(super) fn fit(&mut self, entries: usize) {
        self.room = entries >> self.halvings;
    }

    #[inline]
    fn sees(&self, hash: u32) -> bool {
        hash.wrapping_mul(0x9E37_79B1).leading_zeros() >= self.halvings
    }

    /// Whether its shadows see the requests of a key.
    #[inline]
    pub(super) fn shows(&self, hash: u32) -> bool {
        self.sees(hash) && !self.part.is_led()
    }

    /// The share that is followed.
    #[inline]
    pub(super) fn share(&self) -> Share {
        WAYS[self.followed].0
    }

    /// How often keys were requested.
    pub(super) fn sketch(&self) -> &Sketch {
        match &self.whole {
            Some(whole) => whole,
            None => &self.sketches[WAYS[self.followed].1 as usize],
        }
    }

    /// Whether entries carry their own uses for a while. Counts of fewer entries are near the processor anyway, and there each
    /// of them matters more.
    #[inline]
    pub(super) fn is_large(&self) -> bool {
        self.is_large
    }

    /// Counts so many requests of a key, where what the shadows count is not of all keys.
    pub(super) fn count(&mut self, hash: u32, times: u8) {
        if let Some(whole) = &mut self.whole {
            whole.add_many(hash, times);
        }
    }

    /// How often a key was requested, which its entry carried so many requests of.
    #[inline(always)]
    pub(super) fn recount(&mut self, hash: u32, carried: u8) -> u64 {
        match &mut self.whole {
            Some(whole) => whole.add_and_count(hash, carried),
            None => self.sketch().count(hash),
        }
    }

    /// Tells the shadows of a request of a key that was a hit or not; whether another one is followed from here on.
    #[inline]
    pub(super) fn request(&mut self, hash: u32, hit: bool) -> bool {
        if self.part.is_led() {
            return self.follow(self.part.way());
        }
        self.sees(hash) && self.play(hash, hit)
    }

    /// Lets the shadows see a request, and compares them when it is time; whether another one is followed from here on.
    #[inline(never)]
    fn play(&mut self, hash: u32, hit: bool) -> bool {
        self.sketches.iter_mut().for_each(|sketch| sketch.add(hash));
        let choices = WAYS.map(|(share, ageing)| Choice {
            share,
            sketch: &self.sketches[ageing as usize],
        });
        let had = self.shadows.request(hash, self.room, &choices);
        if had != 0 && had != (1 << SHADOWS) - 1 {
            for (one, wins) in self.wins.iter_mut().enumerate() {
                for (other, win) in wins.iter_mut().enumerate() {
                    *win += f32::from(had >> one & !(had >> other) & 1);
                }
            }
        }
        let debt = &mut self.debts[self.followed];
        *debt = (*debt + f32::from(had >> self.followed & 1) - f32::from(u8::from(hit))).max(0.0);
        self.seen += 1;
        self.seen >= (self.room / TURNS).max(FEWEST) && self.compare()
    }

    /// Follows the shadow with the greatest lead, if that is no chance; whether it is another one.
    fn compare(&mut self) -> bool {
        self.seen = 0;
        let followed = self.followed;
        let (mut least, mut best) = (0.0, followed);
        for (one, wins) in self.wins.iter().enumerate() {
            let (won, lost) = (wins[followed], self.wins[followed][one]);
            let lead = won - lost + self.excess(followed) - self.excess(one);
            if lead > f32::max(least, DEVIATIONS * (won + lost).sqrt()) {
                least = lead;
                best = one;
            }
        }
        for win in self.wins.iter_mut().flatten().chain(&mut self.debts) {
            *win *= KEPT;
        }
        self.part.lead(best);
        self.follow(best)
    }

    /// Follows this way from here on; whether it is another one.
    #[inline]
    fn follow(&mut self, way: usize) -> bool {
        let turns = way != self.followed;
        if turns {
            self.followed = way;
            if let Some(whole) = &mut self.whole {
                whole.ages(WAYS[way].1);
            }
        }
        turns
    }

    /// What a shadow owes beyond the room that it costs to follow it: a sample that is too small by chance promises hits for ever.
    fn excess(&self, shadow: usize) -> f32 {
        (self.debts[shadow] - self.room as f32 * PATIENCE).max(0.0)
    }

    /// Gives the entries the order of the shadow that is followed: its very order, if it sees all keys.
    pub(super) fn lend(&self, segments: &mut Segments, seats: &mut impl Seats) {
        match &self.whole {
            Some(sketch) => segments.divide(seats, self.share(), sketch),
            None => self.shadows.lend(self.followed, segments, seats),
        }
    }

    pub(super) fn check(&self) -> Result<(), String> {
        self.shadows.check()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether another shadow was ever followed, while all shadows hit and the entries do or do not.
    fn changes(hit: bool) -> bool {
        let mut duel = Duel::new(100, None, &Part::default());
        let request = |key: u32| duel.request(key.wrapping_mul(0x85EB_CA6B), hit);
        (0..50).cycle().take(2_000).any(request)
    }

    #[test]
    fn a_shadow_whose_hits_the_entries_do_not_get_is_left() {
        assert!(changes(false));
    }

    #[test]
    fn a_shadow_that_is_no_worse_than_others_is_kept() {
        assert!(!changes(true));
    }
}
