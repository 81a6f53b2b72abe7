//! How two processes greet each other: each proves that it knows `link.secret`, before anything else is said. Pure, but for the secret's
//! arithmetic.
//!
//! Whoever connects says hello with a number used once, and which process he looks for. The other one challenges him with a number of its
//! own and proves itself by an HMAC over both, the version, its role and its id. Only then he proves himself by one for his role, and is
//! welcomed. So neither tells a stranger more than a proof that is worth nothing on any other connection, and a command goes to no process
//! but the one that was meant, whatever listens at its address by now.

use base64::{Engine, prelude::BASE64_STANDARD};
use ring::hmac;
use serde::{Deserialize, Serialize};
use umbel_core::subscription::NodeId;
use uuid::Uuid;

use crate::settings::Secret;

/// Of the protocol. Both sides must speak the same.
pub(crate) const VERSION: u32 = 3;

/// Bytes that a greeting's frame may have: who has not proven himself is not listened to for long.
pub(crate) const GREETING_MAX_BYTES: usize = 1024;

/// What is said before a connection carries messages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Greeting {
    /// First, by the one who connects.
    Hello {
        version: u32,
        nonce: String,
        process: Uuid,
        /// Bytes of a frame that he takes. Another version may not say.
        #[serde(default)]
        frame_max: usize,
    },
    /// The answer to it.
    Challenge {
        version: u32,
        nonce: String,
        proof: String,
        /// Bytes of a frame that this side takes.
        #[serde(default)]
        frame_max: usize,
    },
    /// His proof.
    Proof { proof: String },
    /// He is in.
    Welcome,
    /// He is not.
    Refused {
        reason: String,
        /// Whether that stays so until somebody changes something.
        #[serde(default)]
        lasting: bool,
    },
}

/// Why nothing is carried on a connection.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Stranger {
    /// It speaks another version of the protocol.
    #[error(
        "it speaks version {theirs} of the link, this process version {VERSION}; run the same version of the program in both"
    )]
    OtherVersion { theirs: u32 },
    /// Its proof is none.
    #[error("it has another [link] secret; set the same in all processes of a store (UMBEL__LINK__SECRET)")]
    OtherSecret,
    /// Another process is meant, which was here before.
    #[error("another process was looked for; the one that was meant is gone from that address")]
    OtherProcess,
    /// It says something else than is its turn to say.
    #[error("it does not keep to the order of greeting: it says {0}")]
    OutOfTurn(&'static str),
    /// The other side said no.
    #[error("it refuses this process: {reason}")]
    Refused { reason: String, lasting: bool },
}

impl Stranger {
    /// Whether it stays one until somebody changes something, a setting or a program.
    pub(crate) const fn is_lasting(&self) -> bool {
        match self {
            Self::OtherVersion { .. } | Self::OtherSecret | Self::OutOfTurn(_) => true,
            // Whoever looks for a process that is gone hears of that through the store.
            Self::OtherProcess => false,
            Self::Refused { lasting, .. } => *lasting,
        }
    }

    /// What is said to it.
    pub(crate) fn refusal(&self) -> Greeting {
        Greeting::Refused { reason: self.to_string(), lasting: self.is_lasting() }
    }
}

/// A number used once.
pub(crate) type Nonce = [u8; 32];

/// The one who connects, between his hello and his proof.
#[derive(Debug)]
pub(crate) struct Caller<'a> {
    secret: &'a Secret,
    process: NodeId,
    nonce: Nonce,
    frame_max: usize,
}

/// The one who was connected to, between its challenge and its welcome.
#[derive(Debug)]
pub(crate) struct Host<'a> {
    secret: &'a Secret,
    process: NodeId,
    theirs: (String, usize),
    ours: (Nonce, usize),
}

/// On which side of a connection somebody is: a proof of one side is none of the other.
#[derive(Clone, Copy, Debug)]
enum Role {
    Caller,
    Host,
}

impl<'a> Caller<'a> {
    /// Looks for this process, and takes frames of so many bytes.
    pub(crate) const fn new(secret: &'a Secret, process: NodeId, nonce: Nonce, frame_max: usize) -> Self {
        Self { secret, process, nonce, frame_max }
    }

    /// What he says first.
    pub(crate) fn hello(&self) -> Greeting {
        Greeting::Hello {
            version: VERSION,
            nonce: BASE64_STANDARD.encode(self.nonce),
            process: self.process.0,
            frame_max: self.frame_max,
        }
    }

    /// What he says to a challenge, if it comes from a process that knows the secret; and the bytes that frames may have from then on, which
    /// both take.
    pub(crate) fn prove(&self, heard: Greeting) -> Result<(Greeting, usize), Stranger> {
        let (theirs, most, proof) = match heard {
            Greeting::Challenge { version: VERSION, nonce, proof, frame_max } => {
                (number(nonce)?, frame_max, proof)
            }
            Greeting::Challenge { version: theirs, .. } => return Err(Stranger::OtherVersion { theirs }),
            Greeting::Refused { reason, lasting } => return Err(Stranger::Refused { reason, lasting }),
            other => return Err(Stranger::OutOfTurn(other.name())),
        };
        let ours = BASE64_STANDARD.encode(self.nonce);
        let said = Said { process: self.process, caller: (&ours, self.frame_max), host: (&theirs, most) };
        said.check(self.secret, Role::Host, &proof)?;
        let proof = Greeting::Proof { proof: said.proof(self.secret, Role::Caller) };
        Ok((proof, most.min(self.frame_max)))
    }

    /// Whether he is let in.
    pub(crate) fn enter(heard: Greeting) -> Result<(), Stranger> {
        match heard {
            Greeting::Welcome => Ok(()),
            Greeting::Refused { reason, lasting } => Err(Stranger::Refused { reason, lasting }),
            other => Err(Stranger::OutOfTurn(other.name())),
        }
    }
}

impl<'a> Host<'a> {
    /// Challenges one who says hello, if it is this process that he looks for; with a number used once, and the bytes of a frame that this side
    /// takes.
    pub(crate) fn challenge(
        secret: &'a Secret,
        process: NodeId,
        ours: (Nonce, usize),
        heard: Greeting,
    ) -> Result<(Self, Greeting), Stranger> {
        let theirs = match heard {
            Greeting::Hello { version, .. } if version != VERSION => {
                return Err(Stranger::OtherVersion { theirs: version });
            }
            Greeting::Hello { process: meant, .. } if meant != process.0 => {
                return Err(Stranger::OtherProcess);
            }
            Greeting::Hello { nonce, frame_max, .. } => (number(nonce)?, frame_max),
            other => return Err(Stranger::OutOfTurn(other.name())),
        };
        let host = Self { secret, process, theirs, ours };
        let (nonce, frame_max) = (BASE64_STANDARD.encode(ours.0), ours.1);
        let proof = host.said(&nonce).proof(secret, Role::Host);
        Ok((host, Greeting::Challenge { version: VERSION, nonce, proof, frame_max }))
    }

    /// Bytes that frames may have, which both take.
    pub(crate) fn frame_max(&self) -> usize {
        self.ours.1.min(self.theirs.1)
    }

    /// Whether he is welcome.
    pub(crate) fn check(&self, heard: Greeting) -> Result<Greeting, Stranger> {
        match heard {
            Greeting::Proof { proof } => {
                let ours = BASE64_STANDARD.encode(self.ours.0);
                self.said(&ours).check(self.secret, Role::Caller, &proof)?;
                Ok(Greeting::Welcome)
            }
            other => Err(Stranger::OutOfTurn(other.name())),
        }
    }

    fn said<'b>(&'b self, ours: &'b str) -> Said<'b> {
        let (caller, most) = &self.theirs;
        Said { process: self.process, caller: (caller, *most), host: (ours, self.ours.1) }
    }
}

/// What a proof is about.
struct Said<'a> {
    process: NodeId,
    caller: (&'a str, usize),
    host: (&'a str, usize),
}

impl Said<'_> {
    fn text(&self, role: Role) -> String {
        let ((caller, his_most), (host, its_most)) = (self.caller, self.host);
        // No part of it can run into the next one: none has a new line in it.
        format!(
            "umbel link {VERSION}\n{role:?}\n{}\n{caller}\n{his_most}\n{host}\n{its_most}",
            self.process.0
        )
    }

    fn proof(&self, secret: &Secret, role: Role) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        BASE64_STANDARD.encode(hmac::sign(&key, self.text(role).as_bytes()))
    }

    fn check(&self, secret: &Secret, role: Role, proof: &str) -> Result<(), Stranger> {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        let proof = BASE64_STANDARD.decode(proof).map_err(|_| Stranger::OtherSecret)?;
        // Takes the same time wherever they differ.
        hmac::verify(&key, self.text(role).as_bytes(), &proof).map_err(|_| Stranger::OtherSecret)
    }
}

/// A number used once, as it was written, if it is one.
fn number(text: String) -> Result<String, Stranger> {
    let bytes = BASE64_STANDARD.decode(&text).unwrap_or_default();
    if bytes.len() == size_of::<Nonce>() { Ok(text) } else { Err(Stranger::OutOfTurn("no number")) }
}

impl Greeting {
    const fn name(&self) -> &'static str {
        match self {
            Self::Hello { .. } => "hello",
            Self::Challenge { .. } => "a challenge",
            Self::Proof { .. } => "a proof",
            Self::Welcome => "welcome",
            Self::Refused { .. } => "no",
        }
    }
}

#[cfg(test)]
mod tests;
