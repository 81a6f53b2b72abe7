//! What events make of the documents.

use std::time::Duration;

use umbel_core::document::Test;
use umbel_testkit::{aggregate::NOW, projection::ReadModel};

use super::*;

const JAKE: Uuid = Uuid::from_u128(7);
const ACCOUNT: &str = "account-7";

fn registered() -> ReadModel<ArticleList> {
    let event = Registered { user_id: JAKE, username: "Jake".into(), email: "jake@example.com".into() };
    ReadModel::new().after(ACCOUNT, event)
}

fn published(n: u128, slug: &str, tags: &[&str]) -> Published {
    Published {
        article_id: Uuid::from_u128(n),
        author_id: JAKE,
        slug: slug.into(),
        numbers_used: None,
        title: "Dragons".into(),
        description: "How?".into(),
        body: "Believe.".into(),
        tags: tags.iter().map(|&tag| tag.to_owned()).collect(),
        published_at: NOW,
    }
}

/// CD-01: with a registration an author exists.
#[test]
fn an_author_comes_with_the_registration_and_follows_the_profile() {
    let model = registered()
        .after(ACCOUNT, UsernameChanged { user_id: JAKE, username: "Jacob".into() })
        .after(ACCOUNT, BioChanged { user_id: JAKE, bio: Some("Works.".into()) })
        .after(ACCOUNT, ImageChanged { user_id: JAKE, image: Some("i.png".into()) });
    let known: AuthorDocument = model.document(&JAKE.to_string()).unwrap();
    assert_eq!(known.username_key, "jacob");
    let (bio, image) = (Some("Works.".into()), Some("i.png".into()));
    assert_eq!(known.author, Author { id: JAKE, username: "Jacob".into(), bio, image });
}

#[test]
fn an_article_keeps_its_place_in_the_log() {
    let model = registered().after("article-1", published(1, "dragons", &["dragons"]));
    let article: ArticleDocument = model.document(&Uuid::from_u128(1).to_string()).unwrap();
    assert_eq!((article.position, article.slug.as_str()), (Position::new(2), "dragons"));
    assert_eq!((article.created_at, article.updated_at), (NOW, NOW));
}

#[test]
fn tags_are_counted() {
    let model = registered()
        .after("article-1", published(1, "a", &["dragons", "training"]))
        .after("article-2", published(2, "b", &["dragons"]));
    let tags: Vec<_> = model.documents::<TagDocument>();
    let counted: Vec<_> = tags.iter().map(|(tag, known)| (tag.as_str(), known.articles)).collect();
    assert_eq!(counted, [("dragons", 2), ("training", 1)]);
    assert_eq!(tags[0].1.last_used, Position::new(3));
}

/// CD-14: tags of events from before they were kept in one form of Unicode count as one, and an edit that puts one form in the place of the
/// other changes nothing about that.
#[test]
fn tags_in_two_forms_are_one() {
    let (apart, composed) = ("cafe\u{301}", "caf\u{e9}");
    let retagged = |tags: &[&str], added: &[&str], removed: &[&str]| {
        let [tags, added, removed] = [tags, added, removed].map(words);
        Edited { tags: Some(Retagged { tags, added, removed }), ..edited(1) }
    };
    let counted = |model: &ReadModel<ArticleList>| -> Vec<(String, u64)> {
        model.documents::<TagDocument>().into_iter().map(|(tag, known)| (tag, known.articles)).collect()
    };
    let model = registered()
        .after("article-1", published(1, "a", &[apart, composed]))
        .after("article-2", published(2, "b", &[apart]));
    assert_eq!(counted(&model), [(composed.to_owned(), 2)]);
    let model = model.after("article-1", retagged(&[composed], &[], &[apart]));
    assert_eq!(counted(&model), [(composed.to_owned(), 2)]);
    let model = model.after("article-1", retagged(&[composed, "tea"], &["tea"], &[]));
    assert_eq!(counted(&model), [(composed.to_owned(), 2), ("tea".to_owned(), 1)]);
    let model = model.after("article-1", retagged(&["tea"], &[], &[composed]));
    assert_eq!(counted(&model), [(composed.to_owned(), 1), ("tea".to_owned(), 1)]);

    let wanted = ListArticles { tag: Some(apart.into()), ..ListArticles::default() };
    let same = ListArticles { tag: Some(composed.into()), ..ListArticles::default() };
    assert_eq!(ArticleDocument::newest(&wanted, None), ArticleDocument::newest(&same, None));
}

fn edited(n: u128) -> Edited {
    Edited {
        article_id: Uuid::from_u128(n),
        title: None,
        slug: None,
        numbers_used: None,
        description: None,
        body: None,
        tags: None,
        edited_at: NOW.plus(Duration::from_secs(9)),
    }
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

#[test]
fn an_edit_changes_what_it_names_and_keeps_the_place() {
    let model = registered().after("article-1", published(1, "dragons", &["dragons"]));
    let document = |model: &ReadModel<ArticleList>| -> ArticleDocument {
        model.document(&Uuid::from_u128(1).to_string()).unwrap()
    };
    let before = document(&model);
    let text = Edited { body: Some("Doubt.".into()), ..edited(1) };
    let model = model.after("article-1", text);
    let updated_at = NOW.plus(Duration::from_secs(9));
    let after = ArticleDocument { body: "Doubt.".into(), updated_at, ..before };
    assert_eq!(document(&model), after);
    let title = Edited {
        title: Some("Wyverns".into()),
        slug: Some("wyverns-2".into()),
        numbers_used: Some(NumbersUsed { base: "wyverns".into(), up_to: 2 }),
        description: Some("Why?".into()),
        ..edited(1)
    };
    let model = model.after("article-1", title);
    let moved = ArticleDocument {
        title: "Wyverns".into(),
        slug: "wyverns-2".into(),
        description: "Why?".into(),
        ..after
    };
    assert_eq!(document(&model), moved);
    assert_eq!(model.documents::<SlugDocument>(), [("wyverns".into(), SlugDocument { last_number: 2 })]);
}

#[test]
fn tags_that_nothing_has_are_gone() {
    let retagged = Retagged {
        tags: words(&["dragons", "wings"]),
        added: words(&["wings"]),
        removed: words(&["training"]),
    };
    let model = registered()
        .after("article-1", published(1, "a", &["dragons", "training"]))
        .after("article-2", published(2, "b", &["dragons"]))
        .after("article-1", Edited { tags: Some(retagged), ..edited(1) });
    let counted = |model: &ReadModel<ArticleList>| -> Vec<_> {
        let tags = model.documents::<TagDocument>();
        tags.into_iter().map(|(tag, known)| (tag, known.articles)).collect()
    };
    assert_eq!(counted(&model), [("dragons".into(), 2), ("wings".into(), 1)]);
    let gone =
        Deleted { article_id: Uuid::from_u128(1), tags: words(&["dragons", "wings"]), deleted_at: NOW };
    let model = model.after("article-1", gone);
    assert_eq!(counted(&model), [("dragons".into(), 1)]);
    assert_eq!(model.documents::<ArticleDocument>().len(), 1);
}

fn numbered(n: u128, base: &str, number: u64) -> Published {
    let numbers_used = Some(NumbersUsed { base: base.into(), up_to: number });
    Published { numbers_used, ..published(n, &format!("{base}-{number}"), &[]) }
}

/// CD-05: the read model knows which number comes next, whatever the order.
#[test]
fn the_highest_number_of_a_slug_is_known() {
    let model = registered()
        .after("article-1", published(1, "dragons", &[]))
        .after("article-2", numbered(2, "dragons", 3))
        .after("article-3", numbered(3, "dragons", 2));
    assert_eq!(model.documents::<SlugDocument>(), [("dragons".into(), SlugDocument { last_number: 3 })]);
}

/// CD-05: whoever writes a number into a title does not say how others' slugs go on.
#[test]
fn a_number_in_a_title_counts_nothing() {
    let model = registered()
        .after("article-1", published(1, "foo-18446744073709551615", &[]))
        .after("article-2", published(2, "catch-22", &[]));
    assert_eq!(model.documents::<SlugDocument>(), []);
    let model = model.after("article-3", numbered(3, "catch-22", 2));
    assert_eq!(model.documents::<SlugDocument>(), [("catch-22".into(), SlugDocument { last_number: 2 })]);
}

#[test]
fn queries_use_declared_indexes() {
    let ids = || Some(vec![JAKE]);
    let wanted = ListArticles {
        tag: Some("dragons".into()),
        author_ids: ids(),
        article_ids: ids(),
        limit: 1000,
        ..ListArticles::default()
    };
    let newest = ArticleDocument::newest(&wanted, Some(JAKE));
    assert_eq!(newest.check::<ArticleDocument>(), Ok(()));
    assert_eq!((newest.filters.len(), newest.limit), (4, LIST_LIMIT_MAX));
    let many = |from: u128| Some((from..from + 1500).map(Uuid::from_u128).collect::<Vec<_>>());
    let among = ListArticles { author_ids: many(1), article_ids: many(9000), ..ListArticles::default() };
    for filter in ArticleDocument::newest(&among, None).filters {
        assert!(matches!(filter.test, Test::In(keys) if keys.len() == 1500), "all of them are looked for");
    }
    assert_eq!(ArticleDocument::by_slug("dragons").check::<ArticleDocument>(), Ok(()));
    assert_eq!(AuthorDocument::by_username("JAKE").check::<AuthorDocument>(), Ok(()));
    assert_eq!(TagDocument::recent(1).check::<TagDocument>(), Ok(()));
}
