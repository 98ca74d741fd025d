//! Suspending tags: from before a commit until its invalidation nothing is stored under them, in any process.

use std::sync::Arc;
use std::time::Duration;

use everwarm_core::mark::{Tag, TagKind};

use super::Stack;
use super::beside::Removal;
use super::found::Done;
use super::overtaken::struck;
use super::owed::Debt;

impl Stack {
    /// Invalidates tags, and has nothing stored under them for a span, or until they are [resumed](Self::resume). The memory in front
    /// has to follow, after this.
    pub fn suspend(
        self: &Arc<Self>,
        tags: Arc<[Arc<str>]>,
        span: Duration,
    ) -> impl Future<Output = Done> + Send + use<> {
        self.done(Removal::Suspended(tags, span))
    }

    /// Invalidates tags that were suspended, and lets what begins from here on be stored.
    pub fn resume(
        self: &Arc<Self>,
        tags: Arc<[Arc<str>]>,
    ) -> impl Future<Output = Done> + Send + use<> {
        self.done(Removal::Resumed(tags))
    }

    /// Whether the authority can suspend tags.
    #[must_use]
    pub fn can_suspend(&self) -> bool {
        self.last().tier.store.suspending().is_some()
    }

    pub(super) fn digests(&self, names: &[Arc<str>]) -> Arc<[Tag]> {
        let tag = |name: &Arc<str>| Tag::of(&self.namespace, TagKind::Tag, name);
        names.iter().map(tag).collect()
    }

    /// Suspends tags for a span, or resumes them. What is not done is owed as an invalidation; what was suspended ends by its time.
    pub(super) async fn strike(&self, tags: &Arc<[Tag]>, span: Option<Duration>) -> Done {
        let before = self.failovers();
        let debtor = self.incur(Debt::Tags(Arc::clone(tags)));
        let Some(facet) = self.last().tier.store.suspending() else {
            return Done::Pending;
        };
        self.queue.take_out_tags(tags);
        let asked = self.markers.asked();
        let answer = match span {
            Some(span) => facet.suspend(&self.namespace, tags, span).await,
            None => facet.resume(&self.namespace, tags).await,
        };
        let Some(reading) = self.last().said(answer) else {
            return Done::Pending;
        };
        self.markers.feed(asked, tags, &reading);
        self.overtake(&struck(tags, &reading)).await;
        self.acknowledged(debtor, before)
    }
}
