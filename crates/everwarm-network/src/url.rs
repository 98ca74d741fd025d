//! The parts of a URL, as far as they are texts. No message repeats what may be a password.

use everwarm_core::error::Error;

/// A URL, cut into its parts.
pub struct Parts<'a> {
    /// What stands before `://`.
    pub scheme: &'a str,
    /// Who asks, as it stands before `@`.
    user: Option<&'a str>,
    /// The hosts, with commas between them.
    pub hosts: &'a str,
    /// What follows the slash behind the hosts.
    pub path: &'a str,
    query: &'a str,
}

/// Who a URL says asks; nobody is the empty name.
pub struct Login {
    /// The user.
    pub user: String,
    /// The password, if there is a colon.
    pub password: Option<String>,
}

impl<'a> Parts<'a> {
    /// The parts of `url`, which names `what` ("a database") and would be right as `form` says it.
    ///
    /// # Errors
    /// `Config` if it is none.
    pub fn of(url: &'a str, what: &str, form: &'static str) -> Result<Self, Error> {
        let (scheme, rest) = url
            .split_once("://")
            .ok_or_else(|| Error::config(format!("what names {what} is no URL"), form))?;
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

    /// As whom the URL asks; `None`: it has no `@`.
    ///
    /// # Errors
    /// `Config` for what cannot be read.
    pub fn login(&self) -> Result<Option<Login>, Error> {
        let Some(user) = self.user else {
            return Ok(None);
        };
        let (user, password) = match user.split_once(':') {
            Some((user, password)) => (user, Some(secret(password)?)),
            None => (user, None),
        };
        Ok(Some(Login {
            user: secret(user)?,
            password,
        }))
    }

    /// The options behind the question mark, and what they are set to.
    ///
    /// # Errors
    /// `Config` for what cannot be read.
    pub fn options(&self) -> Result<Vec<(String, String)>, Error> {
        let pairs = self.query.split('&').filter(|pair| !pair.is_empty());
        pairs
            .map(|pair| {
                let (option, text) = pair.split_once('=').unwrap_or((pair, ""));
                Ok((decoded(option)?, secret(text)?))
            })
            .collect()
    }
}

/// The host, which may be empty, and the port of `host:port`, `host` or `[::1]:port`; `default` if it has none.
///
/// # Errors
/// `Config` if it is no address.
pub fn host_and_port(text: &str, default: u16) -> Result<(&str, u16), Error> {
    let refused = |what: &str| {
        Error::config(
            format!("{:?} {what}", excerpt(text)),
            format!("write host:port, and numbers of IPv6 in brackets: \"[::1]:{default}\""),
        )
    };
    let (host, rest) = match text.strip_prefix('[') {
        Some(rest) => rest
            .split_once(']')
            .ok_or_else(|| refused("opens a bracket and does not close it"))?,
        None => text.split_at(text.find(':').unwrap_or(text.len())),
    };
    let port = match rest.strip_prefix(':') {
        None if rest.is_empty() => default,
        Some(digits) => digits
            .parse()
            .ok()
            .filter(|&port| port != 0)
            .ok_or_else(|| refused("has no port that can be"))?,
        None => return Err(refused("is no address")),
    };
    if host.contains(|sign: char| sign.is_whitespace() || sign == ',') {
        return Err(refused("is no address of one server"));
    }
    Ok((host, port))
}

/// `%41` as `A`, as URLs write what they may not contain.
///
/// # Errors
/// `Config` for what is not encoded like this.
pub fn decoded(text: &str) -> Result<String, Error> {
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
#[must_use]
pub fn excerpt(text: &str) -> String {
    text.chars().take(40).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(url: &str) -> Parts<'_> {
        Parts::of(url, "a store", "write \"redis://host\"").expect("a URL")
    }

    #[test]
    fn a_password_may_have_any_sign_that_is_encoded() {
        let url = parts("redis://ann:a%40b%3Fc:d@h1,h2/0/x?db=%31&ca");
        assert_eq!((url.scheme, url.hosts, url.path), ("redis", "h1,h2", "0/x"));
        let login = url.login().unwrap().expect("there is an @");
        assert_eq!(login.user, "ann");
        assert_eq!(login.password.as_deref(), Some("a@b?c:d"));
        let options = url.options().unwrap();
        assert_eq!(options[0], ("db".to_owned(), "1".to_owned()));
        assert_eq!(options[1], ("ca".to_owned(), String::new()));
    }

    #[test]
    fn no_message_repeats_a_password() {
        for url in ["redis://ann:se%zzcret@h", "redis://ann:secret?x@h/0"] {
            let met = Parts::of(url, "a store", "").and_then(|parts| parts.login().map(|_| ()));
            let error = met.expect_err(url);
            assert!(!error.message().contains("cret"), "{error}");
        }
    }

    #[test]
    fn an_address_may_be_a_number_of_ipv6() {
        assert_eq!(host_and_port("[::1]:7", 6).unwrap(), ("::1", 7));
        assert_eq!(host_and_port("h", 6).unwrap(), ("h", 6));
        assert_eq!(host_and_port("", 6).unwrap(), ("", 6));
        for none in ["h:", "h:0", "h:65536", "[::1", "[::1]7", "h1,h2", "h h"] {
            assert!(host_and_port(none, 6).is_err(), "{none:?}");
        }
    }
}
