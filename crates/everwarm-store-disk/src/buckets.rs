//! The buckets that a process has read while it wrote: nobody else writes them meanwhile, so each is read once.
//!
//! They stay from step to step as long as nobody else came between, which the head says. Only whether a slot was read since is
//! not as it is in the file, since readers note that without the lock.

use crate::index::{At, Bucket};

/// How many are kept: the index of a small store, or as many as a long step comes by.
const PLACES: usize = 1024;

/// Buckets, each in the place that its number says.
#[derive(Debug, Default)]
pub(crate) struct Buckets {
    places: Vec<Option<Box<(u64, Bucket)>>>,
}

impl Buckets {
    /// A bucket as it is known, or as it is read; and whether it was read.
    pub(crate) fn find_or<E>(
        &mut self,
        number: u64,
        read: impl FnOnce() -> Result<Bucket, E>,
    ) -> Result<(&mut Bucket, bool), E> {
        if self.places.is_empty() {
            self.places.resize_with(PLACES, || None);
        }
        let place = &mut self.places[place_of(number)];
        let (kept, is_fresh) = match place.take() {
            Some(kept) if kept.0 == number => (kept, false),
            Some(mut room) => {
                *room = (number, read()?);
                (room, true)
            }
            None => (Box::new((number, read()?)), true),
        };
        Ok((&mut place.insert(kept).1, is_fresh))
    }

    /// Notes what was written into a slot.
    pub(crate) fn put(&mut self, at: At, bytes: [u8; crate::index::SLOT]) {
        if let Some(Some(kept)) = self.places.get_mut(place_of(at.bucket))
            && kept.0 == at.bucket
        {
            kept.1.put(at.slot, bytes);
        }
    }

    pub(crate) fn clear(&mut self) {
        self.places.clear();
    }
}

const fn place_of(number: u64) -> usize {
    number as usize % PLACES
}
