//! Which client of object_store a service has, and as whom it asks.

use std::sync::Arc;
use std::time::Duration;

use everwarm_core::store::{Failure, FailureKind};
use object_store::aws::{AmazonS3Builder, S3ConditionalPut};
use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::{GcpCredential, GoogleCloudStorageBuilder};
use object_store::list::PaginatedListStore;
use object_store::{ObjectStore, RetryConfig, StaticCredentialProvider};

use crate::config::{Config, Credentials, Service};
use crate::transport::Connector;

/// The sides of a client.
pub(crate) struct Opened {
    pub(crate) objects: Arc<dyn ObjectStore>,
    /// The same, which deletes objects one by one.
    pub(crate) singly: Arc<dyn ObjectStore>,
    pub(crate) pages: Arc<dyn PaginatedListStore>,
}

/// What fails is tried again by who waits for it, if it is.
fn once() -> RetryConfig {
    RetryConfig {
        max_retries: 0,
        retry_timeout: Duration::from_secs(60),
        ..RetryConfig::default()
    }
}

/// The client that `config` says. Nothing is asked of anybody.
///
/// # Errors
/// `Permanent` for what cannot be meant, and `Authentication` for variables that are not there.
pub(crate) fn opened(config: &Config, connector: Connector) -> Result<Opened, Failure> {
    match config.service {
        Service::S3 => s3(config, connector),
        Service::Google => google(config, connector),
        Service::Azure => azure(config, connector),
    }
}

fn s3(config: &Config, connector: Connector) -> Result<Opened, Failure> {
    let mut builder = match config.credentials {
        Credentials::Environment => AmazonS3Builder::from_env(),
        _ => AmazonS3Builder::new(),
    };
    builder = builder
        .with_bucket_name(&config.bucket)
        .with_virtual_hosted_style_request(config.virtual_host)
        .with_conditional_put(S3ConditionalPut::ETagMatch)
        .with_retry(once())
        .with_http_connector(connector);
    if let Some(region) = &config.region {
        builder = builder.with_region(region);
    }
    if let Some(endpoint) = &config.endpoint {
        builder = builder.with_endpoint(endpoint).with_allow_http(true);
    }
    match &config.credentials {
        Credentials::Environment | Credentials::File(_) => {}
        Credentials::Anonymous => builder = builder.with_skip_signature(true),
        Credentials::Key { id, secret } => {
            builder = builder
                .with_access_key_id(id)
                .with_secret_access_key(secret);
        }
        Credentials::Variables { key, secret, token } => {
            if let Some(key) = key {
                builder = builder.with_access_key_id(variable(key)?);
            }
            builder = builder.with_secret_access_key(variable(secret)?);
            if let Some(token) = token {
                builder = builder.with_token(variable(token)?);
            }
        }
    }
    let singly = builder.clone().with_disable_bulk_delete(true);
    let objects = Arc::new(builder.build().map_err(|_| wrong(config))?);
    let singly = singly.with_credentials(objects.credentials().clone());
    Ok(Opened {
        singly: Arc::new(singly.build().map_err(|_| wrong(config))?),
        pages: objects.clone(),
        objects,
    })
}

fn google(config: &Config, connector: Connector) -> Result<Opened, Failure> {
    let mut builder = match config.credentials {
        Credentials::Environment => GoogleCloudStorageBuilder::from_env(),
        _ => GoogleCloudStorageBuilder::new(),
    };
    builder = builder
        .with_bucket_name(&config.bucket)
        .with_retry(once())
        .with_http_connector(connector);
    if let Some(endpoint) = &config.endpoint {
        builder = builder.with_base_url(endpoint);
    }
    match &config.credentials {
        // Some of its requests ask for a token all the same.
        Credentials::Anonymous => {
            let nobody = GcpCredential {
                bearer: String::new(),
            };
            let nobody = Arc::new(StaticCredentialProvider::new(nobody));
            builder = builder.with_skip_signature(true).with_credentials(nobody);
        }
        Credentials::File(file) => {
            builder = builder.with_service_account_path(file.to_string_lossy())
        }
        _ => {}
    }
    let objects = Arc::new(builder.build().map_err(|_| wrong(config))?);
    Ok(Opened {
        singly: objects.clone(),
        pages: objects.clone(),
        objects,
    })
}

fn azure(config: &Config, connector: Connector) -> Result<Opened, Failure> {
    let mut builder = match config.credentials {
        Credentials::Environment => MicrosoftAzureBuilder::from_env(),
        _ => MicrosoftAzureBuilder::new(),
    };
    builder = builder
        .with_container_name(&config.bucket)
        .with_retry(once())
        .with_http_connector(connector);
    if let Some(account) = &config.account {
        builder = builder.with_account(account);
    }
    if let Some(endpoint) = &config.endpoint {
        builder = builder
            .with_endpoint(endpoint.clone())
            .with_allow_http(true);
    }
    match &config.credentials {
        Credentials::Anonymous => builder = builder.with_skip_signature(true),
        Credentials::Key { id, secret } => {
            builder = builder.with_account(id).with_access_key(secret);
        }
        Credentials::Variables { secret, .. } => {
            builder = builder.with_access_key(variable(secret)?);
        }
        Credentials::Environment | Credentials::File(_) => {}
    }
    let objects = Arc::new(builder.build().map_err(|_| wrong(config))?);
    Ok(Opened {
        singly: objects.clone(),
        pages: objects.clone(),
        objects,
    })
}

fn variable(name: &str) -> Result<String, Failure> {
    let value = std::env::var(name).ok().filter(|value| !value.is_empty());
    value.ok_or_else(|| {
        Failure::new(
            FailureKind::Authentication,
            format!("the variable {name} has no secret"),
            "set it, or name another with key_env=, secret_env= or token_env=",
        )
    })
}

/// What a builder refuses is not repeated: it may be a key.
fn wrong(config: &Config) -> Failure {
    Failure::new(
        FailureKind::Permanent,
        format!("{config} cannot be used as the URL and the environment say"),
        "look at the endpoint, the account, the key or its file, and at the variables that begin with AWS_, GOOGLE_ or AZURE_",
    )
}
