//! What a store in a table of DynamoDB is told: which table, where, and as whom.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use everwarm_core::error::Error;
use everwarm_network::options::{connections, span, yes_or_no};
use everwarm_network::url::Parts;

const OPTIONS: [&str; 9] = [
    "region",
    "endpoint",
    "profile",
    "consistent",
    "make_table",
    "ca",
    "connections",
    "connect_timeout",
    "timeout",
];

const FORM: &str = "write \"dynamodb://table?region=eu-central-1\"";

/// The keys of an identity of AWS. The secret ones are never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Keys {
    /// The access key's id.
    pub id: String,
    /// The secret access key.
    pub secret: String,
}

impl fmt::Debug for Keys {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Keys(***)")
    }
}

/// Which table a store is in, where, and as whom it asks.
///
/// ```
/// use everwarm_store_dynamodb::Config;
///
/// let config = Config::from_url("dynamodb://shop-cache?region=eu-central-1&consistent=false")?;
/// assert_eq!((config.table.as_str(), config.consistent), ("shop-cache", false));
/// let error = Config::from_url("dynamodb://shop-cache?regoin=eu-central-1").unwrap_err();
/// assert!(error.hint().contains("region"));
/// # Ok::<(), everwarm_core::error::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The table's name.
    pub table: String,
    /// The region; `None`: that of the variables AWS_REGION or AWS_DEFAULT_REGION.
    pub region: Option<String>,
    /// Where the service is, as the beginning of a URL; `None`: where AWS has it in the region.
    pub endpoint: Option<String>,
    /// As whom it asks; `None`: as whom AWS's own tools would, by variables, profiles, roles.
    pub keys: Option<Keys>,
    /// The profile in AWS's files; `None`: that of the variable AWS_PROFILE, or `default`.
    pub profile: Option<String>,
    /// Whether what is read is what was written last: so by default. Reads that may be late cost half.
    pub consistent: bool,
    /// Whether the table is made when it is missing: not by default.
    pub make_table: bool,
    /// The file of the authorities that are trusted; `None`: those of the system.
    pub ca: Option<PathBuf>,
    /// How many requests are under way at most: 64 by default.
    pub connections: usize,
    /// How long it may take to connect: 1 s by default.
    pub connect_timeout: Duration,
    /// How long an operation may take, where its user has said so.
    pub timeout: Option<Duration>,
}

impl Config {
    /// What a URL says. No file is looked at, and no variable.
    ///
    /// # Errors
    /// `Config` or `UnknownOption`, with a hint, for what cannot be meant. No secret is in it.
    pub fn from_url(url: &str) -> Result<Self, Error> {
        let parts = Parts::of(url, "a table of DynamoDB", FORM)?;
        if parts.scheme != "dynamodb" || !parts.path.is_empty() {
            return Err(Error::config("that is no URL of a table of DynamoDB", FORM));
        }
        let mut config = Self {
            table: table(parts.hosts)?,
            region: None,
            endpoint: None,
            keys: keys(&parts)?,
            profile: None,
            consistent: true,
            make_table: false,
            ca: None,
            connections: 64,
            connect_timeout: Duration::from_secs(1),
            timeout: None,
        };
        for (option, text) in parts.options()? {
            config.take(&option, &text)?;
        }
        if config.keys.is_some() && config.profile.is_some() {
            return Err(Error::config(
                "the URL has keys, and names a profile that has others",
                "leave one of them out",
            ));
        }
        Ok(config)
    }

    fn take(&mut self, option: &str, text: &str) -> Result<(), Error> {
        match option {
            "region" => self.region = Some(region(text)?),
            "endpoint" => self.endpoint = Some(endpoint(text)?),
            "profile" if !text.is_empty() => self.profile = Some(text.to_owned()),
            "profile" => return Err(Error::config("profile= names none", "write profile=work")),
            "consistent" => self.consistent = yes_or_no(option, text)?,
            "make_table" => self.make_table = yes_or_no(option, text)?,
            "ca" => self.ca = Some(text.into()),
            "connections" => self.connections = connections(text)?,
            "connect_timeout" => self.connect_timeout = span(text)?,
            "timeout" => self.timeout = Some(span(text)?),
            _ => return Err(Error::unknown_option(option, &OPTIONS)),
        }
        Ok(())
    }
}

/// The place, without secrets.
impl fmt::Display for Config {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.table)?;
        match (&self.region, &self.endpoint) {
            (_, Some(endpoint)) => write!(formatter, " at {endpoint}"),
            (Some(region), None) => write!(formatter, " in {region}"),
            (None, None) => Ok(()),
        }
    }
}

fn keys(parts: &Parts<'_>) -> Result<Option<Keys>, Error> {
    let Some(login) = parts.login()? else {
        return Ok(None);
    };
    let is_key = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
    let secret = login.password.filter(|secret| is_key(secret));
    match secret.filter(|_| is_key(&login.user)) {
        Some(secret) => Ok(Some(Keys {
            id: login.user,
            secret,
        })),
        None => Err(Error::config(
            "what stands before the @ of the URL is no pair of keys",
            "write \"dynamodb://ID:SECRET@table\", with %2F for a slash, or leave it out: the usual places of AWS are looked at",
        )),
    }
}

fn table(text: &str) -> Result<String, Error> {
    let is_sign = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    match (3..=255).contains(&text.len()) && text.bytes().all(is_sign) {
        true => Ok(text.to_owned()),
        false => Err(Error::config(
            "the URL names no table that DynamoDB could have",
            "names of tables have 3 to 255 letters, digits, and the signs . _ -",
        )),
    }
}

fn region(text: &str) -> Result<String, Error> {
    let is_sign = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    match !text.is_empty() && text.bytes().all(is_sign) {
        true => Ok(text.to_owned()),
        false => Err(Error::config(
            "region= names none",
            "write region=eu-central-1",
        )),
    }
}

fn endpoint(text: &str) -> Result<String, Error> {
    let text = text.trim_end_matches('/');
    let rest = text
        .strip_prefix("http://")
        .or_else(|| text.strip_prefix("https://"));
    let is_sign = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte);
    match rest.is_some_and(|rest| !rest.is_empty() && rest.bytes().all(is_sign)) {
        true => Ok(text.to_owned()),
        false => Err(Error::config(
            "endpoint= is no URL of a host",
            "write endpoint=http://localhost:8000",
        )),
    }
}
