//! What a process does from time to time.

use std::time::Duration;

use tokio::time::sleep;

use everwarm_network::chance;

/// Works time and again, until it is aborted. Of many processes each has a moment of its own.
pub(crate) async fn time_and_again<F: Future<Output = ()>>(
    every: Duration,
    mut work: impl FnMut() -> F,
) {
    let part = chance::bigint() as f64 / i64::MAX as f64;
    sleep(every.mul_f64(part)).await;
    loop {
        // What fails now is tried again the next time; those who ask are told of it by what they ask.
        work().await;
        sleep(every).await;
    }
}
