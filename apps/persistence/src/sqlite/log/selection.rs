//! How a selector is carried out: what leads to candidates, and what is still to be checked of each.

use rusqlite::{Connection, Params, types::Value};
use umbel_core::{Timestamp, document::Direction, store::Selector};
use uuid::Uuid;

use super::{spans::Sieve, tags};
use crate::sqlite::sql::{
    CANDIDATES_ALL, CANDIDATES_BACKWARD, CANDIDATES_BY_CAUSATION, CANDIDATES_BY_CORRELATION,
    CANDIDATES_BY_KINDS, CANDIDATES_FORWARD, KINDS_OF_BOTH, KINDS_OF_CATEGORIES, KINDS_OF_NAMES,
    TAGGED_BACKWARD, TAGGED_FORWARD, Table, WANTED_ALL, WANTED_IF, text,
};

/// How many kinds are gone through one beside the other, at most. With more of them it is the log that is gone
/// through, and each of its events is looked at.
const KINDS_MAX: usize = 256;

/// A selector's plan.
#[derive(Debug, PartialEq)]
pub(in crate::sqlite) struct Selection {
    candidates: Candidates,
    conditions: Conditions,
}

/// The events that are looked at.
#[derive(Debug, PartialEq)]
enum Candidates {
    /// All there are.
    All,
    /// Those of these kinds.
    Kinds(Vec<i64>),
    /// Those of a conversation.
    Correlation(Uuid),
    /// Those that one message led to.
    Causation(Uuid),
    /// Those with the first tag of each of these items of a query, which is the rarest where one is rare.
    Tags(Vec<String>),
}

/// What else must hold of each, null where there is no condition.
#[derive(Debug, PartialEq)]
struct Conditions {
    names: Option<String>,
    categories: Option<String>,
    correlation_id: Option<Uuid>,
    causation_id: Option<Uuid>,
    from: Option<Timestamp>,
    until: Option<Timestamp>,
}

impl Selection {
    /// The plan for a selector, `None` for one that selects every event. What is the narrowest as a rule leads: the
    /// few events with a tag, or of a conversation, before the many of a kind.
    pub(in crate::sqlite) fn of(
        connection: &Connection,
        selector: &Selector,
    ) -> rusqlite::Result<Option<Self>> {
        if selector.is_all() {
            return Ok(None);
        }
        let list = |texts: &Option<_>| texts.as_ref().map(json_list).transpose();
        let mut conditions = Conditions {
            names: list(&selector.names)?,
            categories: list(&selector.categories)?,
            correlation_id: selector.correlation_id,
            causation_id: selector.causation_id,
            from: selector.recorded_from,
            until: selector.recorded_until,
        };
        let candidates = if let Some(query) = &selector.tags {
            let led = |item| tags::led_by_the_rarest(connection, item);
            Candidates::Tags(query.items().iter().map(led).collect::<Result<_, _>>()?)
        } else if let Some(id) = conditions.correlation_id.take() {
            Candidates::Correlation(id)
        } else if let Some(id) = conditions.causation_id.take() {
            Candidates::Causation(id)
        } else {
            let kinds = kinds(connection, &conditions)?.filter(|kinds| kinds.len() <= KINDS_MAX);
            kinds.map_or(Candidates::All, |kinds| {
                (conditions.names, conditions.categories) = (None, None);
                Candidates::Kinds(kinds)
            })
        };
        Ok(Some(Self { candidates, conditions }))
    }

    /// What narrows down the spans in which candidates are looked for, if something does. Tags lead to theirs one by one.
    pub(super) fn sieve(&self) -> Option<Sieve> {
        let Conditions { from, until, causation_id, .. } = self.conditions;
        let ids = match self.candidates {
            Candidates::Tags(_) => return None,
            Candidates::All | Candidates::Kinds(_) => Vec::new(),
            Candidates::Correlation(id) | Candidates::Causation(id) => {
                [Some(id), causation_id].into_iter().flatten().collect()
            }
        };
        let narrows = from.is_some() || until.is_some() || !ids.is_empty();
        narrows.then_some(Sieve { from, until, ids })
    }

    /// The kinds of all candidates, where these alone lead to them: then closed spans say where they are.
    pub(super) fn kinds(&self) -> Option<&[i64]> {
        match &self.candidates {
            Candidates::Kinds(kinds) => Some(kinds),
            _ => None,
        }
    }

    /// Whether the [statement](Self::sql) looks at every event of the part of the log that it goes through, and tells only of few.
    pub(super) const fn passes_over(&self) -> bool {
        matches!(
            self.candidates,
            Candidates::Kinds(_) | Candidates::Correlation(_) | Candidates::Causation(_)
        )
    }

    /// The statement that looks at one candidate, run like that which goes through them, from a position to itself with no key; `None`
    /// when there is nothing to be checked.
    pub(super) fn check_sql(&self, table: Table) -> Option<String> {
        let all = Self { candidates: Candidates::All, conditions: Conditions::NONE };
        let is_checked = !self.conditions.is_empty();
        is_checked.then(|| all.with(WANTED_IF, table, Direction::Forward))
    }

    /// The statement that goes through candidates in a part of a table.
    pub(in crate::sqlite) fn sql(&self, table: Table, direction: Direction) -> String {
        let wanted = if self.conditions.is_empty() { WANTED_ALL } else { WANTED_IF };
        self.with(wanted, table, direction)
    }

    fn with(&self, wanted: &str, table: Table, direction: Direction) -> String {
        let sql = match direction {
            Direction::Forward => CANDIDATES_FORWARD,
            Direction::Backward => CANDIDATES_BACKWARD,
        };
        let candidates = match self.candidates {
            Candidates::Tags(_) => {
                let sql = match direction {
                    Direction::Forward => TAGGED_FORWARD,
                    Direction::Backward => TAGGED_BACKWARD,
                };
                return table.of(&text(sql).replace("{wanted}", &text(wanted)));
            }
            Candidates::All => CANDIDATES_ALL,
            Candidates::Kinds(_) => CANDIDATES_BY_KINDS,
            Candidates::Correlation(_) => CANDIDATES_BY_CORRELATION,
            Candidates::Causation(_) => CANDIDATES_BY_CAUSATION,
        };
        table.of(&text(sql).replace("{wanted}", &text(wanted)).replace("{candidates}", &text(candidates)))
    }

    /// What the statement is run with, once for each.
    pub(super) fn keys(&self) -> Vec<Value> {
        match &self.candidates {
            Candidates::All => vec![Value::Null],
            Candidates::Kinds(kinds) => vec![Value::Text(serde_json::json!(kinds).to_string())],
            Candidates::Correlation(id) | Candidates::Causation(id) => vec![id_value(*id)],
            Candidates::Tags(items) => items.iter().cloned().map(Value::Text).collect(),
        }
    }

    /// The parameters of the statement for one key.
    pub(super) fn parameters(&self, low: i64, high: i64, key: Value) -> impl Params {
        let mut parameters = vec![Value::Integer(low), Value::Integer(high), key];
        let Conditions { names, categories, correlation_id, causation_id, from, until } = &self.conditions;
        if !self.conditions.is_empty() {
            let texts = [names, categories].map(|text| text.clone().map(Value::Text));
            let ids = [correlation_id, causation_id].map(|id| id.map(id_value));
            let times = [from, until].map(|time| time.map(|time| Value::Integer(time.as_micros())));
            let conditions = texts.into_iter().chain(ids).chain(times);
            parameters.extend(conditions.map(|condition| condition.unwrap_or(Value::Null)));
        }
        rusqlite::params_from_iter(parameters)
    }
}

impl Conditions {
    const NONE: Self = Self {
        names: None,
        categories: None,
        correlation_id: None,
        causation_id: None,
        from: None,
        until: None,
    };

    fn is_empty(&self) -> bool {
        *self == Self::NONE
    }
}

/// The kinds that are selected, one more than [`KINDS_MAX`] of them at most; `None` when all are.
fn kinds(connection: &Connection, conditions: &Conditions) -> rusqlite::Result<Option<Vec<i64>>> {
    let Conditions { names, categories, .. } = conditions;
    let sql = match (names, categories) {
        (None, None) => return Ok(None),
        (Some(_), None) => KINDS_OF_NAMES,
        (None, Some(_)) => KINDS_OF_CATEGORIES,
        (Some(_), Some(_)) => KINDS_OF_BOTH,
    };
    let lists = [names, categories].into_iter().flatten().cloned().map(Value::Text);
    let limit = i64::try_from(KINDS_MAX + 1).unwrap_or(i64::MAX);
    let parameters = rusqlite::params_from_iter(lists.chain([Value::Integer(limit)]));
    connection
        .prepare_cached(sql)?
        .query_map(parameters, |row| row.get(0))?
        .collect::<Result<_, _>>()
        .map(Some)
}

fn json_list(texts: &std::sync::Arc<[String]>) -> rusqlite::Result<String> {
    serde_json::to_string(texts).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))
}

fn id_value(id: Uuid) -> Value {
    Value::Blob(id.as_bytes().to_vec())
}
