//! Slugs: an article's place in URLs, made from its title.
//!
//! How Unicode writes the letters of a title makes no difference. Latin letters lose their accents, because that is what people type. Letters of other scripts stay as they
//! are: a URL may hold them, and a reader of that script can read the address.

use contracts::articles::{NumbersUsed, composed};

/// Longest slug before its number, in characters.
const LENGTH_MAX: usize = 80;

/// What an article is called whose title has neither letter nor digit.
const NAMELESS: &str = "article";

/// Slugs that no article gets as they are: the HTTP contract has another meaning for them.
const RESERVED: [&str; 1] = ["feed"];

/// How many numbers are tried before a slug is made unique by the article's id. A try costs one refused append; as
/// many as these are only needed when that many articles of one title are published in the same moment.
const NUMBERED_TRIES: u64 = 100;

/// The slug of a title, before anybody asked whether it is free.
pub(crate) fn slugify(title: &str) -> String {
    let mut slug = String::new();
    let mut length = 0;
    for letter in composed(title).chars().flat_map(char::to_lowercase).filter(|&letter| !is_silent(letter)) {
        if length >= LENGTH_MAX {
            break;
        } else if let Some(latin) = transliterate(letter) {
            slug.push_str(latin);
            length += latin.len();
        } else if letter.is_alphanumeric() {
            slug.push(letter);
            length += 1;
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
            length += 1;
        }
    }
    let slug = slug.trim_end_matches('-');
    if slug.is_empty() { NAMELESS.to_owned() } else { slug.to_owned() }
}

/// A slug to try, and which numbers are used up once it turns out to be free.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Candidate {
    pub(crate) slug: String,
    pub(crate) numbers_used: Option<NumbersUsed>,
}

/// The slugs to try in turn. `plain_is_free` and `last_number` are what the read model knows; it may be behind,
/// so each may turn out to be taken. The last one cannot be, and tells that the numbers before it are.
pub(crate) fn candidates(
    base: &str,
    plain_is_free: bool,
    last_number: u64,
    article_id: &str,
) -> impl Iterator<Item = Candidate> {
    let plain = (plain_is_free && !RESERVED.contains(&base))
        .then(|| Candidate { slug: base.to_owned(), numbers_used: None });
    let used = |up_to| Some(NumbersUsed { base: base.to_owned(), up_to });
    let before = last_number.max(1);
    let last = before.saturating_add(NUMBERED_TRIES);
    let unique = Candidate { slug: format!("{base}-{article_id}"), numbers_used: used(last) };
    let numbered = (before.saturating_add(1)..=last)
        .map(move |number| Candidate { slug: format!("{base}-{number}"), numbers_used: used(number) });
    plain.into_iter().chain(numbered).chain([unique])
}

/// Neither part of a word nor between words: apostrophes, and accents that follow their letter.
fn is_silent(letter: char) -> bool {
    matches!(letter, '\'' | '’' | 'ʼ' | '\u{300}'..='\u{36f}')
}

/// Lower-case Latin letters with accents, in ASCII.
fn transliterate(letter: char) -> Option<&'static str> {
    Some(match letter {
        'à' | 'á' | 'â' | 'ã' | 'å' | 'ā' | 'ă' | 'ą' => "a",
        'ä' | 'æ' => "ae",
        'ç' | 'ć' | 'č' | 'ĉ' | 'ċ' => "c",
        'ď' | 'đ' | 'ð' => "d",
        'è' | 'é' | 'ê' | 'ë' | 'ē' | 'ĕ' | 'ė' | 'ę' | 'ě' => "e",
        'ĝ' | 'ğ' | 'ġ' | 'ģ' => "g",
        'ĥ' | 'ħ' => "h",
        'ì' | 'í' | 'î' | 'ï' | 'ĩ' | 'ī' | 'ĭ' | 'į' | 'ı' => "i",
        'ĵ' => "j",
        'ķ' => "k",
        'ĺ' | 'ļ' | 'ľ' | 'ł' => "l",
        'ñ' | 'ń' | 'ņ' | 'ň' => "n",
        'ò' | 'ó' | 'ô' | 'õ' | 'ø' | 'ō' | 'ŏ' | 'ő' => "o",
        'ö' | 'œ' => "oe",
        'ŕ' | 'ŗ' | 'ř' => "r",
        'ś' | 'ŝ' | 'ş' | 'š' | 'ș' => "s",
        'ß' => "ss",
        'ţ' | 'ť' | 'ț' | 'ŧ' => "t",
        'þ' => "th",
        'ù' | 'ú' | 'û' | 'ũ' | 'ū' | 'ŭ' | 'ů' | 'ű' | 'ų' => "u",
        'ü' => "ue",
        'ŵ' => "w",
        'ý' | 'ÿ' | 'ŷ' => "y",
        'ź' | 'ż' | 'ž' => "z",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_become_slugs() {
        for (title, slug) in [
            ("How to train your dragon", "how-to-train-your-dragon"),
            ("  C++ & Rust:\tfriends?  ", "c-rust-friends"),
            ("Don't panic", "dont-panic"),
            ("Größe und Œuvre à la carte", "groesse-und-oeuvre-a-la-carte"),
            ("Cafe\u{301} society", "cafe-society"),
            ("İstanbul", "istanbul"),
            ("Война и мир", "война-и-мир"),
            ("龍の飼い方", "龍の飼い方"),
            ("42", "42"),
            ("?!", "article"),
            ("🐉🐉", "article"),
            ("a/b%2F..\\c", "a-b-2f-c"),
        ] {
            assert_eq!(slugify(title), slug, "{title:?}");
        }
    }

    /// CD-14: two forms in which Unicode writes a title lead to one slug.
    #[test]
    fn a_slug_is_of_the_title_as_it_is_read() {
        for (composed, apart, slug) in [
            ("Gr\u{f6}\u{df}e", "Gro\u{308}\u{df}e", "groesse"),
            ("\u{439}\u{43e}\u{433}", "\u{438}\u{306}\u{43e}\u{433}", "\u{439}\u{43e}\u{433}"),
            ("\u{304c}", "\u{304b}\u{3099}", "\u{304c}"),
            ("\u{d55c}", "\u{1112}\u{1161}\u{11ab}", "\u{d55c}"),
        ] {
            assert_eq!((slugify(composed), slugify(apart)), (slug.to_owned(), slug.to_owned()), "{composed}");
        }
    }

    #[test]
    fn a_slug_has_a_bounded_length() {
        assert_eq!(slugify(&"abc ".repeat(100)).chars().count(), 79);
        assert_eq!(slugify(&"龍".repeat(100)).chars().count(), 80);
        assert!(slugify(&"ß".repeat(100)).len() <= 81);
    }

    fn tried(base: &str, plain_is_free: bool, last_number: u64) -> Vec<String> {
        candidates(base, plain_is_free, last_number, "id").map(|tried| tried.slug).collect()
    }

    /// CD-05: the second article of a title gets -2, the third -3.
    #[test]
    fn a_taken_slug_gets_a_number() {
        assert_eq!(tried("dragon", true, 0)[..3], ["dragon", "dragon-2", "dragon-3"]);
        assert_eq!(tried("dragon", false, 0)[0], "dragon-2");
        assert_eq!(tried("dragon", false, 2)[0], "dragon-3");
        assert_eq!(tried("feed", true, 0)[0], "feed-2");
    }

    #[test]
    fn the_last_candidate_is_nobody_elses() {
        let all = tried("dragon", true, 0);
        assert_eq!((all.len(), all[101].as_str()), (102, "dragon-id"));
    }

    #[test]
    fn a_number_of_ours_is_told_from_one_in_the_title() {
        let used = |last_number| {
            let tried = candidates("catch-22", true, last_number, "id");
            tried.map(|tried| tried.numbers_used.map(|used| used.up_to)).collect::<Vec<_>>()
        };
        assert_eq!(used(0)[..3], [None, Some(2), Some(3)]);
        assert_eq!(used(0).last(), Some(&Some(101)), "who comes next begins behind what was tried in vain");
        assert_eq!(used(101)[1], Some(102));
    }
}
