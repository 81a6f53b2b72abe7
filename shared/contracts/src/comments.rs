//! The words of the articles app about comments: who says what below which article.

use serde::{Deserialize, Serialize};
use thiserror::Error;
use umbel_core::{Command, Event, Query, Timestamp};
use uuid::Uuid;

use crate::{Invalid, articles::Author};

/// How many comments [`ListComments`] answers at most: the newest.
pub const COMMENTS_LISTED_MAX: u32 = 1000;

/// A comment as it is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Comment {
    /// Which of its article's comments: counted from 1, never used again.
    pub number: u64,
    /// What it says, in Markdown.
    pub body: String,
    /// When it was added. Comments do not change.
    pub added_at: Timestamp,
    /// Who says so.
    pub author: Author,
}

/// Adds a comment to an article.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Command)]
#[command(name = "articles.add_comment", reply = AddCommentReply, rejection = Rejection)]
pub struct AddComment {
    /// The article's place in URLs.
    pub slug: String,
    /// Who says so.
    pub author_id: Uuid,
    /// What they say; not blank.
    pub body: String,
}

/// What the author of a comment did not know already.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddCommentReply {
    /// See [`Comment::number`].
    pub number: u64,
    /// See [`Comment::added_at`].
    pub added_at: Timestamp,
}

/// Takes a comment away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Command)]
#[command(name = "articles.delete_comment", rejection = Rejection)]
pub struct DeleteComment {
    /// The article's place in URLs.
    pub slug: String,
    /// See [`Comment::number`].
    pub number: u64,
    /// Who wants it: only the comment's author may.
    pub editor_id: Uuid,
}

/// Why a comment cannot be added or deleted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Error)]
#[serde(rename_all = "snake_case")]
pub enum Rejection {
    /// Some fields are not as they must be.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// There is no such article.
    #[error("there is no such article")]
    UnknownArticle,
    /// The article has no such comment.
    #[error("there is no such comment")]
    UnknownComment,
    /// It is another's comment.
    #[error("only its author may do that")]
    NotTheAuthor,
}

/// Asks for the comments of an article, newest first, at most [`COMMENTS_LISTED_MAX`]. Nothing is the answer when there
/// is no such article.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Query)]
#[query(name = "articles.list_comments", answer = Option<Vec<Comment>>)]
pub struct ListComments {
    /// The article's place in URLs.
    pub slug: String,
}

/// A comment was added.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Event)]
#[event(name = "articles.comment_added")]
pub struct CommentAdded {
    /// To which article.
    pub article_id: Uuid,
    /// See [`Comment::number`].
    pub number: u64,
    /// Who says so.
    pub author_id: Uuid,
    /// What it says, in Markdown.
    pub body: String,
    /// When.
    pub added_at: Timestamp,
}

/// A comment was taken away by its author.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Event)]
#[event(name = "articles.comment_deleted")]
pub struct CommentDeleted {
    /// Of which article.
    pub article_id: Uuid,
    /// See [`Comment::number`].
    pub number: u64,
}

/// An article went, and all its comments with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Event)]
#[event(name = "articles.discussion_closed")]
pub struct DiscussionClosed {
    /// Which article.
    pub article_id: Uuid,
    /// The comments there still were.
    pub numbers: Vec<u64>,
}
