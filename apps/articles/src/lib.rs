//! Articles: what was published, by whom, under which tags.
//!
//! Owns articles and the slugs they are found under, and keeps what it needs of their authors from the accounts
//! app's events.
//!
//! Promises: no two articles share a slug, however many of one title are published in the same moment; an
//! article always shows its author's name of the moment.
//!
//! Knows nothing about HTTP, tokens, passwords or databases.

mod app;
mod article;
mod list;
mod queries;
mod rules;
mod slug;

pub use app::app;
