//! The table: what makes it, as commands for who may, or by the store itself where it was told to.

use std::sync::Arc;
use std::time::Duration;

use everwarm_core::error::Error;
use everwarm_core::store::{Failure, FailureKind};
use serde_json::{Value, json};

use crate::client::{Client, Said};
use crate::config::Config;
use crate::error::{closed, silent};

/// What the service says where there is no such table, or none yet.
pub(crate) const MISSING: &str = "ResourceNotFoundException";
/// The attribute by which DynamoDB deletes what has expired.
pub(crate) const EXPIRES_AT: &str = "expires_at";
/// How long one answer is waited for while the table is made: nobody else would walk away, and whoever needs the table waits as well.
const ANSWER: Duration = Duration::from_secs(5);
/// How often a table that is being made is looked at.
const LOOKS: usize = 300;

/// The commands of AWS's command line that make the table of a URL.
///
/// # Errors
/// As [`Config::from_url`].
pub fn commands(url: &str) -> Result<String, Error> {
    let config = Config::from_url(url)?;
    let region = config.region.clone();
    Ok(lines(&config, region.as_deref()).join("\n") + "\n")
}

fn lines(config: &Config, region: Option<&str>) -> [String; 2] {
    let table = &config.table;
    let mut place = String::new();
    if let Some(region) = region {
        place.push_str(&format!(" --region {region}"));
    }
    if let Some(endpoint) = &config.endpoint {
        place.push_str(&format!(" --endpoint-url {endpoint}"));
    }
    if let Some(profile) = &config.profile {
        place.push_str(&format!(" --profile '{}'", profile.replace('\'', "'\\''")));
    }
    [
        format!(
            "aws dynamodb create-table --table-name {table} --billing-mode PAY_PER_REQUEST \
             --attribute-definitions AttributeName=pk,AttributeType=S AttributeName=sk,AttributeType=S \
             --key-schema AttributeName=pk,KeyType=HASH AttributeName=sk,KeyType=RANGE{place}"
        ),
        format!(
            "aws dynamodb update-time-to-live --table-name {table} \
             --time-to-live-specification Enabled=true,AttributeName={EXPIRES_AT}{place}"
        ),
    ]
}

/// The failure of a table that is not there.
pub(crate) fn missing(client: &Client, region: &str) -> Failure {
    let [create, expire] = lines(&client.config, Some(region));
    Failure::new(
        FailureKind::Permanent,
        format!("there is no table {}", client.config.table),
        format!("make it: {create} && {expire}; or write make_table=true, and the store makes it"),
    )
}

/// Makes the table, which goes on without who asked for it, and waits until it is there.
///
/// # Errors
/// What the service refuses.
pub(crate) async fn made(client: &Arc<Client>) -> Result<(), Failure> {
    let maker = Arc::clone(client);
    let making = everwarm_runtime::handle()?.spawn(async move {
        let _alone = maker.making.lock().await;
        make(&maker).await
    });
    making.await.unwrap_or_else(|_| Err(closed()))
}

async fn make(client: &Arc<Client>) -> Result<(), Failure> {
    let table = &client.config.table;
    let attribute = |name| json!({"AttributeName": name, "AttributeType": "S"});
    let create = json!({
        "TableName": table,
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [attribute("pk"), attribute("sk")],
        "KeySchema": [
            {"AttributeName": "pk", "KeyType": "HASH"},
            {"AttributeName": "sk", "KeyType": "RANGE"},
        ],
    });
    match answered(client, "CreateTable", &create).await? {
        // Another process was first.
        Said::Refused(_, exception) if exception == "ResourceInUseException" => (),
        Said::Refused(failure, _) => return Err(failure),
        Said::Done(_) | Said::Unmet(_) => (),
    }
    let look = json!({"TableName": table});
    for _ in 0..LOOKS {
        let said = answered(client, "DescribeTable", &look).await?;
        if matches!(said, Said::Done(said) if said["Table"]["TableStatus"] == "ACTIVE") {
            return expiring(client).await;
        }
        everwarm_runtime::pause(Duration::from_millis(100)).await?;
    }
    Err(Failure::new(
        FailureKind::Timeout,
        format!("the table {table} is being made, and not ready yet"),
        "try again in a moment",
    ))
}

/// Has DynamoDB delete what has expired. Where it cannot, nothing is wrong but the room that it takes.
async fn expiring(client: &Arc<Client>) -> Result<(), Failure> {
    let question = json!({
        "TableName": client.config.table,
        "TimeToLiveSpecification": {"Enabled": true, "AttributeName": EXPIRES_AT},
    });
    answered(client, "UpdateTimeToLive", &question)
        .await
        .map(|_| ())
}

async fn answered(
    client: &Arc<Client>,
    operation: &'static str,
    question: &Value,
) -> Result<Said, Failure> {
    let said = tokio::time::timeout(ANSWER, client.said(operation, question)).await;
    said.unwrap_or_else(|_| Err(silent(&client.place, ANSWER)))
}

/// A part of an answer as a text.
pub(crate) fn text<'v>(said: &'v Value, path: &[&str]) -> Option<&'v str> {
    let part = path.iter().try_fold(said, |part, name| part.get(name))?;
    part.as_str()
}
