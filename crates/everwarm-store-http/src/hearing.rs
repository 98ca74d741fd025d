//! The task that asks what others did: one question after the other, each of which the server holds back until there is something to
//! tell, or for as long as nothing may be heard.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use everwarm_core::store::{Failure, Messages};
use parking_lot::Mutex;
use tokio::task::AbortHandle;

use crate::contract::bodies::{News, news, whole};
use crate::contract::seconds;
use crate::heard::Heard;
use crate::link::{GET, Link};
use crate::question::{Question, run};

/// How long the server may hold a question back: what is known is confirmed as often.
const WAIT: Duration = Duration::from_millis(500);
/// Between two questions of which the first failed: longer each time.
const SHORTEST: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_secs(2);

/// What one process heard, and who asks for it.
#[derive(Default)]
pub(crate) struct Hearing {
    heard: Mutex<Heard>,
    has_begun: AtomicBool,
    task: Mutex<Option<AbortHandle>>,
}

impl Hearing {
    /// Begins to ask, if nobody does.
    pub(crate) fn begin(&self, link: &Arc<Link>) {
        if self.has_begun.load(Ordering::Relaxed) {
            return;
        }
        let mut task = self.task.lock();
        // Where no runtime can be had nothing can be asked for either; who comes next tries again.
        if let (None, Ok(runtime)) = (&*task, everwarm_runtime::handle()) {
            *task = Some(runtime.spawn(listen(Arc::clone(link))).abort_handle());
            self.has_begun.store(true, Ordering::Relaxed);
        }
    }

    /// Asks no more.
    pub(crate) fn close(&self) {
        self.has_begun.store(true, Ordering::Relaxed);
        let task = self.task.lock().take();
        if let Some(task) = task {
            task.abort();
        }
    }

    pub(crate) fn change(&self) -> u64 {
        self.heard.lock().change()
    }

    pub(crate) fn messages(&self, after: u64) -> Messages {
        self.heard.lock().messages(after)
    }

    pub(crate) fn silence(&self) -> Duration {
        self.heard.lock().silence()
    }
}

async fn listen(link: Arc<Link>) {
    let (mut at, mut pause) = (None, SHORTEST);
    // Once the store is closed there is nothing here.
    while let Ok(here) = link.here() {
        let asked = Instant::now();
        match ask(&link, at).await {
            Ok((server, news)) => {
                at = Some((server, news.told.up_to));
                let more = here.hearing.heard.lock().take(news, asked);
                link.failovers().fetch_add(more, Ordering::AcqRel);
                pause = SHORTEST;
            }
            Err(_) => {
                tokio::time::sleep(pause).await;
                pause = (2 * pause).min(LONGEST);
            }
        }
    }
}

/// What was done since, as the run of a server counts it.
async fn ask(link: &Link, at: Option<(u64, u64)>) -> Result<(u64, News), Failure> {
    let path = match at {
        // Whoever has heard nothing yet need not wait for the beginning.
        None => "/messages".to_owned(),
        Some((server, after)) => {
            format!(
                "/messages?of={server:x}&after={after}&wait={}",
                seconds(WAIT)
            )
        }
    };
    let mut question = Question::new(GET, path);
    question.patience = WAIT;
    let said = link.ask(question).await?;
    let server = run(&said.headers);
    let told = server.zip(whole(said.body, news));
    told.ok_or_else(|| link.unexpected())
}
