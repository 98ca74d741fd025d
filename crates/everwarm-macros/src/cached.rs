//! The code of a decorated function: its call, its entries, and its verbs.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{ItemFn, Meta};

use crate::background;
use crate::judge::{judge, values};
use crate::options::{Options, refused};
use crate::policy;
use crate::signature::Signature;
use crate::template;

/// Attributes of what is called; all others belong to what computes.
const OF_THE_CALL: [&str; 3] = ["doc", "must_use", "deprecated"];
/// Lints hold for both.
const OF_BOTH: [&str; 4] = ["allow", "warn", "deny", "forbid"];

pub(crate) fn expand(options: TokenStream, item: TokenStream) -> syn::Result<TokenStream> {
    let options = Options::parse(options)?;
    let function: ItemFn = syn::parse2(item).map_err(|error| {
        refused(
            error.span(),
            "only a function or a method can be cached",
            "put the attribute on a `fn` with a body",
        )
    })?;
    let signature = Signature::new(&function.sig)?;
    background::accept(&options, &signature)?;
    let parts = Parts::new(&options, &function, &signature)?;
    Ok(parts.whole())
}

/// What the generated code is put together from.
struct Parts<'a> {
    options: &'a Options,
    function: &'a ItemFn,
    signature: &'a Signature,
    /// What writes the key, as an argument.
    write: TokenStream,
    /// The tags, as an array.
    tags: TokenStream,
    /// What a value is worth, as a closure.
    judge: TokenStream,
}

impl<'a> Parts<'a> {
    fn new(
        options: &'a Options,
        function: &'a ItemFn,
        signature: &'a Signature,
    ) -> syn::Result<Self> {
        let tags = options
            .tags
            .iter()
            .map(|tag| template::filled(tag, signature))
            .collect::<syn::Result<Vec<_>>>()?;
        Ok(Self {
            options,
            function,
            signature,
            write: write(options, signature)?,
            tags: quote!([#(#tags),*] as [::std::sync::Arc<str>; _]),
            judge: judge(options, signature),
        })
    }

    fn whole(&self) -> TokenStream {
        let (call, uncached, verbs) = (self.call(), self.uncached(), self.verbs());
        if self.signature.receiver.is_some() {
            return quote!(#call #uncached #verbs);
        }
        let (vis, name) = (&self.function.vis, &self.signature.written.ident);
        let documentation = format!("The verbs of the cached function [`{name}`](fn@{name}).");
        quote! {
            #call

            #[doc = #documentation]
            #[allow(non_camel_case_types, missing_debug_implementations)]
            #vis enum #name {}

            #[allow(dead_code)]
            impl #name {
                #uncached
                #verbs
            }
        }
    }

    /// The name of a verb, where it stands.
    fn verb(&self, verb: &str) -> Ident {
        let name = &self.signature.written.ident;
        if self.signature.receiver.is_some() {
            format_ident!("{name}_{verb}", span = name.span())
        } else {
            format_ident!("{verb}", span = name.span())
        }
    }

    /// The path to a verb, from wherever the function can be called.
    fn path(&self, verb: &str) -> TokenStream {
        let (name, verb) = (&self.signature.written.ident, self.verb(verb));
        if self.signature.receiver.is_some() {
            quote!(Self::#verb)
        } else {
            quote!(#name::#verb)
        }
    }

    /// The function as it is called.
    fn call(&self) -> TokenStream {
        let attributes = self.attributes_of_the_call();
        let (vis, name) = (&self.function.vis, &self.signature.written.ident);
        let (write, entries) = (&self.write, self.path("function"));
        let missing = Ident::new("missing", Span::mixed_site());
        let header = self.header(name);
        let compute = self.compute(&missing);
        quote! {
            #(#attributes)*
            #vis #header {
                let #missing = match ::everwarm::expansion::Function::ask(#entries(), #write) {
                    ::std::result::Result::Ok(value) => return value,
                    ::std::result::Result::Err(missing) => missing,
                };
                #compute
            }
        }
    }

    /// Computes what is missing.
    fn compute(&self, missing: &Ident) -> TokenStream {
        let (tags, judge) = (&self.tags, &self.judge);
        let (uncached, arguments) = (self.path("uncached"), self.signature.arguments());
        let made = Ident::new("tags", Span::mixed_site());
        let is_behind = self.options.background.is_some() || self.options.spawn.is_some();
        let refuse = is_behind.then(|| background::refuse(self.options, self.signature));
        let moved = is_behind.then(|| quote!(move));
        let (compute, wait) = match (self.signature.is_async(), is_behind) {
            (true, true) => (quote!(compute_behind_async), quote!(.await)),
            (true, false) => (quote!(compute_async), quote!(.await)),
            (false, true) => (quote!(compute_behind), quote!()),
            (false, false) => (quote!(compute), quote!()),
        };
        quote! {
            let #made = #tags;
            ::everwarm::expansion::Missing::#compute(
                #missing,
                &#made,
                #moved || #uncached(#arguments),
                #judge,
                #refuse
            ) #wait
        }
    }

    /// The function itself.
    fn uncached(&self) -> TokenStream {
        let (vis, block) = (&self.function.vis, &self.function.block);
        let attributes = self.function.attrs.iter();
        let attributes =
            attributes.filter(|one| !OF_THE_CALL.iter().any(|name| one.path().is_ident(name)));
        let mut written = self.signature.written.clone();
        written.ident = self.verb("uncached");
        quote! {
            /// The function itself, past its entries.
            #(#attributes)*
            #vis #written #block
        }
    }

    /// A signature with the function's own parameters.
    fn header(&self, name: &Ident) -> TokenStream {
        let (inputs, output) = (self.signature.inputs(), &self.signature.output);
        let (generics, bounds) = self.generics();
        let asyncness = &self.signature.written.asyncness;
        quote!(#asyncness fn #name #generics(#inputs) -> #output #bounds)
    }

    fn generics(&self) -> (TokenStream, TokenStream) {
        let generics = &self.signature.written.generics;
        (
            generics.to_token_stream(),
            generics.where_clause.to_token_stream(),
        )
    }

    /// The attributes of what is called. A lint that is expected of the function may be missing there.
    fn attributes_of_the_call(&self) -> impl Iterator<Item = TokenStream> {
        self.function.attrs.iter().filter_map(|one| {
            let is = |name: &&str| one.path().is_ident(name);
            match &one.meta {
                Meta::List(list) if is(&"expect") => {
                    let lints = &list.tokens;
                    Some(quote!(#[allow(#lints)]))
                }
                _ if OF_THE_CALL.iter().chain(&OF_BOTH).any(is) => Some(one.to_token_stream()),
                _ => None,
            }
        })
    }

    fn verbs(&self) -> TokenStream {
        let (refresh, using) = (self.refresh(), self.using());
        let (vis, inputs) = (&self.function.vis, self.signature.inputs());
        let (output, (generics, bounds)) = (&self.signature.output, self.generics());
        let (write, tags, judge) = (&self.write, &self.tags, &self.judge);
        let entries = self.path("function");
        let [
            function,
            invalidate,
            mark_stale,
            peek,
            explain,
            prime,
            key,
            clear,
            stats,
        ] = [
            "function",
            "invalidate",
            "mark_stale",
            "peek",
            "explain",
            "prime",
            "key",
            "clear",
            "stats",
        ]
        .map(|verb| self.verb(verb));
        let value = Ident::new("value", Span::mixed_site());
        let (receiver, parameters) = self.split_inputs();
        let lints = quote!(#[allow(dead_code, unused_variables, clippy::all)]);
        let (made, awaited) = (self.made(), self.awaited_verbs());
        quote! {
            #refresh
            #using
            #awaited

            /// Makes the entry of a call gone, also for who computes it now.
            #lints
            #vis fn #invalidate #generics(#inputs) #bounds {
                ::everwarm::expansion::Function::invalidate(#entries(), #write);
            }

            /// Makes the entry of a call as one whose ttl is over; whether it was there and fresh.
            #lints
            #vis fn #mark_stale #generics(#inputs) -> bool #bounds {
                ::everwarm::expansion::Function::mark_stale(#entries(), #write)
            }

            /// The entry of a call, if there is one; counts nothing.
            #lints
            #[must_use]
            #vis fn #peek #generics(#inputs) -> ::std::option::Option<::everwarm::Seen<#output>> #bounds {
                ::everwarm::expansion::Function::peek(#entries(), #write)
            }

            /// Why a call would be a hit or a miss; counts, touches and computes nothing.
            #lints
            #[must_use]
            #vis fn #explain #generics(#inputs) -> ::everwarm::Explanation #bounds {
                ::everwarm::expansion::Function::explain(#entries(), #write)
            }

            /// Stores a value as if the call had given it. What a call would not keep is not stored.
            #lints
            #vis fn #prime #generics(#receiver #value: #output, #parameters) #bounds {
                ::everwarm::expansion::Function::prime(#entries(), #write, #tags, #value, #judge);
            }

            /// The stored name of a call.
            ///
            /// # Errors
            /// An argument beyond what a key may be.
            #lints
            #vis fn #key #generics(#inputs) -> ::std::result::Result<::std::string::String, ::everwarm::Error> #bounds {
                ::everwarm::expansion::Function::key(#entries(), #write)
            }

            /// Makes all entries gone, also what is being computed.
            #[allow(dead_code)]
            #vis fn #clear() {
                ::everwarm::expansion::Function::clear(#entries());
            }

            /// What happened in the function.
            #[allow(dead_code)]
            #[must_use]
            #vis fn #stats() -> ::everwarm::Stats {
                ::everwarm::expansion::Function::stats(#entries())
            }

            fn #function() -> &'static ::everwarm::expansion::Function<#output> {
                static FUNCTION: ::everwarm::expansion::Function<#output> =
                    #made;
                &FUNCTION
            }
        }
    }

    /// The entries, in memory alone or over the stores of a cache.
    fn made(&self) -> TokenStream {
        let declared = self.declaration();
        let values = values(self.options, self.signature);
        let Some(cache) = &self.options.cache else {
            return quote!(::everwarm::expansion::Function::new(#declared, #values));
        };
        let (output, schema) = (&self.signature.output, &self.options.schema);
        let form = quote_spanned! {output.span()=>
            #[allow(unused_imports)]
            use ::everwarm::expansion::Written as _;
            ::everwarm::expansion::Wire::<#output>::new().form()
        };
        quote! {
            ::everwarm::expansion::Function::over(
                #declared,
                #values,
                ::everwarm::expansion::Over {
                    stores: || (#cache).stores(),
                    form: || { #form },
                    schema: #schema,
                },
            )
        }
    }

    /// The verbs that stores may take long for, for tasks: where there are stores.
    fn awaited_verbs(&self) -> TokenStream {
        if self.options.cache.is_none() {
            return TokenStream::new();
        }
        let (vis, inputs) = (&self.function.vis, self.signature.inputs());
        let (output, (generics, bounds)) = (&self.signature.output, self.generics());
        let (write, tags, judge) = (&self.write, &self.tags, &self.judge);
        let entries = self.path("function");
        let [invalidate, mark_stale, prime, clear] = [
            "invalidate_async",
            "mark_stale_async",
            "prime_async",
            "clear_async",
        ]
        .map(|verb| self.verb(verb));
        let value = Ident::new("value", Span::mixed_site());
        let (receiver, parameters) = self.split_inputs();
        let lints = quote!(#[allow(dead_code, unused_variables, clippy::all)]);
        quote! {
            /// As the verb without `_async`, in this task.
            #lints
            #vis async fn #invalidate #generics(#inputs) #bounds {
                let done = ::everwarm::expansion::Function::invalidate_async(#entries(), #write);
                done.await;
            }

            /// As the verb without `_async`, in this task.
            #lints
            #vis async fn #mark_stale #generics(#inputs) -> bool #bounds {
                let done = ::everwarm::expansion::Function::mark_stale_async(#entries(), #write);
                done.await
            }

            /// As the verb without `_async`, in this task.
            #lints
            #vis async fn #prime #generics(#receiver #value: #output, #parameters) #bounds {
                let done = ::everwarm::expansion::Function::prime_async(#entries(), #write, #tags, #value, #judge);
                done.await;
            }

            /// As the verb without `_async`, in this task.
            #[allow(dead_code)]
            #vis async fn #clear() {
                ::everwarm::expansion::Function::clear_async(#entries()).await;
            }
        }
    }

    fn refresh(&self) -> TokenStream {
        let (vis, write, entries) = (&self.function.vis, &self.write, self.path("function"));
        let missing = Ident::new("missing", Span::mixed_site());
        let (header, compute) = (self.header(&self.verb("refresh")), self.compute(&missing));
        quote! {
            /// Computes a call anew, whatever is there; until then other callers are given the old value.
            #[allow(dead_code)]
            #vis #header {
                let #missing = ::everwarm::expansion::Function::refresh(#entries(), #write);
                #compute
            }
        }
    }

    /// The call that is told something, and the one that computes nothing.
    fn using(&self) -> TokenStream {
        let (vis, write, entries) = (&self.function.vis, &self.write, self.path("function"));
        let (output, (generics, bounds)) = (&self.signature.output, self.generics());
        let asyncness = &self.signature.written.asyncness;
        let [told, missing] = ["told", "missing"].map(|name| Ident::new(name, Span::mixed_site()));
        let [using, only] = ["using", "only_if_cached"].map(|verb| self.verb(verb));
        let (receiver, parameters) = self.split_inputs();
        let (inputs, compute) = (self.signature.inputs(), self.compute(&missing));
        let found = match self.signature.is_async() {
            true => quote!(only_if_cached_async(#entries(), #write).await),
            false => quote!(only_if_cached(#entries(), #write)),
        };
        quote! {
            /// The call, told to do differently.
            ///
            /// # Panics
            /// If two of the options contradict each other.
            #[allow(dead_code)]
            #vis #asyncness fn #using #generics(#receiver #told: ::everwarm::CallOptions, #parameters) -> #output #bounds {
                let #missing = match ::everwarm::expansion::Function::using(#entries(), &#told, #write) {
                    ::std::result::Result::Ok(value) => return value,
                    ::std::result::Result::Err(missing) => missing,
                };
                #compute
            }

            /// What is there for a call, which computes nothing.
            ///
            /// # Errors
            /// Of kind `NotCached`, if there is nothing.
            #[allow(dead_code, unused_variables, clippy::all)]
            #vis #asyncness fn #only #generics(#inputs) -> ::std::result::Result<#output, ::everwarm::Error> #bounds {
                ::everwarm::expansion::Function::#found
            }
        }
    }

    /// The receiver with a comma, and the other parameters.
    fn split_inputs(&self) -> (TokenStream, TokenStream) {
        let receiver = self.signature.receiver.iter();
        let parameters = self.signature.parameters.iter().map(|one| {
            let (name, kind) = (&one.name, &one.kind);
            quote!(#name: #kind)
        });
        (quote!(#(#receiver,)*), quote!(#(#parameters),*))
    }

    fn declaration(&self) -> TokenStream {
        let Options {
            max_entries,
            version,
            namespace,
            ..
        } = self.options;
        let own = self.signature.written.ident.to_string();
        let name = match &self.options.name {
            Some(name) => quote!(#name),
            None => quote!(::std::concat!(::std::module_path!(), "::", #own)),
        };
        let policy = policy::written(&self.options.policy);
        let (background, spawn) = background::declared(self.options);
        let (wait, timer) = background::patience(self.options);
        let parameters = self.signature.names();
        let max_bytes = policy::bytes(self.options.max_bytes);
        let eviction = match &self.options.eviction {
            Some(given) => given.to_token_stream(),
            None => quote!(::everwarm::Eviction::Adaptive),
        };
        let computations = policy::option(
            self.options
                .computations
                .map(|most| quote!(::std::num::NonZeroUsize::new(#most).unwrap())),
        );
        quote! {
            ::everwarm::expansion::Declaration {
                name: #name,
                namespace: #namespace,
                version: #version,
                parameters: &[#(#parameters),*],
                max_entries: #max_entries,
                max_bytes: #max_bytes,
                eviction: #eviction,
                policy: #policy,
                background: #background,
                spawn: #spawn,
                computations: #computations,
                wait: #wait,
                timer: #timer,
            }
        }
    }
}

/// A reference to what writes the key of a call.
fn write(options: &Options, signature: &Signature) -> syn::Result<TokenStream> {
    let writer = Ident::new("writer", Span::mixed_site());
    let part = |value: TokenStream, at: Span| quote_spanned!(at=> ::everwarm::ToKey::write(&#value, #writer)?;);
    let mut parts = Vec::new();
    if let Some(receiver) = &signature.receiver {
        if options.key.is_none() {
            return Err(refused(
                receiver.span(),
                "nothing says whether instances of this type share their entries",
                "write `key = \"{self.id}:{sku}\"` if they do not, or leave `self` out of `key` if they do",
            ));
        }
        // One method of a generic type is a method of many.
        let kind = quote!(::std::any::type_name::<Self>());
        parts.push(part(kind, receiver.span()));
    }
    match &options.key {
        Some(template) => {
            let places = template::places(template, signature)?.into_iter();
            parts.extend(places.map(|place| part(place, template.1)));
        }
        None => parts.extend(signature.parameters.iter().map(|one| {
            let name = &one.name;
            part(quote!(#name), one.kind.span())
        })),
    }
    Ok(quote! {
        &|#writer: &mut ::everwarm::expansion::Writer| {
            #(#parts)*
            ::std::result::Result::<(), ::everwarm::expansion::Limit>::Ok(())
        }
    })
}
