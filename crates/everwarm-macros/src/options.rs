//! What stands in the parentheses of `#[cached(...)]`, checked.

use std::fmt::Display;
use std::num::NonZeroU64;
use std::time::Duration;

use everwarm_core::error::Error;
use everwarm_core::parts::Parts;
use everwarm_core::policy::{Policy, RefreshAhead};
use everwarm_core::template::Template;
use proc_macro2::Span;
use syn::parse::{ParseStream, Parser};
use syn::spanned::Spanned;
use syn::{Expr, Ident, Token};

use crate::values::{
    bytes, example, number, refresh_ahead, span, template, templates, text, truth, wrong,
};

const KNOWN: [&str; 37] = [
    "ttl",
    "ttl_of",
    "jitter",
    "stale_while_revalidate",
    "stale_if_error",
    "error_backoff",
    "refresh_ahead",
    "refresh_every",
    "sliding",
    "sliding_max_age",
    "negative_ttl",
    "negative_growth",
    "negative_max_ttl",
    "negative_errors",
    "background",
    "spawn",
    "hard_timeout",
    "soft_timeout",
    "wait_timeout",
    "timer",
    "max_computations",
    "max_entries",
    "max_bytes",
    "max_entry_bytes",
    "weigher",
    "eviction",
    "on_remove",
    "when",
    "tags",
    "tags_from_result",
    "key",
    "cache_none",
    "name",
    "version",
    "namespace",
    "cache",
    "schema",
];

/// The options of a decorated function.
pub(crate) struct Options {
    pub(crate) policy: Policy,
    /// What of the policy is written apart, and in it after the last option.
    parts: Parts,
    /// What says a value's own ttl.
    pub(crate) ttl_of: Option<Expr>,
    /// Whether errors are remembered as None is.
    pub(crate) negative_errors: bool,
    /// What runs computations behind values that are served, in threads.
    pub(crate) background: Option<Expr>,
    /// The same, in tasks.
    pub(crate) spawn: Option<Expr>,
    /// How long calls wait for one another.
    pub(crate) wait: Option<(Duration, Span)>,
    /// What measures time, in tasks.
    pub(crate) timer: Option<Expr>,
    /// How many computations run at once.
    pub(crate) computations: Option<usize>,
    pub(crate) max_entries: usize,
    /// What all entries may weigh together.
    pub(crate) max_bytes: Option<NonZeroU64>,
    /// What says how much a value weighs.
    pub(crate) weigher: Option<Expr>,
    /// Which entry leaves when there is no room.
    pub(crate) eviction: Option<Expr>,
    /// What is told of entries that leave.
    pub(crate) on_remove: Option<Expr>,
    /// What says which values are kept.
    pub(crate) when: Option<Expr>,
    /// What says which tags follow from a value.
    pub(crate) tags_from_result: Option<Expr>,
    pub(crate) tags: Vec<(Template, Span)>,
    pub(crate) key: Option<(Template, Span)>,
    pub(crate) name: Option<String>,
    pub(crate) version: String,
    pub(crate) namespace: String,
    /// The cache in whose stores its entries lie, too.
    pub(crate) cache: Option<Expr>,
    /// What stands for the schema of its values in stored names.
    pub(crate) schema: String,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            policy: Policy::default(),
            parts: Parts::default(),
            ttl_of: None,
            negative_errors: false,
            background: None,
            spawn: None,
            wait: None,
            timer: None,
            computations: None,
            max_entries: 10_000,
            max_bytes: None,
            weigher: None,
            eviction: None,
            on_remove: None,
            when: None,
            tags_from_result: None,
            tags: Vec::new(),
            key: None,
            name: None,
            version: String::new(),
            namespace: String::new(),
            cache: None,
            schema: String::new(),
        }
    }
}

/// An error at a place of the source, with what to write instead.
pub(crate) fn refused(at: Span, message: impl Display, hint: impl Display) -> syn::Error {
    syn::Error::new(at, format!("{message}\nhint: {hint}"))
}

pub(crate) fn told(at: Span, error: &Error) -> syn::Error {
    syn::Error::new(at, error)
}

impl Options {
    pub(crate) fn parse(tokens: proc_macro2::TokenStream) -> syn::Result<Self> {
        let mut options = Self::default();
        let mut given: Vec<(String, Span)> = Vec::new();
        let parser = |input: ParseStream<'_>| {
            while !input.is_empty() {
                let option: Ident = input.parse()?;
                let name = option.to_string();
                if !KNOWN.contains(&name.as_str()) {
                    return Err(told(option.span(), &Error::unknown_option(&name, &KNOWN)));
                }
                if given.iter().any(|(before, _)| *before == name) {
                    let message = format!("`{name}` is given twice");
                    return Err(refused(option.span(), message, "keep one of the two"));
                }
                if !input.peek(Token![=]) {
                    let message = format!("`{name}` has no value");
                    return Err(refused(option.span(), message, example(&name)));
                }
                input.parse::<Token![=]>()?;
                options.set(&name, &input.parse()?)?;
                given.push((name, option.span()));
                if !input.is_empty() {
                    input.parse::<Token![,]>()?;
                }
            }
            Ok(())
        };
        parser.parse2(tokens)?;
        options.complete(&given)?;
        Ok(options)
    }

    /// Puts the policy together, and refuses what does nothing beside the other options.
    fn complete(&mut self, given: &[(String, Span)]) -> syn::Result<()> {
        let at = |name: &str| {
            let found = given.iter().find(|(one, _)| one == name);
            found.map(|(_, span)| *span)
        };
        // A message begins with the option that it is about.
        let told_there = |error: Error| {
            let named = error.message().split([' ', '=', ':']).next().and_then(at);
            told(named.unwrap_or_else(Span::call_site), &error)
        };
        self.policy = self.parts.complete(self.policy).map_err(told_there)?;
        // Whatever counts beside a ttl counts beside those of the values.
        let policy = match self.ttl_of {
            Some(_) => self.policy.with_any_ttl(),
            None => self.policy,
        };
        policy.validate().map_err(told_there)?;
        if let (Some(_), Some(at)) = (at("refresh_ahead"), at("refresh_every")) {
            let message =
                "refresh_ahead and refresh_every say two times at which a value is computed anew";
            let hint = "leave one of them out: the former waits for a call, the latter does not";
            return Err(refused(at, message, hint));
        }
        for (name, is_inert, message, hint) in self.companions() {
            if let (Some(at), true) = (at(name), is_inert) {
                return Err(refused(at, message, hint));
            }
        }
        Ok(())
    }

    /// Whether a call waits for its computation no longer than it may.
    pub(crate) fn is_limited(&self) -> bool {
        self.policy.soft_limit.is_some() || self.policy.hard_limit.is_some()
    }

    /// The options that count only beside others: whether each does nothing here, and what to write instead.
    fn companions(&self) -> [(&'static str, bool, &'static str, &'static str); 16] {
        let Policy {
            ttl,
            refresh_ahead,
            stale_while_revalidate,
            stale_if_error,
            negative,
            cache_none,
            ..
        } = self.policy;
        let is_refreshed = stale_while_revalidate.is_some() || refresh_ahead.is_some();
        let has_windows = is_refreshed || stale_if_error.is_some();
        let is_limited = self.is_limited();
        let runs_here = self.background.is_none() && self.spawn.is_none();
        let measures = is_limited || self.wait.is_some();
        let (each_computes, or_have_it_run) = (
            "this time limit does nothing here, for each caller computes itself",
            "add `background = |work| { std::thread::spawn(work); }`, or `spawn` and `timer` if it is `async`",
        );
        let add_weigher = "add `weigher = |page| page.len() as u64`, or leave it out";
        let (in_background, or_leave_it_out) = (
            "nothing is ever computed in the background here",
            "add `stale_while_revalidate = \"1h\"` or `refresh_ahead = 0.8`, or leave it out",
        );
        [
            (
                "jitter",
                ttl.is_none() && self.ttl_of.is_none() && negative.is_none(),
                "jitter does nothing without a ttl",
                "add `ttl = \"5m\"`, or leave jitter out",
            ),
            (
                "error_backoff",
                !has_windows,
                "error_backoff does nothing while no old value is kept",
                "add `stale_if_error = \"1h\"`, or leave error_backoff out",
            ),
            (
                "negative_errors",
                self.negative_errors && negative.is_none(),
                "negative_errors does nothing without a negative_ttl",
                "add `negative_ttl = \"10s\"`, or leave negative_errors out",
            ),
            (
                "negative_ttl",
                !cache_none && !self.negative_errors,
                "negative_ttl does nothing beside `cache_none = false`",
                "keep one of the two",
            ),
            (
                "stale_if_error",
                self.negative_errors,
                "stale_if_error does nothing beside `negative_errors = true`: the error is what is served",
                "keep one of the two",
            ),
            (
                "background",
                !is_refreshed && !is_limited,
                in_background,
                or_leave_it_out,
            ),
            (
                "spawn",
                !is_refreshed && !is_limited,
                in_background,
                or_leave_it_out,
            ),
            (
                "refresh_every",
                self.policy.refresh_every().is_some() && runs_here,
                "refresh_every computes nothing here, for nothing runs computations apart from their callers",
                "add `background = |work| { std::thread::spawn(work); }`, or `spawn` if it is `async`",
            ),
            ("hard_timeout", runs_here, each_computes, or_have_it_run),
            ("soft_timeout", runs_here, each_computes, or_have_it_run),
            (
                "namespace",
                self.cache.is_some(),
                "namespace does nothing beside `cache`: the entries lie in the namespace of that",
                "leave it out",
            ),
            (
                "schema",
                self.cache.is_none(),
                "schema does nothing without stores",
                "add `cache = SHOP`, a cache that has some, or leave it out",
            ),
            (
                "max_bytes",
                self.weigher.is_none(),
                "max_bytes does nothing here, for nothing says what a value weighs",
                add_weigher,
            ),
            (
                "max_entry_bytes",
                self.weigher.is_none(),
                "max_entry_bytes does nothing here, for nothing says what a value weighs",
                add_weigher,
            ),
            (
                "weigher",
                self.max_bytes.is_none() && self.policy.max_entry_bytes.is_none(),
                "weigher does nothing here, for there is no bound of bytes",
                "add `max_bytes = \"100MB\"` or `max_entry_bytes = \"1MB\"`, or leave it out",
            ),
            (
                "timer",
                !measures,
                "timer does nothing without a time limit",
                "add `wait_timeout = \"30s\"` or `hard_timeout = \"2s\"`, or leave it out",
            ),
        ]
    }

    /// Whether what was given can be meant, whatever comes after it.
    fn validate_alone(&self, at: Span) -> syn::Result<()> {
        let policy = Policy {
            ttl: Some(Duration::from_secs(1)),
            ..self.policy
        };
        policy.validate().map_err(|error| told(at, &error))
    }

    fn set(&mut self, name: &str, value: &Expr) -> syn::Result<()> {
        // What a macro passes on comes in a group that nobody wrote.
        if let Expr::Group(group) = value {
            return self.set(name, &group.expr);
        }
        let at = value.span();
        match name {
            "ttl" => self.policy.ttl = Some(span(value, name)?),
            "ttl_of" => self.ttl_of = Some(value.clone()),
            "jitter" => {
                self.policy.jitter = number(value, name)?;
                self.validate_alone(at)?;
            }
            "stale_while_revalidate" => {
                self.policy.stale_while_revalidate = Some(span(value, name)?);
            }
            "stale_if_error" => self.policy.stale_if_error = Some(span(value, name)?),
            "error_backoff" => self.policy.error_backoff = span(value, name)?,
            "refresh_ahead" => {
                self.policy.refresh_ahead = Some(refresh_ahead(value)?);
                self.validate_alone(at)?;
            }
            "refresh_every" => {
                self.policy.refresh_ahead = Some(RefreshAhead::Every(span(value, name)?));
            }
            "sliding" => self.parts.sliding = Some(number(value, name)?),
            "sliding_max_age" => self.parts.sliding_max_age = Some(span(value, name)?),
            "negative_growth" => self.parts.negative_growth = Some(number(value, name)?),
            "negative_max_ttl" => self.parts.negative_max_ttl = Some(span(value, name)?),
            "negative_ttl" => {
                self.parts.negative_ttl = Some(span(value, name)?);
            }
            "negative_errors" => self.negative_errors = truth(value, name)?,
            "background" => self.background = Some(value.clone()),
            "spawn" => self.spawn = Some(value.clone()),
            "hard_timeout" => self.policy.hard_limit = Some(span(value, name)?),
            "soft_timeout" => self.policy.soft_limit = Some(span(value, name)?),
            "wait_timeout" => self.wait = Some((span(value, name)?, at)),
            "timer" => self.timer = Some(value.clone()),
            "max_computations" => {
                let most = number(value, name)?;
                if most == 0 {
                    let message = "max_computations = 0 lets nothing be computed";
                    return Err(refused(at, message, example(name)));
                }
                self.computations = Some(most);
            }
            "max_entries" => {
                self.max_entries = number(value, name)?;
                if self.max_entries == 0 {
                    let message = "max_entries = 0 leaves no room for any entry";
                    return Err(refused(at, message, example(name)));
                }
            }
            "max_bytes" => self.max_bytes = Some(bytes(value, name)?),
            "max_entry_bytes" => self.policy.max_entry_bytes = Some(bytes(value, name)?),
            "weigher" => self.weigher = Some(value.clone()),
            "eviction" if text(value, name).is_ok() => return Err(wrong(at, name)),
            "eviction" => self.eviction = Some(value.clone()),
            "on_remove" => self.on_remove = Some(value.clone()),
            "when" => self.when = Some(value.clone()),
            "tags_from_result" => self.tags_from_result = Some(value.clone()),
            "tags" => self.tags = templates(value)?,
            "key" => {
                let template = template(&text(value, name)?)?;
                if template.0.fields().next().is_none() {
                    let message = "this key names no parameter, so all calls would share one entry";
                    return Err(refused(at, message, example(name)));
                }
                self.key = Some(template);
            }
            "cache_none" => self.policy.cache_none = truth(value, name)?,
            "name" => {
                let given = text(value, name)?;
                if given.value().is_empty() {
                    return Err(refused(at, "the name is empty", example(name)));
                }
                self.name = Some(given.value());
            }
            "cache" => self.cache = Some(value.clone()),
            "schema" => self.schema = text(value, name)?.value(),
            "version" => self.version = text(value, name)?.value(),
            _ => self.namespace = text(value, name)?.value(),
        }
        Ok(())
    }
}
