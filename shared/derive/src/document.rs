//! Documents: a collection, and an index for each field that has a mark.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Attribute, Data, DeriveInput, Error, Field, Fields, Result, ext::IdentExt, spanned::Spanned};

use crate::attribute::{Key, Kind, Unsaid, Words};

const DOCUMENT: Words = Words {
    of: "Document",
    attribute: "document",
    keys: &[Key { name: "collection", item: "COLLECTION", kind: Kind::Text, unsaid: Unsaid::Refused }],
    example: "#[document(collection = \"app.things\")]",
};

/// Its `impl` for this type.
pub(crate) fn implement(input: &DeriveInput) -> Result<TokenStream> {
    let mut items = DOCUMENT.items(input)?;
    let indexes = indexes(input)?;
    if !indexes.is_empty() {
        items.extend(quote!(const INDEXES: &'static [&'static str] = &[#(#indexes),*];));
    }
    DOCUMENT.implement(input, &items)
}

/// The names of the fields that have a mark.
fn indexes(input: &DeriveInput) -> Result<Vec<String>> {
    let Data::Struct(data) = &input.data else { return Ok(Vec::new()) };
    let marked = data.fields.iter().filter(|field| field.attrs.iter().any(is_mark));
    marked.map(|field| index(input, &data.fields, field)).collect()
}

/// What an index on this field is called: as the field is.
fn index(input: &DeriveInput, fields: &Fields, field: &Field) -> Result<String> {
    let Some(name) = field.ident.as_ref().filter(|_| matches!(fields, Fields::Named(_))) else {
        return Err(Error::new(field.span(), "an index has the name of its field, and this field has none"));
    };
    for mark in field.attrs.iter().filter(|attribute| is_mark(attribute)) {
        mark.meta.require_path_only()?;
    }
    if let Some(renamed) = input.attrs.iter().chain(&field.attrs).find(|attribute| renames(attribute)) {
        let reason = "an index has the name of its field in JSON, which this may change: implement `Document`, and say `INDEXES` there";
        return Err(Error::new_spanned(renamed, reason));
    }
    Ok(name.unraw().to_string())
}

fn is_mark(attribute: &Attribute) -> bool {
    attribute.path().is_ident("index")
}

/// Whether fields may have other names in JSON by it, or may be elsewhere.
fn renames(attribute: &Attribute) -> bool {
    let says =
        |what: &str| attribute.meta.require_list().is_ok_and(|list| list.tokens.to_string().contains(what));
    attribute.path().is_ident("serde") && (says("rename") || says("flatten"))
}
