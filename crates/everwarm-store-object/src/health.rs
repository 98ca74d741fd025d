//! What a store of objects says of itself.

use std::time::Duration;

use everwarm_core::health::{Remark, Report};
use everwarm_core::store::{Answer, Health};

use crate::client::{Honours, Part};
use crate::lifecycle::rule;
use crate::store::Objects;

/// A clock that is wrong by more ends entries too early or too late; requests are refused from a quarter of an hour on.
const WRONG: Duration = Duration::from_secs(5);

impl Health for Objects {
    fn deadline(&self) -> Option<Duration> {
        self.config().timeout
    }

    fn report(&self, is_full: bool) -> Answer<'_, Report> {
        Answer::later(async move {
            let client = self.client()?;
            client.read(&client.keys.trial(0), Part::Head).await?;
            let wrong = client.clock.wrong_by();
            let mut report = Report::default();
            let honoured = client.honoured();
            let tells = |honours: Honours| match honours {
                Honours { writes: false, .. } => "ignored",
                Honours { deletes: false, .. } => "of writes",
                _ => "of writes and deletes",
            };
            let conditions = honoured.map_or("not tried yet", tells);
            report.facts.push(("conditions", conditions.into()));
            report
                .facts
                .push(("clock_wrong_ms", (wrong.as_millis() as u64).into()));
            if honoured.is_some_and(|honours| !honours.writes) {
                report.remarks.push(Remark::trouble(
                    "conditions",
                    "the service ignores conditions of writes, so that leases, counters, tags and changes in place are refused",
                    "use a service or a version that honours If-None-Match and If-Match",
                ));
            }
            if wrong > WRONG {
                report.remarks.push(Remark::setting(
                    "clock",
                    format!("this machine's clock is wrong by {wrong:.1?} at least, as the service tells the time"),
                    "let the machine keep its time by NTP",
                ));
            }
            if is_full {
                report.facts.push(("lifecycle", rule(self.config())));
            }
            Ok(report)
        })
    }
}
