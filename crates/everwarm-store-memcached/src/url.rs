//! The parts of a URL, as far as they are texts. No message repeats what may be a password.

use everwarm_core::error::Error;

use crate::config::Credentials;

/// A URL, cut into its parts.
pub(crate) struct Parts<'a> {
    /// What stands before `://`.
    pub(crate) scheme: &'a str,
    user: Option<&'a str>,
    /// The hosts, with commas between them.
    pub(crate) hosts: &'a str,
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
                "what names a Memcached store is no URL",
                "write \"memcached://host:11211\"",
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
        let hosts = rest.strip_suffix('/').unwrap_or(rest);
        if hosts.contains('/') {
            return Err(Error::config(
                "Memcached has no databases and no paths",
                "end the URL after the hosts: \"memcached://h1,h2\"; a namespace tells caches apart",
            ));
        }
        Ok(Self {
            scheme,
            user,
            hosts,
            query,
        })
    }

    /// As whom the URL asks.
    ///
    /// # Errors
    /// `Config` for a user without a password.
    pub(crate) fn credentials(&self) -> Result<Option<Credentials>, Error> {
        let Some(user) = self.user else {
            return Ok(None);
        };
        let parted = user.split_once(':');
        let Some((user, password)) = parted.filter(|(user, _)| !user.is_empty()) else {
            return Err(Error::config(
                "the URL does not name a user and a password",
                "write \"memcached://user:password@host\", as the server's file of -Y has them",
            ));
        };
        let (user, password) = (secret(user)?, secret(password)?);
        let breaks = |text: &str| text.contains(|c: char| c.is_control());
        if breaks(&password) || breaks(&user) || user.contains(' ') {
            return Err(Error::config(
                "the user or the password has a control character, or the user a blank",
                "name a user of the server's file of -Y, which has none",
            ));
        }
        Ok(Some(Credentials { user, password }))
    }

    /// The options and what they are set to.
    ///
    /// # Errors
    /// `Config` for what is not encoded as URLs are.
    pub(crate) fn options(&self) -> Result<Vec<(String, String)>, Error> {
        let pairs = self.query.split('&').filter(|pair| !pair.is_empty());
        pairs
            .map(|pair| {
                let (option, text) = pair.split_once('=').unwrap_or((pair, ""));
                Ok((secret(option)?, secret(text)?))
            })
            .collect()
    }
}

fn secret(text: &str) -> Result<String, Error> {
    percent(text).ok_or_else(|| {
        Error::config(
            "a user, a password or an option cannot be read as part of a URL",
            "write a percent sign as %25, and UTF-8",
        )
    })
}

/// `%41` as `A`, as URLs write what they may not contain.
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
