//! Tags under which nothing is stored for a while.

use everwarm_core::mark::{Mark, Reading, Tag};
use everwarm_core::store::{Generations, Settled, Suspend};

use super::LONG;
use super::generations::{computed, covers, generations, tag};
use crate::harness::Bench;
use crate::promise::{Broken, Kept, ensure};
use crate::wait::wait;

const TAGS: [Tag; 1] = [tag(1)];

/// A store with both facets, and a namespace of its own.
struct Desk<'b> {
    suspend: &'b dyn Suspend,
    generations: &'b dyn Generations,
    space: String,
    name: String,
}

impl<'b> Desk<'b> {
    fn new(bench: &'b Bench<'_>) -> Result<Self, Broken> {
        let suspend = bench.store.suspending();
        Ok(Self {
            suspend: suspend.ok_or_else(|| Broken::new("the store cannot suspend"))?,
            generations: generations(bench)?,
            space: bench.space(),
            name: bench.name("name"),
        })
    }

    fn begin(&self) -> Result<Reading, Broken> {
        Ok(wait(self.generations.begin(&self.space, &TAGS, None))?)
    }

    fn suspend(&self, span: std::time::Duration) -> Result<Reading, Broken> {
        Ok(wait(self.suspend.suspend(&self.space, &TAGS, span))?)
    }

    fn resume(&self) -> Result<Reading, Broken> {
        Ok(wait(self.suspend.resume(&self.space, &TAGS))?)
    }

    /// What becomes of what was computed under these stamps.
    fn settle(&self, stamps: &Reading) -> Result<Settled, Broken> {
        let computed = computed(&self.name, &self.space, &stamps.shards, &TAGS);
        Ok(wait(self.generations.settle(computed))?)
    }

    /// Finds the tag suspended.
    fn is_suspended(&self, when: &str) -> Kept {
        let settled = self.settle(&self.begin()?)?;
        ensure!(
            settled == Settled::Overtaken,
            "{when}, what was computed under a suspended tag was {settled:?}"
        );
        Ok(())
    }

    /// Finds the tag not suspended.
    fn is_free(&self, when: &str) -> Kept {
        let settled = self.settle(&self.begin()?)?;
        ensure!(
            settled == Settled::Stored,
            "{when}, what was computed was {settled:?}"
        );
        Ok(())
    }
}

pub(crate) fn a_suspension_invalidates(bench: &Bench<'_>) -> Kept {
    let desk = Desk::new(bench)?;
    let before = desk.begin()?;
    ensure!(
        desk.settle(&before)? == Settled::Stored,
        "a value was not stored"
    );
    let told = desk.suspend(LONG)?;
    let read = wait(desk.generations.read(&desk.space, &TAGS))?;
    for reading in [told, read] {
        ensure!(
            !covers(&before, &reading),
            "a stamp from before a suspension covers the marker"
        );
    }
    let settled = desk.settle(&before)?;
    ensure!(
        settled == Settled::Overtaken,
        "what began before a suspension was {settled:?}"
    );
    Ok(())
}

pub(crate) fn nothing_is_stored_while_it_lasts(bench: &Bench<'_>) -> Kept {
    let desk = Desk::new(bench)?;
    desk.suspend(LONG)?;
    let begun = desk.begin()?;
    desk.is_suspended("while it lasts")?;
    ensure!(
        !bench.has(&desk.name)?,
        "a value was stored under a suspended tag"
    );
    let (_, reading) = wait(desk.generations.get_with(&desk.name, &desk.space, &TAGS))?;
    ensure!(
        !covers(&begun, &reading),
        "a stamp covers the marker of a suspended tag"
    );
    let others = [tag(2)];
    let other = computed(&desk.name, &desk.space, &begun.shards, &others);
    let settled = wait(desk.generations.settle(other))?;
    ensure!(
        settled == Settled::Stored,
        "a suspension kept a value out that has another tag: it was {settled:?}"
    );
    Ok(())
}

pub(crate) fn as_many_resume_as_have_suspended(bench: &Bench<'_>) -> Kept {
    let desk = Desk::new(bench)?;
    desk.suspend(LONG)?;
    desk.suspend(LONG)?;
    desk.resume()?;
    desk.is_suspended("after one of two resumed")?;
    desk.resume()?;
    desk.is_free("after both resumed")
}

pub(crate) fn a_resumption_invalidates(bench: &Bench<'_>) -> Kept {
    let desk = Desk::new(bench)?;
    desk.suspend(LONG)?;
    let during = desk.begin()?;
    desk.resume()?;
    let settled = desk.settle(&during)?;
    ensure!(
        settled == Settled::Overtaken,
        "what began while its tag was suspended was {settled:?} after"
    );
    let plain = desk.begin()?;
    desk.resume()?;
    let settled = desk.settle(&plain)?;
    ensure!(
        settled == Settled::Overtaken,
        "what began before a tag that is not suspended was resumed was {settled:?}"
    );
    desk.is_free("after all resumed")
}

pub(crate) fn it_ends_by_itself_as_an_invalidation(bench: &Bench<'_>) -> Kept {
    let desk = Desk::new(bench)?;
    let span = bench.short();
    for swept in [false, true] {
        desk.suspend(span)?;
        let during = desk.begin()?;
        bench.outlive(span);
        if swept {
            wait(bench.store.sweep())?;
        }
        let settled = desk.settle(&during)?;
        ensure!(
            settled == Settled::Overtaken,
            "what began while its tag was suspended was {settled:?} once the span was over"
        );
        desk.is_free("once the span was over")?;
    }
    Ok(())
}

pub(crate) fn the_longest_span_counts(bench: &Bench<'_>) -> Kept {
    let span = bench.short();
    for (at, spans) in [[span, LONG], [LONG, span]].into_iter().enumerate() {
        let desk = Desk {
            space: bench.name(&format!("space{at}")),
            ..Desk::new(bench)?
        };
        for span in spans {
            desk.suspend(span)?;
        }
        bench.outlive(span);
        desk.is_suspended("as long as the longest of two spans lasts")?;
    }
    Ok(())
}

pub(crate) fn an_invalidation_leaves_it(bench: &Bench<'_>) -> Kept {
    let desk = Desk::new(bench)?;
    desk.suspend(LONG)?;
    wait(desk.generations.invalidate(&desk.space, &TAGS))?;
    desk.is_suspended("after an invalidation")
}

pub(crate) fn its_marker_only_grows(bench: &Bench<'_>) -> Kept {
    let desk = Desk::new(bench)?;
    let (suspend, resume) = (|| desk.suspend(LONG), || desk.resume());
    let invalidate = || Ok(wait(desk.generations.invalidate(&desk.space, &TAGS))?);
    let read = || Ok(wait(desk.generations.read(&desk.space, &TAGS))?);
    let steps: [&dyn Fn() -> Result<Reading, Broken>; 7] = [
        &suspend,
        &read,
        &invalidate,
        &suspend,
        &resume,
        &resume,
        &read,
    ];
    let mut last: Option<Mark> = desk.begin()?.markers[0];
    for (at, step) in steps.into_iter().enumerate() {
        let told = step()?.markers[0];
        let grows = match (last, told) {
            (Some(last), Some(told)) => told.epoch == last.epoch && told.number >= last.number,
            _ => false,
        };
        ensure!(grows, "step {at} left the marker {told:?} after {last:?}");
        last = told;
    }
    Ok(())
}
