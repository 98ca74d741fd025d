//! What DynamoDB says of the table.

use std::time::Duration;

use everwarm_core::health::{Remark, Report};
use everwarm_core::store::{Answer, Failure, FailureKind, Health};
use serde_json::{Value, json};

use crate::store::DynamoDb;
use crate::table::{EXPIRES_AT, text};

impl DynamoDb {
    async fn looked_at(&self, is_full: bool) -> Result<Report, Failure> {
        let said = self.link.ask("DescribeTable", json!({})).await?;
        let table = &said["Table"];
        let status = text(table, &["TableStatus"]).unwrap_or("unknown");
        let billing = text(table, &["BillingModeSummary", "BillingMode"]).unwrap_or("PROVISIONED");
        let count = |name: &str| table[name].as_u64().unwrap_or(0);
        let mut report = Report {
            facts: vec![
                ("status", status.to_owned().into()),
                ("billing", billing.to_owned().into()),
                ("rows", count("ItemCount").into()),
                ("bytes", count("TableSizeBytes").into()),
            ],
            remarks: Vec::new(),
        };
        // While it is changed or archived it may not answer.
        if !matches!(status, "ACTIVE" | "UPDATING") {
            report.remarks.push(Remark::trouble(
                "status",
                format!("the table is {}", status.to_lowercase()),
                "wait until it is active, or restore it",
            ));
        }
        if is_full {
            self.deletions(&mut report).await?;
        }
        Ok(report)
    }

    /// Whether what has expired is deleted.
    async fn deletions(&self, report: &mut Report) -> Result<(), Failure> {
        let said = match self.link.ask("DescribeTimeToLive", json!({})).await {
            Ok(said) => said,
            // What stands in for the service need not know of that.
            Err(failure) if failure.kind == FailureKind::Capability => Value::Null,
            Err(failure) => return Err(failure),
        };
        let of = |name| text(&said, &["TimeToLiveDescription", name]);
        let status = of("TimeToLiveStatus").unwrap_or("unknown");
        report.facts.push(("ttl", status.to_owned().into()));
        let is_on = matches!(status, "ENABLED" | "ENABLING");
        if !is_on || of("AttributeName").is_some_and(|name| name != EXPIRES_AT) {
            report.remarks.push(Remark::setting(
                "ttl",
                "DynamoDB deletes nothing that has expired: it is not found, and is paid for",
                format!("set the table's TTL attribute to {EXPIRES_AT}: aws dynamodb update-time-to-live"),
            ));
        }
        Ok(())
    }
}

impl Health for DynamoDb {
    fn deadline(&self) -> Option<Duration> {
        self.link.config.timeout
    }

    fn report(&self, is_full: bool) -> Answer<'_, Report> {
        Answer::later(self.looked_at(is_full))
    }
}
