//! Holding what the target has against the source: what was changed in the source alone since it was copied goes.

use std::sync::Arc;

use everwarm_core::store::Failure;

use super::Copying;
use super::lots::There;

impl Copying {
    /// Lets go of what the target has under these names and the source has not; of what the source has another, younger value the
    /// target gets that.
    pub(super) async fn check(&mut self, names: Vec<Arc<str>>) -> Result<(), Failure> {
        let mut names = &names[..];
        while !names.is_empty() {
            let (batch, rest) = names.split_at(self.batch.min(names.len()));
            self.check_batch(batch).await?;
            names = rest;
        }
        Ok(())
    }

    async fn check_batch(&mut self, names: &[Arc<str>]) -> Result<(), Failure> {
        let theirs = self.to.lots(names).await?.into_iter();
        let theirs: Vec<_> = theirs
            .filter_map(|there| match there {
                There::Lot(lot) => Some(lot),
                There::Nothing | There::Refused(_) => None,
            })
            .collect();
        self.weighed(theirs.iter().map(|lot| lot.envelope.len()).sum());
        let names: Vec<Arc<str>> = theirs.iter().map(|lot| Arc::clone(&lot.name)).collect();
        // After the target: what counts here now counted when the target had it.
        let ours = self.from.lots(&names).await?;
        let (mut without, mut older) = (Vec::new(), Vec::new());
        for (theirs, ours) in theirs.into_iter().zip(ours) {
            self.copied.checked += 1;
            match ours {
                There::Lot(ours) if ours.is_like(&theirs) || theirs.age < ours.age => {}
                There::Lot(_) => older.push(theirs.name),
                There::Nothing | There::Refused(_) => without.push(theirs.name),
            }
        }
        if !without.is_empty() {
            self.copied.dropped += without.len() as u64;
            self.strike(&without).await?;
        }
        self.carry(older).await
    }
}
