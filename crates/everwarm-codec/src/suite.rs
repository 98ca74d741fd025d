//! Suites: how an envelope is kept from being taken for another. One number on the wire each, for ever.

use everwarm_core::error::Error;

/// How envelopes are sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Suite {
    /// A checksum: finds damage, not tampering.
    Checksum,
    /// AES-256-GCM, with a key of its own for each message and a commitment to it.
    AesGcm,
    /// The same with AES-256-GCM-SIV, which keeps its promises even if a message key were to come twice.
    AesGcmSiv,
    /// HMAC-SHA-256: finds tampering, hides nothing.
    Mac,
}

impl Suite {
    /// All suites, in the order of their numbers.
    pub const ALL: [Self; 4] = [Self::Checksum, Self::AesGcm, Self::AesGcmSiv, Self::Mac];

    /// The number on the wire.
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The suite of a number on the wire, if this version knows it.
    #[must_use]
    pub fn numbered(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }

    /// The name users write.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Checksum => "checksum",
            Self::AesGcm => "aes-256-gcm",
            Self::AesGcmSiv => "aes-256-gcm-siv",
            Self::Mac => "mac",
        }
    }

    /// The suite of that name.
    ///
    /// ```
    /// use everwarm_codec::suite::Suite;
    ///
    /// assert_eq!(Suite::named("aes-256-gcm")?, Suite::AesGcm);
    /// assert!(Suite::named("aes-128-gcm").unwrap_err().hint().contains("checksum, aes-256-gcm"));
    /// # Ok::<(), everwarm_core::error::Error>(())
    /// ```
    ///
    /// # Errors
    /// If there is none.
    pub fn named(name: &str) -> Result<Self, Error> {
        Self::ALL
            .into_iter()
            .find(|suite| suite.name() == name)
            .ok_or_else(|| {
                Error::config(
                    format!("there is no suite {:?}", short(name)),
                    format!("the suites are {}", Self::ALL.map(Self::name).join(", ")),
                )
            })
    }

    /// Whether it takes a key to seal, so that what opens was sealed by a holder of it.
    #[must_use]
    pub const fn is_authenticated(self) -> bool {
        !matches!(self, Self::Checksum)
    }

    /// Whether nobody without a key can read what is sealed.
    #[must_use]
    pub const fn is_secret(self) -> bool {
        matches!(self, Self::AesGcm | Self::AesGcmSiv)
    }

    /// How many bytes stand between header and body.
    pub(crate) const fn before(self) -> usize {
        match self {
            Self::Checksum | Self::Mac => 32,
            Self::AesGcm | Self::AesGcmSiv => 64,
        }
    }

    /// How many bytes stand behind the body.
    pub(crate) const fn after(self) -> usize {
        if self.is_secret() { 16 } else { 0 }
    }
}

/// As much of a word as a message repeats.
pub(crate) fn short(word: &str) -> &str {
    let end = word.char_indices().nth(40).map_or(word.len(), |(at, _)| at);
    &word[..end]
}
