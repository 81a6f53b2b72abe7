//! What an operator may set about accounts.

use serde::Deserialize;

/// Section `[accounts]`: what hashing a password costs. Higher is safer and slower, for attackers and for us. A
/// hash remembers what it was made with, so old ones stay good when these change.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AccountsSettings {
    /// Memory for one hash, in KiB.
    pub argon2_memory_kib: u32,
    /// Passes over that memory.
    pub argon2_iterations: u32,
    /// Parallel lanes.
    pub argon2_lanes: u32,
}

impl Default for AccountsSettings {
    /// What OWASP recommends for Argon2id: 19 MiB, 2 passes, 1 lane.
    fn default() -> Self {
        Self { argon2_memory_kib: 19_456, argon2_iterations: 2, argon2_lanes: 1 }
    }
}
