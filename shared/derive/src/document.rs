//! Documents: a collection, and an index for each field that has a mark.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{
    Attribute, Data, DeriveInput, Error, Field, Lit, Result, Token, ext::IdentExt, meta::ParseNestedMeta,
    parenthesized, spanned::Spanned, token::Paren,
};

use crate::attribute::{Key, Kind, Unsaid, Words};

const DOCUMENT: Words = Words {
    of: "Document",
    attribute: "document",
    keys: &[Key { name: "collection", item: "COLLECTION", kind: Kind::Text, unsaid: Unsaid::Refused }],
    example: "#[document(collection = \"app.things\")]",
};

/// Why an index is not called as its field.
const ELSEWHERE: &str = "an index has the name of its field in JSON, where this field may be called otherwise, be elsewhere or never be: \
    implement `Document`, and say `INDEXES` there";

/// What serde may be told of a field that makes it so.
const MOVES_FIELD: &[&str] = &["rename", "flatten", "skip", "skip_serializing"];

/// And of all fields.
const MOVES_FIELDS: &[&str] =
    &["rename_all", "rename_all_fields", "transparent", "into", "tag", "content", "untagged", "remote"];

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
    match &input.data {
        Data::Struct(data) => {
            let marked = data.fields.iter().filter_map(|field| Some((field, mark(field)?)));
            marked.map(|(field, mark)| index(input, field, mark)).collect()
        }
        Data::Enum(data) => {
            let fields = data.variants.iter().flat_map(|variant| &variant.fields);
            let marks: Vec<_> = fields.filter_map(mark).collect();
            marks.first().map_or(Ok(Vec::new()), |mark| Err(Error::new_spanned(mark, ELSEWHERE)))
        }
        Data::Union(data) => Err(Error::new(data.union_token.span, "a union is no document")),
    }
}

/// What the index on this field is called: as the field is.
fn index(input: &DeriveInput, field: &Field, mark: &Attribute) -> Result<String> {
    mark.meta.require_path_only()?;
    let Some(name) = &field.ident else {
        return Err(Error::new(field.span(), "an index has the name of its field, and this field has none"));
    };
    let of_document = input.attrs.iter().map(|attribute| (attribute, MOVES_FIELDS));
    let of_field = field.attrs.iter().map(|attribute| (attribute, MOVES_FIELD));
    for (attribute, moves) in
        of_document.chain(of_field).filter(|(attribute, _)| attribute.path().is_ident("serde"))
    {
        attribute.parse_nested_meta(|meta| {
            if moves.iter().any(|word| meta.path.is_ident(word)) {
                return Err(meta.error(ELSEWHERE));
            }
            pass_over(&meta)
        })?;
    }
    Ok(name.unraw().to_string())
}

/// Reads on behind what is none of our business.
fn pass_over(meta: &ParseNestedMeta<'_>) -> Result<()> {
    if meta.input.peek(Token![=]) {
        meta.value()?.parse::<Lit>()?;
    } else if meta.input.peek(Paren) {
        let within;
        parenthesized!(within in meta.input);
        within.parse::<TokenStream>()?;
    }
    Ok(())
}

fn mark(field: &Field) -> Option<&Attribute> {
    field.attrs.iter().find(|attribute| attribute.path().is_ident("index"))
}
