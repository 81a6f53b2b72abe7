//! Social: who follows whom, and what is whose favourite.
//!
//! Owns these two relations, each between two ids. Whose names and titles they are is for the apps to know that own
//! users and articles; whoever shows a page asks them and this app.
//!
//! Promises: following or liking twice is as once and writes nothing; what a page shows of its people and articles is
//! one question, whatever their number.
//!
//! Knows nothing about HTTP, tokens, names, texts or databases.

mod app;
mod favorite;
mod follow;
mod queries;
mod relations;
mod shelves;
mod sweep;

pub use app::app;

#[cfg(test)]
mod tests;
