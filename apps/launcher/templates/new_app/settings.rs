//! What an operator may set about the app_name app.

use std::num::NonZeroU32;

use serde::{
    Deserialize, Deserializer,
    de::{Error, Unexpected},
};
use umbel_core::document::PAGE_MAX;

/// Section `[app_name]`; `config/default.toml` says what each key means.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Items that are listed at most: no more than a page of documents has.
    #[serde(deserialize_with = "page_size")]
    pub listed_max: NonZeroU32,
}

fn page_size<'de, D: Deserializer<'de>>(deserializer: D) -> Result<NonZeroU32, D::Error> {
    let number = i64::deserialize(deserializer)?;
    let size = u32::try_from(number).ok().filter(|size| *size <= PAGE_MAX).and_then(NonZeroU32::new);
    let wanted = format!("a number from 1 to {PAGE_MAX}");
    size.ok_or_else(|| D::Error::invalid_value(Unexpected::Signed(number), &wanted.as_str()))
}
