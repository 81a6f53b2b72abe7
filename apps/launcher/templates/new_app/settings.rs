//! What an operator may set about the app_name app.

use std::num::NonZeroU32;

use serde::Deserialize;

/// Section `[app_name]`; `config/default.toml` says what each key means.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Items that are listed at most.
    pub listed_max: NonZeroU32,
}
