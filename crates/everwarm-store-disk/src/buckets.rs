//! The buckets that a process has read while it wrote: nobody else writes them meanwhile, so each is read once.
//!
//! They stay from step to step as long as nobody else came between, which the head says. Only whether a slot was read since is
//! not as it is in the file, since readers note that without the lock.

use crate::index::{At, Bucket};

/// How many are kept: the index of a store of some ten thousand entries, in two mebibytes, of which a process has what it came by.
const PLACES: usize = 4096;

/// Buckets, each in the place that its number says.
#[derive(Debug, Default)]
pub(crate) struct Buckets {
    places: Vec<Option<Box<(u64, Bucket)>>>,
}

impl Buckets {
    /// A bucket as it is known, or as `read` fills it in; and whether it was read.
    pub(crate) fn find_or<E>(
        &mut self,
        number: u64,
        read: impl FnOnce(&mut Bucket) -> Result<(), E>,
    ) -> Result<(&mut Bucket, bool), E> {
        if self.places.is_empty() {
            self.places.resize_with(PLACES, || None);
        }
        let place = &mut self.places[place_of(number)];
        let is_known = place.as_ref().is_some_and(|kept| kept.0 == number);
        if !is_known {
            // Where it cannot be read, there is none.
            let mut room = place.take().unwrap_or_default();
            room.0 = number;
            read(&mut room.1)?;
            *place = Some(room);
        }
        Ok((&mut place.get_or_insert_default().1, !is_known))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_is_read_once_and_not_known_where_that_failed() {
        let mut buckets = Buckets::default();
        let full = |bucket: &mut Bucket| {
            bucket.set_header(1, 7, true);
            Ok::<_, ()>(())
        };
        let (_, is_read) = buckets.find_or(7, full).expect("it is read");
        assert!(is_read);
        let (bucket, is_read) = buckets.find_or(7, |_| Err(())).expect("it is known");
        assert_eq!((bucket.is_full(1, 7), is_read), (Some(true), false));
        // Another one in its place.
        let other = 7 + PLACES as u64;
        assert!(buckets.find_or(other, |_| Err(())).is_err());
        assert!(
            buckets.find_or(other, |_| Err(())).is_err(),
            "it is not known"
        );
        let (_, is_read) = buckets.find_or(7, full).expect("it is read");
        assert!(is_read, "what was there before is not known any more");
    }
}
