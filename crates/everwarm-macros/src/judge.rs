//! The code that says what a value is worth.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::spanned::Spanned;

use crate::options::Options;
use crate::policy::option;
use crate::signature::Signature;

/// What is asked about values besides, as functions that capture nothing.
pub(crate) fn values(options: &Options, signature: &Signature) -> TokenStream {
    let (value, output) = (Ident::new("value", Span::mixed_site()), &signature.output);
    let asked = |answer: TokenStream| {
        quote! {
            |#value: &#output| {
                #[allow(unused_imports)]
                use ::everwarm::expansion::Plain as _;
                let #value = ::everwarm::expansion::Verdict(#value).value();
                #answer
            }
        }
    };
    let weigher = options.weigher.as_ref();
    let weigher = option(weigher.map(|weigher| asked(quote!(#value.map_or(0, #weigher)))));
    let tags = options.tags_from_result.as_ref();
    let tags = option(tags.map(|tags| {
        asked(quote!(#value.map(#tags).map_or_else(::std::vec::Vec::new, ::everwarm::expansion::texts)))
    }));
    let on_remove = option(options.on_remove.as_ref().map(ToTokens::to_token_stream));
    quote! {
        ::everwarm::expansion::Values {
            weigher: #weigher,
            tags: #tags,
            on_remove: #on_remove,
        }
    }
}

/// A closure that says what a value is worth. What an option counts for is asked of the type by name, so that one that would do
/// nothing does not compile.
pub(crate) fn judge(options: &Options, signature: &Signature) -> TokenStream {
    let value = Ident::new("value", Span::mixed_site());
    let (output, remembered) = (&signature.output, options.negative_errors);
    let policy = &options.policy;
    // Under a soft limit the value that it keeps stands for one that takes too long, of whatever type that is.
    let is_for_errors = policy.stale_if_error.is_some() && policy.soft_limit.is_none();
    let error = (remembered || is_for_errors).then(|| {
        let is_error = quote_spanned!(output.span()=> <#output as ::everwarm::expansion::Failing>::is_error);
        quote!(if #is_error(#value) { ::everwarm::expansion::Outcome::Failed { remembered: #remembered } } else)
    });
    let is_nothing = if policy.negative.is_some() && policy.cache_none && remembered {
        Some(quote!(::everwarm::expansion::Verdict(#value).is_nothing()))
    } else if policy.negative.is_some() || !policy.cache_none {
        let is_nothing =
            quote_spanned!(output.span()=> <#output as ::everwarm::Nothing>::is_nothing);
        Some(quote!(#is_nothing(#value)))
    } else {
        None
    };
    let nothing =
        is_nothing.map(|is| quote!(if #is { ::everwarm::expansion::Outcome::Nothing } else));
    // The values that an error is none of.
    let refused = options.when.as_ref().map(|when| {
        quote!(if !::everwarm::expansion::Verdict(#value).value().is_none_or(#when) { ::everwarm::expansion::Outcome::Refused } else)
    });
    let outcome = match &options.ttl_of {
        Some(ttl_of) => quote!(outcome_with(#ttl_of)),
        None => quote!(outcome()),
    };
    quote! {
        |#value: &#output| {
            #[allow(unused_imports)]
            use ::everwarm::expansion::Plain as _;
            #error #refused #nothing { ::everwarm::expansion::Verdict(#value).#outcome }
        }
    }
}
