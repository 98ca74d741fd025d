//! The places of templates, as expressions over a function's parameters.

use everwarm_core::template::{Field, Piece, Step, Template};
use proc_macro2::{Literal, Span, TokenStream};
use quote::quote;
use syn::Ident;

use crate::options::refused;
use crate::signature::Signature;

/// The expression that a place stands for.
pub(crate) fn place(field: &Field, at: Span, signature: &Signature) -> syn::Result<TokenStream> {
    let names = signature.names();
    if !names.contains(&field.parameter) {
        return Err(refused(
            at,
            format!(
                "the template names `{}`, which is no parameter of the function",
                field.parameter
            ),
            format!("its parameters are: {}", names.join(", ")),
        ));
    }
    let parameter = identifier(&field.parameter, at)?;
    let mut value = quote!(#parameter);
    for step in &field.path {
        value = match step {
            Step::Attribute(name) => {
                let name = identifier(name, at)?;
                quote!(#value.#name)
            }
            Step::Item(name) => quote!(#value[#name]),
            Step::Position(index) => {
                let index = Literal::usize_unsuffixed(*index);
                quote!(#value[#index])
            }
        };
    }
    Ok(value)
}

/// The expressions of all places, in order.
pub(crate) fn places(
    template: &(Template, Span),
    signature: &Signature,
) -> syn::Result<Vec<TokenStream>> {
    let fields = template.0.fields();
    fields
        .map(|field| place(field, template.1, signature))
        .collect()
}

/// The text of a template once its places are filled, as an expression that gives an `Arc<str>`.
pub(crate) fn filled(
    template: &(Template, Span),
    signature: &Signature,
) -> syn::Result<TokenStream> {
    let mut format = String::new();
    for piece in template.0.pieces() {
        match piece {
            Piece::Text(text) => format.push_str(&text.replace('{', "{{").replace('}', "}}")),
            Piece::Field(_) => format.push_str("{}"),
        }
    }
    let places = places(template, signature)?;
    Ok(quote!(::std::sync::Arc::<str>::from(
        ::std::format!(#format, #(#places),*)
    )))
}

fn identifier(name: &str, at: Span) -> syn::Result<Ident> {
    if name == "self" {
        return Ok(Ident::new(name, at));
    }
    let parsed: syn::Result<Ident> = syn::parse_str(name);
    let mut identifier =
        parsed.map_err(|_| refused(at, format!("`{name}` is no name"), "rename the parameter"))?;
    identifier.set_span(at);
    Ok(identifier)
}
