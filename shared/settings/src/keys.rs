//! The known keys and their types: whatever the built-in defaults have.

use std::collections::BTreeMap;

use config::{Value, ValueKind};

use crate::error::SettingsError;

/// A value and where it came from.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) value: Value,
    pub(crate) origin: String,
}

/// By `section.key`.
pub(crate) type Entries = BTreeMap<String, Entry>;

/// Lays a value from a file over what is known: the same key, the same type.
pub(crate) fn set_value(
    known: &mut Entries,
    key: &str,
    value: Value,
    origin: &str,
) -> Result<(), SettingsError> {
    let entry = find(known, key, origin)?;
    let fits = type_name(&entry.value.kind) == type_name(&value.kind)
        || matches!((&entry.value.kind, &value.kind), (ValueKind::Float(_), ValueKind::I64(_)));
    if !fits {
        return Err(wrong_type(key, origin, &entry.value.kind, type_name(&value.kind).to_owned()));
    }
    *entry = Entry { value, origin: origin.to_owned() };
    Ok(())
}

/// Lays a text from a variable or a flag over what is known, read as the type that the key has.
pub(crate) fn set_text(
    known: &mut Entries,
    key: &str,
    text: &str,
    origin: &str,
) -> Result<(), SettingsError> {
    let entry = find(known, key, origin)?;
    let parsed = match &entry.value.kind {
        ValueKind::Boolean(_) => text.parse().ok().map(ValueKind::Boolean),
        ValueKind::I64(_) => text.parse().ok().map(ValueKind::I64),
        ValueKind::Float(_) => text.parse().ok().map(ValueKind::Float),
        _ => Some(ValueKind::String(text.to_owned())),
    };
    let Some(kind) = parsed else {
        return Err(wrong_type(key, origin, &entry.value.kind, format!("{text:?}")));
    };
    *entry = Entry { value: Value::new(Some(&origin.to_owned()), kind), origin: origin.to_owned() };
    Ok(())
}

/// The one of these names that is most like the given one, if it is like it at all.
pub(crate) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let distance = |candidate: &str| {
        // `level` most likely means `telemetry.level`: the section was forgotten, not misspelt.
        let without_section = candidate.rsplit('.').next().unwrap_or(candidate);
        let whole = strsim::damerau_levenshtein(name, candidate);
        if name.contains('.') { whole } else { whole.min(strsim::damerau_levenshtein(name, without_section)) }
    };
    let tolerated = (name.chars().count() / 3).max(2);
    known
        .into_iter()
        .map(|candidate| (distance(candidate), candidate))
        .filter(|(distance, _)| *distance <= tolerated)
        .min()
        .map(|(_, candidate)| candidate.to_owned())
}

fn find<'a>(known: &'a mut Entries, key: &str, origin: &str) -> Result<&'a mut Entry, SettingsError> {
    if !known.contains_key(key) {
        let nearest = nearest(key, known.keys().map(String::as_str));
        let (key, origin) = (key.to_owned(), origin.to_owned());
        let section =
            section_of(&key).filter(|section| known.keys().all(|key| section_of(key) != Some(section)));
        return Err(match section.map(str::to_owned) {
            Some(section) => SettingsError::UnknownSection { key, section, origin, nearest },
            None => SettingsError::UnknownKey { key, origin, nearest },
        });
    }
    Ok(known.get_mut(key).expect("the key was found just above"))
}

fn section_of(key: &str) -> Option<&str> {
    key.split_once('.').map(|(section, _)| section)
}

fn wrong_type(key: &str, origin: &str, expected: &ValueKind, found: String) -> SettingsError {
    let (key, origin, expected) = (key.to_owned(), origin.to_owned(), type_name(expected));
    SettingsError::WrongType { key, origin, expected, found }
}

fn type_name(kind: &ValueKind) -> &'static str {
    match kind {
        ValueKind::Boolean(_) => "true or false",
        ValueKind::I64(_) | ValueKind::I128(_) | ValueKind::U64(_) | ValueKind::U128(_) => "an integer",
        ValueKind::Float(_) => "a number",
        ValueKind::String(_) => "a text",
        ValueKind::Array(_) => "a list",
        ValueKind::Table(_) => "a table",
        ValueKind::Nil => "nothing",
    }
}
