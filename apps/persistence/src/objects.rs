//! Comparing what a database is made of with what the migrations make.

use std::collections::BTreeMap;

/// What is missing, or another one, of what there must be: by the object's name, what it is like.
pub(crate) fn amiss<'a>(
    wanted: impl IntoIterator<Item = (&'a str, &'a str)>,
    found: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Vec<String> {
    let found: BTreeMap<_, _> = found.into_iter().collect();
    let differs = |(name, like): (&str, &str)| match found.get(name) {
        None => Some(format!("{name} is missing{}", behind(like))),
        Some(other) if words(other) != words(like) => {
            Some(format!("{name} is another one{}; here it is{}", behind(like), behind(other)))
        }
        Some(_) => None,
    };
    wanted.into_iter().filter_map(differs).collect()
}

fn behind(like: &str) -> String {
    let words = words(like);
    if words.is_empty() { String::new() } else { format!(": {words}") }
}

/// Without what is only layout.
fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_or_another_one_is_told() {
        let wanted = [("index a", "unique  on t"), ("index b", "on t"), ("view v", ""), ("view w", "")];
        let found = [("index a", "unique\non t"), ("index b", "on u"), ("view v", ""), ("trigger x", "on t")];
        assert_eq!(
            amiss(wanted, found),
            ["index b is another one: on t; here it is: on u", "view w is missing"]
        );
    }
}
