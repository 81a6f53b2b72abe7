//! What an article's parts may look like.

use std::collections::BTreeSet;

use contracts::{
    Invalid, Problem,
    articles::{Edit, Publish, tag_key},
};

/// Longest title, in characters.
const TITLE_MAX: usize = 250;

/// Longest description, in characters.
const DESCRIPTION_MAX: usize = 1000;

/// Longest text, in characters: half a novel. In JSON a character takes six bytes at most, so the event stays
/// below the mebibyte that the store takes by default, whatever the script.
const BODY_MAX: usize = 150_000;

/// Longest comment, in characters: some pages. A list shows a thousand of them.
const COMMENT_MAX: usize = 10_000;

/// Most tags of one article. Each is a document that its publication changes.
const TAGS_MAX: usize = 32;

/// Longest tag, in characters.
const TAG_MAX: usize = 64;

/// Checks all parts at once.
///
/// # Errors
/// Names everything that is wrong.
pub(crate) fn check(article: &Publish) -> Result<(), Invalid> {
    Invalid::check([
        ("title", Problem::of_required(&article.title, TITLE_MAX)),
        ("description", Problem::of_required(&article.description, DESCRIPTION_MAX)),
        ("body", Problem::of_required(&article.body, BODY_MAX)),
        ("tagList", tags_problem(&article.tags)),
    ])
}

/// As [`check`], for what is to be changed only.
///
/// # Errors
/// Names everything that is wrong.
pub(crate) fn check_edit(edit: &Edit) -> Result<(), Invalid> {
    let required =
        |text: &Option<String>, max| text.as_deref().and_then(|text| Problem::of_required(text, max));
    Invalid::check([
        ("title", required(&edit.title, TITLE_MAX)),
        ("description", required(&edit.description, DESCRIPTION_MAX)),
        ("body", required(&edit.body, BODY_MAX)),
        ("tagList", edit.tags.as_deref().and_then(tags_problem)),
    ])
}

/// What is wrong with a comment.
pub(crate) fn comment(body: &str) -> Option<Problem> {
    Problem::of_required(body, COMMENT_MAX)
}

/// Tags as they are kept: trimmed, in one form of Unicode, none blank, each once, sorted by name.
pub(crate) fn tidy_tags(tags: &[String]) -> Vec<String> {
    let tags = tags.iter().map(|tag| tag_key(tag)).filter(|tag| !tag.is_empty());
    tags.collect::<BTreeSet<_>>().into_iter().collect()
}

fn tags_problem(tags: &[String]) -> Option<Problem> {
    let tags = tidy_tags(tags);
    if tags.len() > TAGS_MAX {
        Some(Problem::TooLong { max: TAGS_MAX })
    } else {
        tags.iter().find_map(|tag| {
            Problem::of_text(tag, TAG_MAX)
                .or_else(|| tag.contains(char::is_control).then_some(Problem::Malformed))
        })
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn article() -> Publish {
        Publish {
            author_id: Uuid::from_u128(7),
            title: "Dragons".into(),
            description: "How?".into(),
            body: "Believe.\n".into(),
            tags: vec!["dragons".into()],
        }
    }

    fn problems(article: &Publish) -> String {
        check(article).map_or_else(|invalid| invalid.to_string(), |()| String::new())
    }

    #[test]
    fn everything_that_is_wrong_is_named() {
        assert_eq!(problems(&article()), "");
        let blank = Publish { title: " ".into(), description: String::new(), body: "\n".into(), ..article() };
        assert_eq!(problems(&blank), "title can't be blank, description can't be blank, body can't be blank");
        let odd = Publish { body: "a\0b".into(), tags: vec!["a\nb".into()], ..article() };
        assert_eq!(problems(&odd), "body is invalid, tagList is invalid");
    }

    #[test]
    fn everything_has_a_bound() {
        assert_eq!(problems(&Publish { title: "ü".repeat(250), ..article() }), "");
        assert_eq!(
            problems(&Publish { title: "ü".repeat(251), ..article() }),
            "title is too long (maximum is 250)"
        );
        let tags = |count: usize| (0..count).map(|n| format!("tag {n}")).collect();
        assert_eq!(problems(&Publish { tags: tags(32), ..article() }), "");
        assert_eq!(problems(&Publish { tags: tags(33), ..article() }), "tagList is too long (maximum is 32)");
        let long = Publish { tags: vec!["x".repeat(65)], ..article() };
        assert_eq!(problems(&long), "tagList is too long (maximum is 64)");
    }

    #[test]
    fn an_edit_is_checked_where_it_changes_something() {
        let nothing = Edit {
            slug: "dragons".into(),
            editor_id: Uuid::from_u128(7),
            title: None,
            description: None,
            body: None,
            tags: None,
        };
        let problems =
            |edit: &Edit| check_edit(edit).map_or_else(|invalid| invalid.to_string(), |()| String::new());
        assert_eq!(problems(&nothing), "");
        let blank = Edit { title: Some(" ".into()), body: Some(String::new()), ..nothing.clone() };
        assert_eq!(problems(&blank), "title can't be blank, body can't be blank");
        let odd = Edit { tags: Some(vec!["a\nb".into()]), ..nothing };
        assert_eq!(problems(&odd), "tagList is invalid");
        assert_eq!(comment("\n"), Some(Problem::Blank));
        assert_eq!(comment(&"x".repeat(10_001)), Some(Problem::TooLong { max: 10_000 }));
    }

    #[test]
    fn tags_are_tidied() {
        let tags = ["training", " dragons", "", "training", " "].map(str::to_owned);
        assert_eq!(tidy_tags(&tags), ["dragons", "training"]);
    }

    /// CD-14: a tag that is written in two forms of Unicode is one; its case counts.
    #[test]
    fn tags_are_in_one_form_of_unicode() {
        let tags = ["cafe\u{301}", "caf\u{e9}", " cafe\u{301} ", "Caf\u{e9}", "cafe"].map(str::to_owned);
        assert_eq!(tidy_tags(&tags), ["Caf\u{e9}", "cafe", "caf\u{e9}"]);
    }
}
