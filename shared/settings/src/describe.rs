//! What the settings are, fit to be shown to anybody.

use std::fmt;

use config::ValueKind;

use crate::keys::Entries;

const HIDDEN: &str = "***";
const SECRET_ENDINGS: [&str; 3] = ["secret", "password", "token"];

/// One effective setting. Prints as `key = value  # origin`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EffectiveKey {
    /// As `section.key`.
    pub key: String,
    /// As it would be written in TOML; `***` in place of a secret.
    pub value: String,
    /// The file, variable or flag that it came from.
    pub origin: String,
}

impl fmt::Display for EffectiveKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} = {}  # {}", self.key, self.value, self.origin)
    }
}

pub(crate) fn describe(entries: &Entries) -> Vec<EffectiveKey> {
    let describe = |(key, entry): (&String, &crate::keys::Entry)| EffectiveKey {
        key: key.clone(),
        value: show(key, &entry.value.kind),
        origin: entry.origin.clone(),
    };
    entries.iter().map(describe).collect()
}

fn show(key: &str, kind: &ValueKind) -> String {
    match kind {
        ValueKind::String(text) if text.is_empty() => "\"\"".to_owned(),
        _ if SECRET_ENDINGS.iter().any(|ending| key.ends_with(ending)) => HIDDEN.to_owned(),
        ValueKind::String(text) => format!("{:?}", mask_url(text)),
        other => other.to_string(),
    }
}

/// Hides the password of a URL, between the user's name and the host, or among the parameters.
fn mask_url(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else { return text.to_owned() };
    let (address, parameters) = match rest.split_once('?') {
        Some((address, parameters)) => (address, Some(parameters)),
        None => (rest, None),
    };
    let address = match address.rsplit_once('@') {
        Some((credentials, host)) => match credentials.split_once(':') {
            Some((user, _)) => format!("{user}:{HIDDEN}@{host}"),
            None => address.to_owned(),
        },
        None => address.to_owned(),
    };
    let mask_parameter = |parameter: &str| match parameter.split_once('=') {
        Some((name, _)) if SECRET_ENDINGS.iter().any(|ending| name.ends_with(ending)) => {
            format!("{name}={HIDDEN}")
        }
        _ => parameter.to_owned(),
    };
    let parameters = parameters.map(|all| {
        let masked: Vec<String> = all.split('&').map(mask_parameter).collect();
        format!("?{}", masked.join("&"))
    });
    format!("{scheme}://{address}{}", parameters.unwrap_or_default())
}
