//! The values of options in URLs.

use std::time::Duration;

use everwarm_core::error::Error;
use everwarm_network::options::span;

use everwarm_network::url::excerpt;

/// Bytes of an identifier of the user's own: what databases take, with room for what is put behind it.
const LONGEST: usize = 48;

pub(crate) fn identifier(option: &str, text: &str) -> Result<String, Error> {
    if text.is_empty() || text.len() > LONGEST {
        return Err(Error::config(
            format!("{option}= is no name that a database takes"),
            format!("write a name of 1 to {LONGEST} bytes"),
        ));
    }
    Ok(text.to_owned())
}

pub(crate) fn often(text: &str) -> Result<Duration, Error> {
    let often = span(text)?;
    if often.is_zero() {
        return Err(Error::config(
            "sweep_every= is no time between two sweeps",
            "write sweep_every=5m, or sweep_every=never",
        ));
    }
    Ok(often)
}

pub(crate) fn mode(option: &str, text: &str) -> Result<bool, Error> {
    match text {
        "disable" | "DISABLED" => Ok(false),
        "require" | "verify-ca" | "verify-full" | "REQUIRED" | "VERIFY_CA" | "VERIFY_IDENTITY" => {
            Ok(true)
        }
        _ => Err(Error::config(
            format!(
                "{option}={:?} leaves it open whether connections are encrypted",
                excerpt(text)
            ),
            "write tls=true, which verifies the server, or tls=false",
        )),
    }
}
