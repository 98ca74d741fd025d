//! What a store of objects is told: which service and bucket, below which prefix, and as whom it asks.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use everwarm_core::error::Error;
use everwarm_network::options::{connections, span, yes_or_no};
use everwarm_network::url::{Parts, decoded, excerpt};

use crate::names::LONGEST_PREFIX;

const OPTIONS: [&str; 14] = [
    "region",
    "endpoint",
    "virtual_host",
    "account",
    "key_env",
    "secret_env",
    "token_env",
    "credentials_file",
    "anonymous",
    "ca",
    "timeout",
    "connect_timeout",
    "connections",
    "max_value",
];

const FORM: &str =
    "write \"s3://bucket/prefix\", \"gs://bucket/prefix\" or \"az://container/prefix\"";

/// Whose service it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// Amazon S3, or one that is compatible with it: `s3`.
    S3,
    /// Google Cloud Storage: `gs`.
    Google,
    /// Azure Blob Storage: `az`.
    Azure,
}

impl Service {
    /// The scheme of its URL.
    #[must_use]
    pub const fn scheme(self) -> &'static str {
        match self {
            Self::S3 => "s3",
            Self::Google => "gs",
            Self::Azure => "az",
        }
    }
}

/// As whom the service is asked. Secrets are never shown.
#[derive(Clone, Default, PartialEq, Eq)]
pub enum Credentials {
    /// As the variables of the cloud say, or the machine: what each cloud's own tools do.
    #[default]
    Environment,
    /// As variables of other names say.
    Variables {
        /// That of the key's identifier, of S3.
        key: Option<String>,
        /// That of the secret key; of Azure that of the account's key.
        secret: String,
        /// That of the session's token, of S3.
        token: Option<String>,
    },
    /// With a key; of Azure the identifier is that of the account.
    Key {
        /// Its identifier.
        id: String,
        /// The secret.
        secret: String,
    },
    /// As a file says, of Google a service account's.
    File(PathBuf),
    /// As nobody.
    Anonymous,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Environment => "Environment",
            Self::Variables { .. } => "Variables",
            Self::Key { .. } => "Key(***)",
            Self::File(_) => "File",
            Self::Anonymous => "Anonymous",
        })
    }
}

/// Where a store is, and as whom it asks.
///
/// ```
/// use everwarm_store_object::{Config, Service};
///
/// let config = Config::from_url("s3://bucket/shop/cache?region=eu-central-1")?;
/// assert_eq!((config.service, config.bucket.as_str()), (Service::S3, "bucket"));
/// assert_eq!(config.prefix, "shop/cache");
/// let error = Config::from_url("s3://bucket?regoin=eu-central-1").unwrap_err();
/// assert!(error.hint().contains("region"));
/// # Ok::<(), everwarm_core::error::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Whose service it is.
    pub service: Service,
    /// The bucket, or the container.
    pub bucket: String,
    /// What all keys begin with, without a slash at its end; it may be empty.
    pub prefix: String,
    /// The region, of S3; `None`: as the environment says.
    pub region: Option<String>,
    /// Where the service is, if it is not the cloud's own.
    pub endpoint: Option<String>,
    /// Whether the bucket is part of the host's name, of S3.
    pub virtual_host: bool,
    /// The account, of Azure; `None`: as the environment says.
    pub account: Option<String>,
    /// As whom the service is asked.
    pub credentials: Credentials,
    /// The file of the authorities that are trusted; `None`: those of the system.
    pub ca: Option<PathBuf>,
    /// How long an operation may take, where its user has said so. Who waits for one ends it: it is for the judgement of health.
    pub timeout: Option<Duration>,
    /// How long it may take to connect: 2 s by default.
    pub connect_timeout: Duration,
    /// Connections at most: 64 by default.
    pub connections: usize,
    /// Bytes of a value, at most: 64 MiB by default.
    pub max_value: u64,
}

impl Config {
    /// A bucket of a service, with nothing below it that is not ours.
    #[must_use]
    pub fn new(service: Service, bucket: impl Into<String>) -> Self {
        Self {
            service,
            bucket: bucket.into(),
            prefix: String::new(),
            region: None,
            endpoint: None,
            virtual_host: false,
            account: None,
            credentials: Credentials::default(),
            ca: None,
            timeout: None,
            connect_timeout: Duration::from_secs(2),
            connections: 64,
            max_value: 64 << 20,
        }
    }

    /// What a URL says. No file is looked at, and no variable.
    ///
    /// # Errors
    /// `Config` or `UnknownOption`, with a hint, for what cannot be meant. No secret is in it.
    pub fn from_url(url: &str) -> Result<Self, Error> {
        let parts = Parts::of(url, "a store of objects", FORM)?;
        let service = match parts.scheme {
            "s3" => Service::S3,
            "gs" => Service::Google,
            "az" => Service::Azure,
            scheme => {
                let scheme = excerpt(scheme);
                return Err(Error::config(
                    format!("{scheme:?} is no scheme of a store of objects"),
                    FORM,
                ));
            }
        };
        if parts.login()?.is_some() {
            return Err(Error::config(
                "the URL has a user or a password",
                "credentials come from the environment; key_env= and secret_env= name other variables",
            ));
        }
        let mut config = Self::new(service, bucket(parts.hosts)?);
        config.prefix = prefix(parts.path)?;
        let mut named = Named::default();
        for (option, text) in parts.options()? {
            config.take(&mut named, &option, &text)?;
        }
        config.credentials = named.credentials(service)?;
        let is_encrypted = |endpoint: &String| !endpoint.starts_with("http://");
        if config.ca.is_some() && !config.endpoint.as_ref().is_some_and(is_encrypted) {
            return Err(Error::config(
                "ca= does nothing without an endpoint of one's own that speaks TLS",
                "write endpoint=https://…, or leave it out",
            ));
        }
        Ok(config)
    }

    fn take(&mut self, named: &mut Named, option: &str, text: &str) -> Result<(), Error> {
        let only = |service: Service| match self.service == service {
            true => Ok(()),
            false => Err(Error::config(
                format!("{option}= means nothing to {}", self.service.scheme()),
                "leave it out",
            )),
        };
        match option {
            "region" => {
                only(Service::S3)?;
                self.region = Some(text.to_owned());
            }
            "virtual_host" => {
                only(Service::S3)?;
                self.virtual_host = yes_or_no(option, text)?;
            }
            "account" => {
                only(Service::Azure)?;
                self.account = Some(text.to_owned());
            }
            "credentials_file" => {
                only(Service::Google)?;
                named.file = Some(text.into());
            }
            "key_env" | "token_env" => {
                only(Service::S3)?;
                let place = if option == "key_env" {
                    &mut named.key
                } else {
                    &mut named.token
                };
                *place = Some(text.to_owned());
            }
            "secret_env" => named.secret = Some(text.to_owned()),
            "anonymous" => named.is_anonymous = yes_or_no(option, text)?,
            "endpoint" => self.endpoint = Some(endpoint(text)?),
            "ca" => self.ca = Some(text.into()),
            "timeout" => self.timeout = Some(span(text)?),
            "connect_timeout" => self.connect_timeout = span(text)?,
            "connections" => self.connections = connections(text)?,
            "max_value" => self.max_value = bytes(text)?,
            "key" | "secret" | "token" | "access_key" | "secret_key" | "password" => {
                return Err(Error::config(
                    "a secret in a URL is seen by everybody who sees the URL",
                    "name the variables that it is in: key_env=NAME and secret_env=NAME",
                ));
            }
            _ => return Err(Error::unknown_option(option, &OPTIONS)),
        }
        Ok(())
    }
}

/// The place, without secrets.
impl fmt::Display for Config {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let slash = if self.prefix.is_empty() { "" } else { "/" };
        write!(formatter, "{}{slash}{}", self.bucket, self.prefix)?;
        match &self.endpoint {
            Some(endpoint) => write!(formatter, " at {endpoint}"),
            None => Ok(()),
        }
    }
}

/// What options say of credentials, which means something only together.
#[derive(Default)]
struct Named {
    key: Option<String>,
    secret: Option<String>,
    token: Option<String>,
    file: Option<PathBuf>,
    is_anonymous: bool,
}

impl Named {
    fn credentials(self, service: Service) -> Result<Credentials, Error> {
        let ways = [
            self.key.is_some() || self.secret.is_some() || self.token.is_some(),
            self.file.is_some(),
            self.is_anonymous,
        ];
        if ways.into_iter().filter(|&way| way).count() > 1 {
            return Err(Error::config(
                "the URL says in several ways who asks",
                "write variables, or a file, or anonymous=true",
            ));
        }
        if self.is_anonymous {
            return Ok(Credentials::Anonymous);
        }
        if let Some(file) = self.file {
            return Ok(Credentials::File(file));
        }
        match (self.key, self.secret, self.token) {
            (None, None, None) => Ok(Credentials::Environment),
            (key, Some(secret), token)
                if (key.is_some() || service == Service::Azure) && service != Service::Google =>
            {
                Ok(Credentials::Variables { key, secret, token })
            }
            _ => Err(Error::config(
                "the URL names some of the variables of who asks, and not all",
                "write both key_env= and secret_env= of S3, secret_env= of Azure, and credentials_file= of Google",
            )),
        }
    }
}

fn bucket(text: &str) -> Result<String, Error> {
    let text = decoded(text)?;
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b".-_$".contains(&byte);
    if text.is_empty() || text.len() > 222 || !text.bytes().all(is_name) {
        return Err(Error::config(
            "the URL does not say which bucket, or one that there cannot be",
            FORM,
        ));
    }
    Ok(text)
}

fn prefix(text: &str) -> Result<String, Error> {
    let text = decoded(text)?;
    let text = text.trim_end_matches('/');
    let is_sign = |byte: u8| byte.is_ascii_alphanumeric() || b"._-/:!".contains(&byte);
    let is_part = |part: &str| !matches!(part, "" | "." | "..");
    let is_path = text.is_empty() || text.split('/').all(is_part);
    if text.len() > LONGEST_PREFIX || !text.bytes().all(is_sign) || !is_path {
        return Err(Error::config(
            format!("{:?} is no prefix of keys", excerpt(text)),
            format!(
                "write up to {LONGEST_PREFIX} letters, digits and signs of ._-:! with single slashes between them"
            ),
        ));
    }
    Ok(text.to_owned())
}

fn endpoint(text: &str) -> Result<String, Error> {
    let rest = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"));
    let is_sign = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:[]/".contains(&byte);
    match rest {
        Some(rest) if !rest.is_empty() && rest.bytes().all(is_sign) => {
            Ok(text.trim_end_matches('/').to_owned())
        }
        _ => Err(Error::config(
            "endpoint= is no place of a service",
            "write endpoint=https://host:port",
        )),
    }
}

fn bytes(text: &str) -> Result<u64, Error> {
    const UNITS: [(&str, u64); 5] = [
        ("KiB", 1 << 10),
        ("MiB", 1 << 20),
        ("GiB", 1 << 30),
        ("MB", 1_000_000),
        ("", 1),
    ];
    let of_unit = |(unit, factor): (&str, u64)| {
        let number: u64 = text.strip_suffix(unit)?.parse().ok()?;
        number.checked_mul(factor)
    };
    let bytes = UNITS.into_iter().find_map(of_unit);
    bytes
        .filter(|bytes| (1..=4 << 30).contains(bytes))
        .ok_or_else(|| {
            Error::config(
                "max_value= is no size from 1 byte to 4 GiB",
                "write max_value=256MiB",
            )
        })
}
