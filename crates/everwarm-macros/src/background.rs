//! What runs computations behind values that are served: which functions may have it, and how it is declared.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::Expr;
use syn::spanned::Spanned;

use crate::options::{Options, refused};
use crate::policy;
use crate::signature::{Signature, borrows};

/// Refuses time limits that nothing measures, and what measures none.
fn accept_timer(options: &Options, signature: &Signature) -> syn::Result<()> {
    let hint = "write `timer = tokio::time::sleep`, or what your runtime has";
    let unmeasured = "nothing measures the time limits of this `async` function";
    match (&options.timer, signature.is_async()) {
        (Some(timer), false) => Err(refused(
            timer.span(),
            "`timer` measures time for tasks, and this function is not `async`",
            "leave it out: threads measure their time themselves",
        )),
        (None, true) => match (&options.wait, &options.spawn) {
            (Some((_, at)), _) => Err(refused(*at, unmeasured, hint)),
            (None, Some(spawn)) if options.is_limited() => {
                Err(refused(spawn.span(), unmeasured, hint))
            }
            _ => Ok(()),
        },
        _ => Ok(()),
    }
}

/// Refuses functions that cannot be computed behind the back of their callers.
pub(crate) fn accept(options: &Options, signature: &Signature) -> syn::Result<()> {
    accept_timer(options, signature)?;
    let wrong = match (&options.background, &options.spawn) {
        (None, None) => return Ok(()),
        (Some(given), _) if signature.is_async() => Some((
            given,
            "`background` runs work in threads, and this function is `async`",
            "write `spawn = |task| { tokio::spawn(task); }`",
        )),
        (_, Some(given)) if !signature.is_async() => Some((
            given,
            "`spawn` runs tasks, and this function is not `async`",
            "write `background = |work| { std::thread::spawn(work); }`",
        )),
        _ => None,
    };
    if let Some((given, message, hint)) = wrong {
        return Err(refused(given.span(), message, hint));
    }
    let receiver = signature.receiver.iter().map(ToTokens::to_token_stream);
    let parameters = signature.parameters.iter();
    let mut inputs = receiver.chain(parameters.map(|one| one.kind.to_token_stream()));
    match inputs.find(|input| borrows(input.clone())) {
        Some(input) => Err(refused(
            input.span(),
            "work in the background outlives the call, so it can borrow nothing",
            "take it by value, such as `String` or `Arc<Shop>`",
        )),
        None => Ok(()),
    }
}

/// How its calls wait for one another, and what measures time for tasks.
pub(crate) fn patience(options: &Options) -> (TokenStream, TokenStream) {
    let wait = policy::option(options.wait.map(|(wait, _)| policy::span(wait)));
    let timer = policy::option(options.timer.as_ref().map(|timer| {
        let span = Ident::new("span", Span::mixed_site());
        quote! {
            |#span: ::std::time::Duration| -> ::everwarm::expansion::Task {
                ::std::boxed::Box::pin((#timer)(#span))
            }
        }
    }));
    (wait, timer)
}

/// What is returned in place of a value when there is none in time.
pub(crate) fn refuse(options: &Options, signature: &Signature) -> TokenStream {
    let output = &signature.output;
    let refused = match options.policy.hard_limit {
        Some(_) => {
            quote_spanned!(output.span()=> <#output as ::everwarm::expansion::Refused>::refused)
        }
        None => quote!(|error| {
            #[allow(unused_imports)]
            use ::everwarm::expansion::Unrefused as _;
            ::everwarm::expansion::Ended::<#output>::of(error).refused()
        }),
    };
    policy::option(options.is_limited().then_some(refused))
}

/// What runs it, in threads and in tasks.
pub(crate) fn declared(options: &Options) -> (TokenStream, TokenStream) {
    let option = |given: &Option<Expr>| match given {
        Some(given) => quote!(::std::option::Option::Some(#given)),
        None => quote!(::std::option::Option::None),
    };
    (option(&options.background), option(&options.spawn))
}
