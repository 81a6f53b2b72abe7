//! The supervision tree as a question on the bus: whoever runs the tree answers, whoever has the bus may ask.

use serde::{Deserialize, Serialize};
use umbel_core::Query;
use umbel_supervision::TreeNode;

/// Asks for the supervision tree of this process as it is now: states, restart counts, last causes.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, Query)]
#[query(name = "umbel.tree", answer = TreeNode)]
pub struct GetTree;
