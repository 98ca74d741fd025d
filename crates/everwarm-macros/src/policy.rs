//! A policy as the code that makes it, for a constant.

use std::num::NonZeroU64;
use std::time::Duration;

use everwarm_core::policy::{Policy, RefreshAhead, Sliding};
use proc_macro2::TokenStream;
use quote::quote;

/// The code of a policy, as the options of a function can make one.
pub(crate) fn written(policy: &Policy) -> TokenStream {
    let Policy {
        jitter, cache_none, ..
    } = policy;
    let ttl = option(policy.ttl.map(span));
    let refresh_ahead = option(policy.refresh_ahead.map(|when| match when {
        RefreshAhead::Fraction(fraction) => {
            quote!(::everwarm::expansion::RefreshAhead::Fraction(#fraction))
        }
        RefreshAhead::XFetch { beta } => {
            quote!(::everwarm::expansion::RefreshAhead::XFetch { beta: #beta })
        }
        RefreshAhead::Every(period) => {
            let period = span(period);
            quote!(::everwarm::expansion::RefreshAhead::Every(#period))
        }
    }));
    let stale = option(policy.stale_while_revalidate.map(span));
    let if_error = option(policy.stale_if_error.map(span));
    let error_backoff = span(policy.error_backoff);
    let max_entry_bytes = bytes(policy.max_entry_bytes);
    let soft_limit = option(policy.soft_limit.map(span));
    let hard_limit = option(policy.hard_limit.map(span));
    let sliding = option(policy.sliding.map(|Sliding { threshold, max_age }| {
        let max_age = span(max_age);
        quote!(::everwarm::expansion::Sliding { threshold: #threshold, max_age: #max_age })
    }));
    let negative = option(policy.negative.map(|negative| {
        let (ttl, growth, max_ttl) = (span(negative.ttl), negative.growth, span(negative.max_ttl));
        quote! {
            ::everwarm::expansion::Negative { ttl: #ttl, growth: #growth, max_ttl: #max_ttl }
        }
    }));
    quote! {
        ::everwarm::expansion::Policy {
            ttl: #ttl,
            jitter: #jitter,
            refresh_ahead: #refresh_ahead,
            sliding: #sliding,
            stale_while_revalidate: #stale,
            stale_if_error: #if_error,
            error_backoff: #error_backoff,
            negative: #negative,
            cache_none: #cache_none,
            max_entry_bytes: #max_entry_bytes,
            soft_limit: #soft_limit,
            hard_limit: #hard_limit,
        }
    }
}

pub(crate) fn option(code: Option<TokenStream>) -> TokenStream {
    match code {
        Some(code) => quote!(::std::option::Option::Some(#code)),
        None => quote!(::std::option::Option::None),
    }
}

pub(crate) fn bytes(size: Option<NonZeroU64>) -> TokenStream {
    option(size.map(|size| {
        let size = size.get();
        quote!(::std::num::NonZeroU64::new(#size).unwrap())
    }))
}

pub(crate) fn span(span: Duration) -> TokenStream {
    let (seconds, nanoseconds) = (span.as_secs(), span.subsec_nanos());
    quote!(::std::time::Duration::new(#seconds, #nanoseconds))
}
