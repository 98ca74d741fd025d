//! The shards of an authority, step by step (DESIGN: validity without clocks): what a store does that numbers invalidations.
//!
//! Every step on a shard begins with [`enter`], is atomic, and takes the next number for each message that it sends: those about
//! tags and those about keys. So one number says whether a message was missed, and a counter that was read is a heartbeat.

use crate::mark::Mark;

/// By how much a shard's counter jumps when another server serves it: more than were given and lost.
pub const JUMP: u64 = 1 << 32;

/// A shard as its store keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Shard {
    /// Its reading.
    pub mark: Mark,
    /// The server that gave its last number.
    pub server: u64,
}

/// The shard at the beginning of a step on this server: made with a fresh `epoch` if it is missing, and beyond all numbers that
/// another server may have given.
///
/// ```
/// use everwarm_core::shard::{JUMP, enter};
///
/// let mut shard = enter(None, 1, 0, 99);
/// assert_eq!((shard.mark.epoch, shard.advance().number), (99, 1));
/// // A replica that had not heard of number 2 takes over: what it gives next was given by nobody.
/// let mut other = enter(Some(shard), 2, 0, 98);
/// assert_eq!((other.mark.epoch, other.advance().number), (99, JUMP + 2));
/// ```
#[must_use]
pub fn enter(shard: Option<Shard>, server: u64, number: u16, epoch: u64) -> Shard {
    match shard {
        None => Shard {
            mark: Mark {
                shard: number,
                epoch,
                number: 0,
            },
            server,
        },
        Some(mut shard) => {
            if shard.server != server {
                shard.mark.number += JUMP;
                shard.server = server;
            }
            shard
        }
    }
}

impl Shard {
    /// Takes the next number.
    pub const fn advance(&mut self) -> Mark {
        self.mark.number += 1;
        self.mark
    }

    /// What a tag's marker is for a step that names it: one that is absent or of another epoch becomes the shard's reading of this
    /// moment, never a stamp's.
    #[must_use]
    pub fn marker(&self, there: Option<Mark>) -> Mark {
        there
            .filter(|marker| marker.epoch == self.mark.epoch)
            .unwrap_or(self.mark)
    }
}
