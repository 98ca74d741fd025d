//! The task that hears of others, on a connection of its own, for as long as the store is open.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::{sleep, timeout};
use tokio_postgres::Client;

use super::dial::Dialer;
use super::schema::quoted;
use crate::server::hearing::Hearing;

/// How often the server is asked whether everything has come: what is known counts for two seconds.
const BEAT: Duration = Duration::from_millis(500);
/// How long it may take to say so.
const PATIENCE: Duration = Duration::from_secs(2);
/// Between two attempts to connect: longer each time.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Listens until it is aborted.
pub(crate) async fn listen(hearing: Arc<Hearing>, dialer: Arc<Dialer>) {
    let mut pause = FIRST_PAUSE;
    loop {
        let heard = Arc::clone(&hearing);
        let connected = dialer.client(move |message| heard.take_in(message.payload()));
        if let Ok((client, task)) = connected.await {
            if hear(&hearing, &client).await.is_some() {
                pause = FIRST_PAUSE;
            }
            task.abort();
            hearing.ended();
        }
        sleep(pause).await;
        pause = LONGEST_PAUSE.min(2 * pause);
    }
}

/// Hears until the server answers no more; `None` if it never did.
async fn hear(hearing: &Hearing, client: &Client) -> Option<()> {
    let channel = quoted(&hearing.teller.channel);
    let asked = Instant::now();
    answered(client, &format!("LISTEN {channel}")).await?;
    // What becomes visible from here on is told.
    hearing.begins(asked);
    loop {
        sleep(BEAT).await;
        let asked = Instant::now();
        // The server sends what was told before this before its answer to this.
        if answered(client, "").await.is_none() {
            return Some(());
        }
        hearing.beat(asked);
    }
}

async fn answered(client: &Client, question: &str) -> Option<()> {
    let said = timeout(PATIENCE, client.batch_execute(question)).await;
    said.ok()?.ok()
}
