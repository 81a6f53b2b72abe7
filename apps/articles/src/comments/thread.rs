//! The read model of comments: found by their article, newest first.

use contracts::comments::{CommentAdded, CommentDeleted};
use serde::{Deserialize, Serialize};
use umbel_core::{
    Changes, Document, Position, Projection, RecordedEvent, Timestamp,
    document::{Collection, Direction, DocumentQuery},
};
use uuid::Uuid;

use super::discussion::DiscussionEvent;

/// Keeps [`CommentDocument`] up to date.
pub(crate) struct Comments;

/// A comment; its key is made of the article's id and its number.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Document)]
#[document(collection = "articles.comments")]
pub(crate) struct CommentDocument {
    #[index]
    article_id: Uuid,
    pub(crate) number: u64,
    pub(crate) author_id: Uuid,
    pub(crate) body: String,
    pub(crate) added_at: Timestamp,
    /// In the log: what "newest first" goes by.
    #[index]
    position: Position,
}

impl CommentDocument {
    /// The query for the newest comments of an article.
    pub(crate) fn of_article(article_id: Uuid, limit: u32) -> DocumentQuery {
        let query = DocumentQuery::of::<Self>().equal("article_id", article_id);
        query.order_by("position", Direction::Backward).page(0, limit)
    }
}

fn key(article_id: Uuid, number: u64) -> String {
    format!("{article_id}.{number}")
}

impl Projection for Comments {
    const NAME: &'static str = "articles.comments";
    type Event = DiscussionEvent;

    fn collections() -> Vec<Collection> {
        vec![Collection::of::<CommentDocument>()]
    }

    fn project(event: DiscussionEvent, recorded: &RecordedEvent, changes: &mut Changes) {
        match event {
            DiscussionEvent::Added(CommentAdded { article_id, number, author_id, body, added_at }) => {
                let position = recorded.position;
                let comment = CommentDocument { article_id, number, author_id, body, added_at, position };
                changes.put(key(article_id, number), comment);
            }
            DiscussionEvent::Deleted(CommentDeleted { article_id, number }) => {
                changes.delete::<CommentDocument>(key(article_id, number));
            }
            DiscussionEvent::Closed(event) => {
                for number in event.numbers {
                    changes.delete::<CommentDocument>(key(event.article_id, number));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use contracts::comments::DiscussionClosed;
    use umbel_testkit::{aggregate::NOW, projection::ReadModel};

    use super::*;

    const ONE: Uuid = Uuid::from_u128(1);
    const TWO: Uuid = Uuid::from_u128(2);

    fn added(article_id: Uuid, number: u64) -> CommentAdded {
        let (author_id, body) = (Uuid::from_u128(7), "Indeed.".to_owned());
        CommentAdded { article_id, number, author_id, body, added_at: NOW }
    }

    fn keys(model: &ReadModel<Comments>) -> Vec<String> {
        model.documents::<CommentDocument>().into_iter().map(|(key, _)| key).collect()
    }

    /// CD-09: a comment that was taken back is gone, and with an article all of its own.
    #[test]
    fn comments_come_and_go_with_their_article() {
        let model = ReadModel::<Comments>::new()
            .after("discussion-1", added(ONE, 1))
            .after("discussion-1", added(ONE, 2))
            .after("discussion-2", added(TWO, 1));
        assert_eq!(keys(&model), [key(ONE, 1), key(ONE, 2), key(TWO, 1)]);
        let model = model.after("discussion-1", CommentDeleted { article_id: ONE, number: 1 });
        assert_eq!(keys(&model), [key(ONE, 2), key(TWO, 1)]);
        let model = model.after("discussion-1", DiscussionClosed { article_id: ONE, numbers: vec![2] });
        assert_eq!(keys(&model), [key(TWO, 1)]);
    }

    #[test]
    fn queries_use_declared_indexes() {
        assert_eq!(CommentDocument::of_article(ONE, 1).check::<CommentDocument>(), Ok(()));
    }
}
