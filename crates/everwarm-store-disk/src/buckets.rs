//! The buckets that a step has read: nobody else writes them meanwhile, so each is read once.

use std::collections::HashMap;

use crate::index::{At, Bucket, SLOT};

/// How many are kept: as many as a long step comes by.
const MOST: usize = 512;

/// The bucket that was read last, and those before it. Most steps come by one alone, and pay for no table.
#[derive(Default)]
pub(crate) struct Buckets {
    last: Option<(u64, Bucket)>,
    before: HashMap<u64, Bucket>,
}

impl Buckets {
    pub(crate) fn find(&mut self, number: u64) -> Option<Bucket> {
        if let Some((last, bucket)) = &self.last
            && *last == number
        {
            return Some(bucket.clone());
        }
        let bucket = self.before.remove(&number)?;
        self.keep(number, bucket.clone());
        Some(bucket)
    }

    pub(crate) fn keep(&mut self, number: u64, bucket: Bucket) {
        let last = self.last.replace((number, bucket));
        let Some((last, bucket)) = last.filter(|(last, _)| *last != number) else {
            return;
        };
        if self.before.len() >= MOST {
            self.before.clear();
        }
        self.before.insert(last, bucket);
    }

    /// Notes what was written into a slot.
    pub(crate) fn put(&mut self, at: At, bytes: [u8; SLOT]) {
        match &mut self.last {
            Some((last, bucket)) if *last == at.bucket => bucket.put(at.slot, bytes),
            _ => {
                if let Some(bucket) = self.before.get_mut(&at.bucket) {
                    bucket.put(at.slot, bytes);
                }
            }
        }
    }

    pub(crate) fn clear(&mut self) {
        self.last = None;
        self.before.clear();
    }
}
