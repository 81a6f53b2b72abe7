//! Which dead letters a filter means: a statement of the conditions that it has and no others, so that an index serves it.

use rusqlite::{Connection, params_from_iter, types::Value};
use umbel_core::{
    store::{Letter, LetterFilter},
    subscription::SubscriptionName,
    version::Place,
};

use super::letters::letter;
use crate::sqlite::sql::{COUNT_MEANT_LETTERS, LIST_LETTERS, MEANT_LETTERS, text};

/// The name of the primary key's index.
const PRIMARY: &str = "sqlite_autoindex_letters_1";

/// Of which subscriptions letters are looked for. Each has its own, so that their places are a range of any index.
#[derive(Clone, Copy, Debug)]
enum Scope<'a> {
    All,
    Of(&'a str),
    Behind(&'a str),
}

/// Letters that are meant.
#[derive(Clone, Copy, Debug)]
pub(in crate::sqlite) struct Meant<'a> {
    filter: &'a LetterFilter,
    scope: Scope<'a>,
    /// Behind which place.
    after: Option<Place>,
}

impl<'a> Meant<'a> {
    pub(in crate::sqlite) fn by(filter: &'a LetterFilter) -> Self {
        let scope = filter.subscription.as_ref().map_or(Scope::All, |name| Scope::Of(name.as_str()));
        Self { filter, scope, after: filter.after }
    }

    /// Those behind a letter: the rest of its subscription, and the subscriptions behind it.
    pub(in crate::sqlite) fn behind(self, name: &'a SubscriptionName, place: Place) -> Vec<Self> {
        let rest = Self { scope: Scope::Of(name.as_str()), after: self.after.max(Some(place)), ..self };
        match self.scope {
            Scope::Of(own) if own < name.as_str() => Vec::new(),
            Scope::Of(own) if own == name.as_str() => vec![rest],
            Scope::All => vec![rest, Self { scope: Scope::Behind(name.as_str()), ..self }],
            Scope::Of(_) | Scope::Behind(_) => vec![self],
        }
    }

    /// The first of them, by subscription and place.
    pub(super) fn list(self, connection: &Connection, limit: u32) -> rusqlite::Result<Vec<Letter>> {
        let (sql, mut values) = self.statement(LIST_LETTERS);
        values.push(Value::Integer(limit.into()));
        let sql = sql.replace("{limit}", &format!("?{}", values.len()));
        connection.prepare_cached(&sql)?.query_map(params_from_iter(values), letter)?.collect()
    }

    /// The first of those behind a letter. For several statements, which see the same snapshot.
    pub(super) fn list_behind(
        self,
        snapshot: &Connection,
        behind: Option<&(SubscriptionName, Place)>,
        limit: u32,
    ) -> rusqlite::Result<Vec<Letter>> {
        let Some((name, place)) = behind else { return self.list(snapshot, limit) };
        let mut letters = Vec::new();
        for part in self.behind(name, *place) {
            let found = u32::try_from(letters.len()).unwrap_or(limit);
            letters.extend(part.list(snapshot, limit.saturating_sub(found))?);
        }
        Ok(letters)
    }

    pub(super) fn count(self, connection: &Connection) -> rusqlite::Result<u64> {
        let (sql, values) = self.statement(COUNT_MEANT_LETTERS);
        let count = |row: &rusqlite::Row<'_>| row.get::<_, i64>(0);
        let count = connection.prepare_cached(&sql)?.query_row(params_from_iter(values), count)?;
        Ok(count.unsigned_abs())
    }

    /// A template with what is meant, and its parameters.
    pub(in crate::sqlite) fn statement(self, template: &str) -> (String, Vec<Value>) {
        let mut values = Vec::new();
        let fragments = text(MEANT_LETTERS);
        let mut conditions: Vec<_> = fragments.lines().map(str::to_owned).collect();
        conditions.retain_mut(|condition| {
            let (before, rest) = condition.split_once('{').unwrap_or_default();
            let (name, after) = rest.split_once('}').unwrap_or_default();
            let place = if let Some(word) = self.word(name) {
                word.to_owned()
            } else if let Some(value) = self.value(name) {
                values.push(value);
                format!("?{}", values.len())
            } else {
                return false;
            };
            *condition = format!("{before}{place}{after}");
            true
        });
        let sql = text(template).replace("{index}", self.index());
        (sql.replace("{meant}", &conditions.join("\n    ")), values)
    }

    /// What stands for a name itself, so that an index of only such letters serves it.
    fn word(self, name: &str) -> Option<&'static str> {
        match (name, self.filter.failed, self.filter.asked) {
            ("failed", Some(true), _) => Some("NOT NULL"),
            ("failed", Some(false), _) => Some("NULL"),
            ("retry", _, Some(true)) => Some("1"),
            ("retry", _, Some(false)) => Some("0"),
            _ => None,
        }
    }

    /// The parameter that stands for a name. A condition that has neither is none.
    fn value(self, name: &str) -> Option<Value> {
        let words = |text: &str| Some(Value::Text(text.to_owned()));
        let number = |place: Option<Place>| place.map(|place| Value::Integer(place.to_i64()));
        match (name, self.scope) {
            ("subscription", Scope::Of(name)) | ("behind", Scope::Behind(name)) => words(name),
            ("place", _) => number(self.filter.place),
            ("key", _) => words(self.filter.key.as_deref()?),
            ("event_name", _) => words(self.filter.event_name.as_deref()?),
            ("after", _) => number(self.after),
            ("through", _) => number(self.filter.through),
            ("error", _) => words(self.filter.error_contains.as_deref()?),
            _ => None,
        }
    }

    /// What is the narrowest as a rule leads to the letters.
    fn index(self) -> &'static str {
        let LetterFilter { place, key, event_name, error_contains, failed, asked, .. } = self.filter;
        if place.is_some() {
            PRIMARY
        } else if key.is_some() {
            "letters_by_key_text"
        } else if event_name.is_some() {
            "letters_by_event_name"
        } else if let Some(asked) = asked {
            if *asked { "letters_asked" } else { "letters_unasked" }
        } else if error_contains.is_some() || *failed == Some(true) {
            "letters_failed"
        } else {
            PRIMARY
        }
    }
}
