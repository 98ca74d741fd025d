//! How the layers around stores pass the time: as a slow connection does.

use std::pin::Pin;
use std::time::Duration;

use everwarm_layers::Timer;
use everwarm_runtime::pause;

/// Passes the time on the threads of the runtime.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Passing;

impl Timer for Passing {
    fn after(&self, span: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        // Where there are no threads to be had, no time is passed.
        Box::pin(async move { drop(pause(span).await) })
    }
}
