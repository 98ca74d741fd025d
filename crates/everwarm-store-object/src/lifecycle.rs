//! The rule that a bucket should have, so that what nobody sweeps is let go of.

use everwarm_core::health::Fact;

use crate::config::{Config, Service};

/// The rule, in the form that the service's own tool takes: entries are deleted a week after their last write, and uploads that nobody
/// completed after a day. Shards of tags stay.
pub(crate) fn rule(config: &Config) -> Fact {
    let slash = if config.prefix.is_empty() { "" } else { "/" };
    let entries = format!("{}{slash}e/", config.prefix);
    Fact::Text(match config.service {
        Service::S3 => format!(
            r#"{{"Rules":[{{"ID":"everwarm","Status":"Enabled","Filter":{{"Prefix":"{entries}"}},"Expiration":{{"Days":7}},"AbortIncompleteMultipartUpload":{{"DaysAfterInitiation":1}}}}]}}"#
        ),
        Service::Google => format!(
            r#"{{"rule":[{{"action":{{"type":"Delete"}},"condition":{{"age":7,"matchesPrefix":["{entries}"]}}}},{{"action":{{"type":"AbortIncompleteMultipartUpload"}},"condition":{{"age":1,"matchesPrefix":["{entries}"]}}}}]}}"#
        ),
        Service::Azure => format!(
            r#"{{"rules":[{{"name":"everwarm","enabled":true,"type":"Lifecycle","definition":{{"filters":{{"blobTypes":["blockBlob"],"prefixMatch":["{}/{entries}"]}},"actions":{{"baseBlob":{{"delete":{{"daysAfterModificationGreaterThan":7}}}}}}}}}}]}}"#,
            config.bucket
        ),
    })
}
