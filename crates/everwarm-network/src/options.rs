//! What stands behind the question mark of a URL: spans, answers, and the files of TLS.

use std::path::PathBuf;
use std::time::Duration;

use everwarm_core::duration;
use everwarm_core::error::Error;

use crate::tls::Tls;
use crate::url::excerpt;

/// A span of time: seconds, or a text such as `5m`.
///
/// # Errors
/// `Config` for what is none.
pub fn span(text: &str) -> Result<Duration, Error> {
    match text.parse::<f64>() {
        Ok(seconds) => duration::from_seconds(seconds),
        Err(_) => duration::parse(text),
    }
}

/// Whether an option is true.
///
/// # Errors
/// `Config` for what is neither true nor false.
pub fn yes_or_no(option: &str, text: &str) -> Result<bool, Error> {
    match text {
        "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        _ => Err(Error::config(
            format!("{option}={:?} is neither true nor false", excerpt(text)),
            format!("write {option}=true or {option}=false"),
        )),
    }
}

/// How many connections there may be: 1 to 1,000.
///
/// # Errors
/// `Config` for another number, or none.
pub fn connections(text: &str) -> Result<usize, Error> {
    let count = text.parse().ok();
    let count = count.filter(|count| (1..=1_000).contains(count));
    count.ok_or_else(|| {
        Error::config(
            format!(
                "connections={:?} is no number of connections",
                excerpt(text)
            ),
            "write a number from 1 to 1000",
        )
    })
}

/// The files of TLS, which mean something only together.
#[derive(Default)]
pub struct Files {
    /// Of the authorities that are trusted.
    pub ca: Option<PathBuf>,
    /// Of the client's certificate.
    pub cert: Option<PathBuf>,
    /// Of its key.
    pub key: Option<PathBuf>,
}

impl Files {
    /// Whether there is one.
    #[must_use]
    pub fn are_named(&self) -> bool {
        self.ca.is_some() || self.cert.is_some() || self.key.is_some()
    }

    /// What they say together.
    ///
    /// # Errors
    /// `Config` for a certificate without its key.
    pub fn together(self) -> Result<Tls, Error> {
        let identity = match (self.cert, self.key) {
            (Some(cert), Some(key)) => Some((cert, key)),
            (None, None) => None,
            _ => {
                return Err(Error::config(
                    "a client's certificate needs its key, and the key its certificate",
                    "give both cert= and key=",
                ));
            }
        };
        Ok(Tls {
            ca: self.ca,
            identity,
        })
    }

    /// What they say together, of connections that are encrypted already or not at all, which `hint` would change.
    ///
    /// # Errors
    /// `Config` for a certificate without its key, and for files without TLS.
    pub fn of(self, tls: Option<Tls>, hint: &'static str) -> Result<Option<Tls>, Error> {
        let are_named = self.are_named();
        let together = self.together()?;
        if are_named && tls.is_none() {
            return Err(Error::config(
                "ca=, cert= and key= do nothing without TLS",
                hint,
            ));
        }
        Ok(tls.map(|_| together))
    }
}
