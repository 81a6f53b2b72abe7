//! As much of PostgreSQL's protocol as a proxy must see: messages, and how a connection begins.

use std::io::{self, Read, Write};

/// More than any test sends or gets in one message.
const MESSAGE_MAX_BYTES: usize = 64 << 20;
const PROTOCOL_3_0: u32 = 196_608;
const CANCEL: u32 = 80_877_102;
const TLS: u32 = 80_877_103;
const GSS: u32 = 80_877_104;

/// A message: its kind, its length, its content, as they are sent.
#[derive(Debug)]
pub(super) struct Message(Vec<u8>);

/// How a client begins.
#[derive(Debug)]
pub(super) enum Startup {
    /// It wants encryption first.
    Encrypt,
    /// It wants somebody else's statement cancelled.
    Cancel,
    /// It wants a session; the names of the parameters that it sets.
    Parameters(Vec<String>),
}

impl Message {
    pub(super) fn new(kind: u8, body: &[u8]) -> Self {
        let length = u32::try_from(body.len() + 4).expect("what is written here is short");
        Self([&[kind][..], &length.to_be_bytes(), body].concat())
    }

    /// The next message, `None` when the other side has closed.
    pub(super) fn read(from: &mut impl Read) -> io::Result<Option<Self>> {
        let mut head = [0; 5];
        match from.read_exact(&mut head) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            read => read?,
        }
        let [_, length @ ..] = head;
        let mut message = head.to_vec();
        message.extend(read_body(from, length)?);
        Ok(Some(Self(message)))
    }

    pub(super) fn write(&self, to: &mut impl Write) -> io::Result<()> {
        to.write_all(&self.0)
    }

    pub(super) fn kind(&self) -> u8 {
        self.0.first().copied().unwrap_or_default()
    }

    pub(super) fn body(&self) -> &[u8] {
        self.0.get(5..).unwrap_or_default()
    }
}

pub(super) fn read_startup(from: &mut impl Read) -> io::Result<Startup> {
    let mut length = [0; 4];
    from.read_exact(&mut length)?;
    let body = read_body(from, length)?;
    let (code, rest) = body.split_first_chunk().ok_or(io::ErrorKind::InvalidData)?;
    match u32::from_be_bytes(*code) {
        PROTOCOL_3_0 => {
            // Names and values in turn, then an empty name.
            let texts = rest.split(|byte| *byte == 0).take_while(|text| !text.is_empty()).step_by(2);
            Ok(Startup::Parameters(texts.map(|text| String::from_utf8_lossy(text).into_owned()).collect()))
        }
        TLS | GSS => Ok(Startup::Encrypt),
        CANCEL => Ok(Startup::Cancel),
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}

pub(super) fn write_startup(to: &mut impl Write, parameters: &[(&str, &str)]) -> io::Result<()> {
    let mut body = PROTOCOL_3_0.to_be_bytes().to_vec();
    for text in parameters.iter().flat_map(|(name, value)| [name, value]) {
        body.extend(text.as_bytes());
        body.push(0);
    }
    body.push(0);
    let length = u32::try_from(body.len() + 4).expect("names are short");
    to.write_all(&length.to_be_bytes())?;
    to.write_all(&body)
}

/// What follows a length, which counts itself.
fn read_body(from: &mut impl Read, length: [u8; 4]) -> io::Result<Vec<u8>> {
    let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
    let length = length.checked_sub(4).filter(|length| *length <= MESSAGE_MAX_BYTES);
    let mut body = vec![0; length.ok_or(io::ErrorKind::InvalidData)?];
    from.read_exact(&mut body)?;
    Ok(body)
}
