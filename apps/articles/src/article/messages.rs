//! Commands that only this app says: those of [`contracts::articles`] once the article is found and a slug is chosen.

use contracts::articles::{Edit, NumbersUsed, Publish, PublishReply, Rejection};
use serde::{Deserialize, Serialize};
use umbel_core::{Command, Timestamp};
use uuid::Uuid;

/// Publishes an article under one slug. [`crate::handlers`] tries several until one is free.
#[derive(Clone, Debug, Serialize, Deserialize, Command)]
#[command(name = "articles.publish_as", reply = PublishReply, rejection = Rejection)]
pub(crate) struct PublishAs {
    pub(crate) article_id: Uuid,
    pub(crate) slug: String,
    pub(crate) numbers_used: Option<NumbersUsed>,
    pub(crate) article: Publish,
}

/// Changes an article, and moves it to another slug if there is one here.
#[derive(Clone, Debug, Serialize, Deserialize, Command)]
#[command(name = "articles.edit_as", reply = EditReply, rejection = Rejection)]
pub(crate) struct EditAs {
    pub(crate) article_id: Uuid,
    pub(crate) slug: Option<String>,
    pub(crate) numbers_used: Option<NumbersUsed>,
    /// What is to change. Its slug is where the article was found, and decides nothing.
    pub(crate) edit: Edit,
}

/// What an edit led to, beside what was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct EditReply {
    pub(crate) slug: String,
    pub(crate) tags: Vec<String>,
    pub(crate) changed_at: Timestamp,
    /// Replies that were kept in the past do not tell.
    #[serde(default)]
    pub(crate) of: Option<Identity>,
}

/// Which article it is, under whatever slug.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Identity {
    pub(crate) article_id: Uuid,
    pub(crate) published_at: Timestamp,
}

/// Takes an article away.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, Command)]
#[command(name = "articles.remove", rejection = Rejection)]
pub(crate) struct Remove {
    pub(crate) article_id: Uuid,
    pub(crate) editor_id: Uuid,
}
