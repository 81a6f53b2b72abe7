//! Articles: what was published, by whom, under which tags, and what was said about it.
//!
//! Owns articles, the slugs they are found under and the comments below them, and keeps what it needs of their authors
//! from the accounts app's events.
//!
//! Promises: no two articles share a slug, however many of one title are published in the same moment; an
//! article always shows its author's name of the moment, and so does a comment; only its author changes or deletes either.
//!
//! Knows nothing about HTTP, tokens, passwords, favourites or databases.

mod app;
mod article;
mod comments;
mod handlers;
mod list;
mod queries;
mod rules;
mod slug;

pub use app::app;

#[cfg(test)]
mod tests;
