//! The derivation of `ToKey`: a type's content, behind its class.

use proc_macro2::TokenStream;
use quote::{ToTokens, format_ident, quote};
use syn::{Attribute, Data, DeriveInput, Fields, LitStr, parse_quote};

use crate::options::refused;

pub(crate) fn expand(item: TokenStream) -> syn::Result<TokenStream> {
    let mut item: DeriveInput = syn::parse2(item)?;
    let class = Class::new(&item)?;
    let writing = match &item.data {
        Data::Struct(data) => {
            let (pattern, record) = class.record(None, &data.fields);
            quote!(let Self #pattern = self; #record)
        }
        Data::Enum(data) => {
            let arms = data.variants.iter().map(|variant| {
                let name = &variant.ident;
                let (pattern, record) = match variant.fields.is_empty() {
                    true => (quote!({}), class.member(&name.to_string())),
                    false => class.record(Some(&name.to_string()), &variant.fields),
                };
                quote!(Self::#name #pattern => { #record })
            });
            quote!(match self { #(#arms)* })
        }
        Data::Union(data) => {
            return Err(refused(
                data.union_token.span,
                "a union cannot be part of a key: nothing says which field counts",
                "implement `ToKey` by hand",
            ));
        }
    };
    for parameter in item.generics.type_params_mut() {
        parameter.bounds.push(parse_quote!(::everwarm::ToKey));
    }
    let name = &item.ident;
    let (parameters, arguments, bounds) = item.generics.split_for_impl();
    Ok(quote! {
        impl #parameters ::everwarm::ToKey for #name #arguments #bounds {
            fn write(
                &self,
                writer: &mut ::everwarm::key::Writer,
            ) -> ::std::result::Result<(), ::everwarm::key::Limit> {
                #writing
                ::std::result::Result::Ok(())
            }
        }
    })
}

/// The class that a type stands for: an expression for its module, and its name.
struct Class {
    module: TokenStream,
    name: String,
}

impl Class {
    fn new(item: &DeriveInput) -> syn::Result<Self> {
        let mut given = None;
        for attribute in item.attrs.iter().filter(|one| one.path().is_ident("key")) {
            given = Some(declared(attribute)?);
        }
        let Some(given) = given else {
            return Ok(Self {
                module: quote!(::std::module_path!()),
                name: item.ident.to_string(),
            });
        };
        match given.value().rsplit_once('.') {
            Some((module, name)) if !module.is_empty() && !name.is_empty() => Ok(Self {
                module: module.to_token_stream(),
                name: name.to_owned(),
            }),
            _ => Err(refused(
                given.span(),
                "a class has a module and a name",
                "write `#[key(class = \"shop.models.Point\")]`",
            )),
        }
    }

    /// A pattern that takes the fields apart, and what writes them.
    fn record(&self, variant: Option<&str>, fields: &Fields) -> (TokenStream, TokenStream) {
        let names: Vec<String> = fields
            .iter()
            .enumerate()
            .map(|(at, field)| match &field.ident {
                Some(name) => name.to_string(),
                None => at.to_string(),
            })
            .collect();
        let bound: Vec<_> = (0..names.len())
            .map(|at| format_ident!("field_{at}"))
            .collect();
        let members = fields.members();
        let name = match variant {
            Some(variant) => format!("{}.{variant}", self.name),
            None => self.name.clone(),
        };
        let (class, count) = (self.encoded(&name), names.len());
        let writing = quote! {
            #class
            writer.open_record(class.as_bytes(), #count)?;
            #(
                writer.str(#names);
                ::everwarm::ToKey::write(#bound, writer)?;
            )*
            writer.close();
        };
        (quote!({ #(#members: #bound),* }), writing)
    }

    /// What writes a value without fields.
    fn member(&self, variant: &str) -> TokenStream {
        let class = self.encoded(&self.name);
        quote! {
            #class
            writer.open_member(class.as_bytes())?;
            writer.str(#variant);
            writer.close();
        }
    }

    fn encoded(&self, name: &str) -> TokenStream {
        let module = &self.module;
        quote! {
            let mut class = ::everwarm::key::Writer::new();
            class.str(#module);
            class.str(#name);
        }
    }
}

/// The text of `#[key(class = "...")]`.
fn declared(attribute: &Attribute) -> syn::Result<LitStr> {
    let mut class = None;
    attribute.parse_nested_meta(|meta| {
        if !meta.path.is_ident("class") {
            return Err(refused(
                meta.path
                    .get_ident()
                    .map_or_else(proc_macro2::Span::call_site, |name| name.span()),
                "there is no such option of a derived key",
                "the only one is `class`, as in `#[key(class = \"shop.models.Point\")]`",
            ));
        }
        class = Some(meta.value()?.parse::<LitStr>()?);
        Ok(())
    })?;
    class.ok_or_else(|| {
        refused(
            attribute.pound_token.span,
            "a derived key is given no class",
            "write `#[key(class = \"shop.models.Point\")]`",
        )
    })
}
