//! Attributes of the form `#[word(key = value, ..)]`, each key known and given once.

use proc_macro2::TokenStream;
use quote::{ToTokens, format_ident, quote};
use syn::{
    DeriveInput, Error, LitInt, LitStr, Result, Type, bracketed, meta::ParseNestedMeta, parse::ParseStream,
};

/// A trait, by what its attribute says.
pub(crate) struct Words {
    /// Its name.
    pub(crate) of: &'static str,
    /// The attribute's.
    pub(crate) attribute: &'static str,
    /// What may be said.
    pub(crate) keys: &'static [Key],
    /// What it looks like.
    pub(crate) example: &'static str,
}

/// One thing that may be said.
pub(crate) struct Key {
    /// Its name in the attribute.
    pub(crate) name: &'static str,
    /// The item of the trait.
    pub(crate) item: &'static str,
    /// What it is.
    pub(crate) kind: Kind,
    /// What becomes of the trait's item if it is not said.
    pub(crate) unsaid: Unsaid,
}

/// What a value is.
pub(crate) enum Kind {
    /// A text: `&'static str`.
    Text,
    /// A number: `u32`.
    Number,
    /// A type.
    Type,
    /// A list in brackets, of what is named here.
    List(fn() -> TokenStream),
}

/// What becomes of what is not said.
pub(crate) enum Unsaid {
    /// It must be said.
    Refused,
    /// The trait has a default.
    Default,
    /// `()`, since types have no defaults in traits.
    Unit,
}

impl Words {
    /// The items of the trait that the attributes of this type say.
    pub(crate) fn items(&self, input: &DeriveInput) -> Result<TokenStream> {
        let mut said: Vec<Option<TokenStream>> = self.keys.iter().map(|_| None).collect();
        for attribute in input.attrs.iter().filter(|attribute| attribute.path().is_ident(self.attribute)) {
            attribute.parse_nested_meta(|meta| {
                let known = self.keys.iter().zip(&mut said).find(|(key, _)| meta.path.is_ident(key.name));
                let Some((key, slot)) = known else { return Err(self.unknown(&meta)) };
                if slot.is_some() {
                    return Err(meta.error(format!("`{}` is said twice", key.name)));
                }
                *slot = Some(key.item_of(meta.value()?)?);
                Ok(())
            })?;
        }
        let items = self.keys.iter().zip(said).map(|(key, said)| match (said, &key.unsaid) {
            (Some(item), _) => Ok(item),
            (None, Unsaid::Default) => Ok(TokenStream::new()),
            (None, Unsaid::Unit) => Ok(key.item(&quote!(()))),
            (None, Unsaid::Refused) => {
                let missing = format!("its `{}` is missing: `{}`", key.name, self.example);
                Err(Error::new(input.ident.span(), missing))
            }
        });
        items.collect()
    }

    /// The whole `impl`, of these items.
    pub(crate) fn implement(&self, input: &DeriveInput, items: &TokenStream) -> Result<TokenStream> {
        if input.generics.params.iter().next().is_some() {
            let reason =
                format!("`{}` is derived for one type under one name, not for a generic one", self.of);
            return Err(Error::new_spanned(&input.generics, reason));
        }
        let (of, name) = (format_ident!("{}", self.of), &input.ident);
        Ok(quote! {
            #[automatically_derived]
            impl ::umbel_core::#of for #name { #items }
        })
    }

    fn unknown(&self, meta: &ParseNestedMeta<'_>) -> Error {
        let known: Vec<_> = self.keys.iter().map(|key| format!("`{}`", key.name)).collect();
        meta.error(format!("`{}` knows {}", self.attribute, known.join(", ")))
    }
}

impl Key {
    fn item_of(&self, value: ParseStream<'_>) -> Result<TokenStream> {
        Ok(self.item(&match self.kind {
            Kind::Text => value.parse::<LitStr>()?.into_token_stream(),
            Kind::Number => value.parse::<LitInt>()?.into_token_stream(),
            Kind::Type => value.parse::<Type>()?.into_token_stream(),
            Kind::List(_) => {
                let elements;
                bracketed!(elements in value);
                let elements: TokenStream = elements.parse()?;
                quote!(&[#elements])
            }
        }))
    }

    fn item(&self, value: &TokenStream) -> TokenStream {
        let item = format_ident!("{}", self.item);
        match self.kind {
            Kind::Text => quote!(const #item: &'static str = #value;),
            Kind::Number => quote!(const #item: u32 = #value;),
            Kind::Type => quote!(type #item = #value;),
            Kind::List(of) => {
                let of = of();
                quote!(const #item: &'static [#of] = #value;)
            }
        }
    }
}
