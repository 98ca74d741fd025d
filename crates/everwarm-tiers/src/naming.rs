//! What entries, functions and tags are called in stores, and within the cache where tenants share it.
//!
//! Where a cache has a keyring nothing that a store is told can be read or guessed: each name is an HMAC. Where it has tenants
//! an entry carries every tag twice, as its own tenant knows it and as all do; who has no tenant speaks for all of them.

use std::fmt;
use std::sync::Arc;

#[cfg(feature = "stores")]
use everwarm_codec::names::{Named, Names};
#[cfg(feature = "stores")]
use everwarm_core::bus::mac::Mac;
use everwarm_core::key::{Digest, Header, Heading, Limit, prefix};
use everwarm_core::mark::{Tag, TagKind};
use everwarm_engine::primitives::MARK;

#[cfg(not(feature = "stores"))]
use nobody::{Named, Names};

/// What those tags begin with that users never see: of entries, functions and tenants.
pub const OWN: char = '\0';
/// What those begin with that stand for a user's tag, which is behind the first space.
const VEILED: char = '\u{1}';
/// So many hexadecimal digits of a digest are in a name, as in every stored name.
const NAMED: usize = 40;

/// A tenant, by the canonical bytes of what it is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tenant(pub Arc<[u8]>);

/// How a cache calls what it stores.
#[derive(Clone)]
pub struct Naming {
    namespace: Arc<str>,
    /// What stores are told as the namespace.
    outer: Arc<str>,
    names: Option<Names>,
}

impl Naming {
    /// That of a namespace; with `names` where nothing that a store is told is to say anything.
    #[must_use]
    pub fn new(namespace: &str, names: Option<&Names>) -> Self {
        let hidden = names.map(|names| names.hide(Named::Message, b"", namespace, b"namespace"));
        Self {
            namespace: namespace.into(),
            outer: hidden.unwrap_or_else(|| namespace.to_owned()).into(),
            names: names.cloned(),
        }
    }

    /// The namespace as its user calls it.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The namespace as stores know it.
    #[must_use]
    pub fn outer(&self) -> &Arc<str> {
        &self.outer
    }

    /// Whether names say nothing.
    #[must_use]
    pub fn is_secret(&self) -> bool {
        self.names.is_some()
    }

    /// What authenticates messages, where names say nothing.
    #[cfg(feature = "stores")]
    #[must_use]
    pub fn mac(&self) -> Option<Arc<dyn Mac>> {
        let names = self.names.as_ref()?;
        Some(Arc::new(names.messages(&self.namespace)))
    }

    /// A function as stores know it. Objects, which have none, stay what they are.
    #[must_use]
    pub fn function(&self, function: &str) -> Arc<str> {
        match &self.names {
            Some(names) if !function.is_empty() => {
                let label = format!("function {function}");
                names
                    .hide(Named::Tag, b"", &self.namespace, label.as_bytes())
                    .into()
            }
            _ => function.into(),
        }
    }

    /// The stored name of an entry of a function (as stores know it), from the name it would have if nobody were to be kept from
    /// reading it, and the digest of its key.
    #[must_use]
    pub fn entry(
        &self,
        function: &str,
        tenant: Option<&Tenant>,
        (plain, digest): (String, &Digest),
    ) -> String {
        let part = match tenant {
            // A walk through a tenant's own keys has to find them.
            Some(tenant) if function.is_empty() => self.tenant(tenant)[..NAMED].to_owned(),
            _ => String::new(),
        };
        if part.is_empty() && self.names.is_none() {
            return plain;
        }
        let mut name = prefix(&[&self.outer, function, &part]);
        match &self.names {
            Some(names) => {
                let mut whole = plain.into_bytes();
                whole.extend_from_slice(digest.as_bytes());
                let bytes = tenant.map_or(&[][..], |tenant| &tenant.0);
                let hidden = names.hide(Named::Entry, bytes, &self.namespace, &whole);
                name.push_str(&hidden[..NAMED]);
            }
            None => name.push_str(&plain[plain.len() - NAMED..]),
        }
        name
    }

    /// What a lock, a limiter or the like is called in stores, from the canonical bytes of what its user calls it: outside of every
    /// namespace's own entries, so that nothing clears it.
    ///
    /// # Errors
    /// If what it is called is beyond what a key may be.
    pub fn primitive(
        &self,
        kind: &str,
        tenant: Option<&Tenant>,
        arguments: &[u8],
    ) -> Result<String, Limit> {
        let header = Header {
            function: kind,
            version: "",
            parameters: &[],
        };
        let (plain, digest) = Heading::new(&self.namespace, &header, "")?.name(arguments);
        Ok(match &self.names {
            Some(names) => {
                let bytes = tenant.map_or(&[][..], |tenant| &tenant.0);
                let hidden = names.hide(Named::Lock, bytes, &self.namespace, digest.as_bytes());
                format!("{MARK}{}{}", prefix(&[&self.outer]), &hidden[..NAMED])
            }
            None => format!("{MARK}{plain}"),
        })
    }

    /// What the stored names of a tenant's own entries begin with, after the namespace.
    #[must_use]
    pub fn objects(&self, tenant: Option<&Tenant>) -> String {
        let part = tenant.map(|tenant| self.tenant(tenant));
        format!(":{}:", part.as_ref().map_or("", |part| &part[..NAMED]))
    }

    /// A tenant as stores know it.
    fn tenant(&self, tenant: &Tenant) -> String {
        match &self.names {
            Some(names) => names.hide(Named::Message, &tenant.0, &self.namespace, b"tenant"),
            None => {
                // Twice 128 bits, since the tag of a name is that long.
                let half = |kind, name| Tag::of(&self.namespace, kind, name).0;
                let text: String = tenant.0.iter().map(|byte| format!("{byte:02x}")).collect();
                [
                    half(TagKind::Namespace, &text),
                    half(TagKind::Function, &text),
                ]
                .concat()
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect()
            }
        }
    }

    /// A tag as all tenants know it.
    fn plain(&self, tag: &Arc<str>) -> Arc<str> {
        match &self.names {
            Some(names) => {
                let label = format!("tag {tag}");
                let hidden = names.hide(Named::Tag, b"", &self.namespace, label.as_bytes());
                format!("{VEILED}{hidden} {tag}").into()
            }
            None => Arc::clone(tag),
        }
    }

    /// A tag as one tenant knows it.
    fn own(&self, tenant: &Tenant, tag: &str) -> Arc<str> {
        match &self.names {
            Some(names) => {
                let label = format!("tag {tag}");
                let hidden = names.hide(Named::Tag, &tenant.0, &self.namespace, label.as_bytes());
                format!("{OWN}tag {hidden}").into()
            }
            None => format!("{OWN}tag {} {tag}", self.tenant(tenant)).into(),
        }
    }

    /// The tag of everything that a tenant has, of one function or of all.
    #[must_use]
    pub fn whole(&self, tenant: &Tenant, function: Option<&str>) -> Arc<str> {
        let function = function.unwrap_or("");
        format!("{OWN}tenant {} {function}", self.tenant(tenant)).into()
    }

    /// The tags that an entry carries, from those its user gave it.
    #[must_use]
    pub fn carried(&self, tenant: Option<&Tenant>, given: Vec<Arc<str>>) -> Vec<Arc<str>> {
        if tenant.is_none() && self.names.is_none() {
            return given;
        }
        let own = tenant.map(|tenant| given.iter().map(move |tag| self.own(tenant, tag)));
        let mut carried: Vec<_> = given.iter().map(|tag| self.plain(tag)).collect();
        carried.extend(own.into_iter().flatten());
        carried
    }

    /// The tags that somebody means who invalidates these: those of a tenant, or of all.
    #[must_use]
    pub fn meant(&self, tenant: Option<&Tenant>, given: Vec<Arc<str>>) -> Vec<Arc<str>> {
        if tenant.is_none() && self.names.is_none() {
            return given;
        }
        let meant = |tag| tenant.map_or_else(|| self.plain(tag), |tenant| self.own(tenant, tag));
        given.iter().map(meant).collect()
    }
}

/// A tag as its user gave it; None if no user did.
#[must_use]
pub fn shown(tag: &str) -> Option<String> {
    if tag.starts_with(OWN) {
        return None;
    }
    let Some(veiled) = tag.strip_prefix(VEILED) else {
        return Some(tag.to_owned());
    };
    let (_, tag) = veiled.split_once(' ')?;
    (!tag.starts_with(OWN)).then(|| tag.to_owned())
}

impl fmt::Debug for Naming {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Naming")
            .field("namespace", &self.outer)
            .finish_non_exhaustive()
    }
}

/// What stands for names that say nothing, in a build that can open no store.
#[cfg(not(feature = "stores"))]
mod nobody {
    pub(super) enum Named {
        Entry,
        Tag,
        Lock,
        Message,
    }

    #[derive(Clone)]
    pub enum Names {}

    impl Names {
        pub(super) fn hide(&self, _: Named, _: &[u8], _: &str, _: &[u8]) -> String {
            match *self {}
        }
    }
}
