//! The published language of Conduit's apps: what they say to each other, as plain data.
//!
//! One module per app that owns the words. An app depends on this crate and never on another app. Events are
//! forever: a changed shape gets the next schema version, and `golden/` keeps a sample of every one ever
//! published, which a test decodes. What only its own app reads (a password's hash, say) is not here.
//!
//! Promises: no behaviour beyond names, shapes, how they read as text, and when two names count as the same.

pub mod accounts;
pub mod articles;
pub mod comments;
mod invalid;
mod password;
pub mod social;
// umbel new app: modules

pub use invalid::{FieldProblem, Invalid, Problem};
pub use password::Password;

umbel_core::events! {
    /// Every event that one app publishes and others may read. Consumers declare the subset they want.
    #[derive(Clone, PartialEq)]
    pub enum Published {
        Registered(accounts::Registered),
        UsernameChanged(accounts::UsernameChanged),
        EmailChanged(accounts::EmailChanged),
        BioChanged(accounts::BioChanged),
        ImageChanged(accounts::ImageChanged),
        ArticlePublished(articles::Published),
        ArticleEdited(articles::Edited),
        ArticleDeleted(articles::Deleted),
        CommentAdded(comments::CommentAdded),
        CommentDeleted(comments::CommentDeleted),
        DiscussionClosed(comments::DiscussionClosed),
        Followed(social::Followed),
        Unfollowed(social::Unfollowed),
        Favorited(social::Favorited),
        Unfavorited(social::Unfavorited),
        // umbel new app: events
    }
}

#[cfg(test)]
mod golden;
