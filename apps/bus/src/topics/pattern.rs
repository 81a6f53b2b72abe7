//! Patterns: regular expressions on the names of topics, anchored as written.
//!
//! A pattern matches from the beginning of a name on, and as far as it goes: `user` matches `user` and
//! `user_deleted`, `user$` only `user`, `.*_deleted$` whatever ends so. Alternatives are held to the same:
//! `a|b` does not match `cab`. Matching takes time linear in the length of the name, whatever the pattern.

use std::{fmt, sync::Arc};

use regex_lite::Regex;

use super::error::TopicError;

/// Bytes that a pattern may have at most: far more than names need, and little enough to compile at once.
pub const PATTERN_MAX_BYTES: usize = 1024;

/// The patterns of one subscriber; a topic matches when one of them does.
#[derive(Clone, Default)]
pub(crate) struct Patterns(Arc<[Regex]>);

impl Patterns {
    /// Compiles patterns.
    ///
    /// # Errors
    /// With the first that is no regular expression.
    pub(crate) fn compile<S: AsRef<str>>(patterns: &[S]) -> Result<Self, TopicError> {
        patterns.iter().map(|pattern| compile(pattern.as_ref())).collect::<Result<_, _>>().map(Self)
    }

    /// Whether one of them matches the name.
    pub(crate) fn match_name(&self, name: &str) -> bool {
        // The leftmost match begins at the beginning if any does.
        self.0.iter().any(|regex| regex.find(name).is_some_and(|found| found.start() == 0))
    }

    /// As they were written.
    pub(crate) fn texts(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(Regex::as_str)
    }
}

fn compile(pattern: &str) -> Result<Regex, TopicError> {
    let refused = |reason: String| TopicError::Pattern { pattern: pattern.to_owned(), reason };
    if pattern.len() > PATTERN_MAX_BYTES {
        return Err(refused(format!("it has more than {PATTERN_MAX_BYTES} bytes")));
    }
    Regex::new(pattern).map_err(|error| refused(error.to_string()))
}

impl fmt::Debug for Patterns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.texts()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, name: &str) -> bool {
        Patterns::compile(&[pattern]).unwrap().match_name(name)
    }

    /// EB-06: given an unanchored pattern equal to a prefix of a name, it matches; with an end anchor it does
    /// not.
    #[test]
    fn patterns_are_anchored_as_written() {
        assert!(matches("user", "user"));
        assert!(matches("user", "user_deleted"));
        assert!(!matches("user$", "user_deleted"));
        assert!(matches("^user$", "user"));
        assert!(!matches("user", "a_user"), "from the beginning, though nothing says so");
        assert!(matches(".*user", "a_user"));
        assert!(matches(".*_deleted$", "user_deleted"));
    }

    /// Given alternatives, each of them begins where the name does.
    #[test]
    fn alternatives_are_anchored_too() {
        for (pattern, name, expected) in [
            ("a|b", "b.c", true),
            ("a|b", "cab", false),
            ("^a|b", "cb", false),
            ("b|ab", "ab", true),
            ("(?i)USER", "user", true),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} on {name}");
        }
    }

    #[test]
    fn one_of_several_is_enough_and_none_match_nothing() {
        let patterns = Patterns::compile(&["user$", "order"]).unwrap();
        assert!(patterns.match_name("order.placed") && patterns.match_name("user"));
        assert!(!patterns.match_name("invoice"));
        assert!(!Patterns::compile::<&str>(&[]).unwrap().match_name("user"));
        assert_eq!(patterns.texts().collect::<Vec<_>>(), ["user$", "order"]);
    }

    /// Given a pattern that is none, a typed error names it and says why.
    #[test]
    fn what_is_no_pattern_is_refused() {
        for pattern in ["(", "a)(b", "[z-a]", "*", &"x".repeat(1025)] {
            let refused = Patterns::compile(&["fine", pattern]).unwrap_err();
            let TopicError::Pattern { pattern: told, reason } = refused else { panic!("{refused}") };
            assert_eq!(told, pattern);
            assert!(!reason.is_empty());
        }
    }
}
