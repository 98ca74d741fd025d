//! What stores have, for who asked for one entry or for many.

use std::sync::Arc;

use everwarm_engine::stack::{Place, Stack, Stored, Value};

/// What was brought: entries with all that memory is to know of them, or their values alone.
pub(crate) enum Brought<W, V> {
    /// Whole entries.
    Whole(W),
    /// Values.
    Value(V),
}

/// Of one entry.
pub(crate) type One = Brought<Box<Option<Stored>>, Option<Value>>;
/// Of many, in the order in which they were asked for.
pub(crate) type Many = Brought<Vec<Option<Stored>>, Vec<Option<Value>>>;

impl Many {
    /// What the stores have of these places; `is_whole` says how much of it is wanted.
    pub(crate) async fn of(stack: Arc<Stack>, places: Arc<[Place]>, is_whole: bool) -> Self {
        match is_whole {
            true => Self::Whole(stack.get_many(places).await),
            false => Self::Value(stack.values_of(places).await),
        }
    }

    /// One after the other.
    pub(crate) fn into_each(self) -> impl Iterator<Item = One> {
        let (whole, values) = match self {
            Self::Whole(all) => (all, Vec::new()),
            Self::Value(all) => (Vec::new(), all),
        };
        let whole = whole.into_iter().map(|one| One::Whole(Box::new(one)));
        whole.chain(values.into_iter().map(One::Value))
    }
}
