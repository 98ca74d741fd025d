//! The parts of a URL, as far as they are texts. No message repeats what may be a password.

use everwarm_core::error::Error;

use crate::config::Credentials;

/// A URL, cut into its parts.
pub(crate) struct Parts<'a> {
    /// What stands before `://`.
    pub(crate) scheme: &'a str,
    /// Who asks, as it stands before `@`.
    user: Option<&'a str>,
    /// The hosts, with commas between them.
    pub(crate) hosts: &'a str,
    /// What follows the slash behind the hosts.
    pub(crate) path: &'a str,
    query: &'a str,
}

impl<'a> Parts<'a> {
    /// The parts of `url`.
    ///
    /// # Errors
    /// `Config` if it is none.
    pub(crate) fn of(url: &'a str) -> Result<Self, Error> {
        let (scheme, rest) = url.split_once("://").ok_or_else(|| {
            Error::config(
                "what names a database is no URL",
                "write \"postgresql://user:password@host/database\"",
            )
        })?;
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        if query.contains('@') {
            // It may be the end of a password with a question mark in it.
            return Err(Error::config(
                "there is an @ behind the question mark of the URL",
                "write it as %40 in an option, and a question mark in a password as %3F",
            ));
        }
        let (user, rest) = match rest.rsplit_once('@') {
            Some((user, rest)) => (Some(user), rest),
            None => (None, rest),
        };
        let (hosts, path) = rest.split_once('/').unwrap_or((rest, ""));
        Ok(Self {
            scheme,
            user,
            hosts,
            path,
            query,
        })
    }

    /// As whom the URL asks. A user needs no password where the server trusts, or asks for a certificate.
    ///
    /// # Errors
    /// `Config` for what cannot be read, and for a password of nobody.
    pub(crate) fn credentials(&self) -> Result<Option<Credentials>, Error> {
        let Some(user) = self.user else {
            return Ok(None);
        };
        let (user, password) = match user.split_once(':') {
            Some((user, password)) => (user, Some(secret(password)?)),
            None => (user, None),
        };
        if user.is_empty() {
            return Err(Error::config(
                "the URL has a password, and does not say whose it is",
                "write \"postgresql://user:password@host/database\"",
            ));
        }
        Ok(Some(Credentials {
            user: secret(user)?,
            password,
        }))
    }

    /// The options behind the question mark.
    ///
    /// # Errors
    /// `Config` for what cannot be read.
    pub(crate) fn options(&self) -> Result<Vec<(String, String)>, Error> {
        let pairs = self.query.split('&').filter(|pair| !pair.is_empty());
        pairs
            .map(|pair| {
                let (option, text) = pair.split_once('=').unwrap_or((pair, ""));
                Ok((decoded(option)?, secret(text)?))
            })
            .collect()
    }
}

/// `%41` as `A`, as URLs write what they may not contain.
///
/// # Errors
/// `Config` for what is not encoded like this.
pub(crate) fn decoded(text: &str) -> Result<String, Error> {
    percent(text).ok_or_else(|| undecodable(&format!("{:?}", excerpt(text))))
}

fn secret(text: &str) -> Result<String, Error> {
    percent(text).ok_or_else(|| undecodable("a user, a password or an option"))
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
    String::from_utf8(bytes)
        .ok()
        .filter(|text| !text.contains('\0'))
}

fn undecodable(what: &str) -> Error {
    Error::config(
        format!("{what} cannot be read as part of a URL"),
        "write a percent sign as %25, and UTF-8",
    )
}

/// `text` as far as a message repeats it.
pub(crate) fn excerpt(text: &str) -> String {
    text.chars().take(40).collect()
}
