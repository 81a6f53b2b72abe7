//! Greetings over a connection: the IO around [`greeting`](crate::greeting), within one time.

use std::io;

use ring::rand::{SecureRandom, SystemRandom};
use serde::{Serialize, de::DeserializeOwned};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    time::{Instant, timeout},
};
use umbel_core::subscription::NodeId;

use crate::{
    frame::{BadFrame, Frames, Unsendable, encode},
    greeting::{Caller, GREETING_MAX_BYTES, Host, Nonce, Stranger},
    settings::LinkSettings,
};

/// Why two processes do not get to talk.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotGreeted {
    /// There is no connection, or not any more.
    #[error(transparent)]
    Io(io::Error),
    /// It closes the connection, as one does that expects TLS, or does not.
    #[error(
        "it hung up instead of greeting; check that both processes have certificates ([link] tls_*), or none has"
    )]
    HungUp,
    /// The other side is not to be talked to.
    #[error(transparent)]
    Stranger(#[from] Stranger),
    /// It says nothing that is understood, as something else would that listens where a process is said to be.
    #[error(
        "what is there greets as no process of an umbrella does ({0}); check [link] advertise of the other process"
    )]
    BadFrame(#[from] BadFrame),
    /// What is to be said is too long. It never is.
    #[error(transparent)]
    Unsendable(#[from] Unsendable),
    /// It took too long.
    #[error("it did not greet within {0} ms (link.connect_timeout_ms)")]
    Silent(u64),
    /// The system gives no random bytes.
    #[error("the system gives no random bytes")]
    NoRandomness,
}

impl NotGreeted {
    /// Whether that stays so until somebody changes something.
    pub(crate) fn is_lasting(&self) -> bool {
        match self {
            // What TLS says of a certificate that it does not accept, or of what is no TLS.
            Self::Io(error) => error.kind() == io::ErrorKind::InvalidData,
            Self::Stranger(stranger) => stranger.is_lasting(),
            Self::BadFrame(_) | Self::Unsendable(_) => true,
            Self::HungUp | Self::Silent(_) | Self::NoRandomness => false,
        }
    }
}

impl From<io::Error> for NotGreeted {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::HungUp,
            _ => Self::Io(error),
        }
    }
}

/// A connection whose other side has proven itself.
pub(crate) struct Greeted<S> {
    pub(crate) stream: S,
    /// What has come beyond the greeting.
    pub(crate) frames: Frames,
    /// When its clock began.
    pub(crate) began: Instant,
    /// Bytes of a frame that both sides take.
    pub(crate) frame_max: usize,
}

/// Greets as the one who has connected, and looks for this process.
pub(crate) async fn call<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    process: NodeId,
    settings: &LinkSettings,
) -> Result<Greeted<S>, NotGreeted> {
    in_time(settings, async {
        let (mut stream, mut frames) = (stream, Frames::new(GREETING_MAX_BYTES));
        let caller = Caller::new(&settings.secret, process, nonce()?, settings.frame_max_bytes);
        say(&mut stream, &caller.hello()).await?;
        let challenge = hear(&mut stream, &mut frames).await?;
        let (proof, frame_max) = caller.prove(challenge)?;
        say(&mut stream, &proof).await?;
        Caller::enter(hear(&mut stream, &mut frames).await?)?;
        frames.allow(frame_max);
        // The other side's clock began before this one's, so a deadline never is later there than here.
        Ok(Greeted { stream, frames, began: Instant::now(), frame_max })
    })
    .await
}

/// Greets as the one who was connected to.
pub(crate) async fn host<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    process: NodeId,
    settings: &LinkSettings,
) -> Result<Greeted<S>, NotGreeted> {
    in_time(settings, async {
        let (mut stream, mut frames) = (stream, Frames::new(GREETING_MAX_BYTES));
        let welcomed = welcome(&mut stream, &mut frames, process, settings).await;
        if let Err(NotGreeted::Stranger(stranger)) = &welcomed {
            // So that it is told on the other side, too. Whether that hears it is its own business.
            drop(say(&mut stream, &stranger.refusal()).await);
        }
        let (began, frame_max) = welcomed?;
        frames.allow(frame_max);
        Ok(Greeted { stream, frames, began, frame_max })
    })
    .await
}

async fn welcome<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    frames: &mut Frames,
    process: NodeId,
    settings: &LinkSettings,
) -> Result<(Instant, usize), NotGreeted> {
    let hello = hear(stream, frames).await?;
    let ours = (nonce()?, settings.frame_max_bytes);
    let (host, challenge) = Host::challenge(&settings.secret, process, ours, hello)?;
    say(stream, &challenge).await?;
    let welcome = host.check(hear(stream, frames).await?)?;
    let began = Instant::now();
    say(stream, &welcome).await?;
    Ok((began, host.frame_max()))
}

async fn in_time<T>(
    settings: &LinkSettings,
    greeting: impl Future<Output = Result<T, NotGreeted>>,
) -> Result<T, NotGreeted> {
    let greeted = timeout(settings.connect_timeout(), greeting).await;
    greeted.unwrap_or(Err(NotGreeted::Silent(settings.connect_timeout_ms)))
}

async fn say(stream: &mut (impl AsyncWrite + Unpin), what: &impl Serialize) -> Result<(), NotGreeted> {
    stream.write_all(&encode(what, GREETING_MAX_BYTES)?).await?;
    Ok(stream.flush().await?)
}

async fn hear<T: DeserializeOwned>(
    stream: &mut (impl AsyncRead + Unpin),
    frames: &mut Frames,
) -> Result<T, NotGreeted> {
    loop {
        if let Some(frame) = frames.next()? {
            return Ok(frame);
        }
        if stream.read_buf(frames.space()).await? == 0 {
            return Err(NotGreeted::HungUp);
        }
    }
}

fn nonce() -> Result<Nonce, NotGreeted> {
    let mut bytes = [0; size_of::<Nonce>()];
    SystemRandom::new().fill(&mut bytes).map_err(|_| NotGreeted::NoRandomness)?;
    Ok(bytes)
}
