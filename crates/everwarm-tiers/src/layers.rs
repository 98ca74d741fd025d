//! The layers around the store of a tier, by what its user wishes, and how they pass the time.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use everwarm_core::store::Store;
use everwarm_engine::{Chance, FineTicker, Ticker};
use everwarm_layers::{Means, Options, Timer, Wishes, Wrapped, wrap};
use everwarm_runtime::pause;

/// Passes the time on the threads of the runtime: as a slow connection does.
#[derive(Clone, Copy, Debug)]
pub struct Passing;

impl Timer for Passing {
    fn after(&self, span: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        // Where there are no threads to be had, no time is passed.
        Box::pin(async move { drop(pause(span).await) })
    }
}

/// A store behind its layers: those that its user wishes, or that its kind has.
#[must_use]
pub fn around(store: Arc<dyn Store>, wishes: &Wishes, ticker: &Ticker) -> Wrapped {
    let options = Options::wished(&store.info(), wishes);
    let means = Means {
        clock: Arc::new(FineTicker::of(ticker)),
        timer: Arc::new(Passing),
        draw: Arc::new(Chance::new()),
        tracer: None,
    };
    wrap(store, &options, &means)
}
