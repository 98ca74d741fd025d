//! A cache of hashes alone: how many hits would one share of the window get?

use everwarm_core::clock::Instant;
use hashbrown::HashTable;

use super::segments::{Segments, Share};
use super::sketch::Sketch;
use super::{Seat, Seats};

struct Ghost {
    hash: u32,
    seat: Seat,
}

/// The seats of a shadow.
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
pub(super) struct Shadow {
    share: Share,
    segments: Segments,
    ghosts: Ghosts,
    vacant: Vec<u32>,
    index: HashTable<u32>,
}

fn spread(hash: u32) -> u64 {
    u64::from(hash).wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

impl Shadow {
    /// An empty one with this share of the window.
    pub(super) fn new(share: Share) -> Self {
        Self {
            share,
            segments: Segments::default(),
            ghosts: Ghosts::default(),
            vacant: Vec::new(),
            index: HashTable::new(),
        }
    }

    /// Requests a key, with room for so many; whether it was there.
    pub(super) fn request(&mut self, hash: u32, room: usize, sketch: &Sketch) -> bool {
        let ghosts = &self.ghosts;
        if let Some(&at) = self.index.find(spread(hash), |&at| ghosts.hash(at) == hash) {
            self.segments.used(&mut self.ghosts, at, self.share);
            return true;
        }
        while self.segments.len() >= room.max(1) {
            let Some(at) = self.segments.victim(&mut self.ghosts, self.share, sketch) else {
                break;
            };
            self.leave(at);
        }
        self.enter(hash);
        self.segments.settle_in(&mut self.ghosts, self.share, room);
        false
    }

    /// Gives entries the order that their hashes have here.
    pub(super) fn lend(&self, segments: &mut Segments, seats: &mut impl Seats) {
        segments.adopt(seats, &self.segments, &self.ghosts);
    }

    fn enter(&mut self, hash: u32) {
        let ghost = Ghost {
            hash,
            seat: Seat::new(),
        };
        let at = match self.vacant.pop() {
            Some(at) => {
                self.ghosts.0[at as usize] = ghost;
                at
            }
            None => {
                self.ghosts.0.push(ghost);
                self.ghosts.0.len() as u32 - 1
            }
        };
        let ghosts = &self.ghosts;
        self.index
            .insert_unique(spread(hash), at, |&at| spread(ghosts.hash(at)));
        self.segments.admitted(&mut self.ghosts, at);
    }

    fn leave(&mut self, at: u32) {
        self.segments.left(&mut self.ghosts, at);
        let hash = self.ghosts.hash(at);
        if let Ok(entry) = self.index.find_entry(spread(hash), |&other| other == at) {
            entry.remove();
        }
        self.vacant.push(at);
    }

    pub(super) fn check(&self) -> Result<(), String> {
        self.segments.check(&self.ghosts, self.index.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Hits among requests for keys, with room for four.
    fn hits(share: Share, keys: &[u32]) -> Vec<bool> {
        let (mut sketch, mut shadow) = (Sketch::new(4), Shadow::new(share));
        let mut request = |&key: &u32| {
            sketch.add(key);
            let hit = shadow.request(key, 4, &sketch);
            shadow.check().unwrap();
            hit
        };
        keys.iter().map(&mut request).collect()
    }

    #[test]
    fn with_a_whole_window_the_least_recently_used_leaves() {
        let hits = hits(Share::WHOLE, &[1, 2, 3, 4, 1, 5, 2, 1]);
        assert_eq!(hits, [false, false, false, false, true, false, false, true]);
    }

    #[test]
    fn with_a_small_window_the_often_used_stay() {
        let hits = hits(Share(1), &[1, 2, 3, 1, 2, 3, 5, 6, 7, 8, 9, 1, 2, 3]);
        assert_eq!(hits[11..], [true, true, true]);
    }

    #[test]
    fn less_room_lets_several_go() {
        let (sketch, mut shadow) = (Sketch::new(8), Shadow::new(Share(10)));
        for key in 0..8 {
            shadow.request(key, 8, &sketch);
        }
        assert!(!shadow.request(9, 2, &sketch));
        assert_eq!(shadow.index.len(), 2);
        shadow.check().unwrap();
    }
}
