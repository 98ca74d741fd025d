//! What stands in the parentheses of `#[cached(...)]`, checked.

use std::fmt::Display;

use everwarm_core::duration;
use everwarm_core::error::Error;
use everwarm_core::policy::Policy;
use everwarm_core::template::Template;
use proc_macro2::Span;
use syn::parse::{ParseStream, Parser};
use syn::spanned::Spanned;
use syn::{Expr, ExprLit, ExprUnary, Ident, Lit, LitStr, Token, UnOp};

const KNOWN: [&str; 9] = [
    "ttl",
    "jitter",
    "max_entries",
    "tags",
    "key",
    "cache_none",
    "name",
    "version",
    "namespace",
];

/// The options of a decorated function.
pub(crate) struct Options {
    /// In nanoseconds.
    pub(crate) ttl: Option<u64>,
    pub(crate) jitter: f64,
    pub(crate) max_entries: usize,
    pub(crate) tags: Vec<(Template, Span)>,
    pub(crate) key: Option<(Template, Span)>,
    pub(crate) cache_none: bool,
    pub(crate) name: Option<String>,
    pub(crate) version: String,
    pub(crate) namespace: String,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            ttl: None,
            jitter: 0.0,
            max_entries: 10_000,
            tags: Vec::new(),
            key: None,
            cache_none: true,
            name: None,
            version: String::new(),
            namespace: String::new(),
        }
    }
}

/// An error at a place of the source, with what to write instead.
pub(crate) fn refused(at: Span, message: impl Display, hint: impl Display) -> syn::Error {
    syn::Error::new(at, format!("{message}\nhint: {hint}"))
}

fn told(at: Span, error: &Error) -> syn::Error {
    syn::Error::new(at, error)
}

impl Options {
    pub(crate) fn parse(tokens: proc_macro2::TokenStream) -> syn::Result<Self> {
        let mut options = Self::default();
        let mut given: Vec<String> = Vec::new();
        let parser = |input: ParseStream<'_>| {
            while !input.is_empty() {
                let option: Ident = input.parse()?;
                let name = option.to_string();
                if !KNOWN.contains(&name.as_str()) {
                    return Err(told(option.span(), &Error::unknown_option(&name, &KNOWN)));
                }
                if given.contains(&name) {
                    let message = format!("`{name}` is given twice");
                    return Err(refused(option.span(), message, "keep one of the two"));
                }
                if !input.peek(Token![=]) {
                    let message = format!("`{name}` has no value");
                    return Err(refused(option.span(), message, example(&name)));
                }
                input.parse::<Token![=]>()?;
                options.set(&name, &input.parse()?)?;
                given.push(name);
                if !input.is_empty() {
                    input.parse::<Token![,]>()?;
                }
            }
            Ok(())
        };
        parser.parse2(tokens)?;
        Ok(options)
    }

    fn set(&mut self, name: &str, value: &Expr) -> syn::Result<()> {
        // What a macro passes on comes in a group that nobody wrote.
        if let Expr::Group(group) = value {
            return self.set(name, &group.expr);
        }
        let at = value.span();
        match name {
            "ttl" => self.ttl = Some(nanoseconds(value)?),
            "jitter" => {
                self.jitter = number(value, name)?;
                let policy = Policy {
                    jitter: self.jitter,
                    ..Policy::default()
                };
                policy.validate().map_err(|error| told(at, &error))?;
            }
            "max_entries" => {
                self.max_entries = number(value, name)?;
                if self.max_entries == 0 {
                    let message = "max_entries = 0 leaves no room for any entry";
                    return Err(refused(at, message, example(name)));
                }
            }
            "tags" => self.tags = templates(value)?,
            "key" => {
                let template = template(&text(value, name)?)?;
                if template.0.fields().next().is_none() {
                    let message = "this key names no parameter, so all calls would share one entry";
                    return Err(refused(at, message, example(name)));
                }
                self.key = Some(template);
            }
            "cache_none" => match value {
                Expr::Lit(ExprLit {
                    lit: Lit::Bool(given),
                    ..
                }) => self.cache_none = given.value,
                _ => return Err(wrong(at, name)),
            },
            "name" => {
                let given = text(value, name)?;
                if given.value().is_empty() {
                    return Err(refused(at, "the name is empty", example(name)));
                }
                self.name = Some(given.value());
            }
            "version" => self.version = text(value, name)?.value(),
            _ => self.namespace = text(value, name)?.value(),
        }
        Ok(())
    }
}

/// How an option is written.
fn example(name: &str) -> &'static str {
    match name {
        "ttl" => "write `ttl = \"5m\"`, or a number of seconds",
        "jitter" => "write `jitter = 0.1` to shorten each ttl by up to a tenth",
        "max_entries" => "write `max_entries = 1_000`",
        "tags" => "write `tags = [\"user:{id}\"]`",
        "key" => "write `key = \"{user.id}\"`",
        "cache_none" => "write `cache_none = false`",
        "name" => "write `name = \"shop.price\"`",
        "version" => "write `version = \"2\"`",
        _ => "write `namespace = \"shop\"`",
    }
}

fn wrong(at: Span, name: &str) -> syn::Error {
    refused(at, format!("this is no value for `{name}`"), example(name))
}

fn text(value: &Expr, name: &str) -> syn::Result<LitStr> {
    match value {
        Expr::Lit(ExprLit {
            lit: Lit::Str(text),
            ..
        }) => Ok(text.clone()),
        _ => Err(wrong(value.span(), name)),
    }
}

fn number<N: std::str::FromStr>(value: &Expr, name: &str) -> syn::Result<N> {
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

/// A duration as text, or a number of seconds.
fn nanoseconds(value: &Expr) -> syn::Result<u64> {
    let parsed = match text(value, "ttl") {
        Ok(text) => duration::parse(&text.value()),
        Err(_) => duration::from_seconds(number(value, "ttl")?),
    };
    let parsed = parsed.map_err(|error| told(value.span(), &error))?;
    u64::try_from(parsed.as_nanos()).map_err(|_| wrong(value.span(), "ttl"))
}

fn template(text: &LitStr) -> syn::Result<(Template, Span)> {
    let parsed = Template::parse(&text.value()).map_err(|error| told(text.span(), &error))?;
    Ok((parsed, text.span()))
}

fn templates(value: &Expr) -> syn::Result<Vec<(Template, Span)>> {
    let Expr::Array(array) = value else {
        return Err(wrong(value.span(), "tags"));
    };
    let each = array.elems.iter();
    each.map(|tag| template(&text(tag, "tags")?)).collect()
}
