//! Inline projections: whoever commits events writes the documents that these change in the same transaction.
//!
//! `rules` knows which such projections run in this process and whether appends write their documents at present, `appending` carries out
//! what that asks of one append. The store decides who is right: what is believed here may be outdated, and is told so.

mod appending;
mod rules;

pub(crate) use self::{
    appending::{Inlining, Place},
    rules::{Inlines, Rule},
};
