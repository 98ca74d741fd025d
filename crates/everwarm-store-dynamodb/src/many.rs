//! Many items at once: in the lots that DynamoDB takes, and again for what it left over.

use std::collections::BTreeMap;
use std::time::Duration;

use everwarm_core::store::Failure;
use futures_util::stream::{self, StreamExt, TryStreamExt};
use serde_json::{Map, Value, json};

use crate::error::{throttled, unexpected};
use crate::item::{Item, Key};
use crate::link::Link;
use everwarm_network::chance;

/// Items that one request reads.
const READ: usize = 100;
/// Items that one request writes.
const WRITTEN: usize = 25;
/// How many requests of one verb are under way at once.
const ABREAST: usize = 8;
/// How often what was left over is asked for again without any of it having been taken.
const VAIN: u32 = 6;
/// How long is waited before the first of these; each later one waits twice as long.
const BREATH: Duration = Duration::from_millis(25);

impl Link {
    /// The items of these keys, as far as there are such. No key may be named twice.
    ///
    /// # Errors
    /// What stood in the way; `Transient` if some were left over too often.
    pub(crate) async fn items(
        &self,
        keys: &[Key],
        consistent: bool,
    ) -> Result<BTreeMap<Key, Item>, Failure> {
        let lots = keys.chunks(READ).map(|lot| self.lot(lot, consistent));
        let lots = abreast(lots.collect()).await?;
        let items = lots.into_iter().flatten();
        items.map(|item| Ok((Key::read(&item)?, item))).collect()
    }

    async fn lot(&self, keys: &[Key], consistent: bool) -> Result<Vec<Item>, Failure> {
        let keys: Vec<Value> = keys.iter().map(Key::json).collect();
        let mut left = json!({"Keys": keys, "ConsistentRead": consistent});
        let mut items = Vec::with_capacity(keys.len());
        let mut pace = Pace::default();
        loop {
            let question = json!({"RequestItems": {&self.config.table: left}});
            let mut said = self.ask_many("BatchGetItem", question).await?;
            let got = said["Responses"][&self.config.table].take();
            let before = items.len();
            if let Value::Array(got) = got {
                items.extend(got.into_iter().filter_map(object));
            }
            let over = said["UnprocessedKeys"][&self.config.table].take();
            let count = over["Keys"].as_array().map_or(0, Vec::len);
            if count == 0 {
                return Ok(items);
            }
            pace.wait(items.len() > before, count).await?;
            left = json!({"Keys": over["Keys"], "ConsistentRead": consistent});
        }
    }

    /// Makes many writes, each `{"PutRequest": …}` or `{"DeleteRequest": …}`, of items none of which is named twice.
    ///
    /// # Errors
    /// As [`items`](Self::items).
    pub(crate) async fn write(&self, writes: Vec<Value>) -> Result<(), Failure> {
        let lots = writes.chunks(WRITTEN).map(|lot| self.written(lot.to_vec()));
        abreast(lots.collect()).await.map(drop)
    }

    async fn written(&self, mut left: Vec<Value>) -> Result<(), Failure> {
        let mut pace = Pace::default();
        loop {
            let count = left.len();
            let question = json!({"RequestItems": {&self.config.table: left}});
            let mut said = self.ask_many("BatchWriteItem", question).await?;
            left = match said["UnprocessedItems"][&self.config.table].take() {
                Value::Array(over) if !over.is_empty() => over,
                _ => return Ok(()),
            };
            pace.wait(left.len() < count, left.len()).await?;
        }
    }
}

/// What each of these gives, in their order; some are under way at once. The first failure ends it.
///
/// # Errors
/// That failure.
pub(crate) async fn abreast<T>(
    asked: Vec<impl Future<Output = Result<T, Failure>>>,
) -> Result<Vec<T>, Failure> {
    stream::iter(asked).buffered(ABREAST).try_collect().await
}

/// How often, and how soon, what was left over is asked for again.
#[derive(Default)]
struct Pace {
    vain: u32,
}

impl Pace {
    async fn wait(&mut self, has_moved: bool, left: usize) -> Result<(), Failure> {
        // Where some were taken the answer was full, or the table is about to be: a short breath will do.
        self.vain = if has_moved { 0 } else { self.vain + 1 };
        if self.vain > VAIN {
            return Err(throttled(left));
        }
        let breath = BREATH * 2_u32.pow(self.vain);
        everwarm_runtime::pause(breath + chance::part_of(breath)).await
    }
}

fn object(value: Value) -> Option<Map<String, Value>> {
    match value {
        Value::Object(item) => Some(item),
        _ => None,
    }
}

/// The item in an answer, under this name.
///
/// # Errors
/// `Corruption` for what is no item.
pub(crate) fn taken(said: &mut Value, name: &str) -> Result<Option<Item>, Failure> {
    match said.get_mut(name).map(Value::take) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Object(item)) => Ok(Some(item)),
        Some(_) => Err(unexpected("an item")),
    }
}
