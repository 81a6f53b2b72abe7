//! What names, addresses and texts may look like, and when two addresses count as the same.

use contracts::{Password, Problem, accounts::as_read};

/// Longest username, in characters. It bounds what a claim and an index hold and what a page has to show.
const USERNAME_MAX: usize = 64;

/// Longest e-mail address, in characters: what SMTP can carry.
const EMAIL_MAX: usize = 254;

/// Shortest password a user may change to, in characters.
const PASSWORD_MIN: usize = 8;

/// Longest password, in characters. Hashing reads all of it; this is far beyond any passphrase.
const PASSWORD_MAX: usize = 1024;

/// Longest bio, in characters.
const BIO_MAX: usize = 4096;

/// Longest image URL, in characters: what browsers take.
const IMAGE_MAX: usize = 2048;

/// What is wrong with a username.
pub(crate) fn username(name: &str) -> Option<Problem> {
    let odd = |c: char| c.is_control() || is_unseen(c);
    // As a part of a path these two are taken for something else before they get anywhere.
    let is_dots = matches!(name.trim(), "." | "..");
    let is_malformed = is_dots || name.contains(odd);
    Problem::of_required(name, USERNAME_MAX).or_else(|| is_malformed.then_some(Problem::Malformed))
}

/// Characters that show nothing, or turn the direction of what follows: with them a name can look like another one, or like none. The
/// joiners between letters and between parts of an emoji are not among them; they change what is seen.
const fn is_unseen(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// What is wrong with an address. Only a message to it could tell whether it exists; this finds slips.
pub(crate) fn email(address: &str) -> Option<Problem> {
    Problem::of_required(address, EMAIL_MAX).or_else(|| {
        let odd = |c: char| c.is_whitespace() || c.is_control();
        let whole =
            address.trim().rsplit_once('@').is_some_and(|(who, host)| !who.is_empty() && !host.is_empty());
        (!whole || address.trim().contains(odd)).then_some(Problem::Malformed)
    })
}

/// What is wrong with a first password. The published API asks for no length here.
pub(crate) fn first_password(password: &Password) -> Option<Problem> {
    Problem::of_required(password.expose(), PASSWORD_MAX)
}

/// What is wrong with a later password.
pub(crate) fn new_password(password: &Password) -> Option<Problem> {
    let too_short = password.expose().chars().count() < PASSWORD_MIN;
    first_password(password).or_else(|| too_short.then_some(Problem::TooShort { min: PASSWORD_MIN }))
}

/// What is wrong with a bio.
pub(crate) fn bio(text: &str) -> Option<Problem> {
    Problem::of_text(text, BIO_MAX)
}

/// What is wrong with an image's URL.
pub(crate) fn image(url: &str) -> Option<Problem> {
    Problem::of_text(url, IMAGE_MAX)
}

/// An empty text is none.
pub(crate) fn or_none(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

/// The form in which addresses are compared. By the letter of SMTP the part before the `@` may depend on case;
/// no provider does that, and people type their own address now one way, now the other.
pub(crate) fn email_key(address: &str) -> String {
    as_read(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usernames() {
        for (name, problem) in [
            ("Jake_W", None),
            ("Jürgen von Ä", None),
            ("", Some(Problem::Blank)),
            (" \t", Some(Problem::Blank)),
            ("a\0b", Some(Problem::Malformed)),
            ("a\nb", Some(Problem::Malformed)),
            // It would look like "ada", and the next like nothing at all.
            ("ada\u{200b}", Some(Problem::Malformed)),
            ("\u{2060}", Some(Problem::Malformed)),
            ("\u{202e}ada", Some(Problem::Malformed)),
            ("\u{1f469}\u{200d}\u{1f52c}", None),
            (".", Some(Problem::Malformed)),
            ("..", Some(Problem::Malformed)),
            ("...", None),
        ] {
            assert_eq!(username(name), problem, "{name:?}");
        }
        assert_eq!(username(&"ü".repeat(64)), None);
        assert_eq!(username(&"ü".repeat(65)), Some(Problem::TooLong { max: 64 }));
    }

    #[test]
    fn emails() {
        for (address, problem) in [
            ("Jake@Example.com", None),
            ("jake+news@localhost", None),
            ("", Some(Problem::Blank)),
            ("jake", Some(Problem::Malformed)),
            ("@example.com", Some(Problem::Malformed)),
            ("jake@", Some(Problem::Malformed)),
            ("ja ke@example.com", Some(Problem::Malformed)),
        ] {
            assert_eq!(email(address), problem, "{address:?}");
        }
        assert_eq!(email_key("Jake@Example.COM "), "jake@example.com");
        assert_eq!(email_key("Ju\u{308}rgen@example.com"), email_key("jürgen@example.com"));
    }

    #[test]
    fn passwords() {
        assert_eq!(first_password(&Password::new("short")), None);
        assert_eq!(first_password(&Password::new("")), Some(Problem::Blank));
        assert_eq!(new_password(&Password::new("")), Some(Problem::Blank));
        assert_eq!(new_password(&Password::new("1234567")), Some(Problem::TooShort { min: 8 }));
        assert_eq!(new_password(&Password::new("12345678")), None);
        assert_eq!(new_password(&Password::new("x".repeat(1025))), Some(Problem::TooLong { max: 1024 }));
    }
}
