//! Commands, events and queries: what their attributes say, and nothing else.

use std::iter;

use proc_macro2::{TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::{Data, DeriveInput, Error, Field, Result};

use crate::attribute::{Key, Kind, Unsaid, Words};

const NAME: Key = Key { name: "name", item: "NAME", kind: Kind::Text, unsaid: Unsaid::Refused };
const SCHEMA: Key = Key { name: "schema", item: "SCHEMA", kind: Kind::Number, unsaid: Unsaid::Default };
const FORMERLY: Key = list("formerly", "FORMERLY", || quote!(&'static str));

pub(crate) const COMMAND: Words = Words {
    of: "Command",
    attribute: "command",
    keys: &[
        NAME,
        Key { name: "reply", item: "Reply", kind: Kind::Type, unsaid: Unsaid::Unit },
        Key { name: "rejection", item: "Rejection", kind: Kind::Type, unsaid: Unsaid::Refused },
        SCHEMA,
        list("upcasters", "UPCASTERS", || quote!(::umbel_core::CommandUpcaster)),
        FORMERLY,
    ],
    example: "#[command(name = \"app.verb\", rejection = Type)]",
};

pub(crate) const EVENT: Words = Words {
    of: "Event",
    attribute: "event",
    keys: &[
        NAME,
        SCHEMA,
        list("upcasters", "UPCASTERS", || quote!(::umbel_core::Upcaster)),
        FORMERLY,
        list("succeeds", "SUCCEEDS", || quote!(::umbel_core::Lineage)),
    ],
    example: "#[event(name = \"app.happened\")]",
};

pub(crate) const QUERY: Words = Words {
    of: "Query",
    attribute: "query",
    keys: &[NAME, Key { name: "answer", item: "Answer", kind: Kind::Type, unsaid: Unsaid::Refused }],
    example: "#[query(name = \"app.question\", answer = Type)]",
};

/// The trait's `impl` for this type.
pub(crate) fn implement(words: &Words, input: &DeriveInput) -> Result<TokenStream> {
    if let Some(personal) = fields(input).find(|field| names_personal(field.ty.to_token_stream())) {
        let reason = format!(
            "nobody says whose personal data this is: implement `{}`, and say `subject` there",
            words.of
        );
        return Err(Error::new_spanned(personal, reason));
    }
    words.implement(input, &words.items(input)?)
}

fn fields(input: &DeriveInput) -> Box<dyn Iterator<Item = &Field> + '_> {
    match &input.data {
        Data::Struct(data) => Box::new(data.fields.iter()),
        Data::Enum(data) => Box::new(data.variants.iter().flat_map(|variant| &variant.fields)),
        Data::Union(_) => Box::new(iter::empty()),
    }
}

/// Whether `Personal` is somewhere in a type, by its name. What another type hides is not seen here.
fn names_personal(ty: TokenStream) -> bool {
    ty.into_iter().any(|token| match token {
        TokenTree::Ident(word) => word == "Personal",
        TokenTree::Group(group) => names_personal(group.stream()),
        TokenTree::Punct(_) | TokenTree::Literal(_) => false,
    })
}

const fn list(name: &'static str, item: &'static str, of: fn() -> TokenStream) -> Key {
    Key { name, item, kind: Kind::List(of), unsaid: Unsaid::Default }
}
