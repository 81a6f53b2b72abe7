//! The article's rules: what each command leads to, given what happened before.

use contracts::{
    FieldProblem, Invalid, Problem,
    articles::{Edit, NumbersUsed},
};
use umbel_testkit::aggregate::{NOW, given, given_nothing};

use super::*;

const ID: Uuid = Uuid::from_u128(1);
const AUTHOR: Uuid = Uuid::from_u128(7);
const ANOTHER: Uuid = Uuid::from_u128(8);

fn publish() -> PublishAs {
    let article = Publish {
        author_id: AUTHOR,
        title: "Dragons".into(),
        description: "How?".into(),
        body: "Believe.".into(),
        tags: vec!["training".into(), "dragons".into(), "training".into()],
    };
    PublishAs { article_id: ID, slug: "dragons".into(), numbers_used: None, article }
}

fn published() -> Published {
    Published {
        article_id: ID,
        author_id: AUTHOR,
        slug: "dragons".into(),
        numbers_used: None,
        title: "Dragons".into(),
        description: "How?".into(),
        body: "Believe.".into(),
        tags: vec!["dragons".into(), "training".into()],
        published_at: NOW,
    }
}

fn identity() -> Identity {
    Identity { article_id: ID, published_at: NOW }
}

fn edit() -> EditAs {
    let edit = Edit {
        slug: "dragons".into(),
        editor_id: AUTHOR,
        title: None,
        description: None,
        body: None,
        tags: None,
    };
    EditAs { article_id: ID, slug: None, numbers_used: None, edit }
}

/// Gives the article another title and so another slug.
fn retitle(editor_id: Uuid) -> EditAs {
    let edit = Edit { title: Some("Wyverns".into()), editor_id, ..edit().edit };
    let numbers_used = Some(NumbersUsed { base: "wyverns".into(), up_to: 2 });
    EditAs { article_id: ID, slug: Some("wyverns-2".into()), numbers_used, edit }
}

fn edited(at: Timestamp) -> Edited {
    Edited {
        article_id: ID,
        title: None,
        slug: None,
        numbers_used: None,
        description: None,
        body: None,
        tags: None,
        edited_at: at,
    }
}

fn retitled() -> Edited {
    Edited {
        title: Some("Wyverns".into()),
        slug: Some("wyverns-2".into()),
        numbers_used: Some(NumbersUsed { base: "wyverns".into(), up_to: 2 }),
        ..edited(NOW.plus(TICK))
    }
}

fn deleted() -> Deleted {
    Deleted { article_id: ID, tags: vec!["dragons".into(), "training".into()], deleted_at: NOW }
}

#[test]
fn publishes_under_its_slug() {
    given_nothing::<Article>()
        .when(publish())
        .then([published()])
        .replies(reply_of(&published()))
        .takes([("articles.slug", "dragons")])
        .releases([]);
}

/// CD-05: who meets a taken slug can try the next.
#[test]
fn a_taken_slug_is_told_from_a_bad_article() {
    given_nothing::<Article>()
        .when(publish())
        .then_if_claimed("articles.slug", "dragons", Rejection::SlugTaken)
        .then_if_claimed("accounts.username", "dragons", None)
        .then([published()]);
    given::<Article>([published()])
        .when(retitle(AUTHOR))
        .then_if_claimed("articles.slug", "wyverns-2", Rejection::SlugTaken)
        .then([retitled()]);
}

#[test]
fn the_same_publication_twice_happens_once() {
    given::<Article>([published()]).when(publish()).then_nothing().replies(reply_of(&published())).takes([]);
}

#[test]
fn a_blank_part_is_refused() {
    let problem = |field: &str| FieldProblem { field: field.into(), problem: Problem::Blank };
    let mut blank = publish();
    blank.article.title = "\t".into();
    given_nothing::<Article>().when(blank).then_rejected(Invalid(vec![problem("title")]));
    let mut blank = edit();
    (blank.edit.body, blank.edit.title) = (Some(" ".into()), Some(String::new()));
    let both = Invalid(vec![problem("title"), problem("body")]);
    given::<Article>([published()]).when(blank).then_rejected(both);
}

#[test]
fn a_new_title_takes_its_slug_and_frees_the_old() {
    let reply = EditReply {
        slug: "wyverns-2".into(),
        tags: published().tags,
        changed_at: NOW.plus(TICK),
        of: Some(identity()),
    };
    given::<Article>([published()])
        .when(retitle(AUTHOR))
        .then([retitled()])
        .replies(reply)
        .takes([("articles.slug", "wyverns-2")])
        .releases([("articles.slug", "dragons")]);
    let at = NOW.plus(TICK).plus(TICK);
    let again = Edited { slug: None, numbers_used: None, edited_at: at, ..retitled() };
    given::<Article>([ArticleEvent::from(published()), retitled().into()])
        .when(retitle(AUTHOR))
        .then([again])
        .takes([])
        .releases([]);
}

#[test]
fn tags_tell_what_they_change() {
    let mut retag = edit();
    retag.edit.tags = Some(vec!["wings".into(), "dragons".into(), " ".into()]);
    let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
    let tags = Retagged {
        tags: words(&["dragons", "wings"]),
        added: words(&["wings"]),
        removed: words(&["training"]),
    };
    given::<Article>([published()])
        .when(retag.clone())
        .then([Edited { tags: Some(tags), ..edited(NOW.plus(TICK)) }])
        .takes([]);
    retag.edit.tags = Some(Vec::new());
    let none = Retagged { tags: Vec::new(), added: Vec::new(), removed: words(&["dragons", "training"]) };
    let cleared = Edited { tags: Some(none), ..edited(NOW.plus(TICK)) };
    given::<Article>([published()]).when(retag).then([cleared]);
}

/// A moment that reads like the one before would look as if nothing had happened.
#[test]
fn every_edit_has_a_later_moment_and_an_empty_one_is_none() {
    let mut saved = edit();
    saved.edit.body = Some("Believe.".into());
    let at = |moment| Edited { body: Some("Believe.".into()), ..edited(moment) };
    let second = NOW.plus(Duration::from_secs(1));
    given::<Article>([published()]).at(second).when(saved.clone()).then([at(second)]);
    given::<Article>([ArticleEvent::from(published()), at(second).into()])
        .at(second)
        .when(saved)
        .then([at(second.plus(TICK))]);
    let reply =
        EditReply { slug: "dragons".into(), tags: published().tags, changed_at: NOW, of: Some(identity()) };
    given::<Article>([published()]).when(edit()).then_nothing().replies(reply);
}

#[test]
fn only_the_author_changes_and_deletes() {
    let remove = |editor_id| Remove { article_id: ID, editor_id };
    given::<Article>([published()]).when(retitle(ANOTHER)).then_rejected(Rejection::NotTheAuthor);
    given::<Article>([published()]).when(remove(ANOTHER)).then_rejected(Rejection::NotTheAuthor);
    given::<Article>([published()])
        .when(remove(AUTHOR))
        .then([deleted()])
        .takes([])
        .releases([("articles.slug", "dragons")]);
    given::<Article>([ArticleEvent::from(published()), retitled().into()])
        .when(remove(AUTHOR))
        .then([deleted()])
        .releases([("articles.slug", "wyverns-2")]);
}

#[test]
fn what_is_not_there_is_unknown_to_everybody() {
    for editor_id in [AUTHOR, ANOTHER] {
        let remove = Remove { article_id: ID, editor_id };
        given_nothing::<Article>().when(remove).then_rejected(Rejection::UnknownArticle);
        let past = || [ArticleEvent::from(published()), deleted().into()];
        given::<Article>(past()).when(remove).then_rejected(Rejection::UnknownArticle);
        given::<Article>(past()).when(retitle(editor_id)).then_rejected(Rejection::UnknownArticle);
    }
}
