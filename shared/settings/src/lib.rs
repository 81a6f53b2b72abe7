//! Layered settings with errors that name the key, where it came from, and the nearest known key.
//!
//! Layers, later wins: the defaults (`default.toml`), the environment (`<environment>.toml`), variables
//! (`UMBEL__SECTION__KEY`), overrides (flags). The files in `config/` are built in, so that a binary works anywhere; those
//! in the config directory win over them.
//!
//! What holds, always:
//!
//! - The known keys are those of the built-in `default.toml`, and each has the type that its value has there. Anything
//!   else, from wherever, is refused at load: a misspelt key never passes as a default.
//! - Every value knows where it came from, and every error says so.
//! - [`Settings::describe`] shows no secret.
//! - Nothing here reads the process's variables but [`LoadOptions::from_process`]. Nothing else in the project names `config`.

mod describe;
mod error;
mod keys;
mod layers;
mod section;
mod settings;

#[cfg(test)]
mod tests;

pub use describe::EffectiveKey;
pub use error::SettingsError;
pub use settings::{Environment, LoadOptions, Settings};
