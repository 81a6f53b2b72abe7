//! `#[derive(Command)]`, `Event`, `Query` and `Document`: the traits of `umbel_core` under the same names, for types that say no more
//! than constants and types.
//!
//! Each writes one `impl` of its trait and nothing else; each key of its attribute is an item of that `impl`, and what is not said has the
//! trait's default. A type that says more (whose personal data it holds, by which tags it is found) implements its trait itself.
//!
//! Promises: what is wrong is told where it stands, with what would be right.

mod attribute;
mod document;
mod message;

use proc_macro::TokenStream;
use syn::{DeriveInput, Error, parse_macro_input};

/// A command: `#[command(name = "app.verb", rejection = Type)]`; also `reply`, which is `()` otherwise, `schema`, `upcasters`, `formerly`.
#[proc_macro_derive(Command, attributes(command))]
pub fn command(input: TokenStream) -> TokenStream {
    derived(&parse_macro_input!(input), |input| message::implement(&message::COMMAND, input))
}

/// An event: `#[event(name = "app.happened")]`; also `schema`, `upcasters`, `formerly`, `succeeds`.
#[proc_macro_derive(Event, attributes(event))]
pub fn event(input: TokenStream) -> TokenStream {
    derived(&parse_macro_input!(input), |input| message::implement(&message::EVENT, input))
}

/// A query: `#[query(name = "app.question", answer = Type)]`.
#[proc_macro_derive(Query, attributes(query))]
pub fn query(input: TokenStream) -> TokenStream {
    derived(&parse_macro_input!(input), |input| message::implement(&message::QUERY, input))
}

/// A document: `#[document(collection = "app.things")]`, and `#[index]` on each field that queries filter or order by.
#[proc_macro_derive(Document, attributes(document, index))]
pub fn document(input: TokenStream) -> TokenStream {
    derived(&parse_macro_input!(input), document::implement)
}

fn derived(
    input: &DeriveInput,
    implement: impl FnOnce(&DeriveInput) -> syn::Result<proc_macro2::TokenStream>,
) -> TokenStream {
    implement(input).unwrap_or_else(Error::into_compile_error).into()
}

#[cfg(test)]
mod tests;
