//! W-TinyLFU: a window in front of a segmented LRU, which takes in only who is requested more often than who must go.
//!
//! After Einziger, Friedman and Manes, "TinyLFU: a highly efficient cache admission policy", ACM Transactions on Storage
//! 13 (2017): the window is an LRU of 1 % of the capacity; a fifth of the rest is probation, four fifths are protected.

use super::sketch::Sketch;
use super::{Lru, Twin};

/// The three lists and the sketch.
pub struct WTinyLfu {
    window: Lru,
    window_room: usize,
    probation: Lru,
    protected: Lru,
    protected_room: usize,
    main_room: usize,
    sketch: Sketch,
}

impl WTinyLfu {
    /// An empty one of this capacity.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        let window_room = (capacity / 100).max(1);
        let main_room = capacity - window_room;
        let protected_room = main_room * 8 / 10;
        Self {
            window: Lru::new(usize::MAX),
            window_room,
            probation: Lru::new(usize::MAX),
            protected: Lru::new(protected_room),
            protected_room,
            main_room,
            sketch: Sketch::new(capacity),
        }
    }

    /// One who fell out of the window: let in, or not.
    fn admit(&mut self, candidate: u64) {
        if self.probation.len() + self.protected.len() < self.main_room {
            self.probation.renew(candidate);
            return;
        }
        let Some(victim) = self.probation.oldest().or_else(|| self.protected.oldest()) else {
            return;
        };
        if self.sketch.count(candidate) > self.sketch.count(victim) {
            self.probation.remove(victim);
            self.protected.remove(victim);
            self.probation.renew(candidate);
        }
    }
}

impl Twin for WTinyLfu {
    fn request(&mut self, key: u64) -> bool {
        self.sketch.add(key);
        if self.window.contains(key) {
            self.window.renew(key);
            return true;
        }
        if self.protected.contains(key) {
            self.protected.renew(key);
            return true;
        }
        if self.protected_room > 0 && self.probation.remove(key) {
            if let Some(demoted) = self.protected.renew(key) {
                self.probation.renew(demoted);
            }
            return true;
        }
        if self.probation.contains(key) {
            self.probation.renew(key);
            return true;
        }
        self.window.renew(key);
        if self.window.len() > self.window_room
            && let Some(candidate) = self.window.oldest()
        {
            self.window.remove(candidate);
            self.admit(candidate);
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(twin: &WTinyLfu) -> usize {
        twin.window.len() + twin.probation.len() + twin.protected.len()
    }

    #[test]
    fn it_fills_and_never_overflows() {
        for capacity in [1, 2, 3, 10, 100, 1_000] {
            let mut twin = WTinyLfu::new(capacity);
            for key in 0..3 * capacity as u64 {
                assert!(!twin.request(key));
                assert_eq!(held(&twin), capacity.min(key as usize + 1));
            }
        }
    }

    #[test]
    fn a_scan_does_not_push_out_what_is_requested_often() {
        let mut twin = WTinyLfu::new(100);
        for _ in 0..4 {
            for key in 0..90 {
                twin.request(key);
            }
        }
        for key in 1_000..1_400 {
            twin.request(key);
        }
        let there = (0..90).filter(|&key| twin.request(key)).count();
        assert!(there >= 75, "{there} of 90");
    }

    #[test]
    fn a_second_request_protects() {
        let mut twin = WTinyLfu::new(10);
        for key in 0..5 {
            twin.request(key);
        }
        assert!(twin.request(0));
        assert_eq!((twin.protected.len(), twin.window.oldest()), (1, Some(4)));
    }
}
