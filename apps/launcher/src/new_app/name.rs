//! What an app may be called.

use std::{fmt, str::FromStr};

/// Characters of a name. Lines that hold it stay within the width of a line, so that formatting does not depend on it.
const LENGTH_MAX: usize = 22;

/// Words of the language, those it keeps for later, its own crates, and what cargo keeps for itself.
const OF_RUST: &[&str] = &[
    "abstract",
    "alloc",
    "as",
    "async",
    "await",
    "become",
    "box",
    "break",
    "build",
    "const",
    "continue",
    "core",
    "crate",
    "deps",
    "do",
    "dyn",
    "else",
    "enum",
    "examples",
    "extern",
    "false",
    "final",
    "fn",
    "for",
    "gen",
    "if",
    "impl",
    "in",
    "incremental",
    "let",
    "loop",
    "macro",
    "match",
    "mod",
    "move",
    "mut",
    "override",
    "priv",
    "proc_macro",
    "pub",
    "ref",
    "return",
    "self",
    "static",
    "std",
    "struct",
    "super",
    "test",
    "trait",
    "true",
    "try",
    "type",
    "typeof",
    "unsafe",
    "unsized",
    "use",
    "virtual",
    "where",
    "while",
    "yield",
];

/// What parts of the umbrella are called that are no apps, and the placeholder of the templates.
const OF_UMBEL: &[&str] = &["app_name", "bus", "control", "gateway", "store", "tool", "umbel"];

/// The name of an app in the form in which crates, modules and wire names have it: `book_shelf`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct AppName {
    name: String,
    /// As it was asked for.
    written: String,
}

impl AppName {
    /// What was asked for, if that is not what it is called.
    pub(super) fn written_otherwise(&self) -> Option<&str> {
        (self.written != self.name).then_some(&self.written)
    }

    /// The same as the beginning of a type's name: `BookShelf`.
    pub(super) fn camel(&self) -> String {
        let capital = |word: &str| word[..1].to_ascii_uppercase() + &word[1..];
        self.name.split('_').map(capital).collect()
    }
}

impl fmt::Display for AppName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.name)
    }
}

impl FromStr for AppName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let name = text.replace('-', "_");
        let word = |word: &str| {
            word.starts_with(|first: char| first.is_ascii_lowercase())
                && word.chars().all(|char| char.is_ascii_lowercase() || char.is_ascii_digit())
        };
        if !name.split('_').all(word) {
            return Err(
                "write it like shelf or book_shelf: lower-case words, each begins with a letter".into()
            );
        }
        if name.len() > LENGTH_MAX {
            return Err(format!("it has {} characters; the most is {LENGTH_MAX}", name.len()));
        }
        if OF_RUST.contains(&name.as_str()) {
            return Err("this is a word of Rust or cargo, and cannot be the name of a crate".into());
        }
        if OF_UMBEL.contains(&name.as_str()) || name.starts_with("umbel_") {
            return Err("a part of the umbrella is called so; choose another name".into());
        }
        Ok(Self { name, written: text.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_one_form_for_crates_and_one_for_types() {
        for (text, name, camel) in [
            ("shelf", "shelf", "Shelf"),
            ("book-shelf", "book_shelf", "BookShelf"),
            ("book_shelf2", "book_shelf2", "BookShelf2"),
        ] {
            let parsed: AppName = text.parse().unwrap();
            assert_eq!((parsed.to_string().as_str(), parsed.camel().as_str()), (name, camel));
            assert_eq!(parsed.written_otherwise(), (text != name).then_some(text));
        }
    }

    #[test]
    fn what_cannot_be_a_crate_a_module_and_a_part_is_refused() {
        for (text, why) in [
            ("", "lower-case"),
            ("Shelf", "lower-case"),
            ("2shelf", "letter"),
            ("book__shelf", "letter"),
            ("_shelf", "letter"),
            ("shelf-", "letter"),
            ("book shelf", "lower-case"),
            ("../shelf", "lower-case"),
            ("regal\u{e4}", "lower-case"),
            ("a_shelf_of_more_than_enough", "the most is 22"),
            ("match", "Rust"),
            ("async", "Rust"),
            ("test", "Rust"),
            ("store", "umbrella"),
            ("umbel-shelf", "umbrella"),
        ] {
            let refused = text.parse::<AppName>().unwrap_err();
            assert!(refused.contains(why), "{text}: {refused}");
        }
        assert!(OF_RUST.is_sorted() && OF_UMBEL.is_sorted());
    }
}
