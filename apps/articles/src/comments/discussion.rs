//! The discussion aggregate: who said something about one article, and whether it is still there.

use std::collections::BTreeMap;

use contracts::{
    Invalid, articles,
    comments::{AddCommentReply, CommentAdded, CommentDeleted, DiscussionClosed, Rejection},
};
use serde::{Deserialize, Serialize};
use umbel_core::{Aggregate, Command, Context, Decide, Decision};
use uuid::Uuid;

use crate::rules;

/// What is said about one article: nothing, at first.
#[derive(Debug, Default)]
pub(crate) struct Discussion {
    last_number: u64,
    /// The comments there are, and whose.
    authors: BTreeMap<u64, Uuid>,
    closed: bool,
}

umbel_core::events! {
    /// What happens in a discussion.
    #[derive(Clone)]
    pub(crate) enum DiscussionEvent {
        Added(CommentAdded),
        Deleted(CommentDeleted),
        Closed(DiscussionClosed),
    }
}

/// [`contracts::comments::AddComment`] once the article is found.
#[derive(Clone, Debug, Serialize, Deserialize, Command)]
#[command(name = "articles.say", reply = AddCommentReply, rejection = Rejection)]
pub(crate) struct Say {
    pub(crate) article_id: Uuid,
    pub(crate) author_id: Uuid,
    pub(crate) body: String,
}

/// [`contracts::comments::DeleteComment`] once the article is found.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, Command)]
#[command(name = "articles.take_back", rejection = Rejection)]
pub(crate) struct TakeBack {
    pub(crate) article_id: Uuid,
    pub(crate) number: u64,
    pub(crate) editor_id: Uuid,
}

/// Ends the discussion of an article that is gone.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, Command)]
#[command(name = "articles.close_discussion", rejection = articles::Rejection)]
pub(crate) struct Close {
    pub(crate) article_id: Uuid,
}

impl Aggregate for Discussion {
    const CATEGORY: &'static str = "discussion";
    type Event = DiscussionEvent;
    type Commands = (Say, TakeBack, Close);

    fn evolve(mut self, event: &DiscussionEvent) -> Self {
        match event {
            DiscussionEvent::Added(event) => {
                self.last_number = event.number;
                self.authors.insert(event.number, event.author_id);
            }
            DiscussionEvent::Deleted(event) => {
                self.authors.remove(&event.number);
            }
            DiscussionEvent::Closed(_) => {
                self.authors.clear();
                self.closed = true;
            }
        }
        self
    }
}

impl Decide<Say> for Discussion {
    fn identify(command: &Say) -> String {
        command.article_id.to_string()
    }

    fn decide(
        &self,
        command: &Say,
        context: &Context<'_>,
    ) -> Result<Decision<DiscussionEvent, AddCommentReply>, Rejection> {
        Invalid::check([("body", rules::comment(&command.body))])?;
        if self.closed {
            return Err(Rejection::UnknownArticle);
        }
        let Say { article_id, author_id, body } = command.clone();
        let (number, added_at) = (self.last_number + 1, context.now());
        let added = CommentAdded { article_id, number, author_id, body, added_at };
        Ok(Decision::new(vec![added.into()], AddCommentReply { number, added_at }))
    }
}

impl Decide<TakeBack> for Discussion {
    fn identify(command: &TakeBack) -> String {
        command.article_id.to_string()
    }

    fn decide(
        &self,
        command: &TakeBack,
        _: &Context<'_>,
    ) -> Result<Decision<DiscussionEvent, ()>, Rejection> {
        let TakeBack { article_id, number, editor_id } = *command;
        match self.authors.get(&number) {
            None => Err(Rejection::UnknownComment),
            Some(author_id) if *author_id != editor_id => Err(Rejection::NotTheAuthor),
            Some(_) => Ok(vec![CommentDeleted { article_id, number }.into()].into()),
        }
    }
}

impl Decide<Close> for Discussion {
    fn identify(command: &Close) -> String {
        command.article_id.to_string()
    }

    fn decide(
        &self,
        command: &Close,
        _: &Context<'_>,
    ) -> Result<Decision<DiscussionEvent, ()>, articles::Rejection> {
        if self.closed {
            return Ok(Decision::nothing(()));
        }
        let numbers = self.authors.keys().copied().collect();
        Ok(vec![DiscussionClosed { article_id: command.article_id, numbers }.into()].into())
    }
}

#[cfg(test)]
mod tests {
    use contracts::{FieldProblem, Problem};
    use umbel_testkit::aggregate::{NOW, given, given_nothing};

    use super::*;

    const ARTICLE: Uuid = Uuid::from_u128(1);
    const ADA: Uuid = Uuid::from_u128(7);
    const BOB: Uuid = Uuid::from_u128(8);

    fn say(author_id: Uuid, body: &str) -> Say {
        Say { article_id: ARTICLE, author_id, body: body.into() }
    }

    fn added(number: u64, author_id: Uuid) -> DiscussionEvent {
        CommentAdded { article_id: ARTICLE, number, author_id, body: "Indeed.".into(), added_at: NOW }.into()
    }

    fn deleted(number: u64) -> DiscussionEvent {
        CommentDeleted { article_id: ARTICLE, number }.into()
    }

    fn closed(numbers: &[u64]) -> DiscussionEvent {
        DiscussionClosed { article_id: ARTICLE, numbers: numbers.to_vec() }.into()
    }

    #[test]
    fn comments_are_counted_and_no_number_comes_twice() {
        given_nothing::<Discussion>()
            .when(say(ADA, "Indeed."))
            .then([added(1, ADA)])
            .replies(AddCommentReply { number: 1, added_at: NOW });
        given::<Discussion>([added(1, ADA), added(2, BOB), deleted(2)])
            .when(say(ADA, "Indeed."))
            .then([added(3, ADA)]);
    }

    #[test]
    fn a_comment_says_something() {
        let blank = FieldProblem { field: "body".into(), problem: Problem::Blank };
        given_nothing::<Discussion>().when(say(ADA, " \n")).then_rejected(Invalid(vec![blank]));
    }

    /// CD-09: whose comment it is decides, not whose article.
    #[test]
    fn only_its_author_takes_a_comment_back() {
        let take_back = |number, editor_id| TakeBack { article_id: ARTICLE, number, editor_id };
        let past = || [added(1, ADA), added(2, BOB)];
        given::<Discussion>(past()).when(take_back(1, ADA)).then([deleted(1)]);
        given::<Discussion>(past()).when(take_back(2, ADA)).then_rejected(Rejection::NotTheAuthor);
        given::<Discussion>(past()).when(take_back(3, ADA)).then_rejected(Rejection::UnknownComment);
        given::<Discussion>([added(1, ADA), deleted(1)])
            .when(take_back(1, ADA))
            .then_rejected(Rejection::UnknownComment);
    }

    #[test]
    fn a_closed_discussion_stays_closed() {
        let close = Close { article_id: ARTICLE };
        given_nothing::<Discussion>().when(close).then([closed(&[])]);
        let past = [added(1, ADA), added(2, BOB), added(3, ADA), deleted(2)];
        given::<Discussion>(past).when(close).then([closed(&[1, 3])]);
        given::<Discussion>([closed(&[])]).when(close).then_nothing();
        given::<Discussion>([closed(&[])])
            .when(say(ADA, "Too late."))
            .then_rejected(Rejection::UnknownArticle);
    }
}
