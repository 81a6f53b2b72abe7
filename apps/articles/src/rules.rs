//! What an article's parts may look like.

use std::collections::BTreeSet;

use contracts::{Invalid, Problem, articles::Publish};

/// Longest title, in characters.
const TITLE_MAX: usize = 250;

/// Longest description, in characters.
const DESCRIPTION_MAX: usize = 1000;

/// Longest text, in characters: half a novel. In JSON a character takes six bytes at most, so the event stays
/// below the mebibyte that the store takes by default, whatever the script.
const BODY_MAX: usize = 150_000;

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

/// Tags as they are kept: trimmed, none blank, each once, sorted by name.
pub(crate) fn tidy_tags(tags: &[String]) -> Vec<String> {
    let tags = tags.iter().map(|tag| tag.trim()).filter(|tag| !tag.is_empty());
    tags.collect::<BTreeSet<_>>().into_iter().map(str::to_owned).collect()
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
    fn tags_are_tidied() {
        let tags = ["training", " dragons", "", "training", " "].map(str::to_owned);
        assert_eq!(tidy_tags(&tags), ["dragons", "training"]);
    }
}
