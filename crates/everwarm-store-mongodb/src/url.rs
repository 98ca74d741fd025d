//! URLs, taken apart: what is ours, and what the driver is given.

use everwarm_core::error::Error;

/// The parts of a URL, as they are written.
pub(crate) struct Parts<'a> {
    pub(crate) scheme: &'a str,
    /// User and password, without the `@`; empty where there are none.
    pub(crate) login: &'a str,
    pub(crate) hosts: &'a str,
    pub(crate) database: &'a str,
    query: &'a str,
}

impl<'a> Parts<'a> {
    /// Takes a URL apart.
    ///
    /// # Errors
    /// `Config` for what is no URL of a server.
    pub(crate) fn of(url: &'a str) -> Result<Self, Error> {
        let (scheme, rest) = url.split_once("://").ok_or_else(|| {
            Error::config(
                "this is no URL of a server",
                "write \"mongodb://host/database\"",
            )
        })?;
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (place, database) = rest.split_once('/').unwrap_or((rest, ""));
        let (login, hosts) = place.rsplit_once('@').unwrap_or(("", place));
        Ok(Self {
            scheme,
            login,
            hosts,
            database,
            query,
        })
    }

    /// The options behind the question mark: as they are written, their names, and what they say.
    ///
    /// # Errors
    /// `Config` for what cannot be read.
    pub(crate) fn options(&self) -> Result<Vec<(&'a str, String, String)>, Error> {
        let pairs = self.query.split('&').filter(|pair| !pair.is_empty());
        pairs
            .map(|pair| {
                let (option, text) = pair.split_once('=').unwrap_or((pair, ""));
                Ok((pair, decoded(option)?, decoded(text)?))
            })
            .collect()
    }
}

/// `%41` as `A`, as URLs write what they may not contain.
///
/// # Errors
/// `Config` for what is not encoded like this.
pub(crate) fn decoded(text: &str) -> Result<String, Error> {
    percent(text).ok_or_else(|| {
        Error::config(
            "a part of the URL cannot be read",
            "write a percent sign as %25, and UTF-8",
        )
    })
}

fn percent(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || rest.next().and_then(|digit| char::from(digit).to_digit(16));
        let (high, low) = (digit()?, digit()?);
        bytes.push((high * 16 + low) as u8);
    }
    let text = String::from_utf8(bytes).ok();
    text.filter(|text| !text.contains('\0'))
}

/// `text` as far as a message repeats it.
pub(crate) fn excerpt(text: &str) -> String {
    text.chars().take(40).collect()
}
