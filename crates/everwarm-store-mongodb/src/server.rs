//! The servers, for one process: the driver's client, and what was found when it first reached them.

use std::sync::{Arc, Mutex, PoisonError};

use everwarm_core::store::{Bytes, Failure, FailureKind};
use mongodb::bson::{Bson, Document, RawDocumentBuf, doc};
use mongodb::event::EventHandler;
use mongodb::options::ClientOptions;
use mongodb::{Client, Database};
use tokio::sync::OnceCell;

use crate::config::{Config, Written};
use crate::error::{NO_COLLECTION, Refusal, unexpected, unreachable};
use crate::watch::Watch;

/// How often a step is done again that another write came before.
const AGAIN: usize = 20;
/// The name of the index by which the server deletes what has expired.
const INDEX: &str = "everwarm_ends";

/// The servers, for one process.
pub(crate) struct Server {
    pub(crate) config: Arc<Config>,
    way: Mutex<Arc<Way>>,
    met: OnceCell<Met>,
}

/// A client of the driver's, with the connections that it has, and what it says of the servers.
#[derive(Default)]
pub(crate) struct Way {
    client: OnceCell<Client>,
    watch: Arc<Watch>,
}

/// What the servers are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Met {
    /// Whether several of them hold the same.
    pub(crate) is_replicated: bool,
}

impl Server {
    /// Servers that nobody asked yet.
    pub(crate) fn new(config: &Arc<Config>) -> Self {
        Self {
            config: Arc::clone(config),
            way: Mutex::default(),
            met: OnceCell::new(),
        }
    }

    /// The way that questions go now.
    pub(crate) fn way(&self) -> Arc<Way> {
        Arc::clone(&self.way.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes another way from here on, if this is still the one: a question got no answer on it for so long that its connection is
    /// taken for lost. The driver waits for an answer without end, and has no more connections than its pool may have.
    pub(crate) fn leave(&self, way: &Arc<Way>) {
        let mut now = self.way.lock().unwrap_or_else(PoisonError::into_inner);
        if Arc::ptr_eq(&now, way) {
            *now = Arc::default();
        }
    }

    /// Ends all connections. Who still waits is told that they ended.
    pub(crate) fn end(&self) {
        let Some(client) = self.way().client.get().cloned() else {
            return;
        };
        if let Ok(runtime) = everwarm_runtime::handle() {
            drop(runtime.spawn(async move { client.shutdown().immediate(true).await }));
        }
    }

    /// What the servers are; the first who asks has the index made.
    pub(crate) async fn met(&self) -> Result<Met, Failure> {
        let met = self.met.get_or_try_init(|| async {
            let said = self.command(doc! { "hello": 1 }).await?;
            let is_router = said.get_str("msg").is_ok_and(|text| text == "isdbgrid");
            if self.config.make_index {
                self.make_index().await?;
            }
            Ok::<_, Failure>(Met {
                is_replicated: is_router || said.contains_key("setName"),
            })
        });
        met.await.copied()
    }

    /// Makes the index where it is missing.
    pub(crate) async fn make_index(&self) -> Result<(), Failure> {
        // Who makes the collection at the same time makes the same.
        let index = doc! { "key": { "x": 1 }, "name": INDEX, "expireAfterSeconds": 0 };
        let asked = doc! { "createIndexes": &self.config.collection, "indexes": [index] };
        self.again(|| asked.clone()).await.map(drop)
    }

    /// Whether the index is there.
    pub(crate) async fn has_index(&self) -> Result<bool, Failure> {
        let listed = self.rows(doc! { "listIndexes": &self.config.collection });
        let rows = match listed.await {
            Err(Refusal::Code(NO_COLLECTION)) => return Ok(false),
            listed => listed?,
        };
        Ok(rows.iter().any(|row| {
            row.get_i32("expireAfterSeconds").is_ok()
                || row.get_i64("expireAfterSeconds").is_ok()
                || row.get_f64("expireAfterSeconds").is_ok()
        }))
    }

    /// Reads documents: all that the command's cursor has.
    pub(crate) async fn read(&self, mut asked: Document) -> Result<Vec<RawDocumentBuf>, Failure> {
        if self.met().await?.is_replicated {
            asked.insert("readConcern", doc! { "level": "majority" });
        }
        self.rows(asked).await.map_err(Failure::from)
    }

    /// Writes, and gives the answer. What another write came before is done again.
    pub(crate) async fn write(&self, mut asked: Document) -> Result<Document, Failure> {
        self.met().await?;
        asked.insert("writeConcern", self.concern());
        self.again(|| asked.clone()).await
    }

    /// As [`write`](Self::write), for what must not be taken back whatever the user says of entries.
    pub(crate) async fn write_for_good(&self, mut asked: Document) -> Result<Document, Failure> {
        self.met().await?;
        asked.insert("writeConcern", doc! { "w": "majority", "j": true });
        self.again(|| asked.clone()).await
    }

    /// Changes one document in one step; what is read of it before, or after if `is_after`, which makes it if it is missing.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub(crate) async fn change(
        &self,
        query: Document,
        stages: Vec<Document>,
        (fields, is_after): (Document, bool),
    ) -> Result<Option<Document>, Failure> {
        let said = self.write(doc! {
            "findAndModify": &self.config.collection,
            "query": query,
            "update": stages,
            "fields": fields,
            "upsert": is_after,
            "new": is_after,
        });
        Ok(left(&said.await?).cloned())
    }

    /// Runs a command that neither reads nor writes entries.
    pub(crate) async fn command(&self, asked: Document) -> Result<Document, Failure> {
        self.run(asked).await.map_err(Failure::from)
    }

    fn concern(&self) -> Document {
        let servers: Bson = match &self.config.written {
            Written::Majority => "majority".into(),
            Written::By(count) => (*count).into(),
            Written::Rule(rule) => rule.as_str().into(),
        };
        doc! { "w": servers, "j": self.config.journal }
    }

    async fn again(&self, asked: impl Fn() -> Document) -> Result<Document, Failure> {
        let mut left = AGAIN;
        loop {
            match self.run(asked()).await {
                Err(refusal) if refusal.is_undone() && left > 0 => left -= 1,
                Err(refusal) => return Err(refusal.into()),
                Ok(said) => return Ok(said),
            }
        }
    }

    async fn run(&self, asked: Document) -> Result<Document, Refusal> {
        let database = self.database().await?;
        let said = database.run_command(asked).await;
        let said = said.map_err(|error| Refusal::of(&error, &self.place()))?;
        match refused(&said) {
            Some(code) => Err(Refusal::Code(code)),
            None => Ok(said),
        }
    }

    /// Reads documents as the primary has them.
    pub(crate) async fn rows(&self, asked: Document) -> Result<Vec<RawDocumentBuf>, Refusal> {
        let database = self.database().await?;
        let of = |error| Refusal::of(&error, &self.place());
        let mut cursor = database.run_cursor_command(asked).await.map_err(of)?;
        let mut rows = Vec::new();
        while cursor.advance().await.map_err(of)? {
            rows.push(cursor.current().to_owned());
        }
        Ok(rows)
    }

    async fn database(&self) -> Result<Database, Refusal> {
        let way = self.way();
        if !way.watch.may_ask(self.config.connect_timeout) {
            return Err(Refusal::Other(unreachable(&self.place())));
        }
        let client = way.client.get_or_try_init(|| self.client(&way.watch));
        let client = client.await.map_err(Refusal::Other)?;
        Ok(client.database(&self.config.database))
    }

    async fn client(&self, watch: &Arc<Watch>) -> Result<Client, Failure> {
        let config = &self.config;
        let parsed = config
            .parsed()
            .map_err(|error| Failure::new(FailureKind::Permanent, error.message(), error.hint()))?;
        let failed = |error| Failure::from(Refusal::of(&error, &self.place()));
        let mut options = ClientOptions::parse(parsed).await.map_err(failed)?;
        // What is tried again, and for how long, is the affair of the layers.
        options.retry_reads = Some(false);
        options.retry_writes = Some(false);
        options.server_selection_timeout = Some(config.connect_timeout);
        options.connect_timeout = Some(config.connect_timeout);
        options
            .app_name
            .get_or_insert_with(|| "everwarm".to_owned());
        let watch = Arc::clone(watch);
        options.sdam_event_handler = Some(EventHandler::callback(move |event| watch.hear(&event)));
        Client::with_options(options).map_err(failed)
    }

    fn place(&self) -> String {
        self.config.to_string()
    }
}

/// The code by which a part of an answer says that something was not done, or not by as many servers as it was to be.
fn refused(said: &Document) -> Option<i32> {
    let first = said
        .get_array("writeErrors")
        .ok()
        .and_then(|errors| errors.first()?.as_document());
    let error = first.or_else(|| said.get_document("writeConcernError").ok())?;
    Some(error.get_i32("code").unwrap_or(0))
}

/// How many documents an answer says were there.
///
/// # Errors
/// `Corruption`.
pub(crate) fn count(said: &Document) -> Result<u64, Failure> {
    let count = match said.get("n") {
        Some(Bson::Int32(count)) => i64::from(*count),
        Some(Bson::Int64(count)) => *count,
        _ => return Err(unexpected("a write")),
    };
    u64::try_from(count).map_err(|_| unexpected("a write"))
}

/// The document that a step left, or took away.
pub(crate) fn left(said: &Document) -> Option<&Document> {
    said.get_document("value").ok()
}

/// Bytes that a document has.
pub(crate) fn octets(bytes: &[u8]) -> Bytes {
    Bytes::copy_from_slice(bytes)
}
