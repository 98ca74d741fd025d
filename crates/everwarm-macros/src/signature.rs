//! What a decorated function takes and gives, checked for what a cache can do with it.

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::spanned::Spanned;
use syn::{FnArg, Ident, Pat, PatType, Receiver, ReturnType, Type};

use crate::options::refused;

/// The signature of a decorated function.
pub(crate) struct Signature {
    /// As it was written.
    pub(crate) written: syn::Signature,
    pub(crate) receiver: Option<Receiver>,
    pub(crate) parameters: Vec<Parameter>,
    pub(crate) output: Type,
}

/// A parameter by name.
pub(crate) struct Parameter {
    pub(crate) name: Ident,
    pub(crate) kind: Type,
}

impl Signature {
    pub(crate) fn new(written: &syn::Signature) -> syn::Result<Self> {
        refuse_form(written)?;
        let mut receiver = None;
        let mut parameters = Vec::new();
        for input in &written.inputs {
            match input {
                FnArg::Receiver(given) => receiver = Some(accept_receiver(given)?),
                FnArg::Typed(given) => parameters.push(Parameter::new(given)?),
            }
        }
        let output = match &written.output {
            ReturnType::Default => syn::parse_quote!(()),
            ReturnType::Type(_, output) => accept_output(output, receiver.is_some())?,
        };
        Ok(Self {
            written: written.clone(),
            receiver,
            parameters,
            output,
        })
    }

    /// The names that a template may have.
    pub(crate) fn names(&self) -> Vec<String> {
        let receiver = self.receiver.iter().map(|_| "self".to_owned());
        let parameters = self.parameters.iter().map(|one| one.name.to_string());
        receiver.chain(parameters).collect()
    }

    pub(crate) fn is_async(&self) -> bool {
        self.written.asyncness.is_some()
    }

    /// The parameters, to be passed on.
    pub(crate) fn arguments(&self) -> TokenStream {
        let receiver = self.receiver.iter().map(|given| {
            let this = given.self_token;
            quote!(#this)
        });
        let parameters = self.parameters.iter().map(|one| one.name.to_token_stream());
        let all = receiver.chain(parameters);
        quote!(#(#all),*)
    }

    /// The parameters, to be declared.
    pub(crate) fn inputs(&self) -> TokenStream {
        let receiver = self.receiver.iter().map(|given| {
            let mut plain = given.clone();
            if plain.reference.is_none() {
                plain.mutability = None;
            }
            plain.to_token_stream()
        });
        let parameters = self.parameters.iter().map(|one| {
            let (name, kind) = (&one.name, &one.kind);
            quote!(#name: #kind)
        });
        let all = receiver.chain(parameters);
        quote!(#(#all),*)
    }
}

impl Parameter {
    fn new(given: &PatType) -> syn::Result<Self> {
        let Pat::Ident(name) = &*given.pat else {
            let hint = "give it a name, and take it apart in the function";
            return Err(refused(
                given.pat.span(),
                "a parameter of a cached function has no name",
                hint,
            ));
        };
        if let Type::Reference(reference) = &*given.ty
            && reference.mutability.is_some()
        {
            let message = "a cached function takes nothing to change: a hit would not change it";
            let hint = "take it by reference or by value, and return what is computed";
            return Err(refused(given.ty.span(), message, hint));
        }
        if says(given.ty.to_token_stream(), "impl") {
            return Err(generic(given.ty.span()));
        }
        Ok(Self {
            name: name.ident.clone(),
            kind: (*given.ty).clone(),
        })
    }
}

fn generic(at: Span) -> syn::Error {
    refused(
        at,
        "a generic function cannot be cached: each of its types would need a cache of its own",
        "decorate a function of one type that calls the generic one",
    )
}

fn refuse_form(written: &syn::Signature) -> syn::Result<()> {
    let mut generics = written.generics.params.iter();
    if let Some(parameter) = generics.find(|one| !matches!(one, syn::GenericParam::Lifetime(_))) {
        return Err(generic(parameter.span()));
    }
    let forms = [
        ("a const", written.constness.map(|token| token.span)),
        ("an unsafe", written.unsafety.map(|token| token.span)),
        ("an extern", written.abi.as_ref().map(Spanned::span)),
        ("a variadic", written.variadic.as_ref().map(Spanned::span)),
    ];
    match forms
        .into_iter()
        .find_map(|(form, at)| at.map(|at| (form, at)))
    {
        Some((form, at)) => Err(refused(
            at,
            format!("{form} function cannot be cached"),
            "decorate an ordinary function that calls it",
        )),
        None => Ok(()),
    }
}

fn accept_receiver(given: &Receiver) -> syn::Result<Receiver> {
    if given.reference.is_some() && given.mutability.is_some() {
        let message = "a cached method changes nothing: a hit would not change it";
        return Err(refused(
            given.span(),
            message,
            "take `&self`, and return what is computed",
        ));
    }
    Ok(given.clone())
}

fn accept_output(output: &Type, in_impl: bool) -> syn::Result<Type> {
    if says(output.to_token_stream(), "impl") {
        let message = "what a cached function returns has no name, so it cannot be kept";
        let hint = "return a type that can be named; write `async fn` instead of `-> impl Future`";
        return Err(refused(output.span(), message, hint));
    }
    if borrows(output.to_token_stream()) {
        let message = "a cached value outlives the call, so it can borrow nothing";
        let hint = "return an owned value, such as `String` or `Arc<str>`";
        return Err(refused(output.span(), message, hint));
    }
    if in_impl && says(output.to_token_stream(), "Self") {
        let message = "`Self` is not known where the entries of a method live";
        return Err(refused(output.span(), message, "write the type's own name"));
    }
    Ok(output.clone())
}

/// Whether a word is among the tokens.
fn says(tokens: TokenStream, word: &str) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Ident(ident) => ident == word,
        TokenTree::Group(group) => says(group.stream(), word),
        _ => false,
    })
}

/// Whether a type names a lifetime other than `'static`, or borrows without naming one.
pub(crate) fn borrows(tokens: TokenStream) -> bool {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let is = |at: usize, sign: char| matches!(tokens.get(at), Some(TokenTree::Punct(punct)) if punct.as_char() == sign);
    let names_static =
        |at: usize| matches!(tokens.get(at), Some(TokenTree::Ident(ident)) if ident == "static");
    (0..tokens.len()).any(|at| match &tokens[at] {
        TokenTree::Group(group) => borrows(group.stream()),
        _ if is(at, '\'') => !names_static(at + 1),
        _ if is(at, '&') => !is(at + 1, '\''),
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(written: &str) -> Option<String> {
        let written = syn::parse_str(written).expect("a signature");
        Signature::new(&written)
            .err()
            .map(|error| error.to_string())
    }

    #[test]
    fn only_ordinary_functions_are_accepted() {
        for form in ["const", "unsafe", "extern \"C\""] {
            let message = refusal(&format!("{form} fn price(sku: u8) -> u8")).expect("a refusal");
            let (said, hint) = message.split_once("\nhint: ").expect("a hint");
            assert!(said.ends_with("function cannot be cached"), "{said}");
            assert_eq!(hint, "decorate an ordinary function that calls it");
        }
        for written in [
            "fn price<'a>(sku: &'a str, at: [&'static str; 2]) -> &'static str",
            "async fn price(mut sku: Vec<(u8, String)>) -> Result<Vec<&'static u8>, ()>",
            "fn price(self: Arc<Self>)",
        ] {
            assert_eq!(refusal(written), None, "{written}");
        }
    }

    #[test]
    fn what_borrows_or_has_no_name_is_no_result() {
        for (output, word) in [
            ("&str", "borrow nothing"),
            ("Vec<&'a str>", "borrow nothing"),
            ("(u8, Cow<'_, str>)", "borrow nothing"),
            ("Box<impl Fn()>", "has no name"),
        ] {
            let message = refusal(&format!("fn price() -> {output}")).expect("a refusal");
            assert!(message.contains(word), "{message}");
        }
    }
}
