//! Messages.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::time::Instant;
use umbel_bus::{DispatchContext, Errand, Parcel, Returning, names::lasting};
use umbel_core::{CommandId, ExpectedVersion, Json, Metadata};
use uuid::Uuid;

use super::NotAValue;

/// A [`Parcel`], but for its deadline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct WireParcel {
    name: String,
    body: Json,
    errand: WireErrand,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum WireErrand {
    Query,
    Command { schema: u32, around: bool, context: WireContext },
}

/// A [`DispatchContext`], but for its deadline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct WireContext {
    command_id: Uuid,
    idempotent: bool,
    correlation_id: Option<Uuid>,
    causation_id: Option<Uuid>,
    /// A text of its own, so that entries may be nested as deep as anywhere.
    custom: Json,
    within: Vec<String>,
    returning: Returning,
    expected: Option<ExpectedVersion>,
    depth: u32,
}

impl WireParcel {
    pub(crate) fn of(parcel: &Parcel) -> Result<Self, NotAValue> {
        let errand = match &parcel.errand {
            Errand::Query => WireErrand::Query,
            Errand::Command { schema, context, around } => {
                WireErrand::Command { schema: *schema, around: *around, context: WireContext::of(context)? }
            }
        };
        Ok(Self { name: parcel.name.to_string(), body: parcel.body.clone(), errand })
    }

    /// The message, to be answered by then.
    pub(crate) fn by(self, deadline: Instant) -> Result<Parcel, NotAValue> {
        let errand = match self.errand {
            WireErrand::Query => Errand::Query,
            WireErrand::Command { schema, around, context } => {
                Errand::Command { schema, context: Box::new(context.by(deadline)?), around }
            }
        };
        Ok(Parcel { name: self.name.into(), body: self.body, deadline, errand })
    }
}

impl WireContext {
    fn of(context: &DispatchContext) -> Result<Self, NotAValue> {
        let DispatchContext {
            command_id,
            idempotent,
            metadata: Metadata { correlation_id, causation_id, custom },
            deadline: _,
            within,
            returning,
            expected,
            depth,
        } = context;
        let custom = Json::encode(custom);
        Ok(Self {
            command_id: command_id.0,
            idempotent: *idempotent,
            correlation_id: *correlation_id,
            causation_id: *causation_id,
            custom: custom.map_err(|error| NotAValue(format!("metadata has no JSON form: {error}")))?,
            within: within.iter().map(|&name| name.to_owned()).collect(),
            returning: *returning,
            expected: *expected,
            depth: *depth,
        })
    }

    fn by(self, deadline: Instant) -> Result<DispatchContext, NotAValue> {
        let custom = self.custom.decode::<BTreeMap<String, Value>>();
        let handler = |name: &String| {
            lasting(name).ok_or_else(|| NotAValue(format!("{name:?} is one name of a handler too many")))
        };
        Ok(DispatchContext {
            command_id: CommandId(self.command_id),
            idempotent: self.idempotent,
            metadata: Metadata {
                correlation_id: self.correlation_id,
                causation_id: self.causation_id,
                custom: custom.map_err(|error| NotAValue(format!("this is no metadata: {error}")))?,
            },
            deadline,
            within: self.within.iter().map(handler).collect::<Result<_, _>>()?,
            returning: self.returning,
            expected: self.expected,
            depth: self.depth,
        })
    }
}
