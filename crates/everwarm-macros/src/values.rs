//! The values of options, read.

use std::num::NonZeroU64;
use std::time::Duration;

use everwarm_core::policy::RefreshAhead;
use everwarm_core::template::Template;
use everwarm_core::{duration, size};
use proc_macro2::Span;
use syn::spanned::Spanned;
use syn::{Expr, ExprLit, ExprUnary, Lit, LitStr, UnOp};

use crate::options::{refused, told};

/// How an option is written.
pub(crate) fn example(name: &str) -> &'static str {
    match name {
        "ttl" => "write `ttl = \"5m\"`, or a number of seconds",
        "ttl_of" => "write `ttl_of = |page| page.max_age`",
        "stale_while_revalidate" => "write `stale_while_revalidate = \"1h\"`",
        "stale_if_error" => "write `stale_if_error = \"1d\"`",
        "error_backoff" => "write `error_backoff = \"30s\"`",
        "refresh_ahead" => "write `refresh_ahead = 0.8`, or `refresh_ahead = \"xfetch\"`",
        "refresh_every" => "write `refresh_every = \"30s\"`",
        "sliding" => "write `sliding = 0.5`",
        "sliding_max_age" => "write `sliding_max_age = \"30d\"`",
        "negative_growth" => "write `negative_growth = 2.0`",
        "negative_max_ttl" => "write `negative_max_ttl = \"1h\"`",
        "negative_ttl" => "write `negative_ttl = \"10s\"`",
        "negative_errors" => "write `negative_errors = true`",
        "background" => "write `background = |work| { std::thread::spawn(work); }`",
        "spawn" => "write `spawn = |task| { tokio::spawn(task); }`",
        "hard_timeout" => "write `hard_timeout = \"2s\"`",
        "soft_timeout" => "write `soft_timeout = \"200ms\"`",
        "wait_timeout" => "write `wait_timeout = \"30s\"`",
        "timer" => "write `timer = tokio::time::sleep`",
        "jitter" => "write `jitter = 0.1` to shorten each ttl by up to a tenth",
        "max_computations" => "write `max_computations = 8`",
        "max_entries" => "write `max_entries = 1_000`",
        "max_bytes" => "write `max_bytes = \"100MB\"`, or a number of bytes",
        "max_entry_bytes" => "write `max_entry_bytes = \"1MB\"`, or a number of bytes",
        "weigher" => "write `weigher = |page| page.len() as u64`",
        "eviction" => "write `eviction = everwarm::Eviction::Lru`",
        "on_remove" => "write `on_remove = |key, value, cause| println!(\"{key} {cause:?}\")`",
        "when" => "write `when = |page| page.is_whole`",
        "tags_from_result" => "write `tags_from_result = |page| [page.author.clone()]`",
        "tags" => "write `tags = [\"user:{id}\"]`",
        "key" => "write `key = \"{user.id}\"`",
        "cache_none" => "write `cache_none = false`",
        "name" => "write `name = \"shop.price\"`",
        "version" => "write `version = \"2\"`",
        _ => "write `namespace = \"shop\"`",
    }
}

pub(crate) fn wrong(at: Span, name: &str) -> syn::Error {
    refused(at, format!("this is no value for `{name}`"), example(name))
}

pub(crate) fn text(value: &Expr, name: &str) -> syn::Result<LitStr> {
    match value {
        Expr::Lit(ExprLit {
            lit: Lit::Str(text),
            ..
        }) => Ok(text.clone()),
        _ => Err(wrong(value.span(), name)),
    }
}

pub(crate) fn number<N: std::str::FromStr>(value: &Expr, name: &str) -> syn::Result<N> {
    let (sign, literal) = match value {
        Expr::Unary(ExprUnary {
            op: UnOp::Neg(_),
            expr,
            ..
        }) => ("-", &**expr),
        other => ("", other),
    };
    let digits = match literal {
        Expr::Lit(ExprLit {
            lit: Lit::Int(number),
            ..
        }) => number.base10_digits(),
        Expr::Lit(ExprLit {
            lit: Lit::Float(number),
            ..
        }) => number.base10_digits(),
        _ => return Err(wrong(value.span(), name)),
    };
    let parsed = format!("{sign}{digits}").parse();
    parsed.map_err(|_| wrong(value.span(), name))
}

pub(crate) fn truth(value: &Expr, name: &str) -> syn::Result<bool> {
    match value {
        Expr::Lit(ExprLit {
            lit: Lit::Bool(given),
            ..
        }) => Ok(given.value),
        _ => Err(wrong(value.span(), name)),
    }
}

/// A size as text, or a number of bytes.
pub(crate) fn bytes(value: &Expr, name: &str) -> syn::Result<NonZeroU64> {
    if let Ok(text) = text(value, name) {
        return size::parse(&text.value()).map_err(|error| told(value.span(), &error));
    }
    NonZeroU64::new(number(value, name)?).ok_or_else(|| {
        let message = format!("{name} = 0 leaves no room for any entry");
        refused(value.span(), message, example(name))
    })
}

/// A duration as text, or a number of seconds.
pub(crate) fn span(value: &Expr, name: &str) -> syn::Result<Duration> {
    let parsed = match text(value, name) {
        Ok(text) => duration::parse(&text.value()),
        Err(_) => duration::from_seconds(number(value, name)?),
    };
    parsed.map_err(|error| told(value.span(), &error))
}

/// A fraction of the ttl, or `"xfetch"` with the weight of the computation time behind it.
pub(crate) fn refresh_ahead(value: &Expr) -> syn::Result<RefreshAhead> {
    let name = "refresh_ahead";
    let Ok(text) = text(value, name) else {
        return Ok(RefreshAhead::Fraction(number(value, name)?));
    };
    let written = text.value();
    let beta = match written.strip_prefix("xfetch") {
        Some("") => Some(1.0),
        Some(weight) => weight.strip_prefix(':').and_then(|beta| beta.parse().ok()),
        None => None,
    };
    let beta = beta.ok_or_else(|| wrong(value.span(), name))?;
    Ok(RefreshAhead::XFetch { beta })
}

pub(crate) fn template(text: &LitStr) -> syn::Result<(Template, Span)> {
    let parsed = Template::parse(&text.value()).map_err(|error| told(text.span(), &error))?;
    Ok((parsed, text.span()))
}

pub(crate) fn templates(value: &Expr) -> syn::Result<Vec<(Template, Span)>> {
    let Expr::Array(array) = value else {
        return Err(wrong(value.span(), "tags"));
    };
    let each = array.elems.iter();
    each.map(|tag| template(&text(tag, "tags")?)).collect()
}
