//! The client of one process: requests in JSON, signed, over connections that are used again.
//!
//! A request is a task of this process's runtime. Who walks away ends it, and its connection with it if the answer was not there yet:
//! no answer is given to another question. What only makes ready for later requests goes on without who needed it first:
//! to find credentials, and to make the table.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use everwarm_core::store::Failure;
use everwarm_network::tls::{Tls, configured};
use http_body_util::{BodyExt, Full, Limited};
use hyper::header::{CONTENT_TYPE, DATE, HOST, HeaderValue};
use hyper::{Request, Response, body::Incoming};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client as Pooled;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use reqsign_aws_v4::Credential;
use reqsign_core::Signer;
use reqsign_core::hash::hex_sha256;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::{ClientConfig, RootCertStore};
use serde_json::Value;
use tokio::sync::{Mutex, Semaphore};

use crate::clock::{Clock, machine};
use crate::config::Config;
use crate::credentials::signer;
use crate::error::{answered, broken, closed, lost, unexpected, unsigned};
use crate::item::Item;

/// How requests are sent.
pub(crate) type Web = Pooled<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// A connection that was not used for so long is not used again: the service may be about to end it.
const REST: Duration = Duration::from_secs(15);
/// A connection on which nobody takes what is sent ends after so long, where the system can do that: hyper sends what it has of a request
/// that was abandoned, however long it takes.
#[cfg(target_os = "linux")]
const UNTAKEN: Duration = Duration::from_secs(5);
/// Bytes of an answer: 16 MiB of items, as texts.
const LARGEST: usize = 32 << 20;

/// A client, for the process that made it.
pub(crate) struct Client {
    pub(crate) clock: Clock,
    pub(crate) config: Arc<Config>,
    pub(crate) place: Arc<str>,
    /// Held by who makes the table.
    pub(crate) making: Mutex<()>,
    endpoint: String,
    host: HeaderValue,
    signer: Signer<Credential>,
    web: Web,
    places: Semaphore,
}

/// An item did not fulfil the condition of a write: as it was, where the service tells that.
#[derive(Debug)]
pub(crate) struct Unmet(pub(crate) Option<Item>);

/// What the service said: that it is done, or why not.
pub(crate) enum Said {
    Done(Value),
    Unmet(Unmet),
    Refused(Failure, String),
}

/// Ends a task that nobody waits for any more.
struct Ended(tokio::task::AbortHandle);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Client {
    /// A client that asked nothing yet.
    ///
    /// # Errors
    /// `Permanent` for a file of certificates that cannot be used.
    pub(crate) fn new(config: Arc<Config>, region: &str) -> Result<Self, Failure> {
        let endpoint = endpoint(&config, region);
        let host = endpoint
            .split_once("://")
            .map_or("", |(_, host)| host)
            .to_owned();
        let mut connector = HttpConnector::new();
        connector.enforce_http(false);
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(config.connect_timeout));
        #[cfg(target_os = "linux")]
        connector.set_tcp_user_timeout(Some(UNTAKEN));
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(trusting(&config, &endpoint)?)
            .https_or_http()
            .enable_http1()
            .wrap_connector(connector);
        let web = Pooled::builder(TokioExecutor::new())
            .pool_idle_timeout(REST)
            .pool_max_idle_per_host(config.connections)
            .build(connector);
        Ok(Self {
            clock: Clock::default(),
            signer: signer(&config, region, web.clone()),
            places: Semaphore::new(config.connections),
            making: Mutex::default(),
            host: HeaderValue::try_from(&host).map_err(|_| unexpected("the endpoint"))?,
            place: host.into(),
            endpoint: format!("{endpoint}/"),
            config,
            web,
        })
    }

    /// Asks for one of the service's operations.
    ///
    /// # Errors
    /// What stood in the way.
    pub(crate) async fn said(
        self: &Arc<Self>,
        operation: &'static str,
        body: &Value,
    ) -> Result<Said, Failure> {
        let body = Bytes::from(body.to_string());
        let client = Arc::clone(self);
        let asking = async move { client.asked(operation, body).await };
        let task = everwarm_runtime::handle()?.spawn(asking);
        let _ended = Ended(task.abort_handle());
        // It ends without an answer only with the process.
        task.await.unwrap_or_else(|_| Err(closed()))
    }

    async fn asked(self: Arc<Self>, operation: &str, body: Bytes) -> Result<Said, Failure> {
        let _place = self.places.acquire().await.map_err(|_| closed())?;
        let request = self.signed(operation, &body).await?;
        let sent = machine();
        let answer = self.web.request(request.map(|()| Full::new(body))).await;
        let answer =
            answer.map_err(|error| lost(&self.place, &error, self.config.connect_timeout))?;
        if let Some(date) = answer
            .headers()
            .get(DATE)
            .and_then(|date| date.to_str().ok())
        {
            self.clock.heard(date, sent);
        }
        self.read(answer).await
    }

    async fn signed(
        self: &Arc<Self>,
        operation: &str,
        body: &[u8],
    ) -> Result<Request<()>, Failure> {
        let request = Request::post(self.endpoint.as_str())
            .header(HOST, &self.host)
            .header(CONTENT_TYPE, "application/x-amz-json-1.0")
            .header("x-amz-target", format!("DynamoDB_20120810.{operation}"))
            .header("x-amz-content-sha256", hex_sha256(body))
            .body(());
        let request = request.map_err(|_| unexpected("the endpoint"))?;
        let (mut head, ()) = request.into_parts();
        let client = Arc::clone(self);
        let signing = tokio::spawn(async move {
            let signed = client.signer.sign(&mut head, None).await;
            signed.map(|()| Request::from_parts(head, ()))
        });
        let signed = signing.await.map_err(|_| closed())?;
        signed.map_err(|error| unsigned(&error))
    }

    async fn read(&self, answer: Response<Incoming>) -> Result<Said, Failure> {
        let status = answer.status();
        let body = Limited::new(answer.into_body(), LARGEST).collect().await;
        let body = body
            .map_err(|error| broken(&self.place, &error))?
            .to_bytes();
        let said = serde_json::from_slice::<Value>(&body);
        if status.is_success() {
            let said = said.map_err(|_| unexpected(&format!("the answer of {}", self.place)))?;
            return Ok(Said::Done(said));
        }
        let mut said = said.unwrap_or_default();
        let exception = said.get("__type").and_then(Value::as_str).unwrap_or("");
        let exception = exception
            .rsplit_once('#')
            .map_or(exception, |(_, name)| name);
        if exception == "ConditionalCheckFailedException" {
            let item = said.get_mut("Item").map(Value::take);
            let item = match item {
                Some(Value::Object(item)) => Some(item),
                _ => None,
            };
            return Ok(Said::Unmet(Unmet(item)));
        }
        let exception = exception.to_owned();
        let failure = answered(&self.place, status.as_u16(), &exception);
        Ok(Said::Refused(failure, exception))
    }
}

/// Whom connections trust.
fn trusting(config: &Config, endpoint: &str) -> Result<ClientConfig, Failure> {
    let tls = Tls {
        ca: config.ca.clone(),
        identity: None,
    };
    match configured(&tls) {
        Ok(trusting) => Ok(Arc::unwrap_or_clone(trusting)),
        // A system without authorities may ask where no connection is encrypted.
        Err(_) if endpoint.starts_with("http://") && config.ca.is_none() => {
            let nobody = ClientConfig::builder_with_provider(Arc::new(default_provider()))
                .with_safe_default_protocol_versions()
                .map_err(|_| unexpected("TLS"))?
                .with_root_certificates(RootCertStore::empty());
            Ok(nobody.with_no_client_auth())
        }
        Err(failure) => Err(failure),
    }
}

/// Where the service is.
pub(crate) fn endpoint(config: &Config, region: &str) -> String {
    match &config.endpoint {
        Some(endpoint) => endpoint.clone(),
        None if region.starts_with("cn-") => {
            format!("https://dynamodb.{region}.amazonaws.com.cn")
        }
        None => format!("https://dynamodb.{region}.amazonaws.com"),
    }
}
