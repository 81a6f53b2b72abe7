//! What a name may be that travels beside JSON: the same in all stores.

/// Longest name of an event type, in bytes: as long as a stream's.
pub(crate) const EVENT_NAME_MAX_BYTES: usize = crate::stream::NAME_MAX_BYTES;

/// Longest text that stores look something up by, in bytes: claims, keys of documents, queues. PostgreSQL's index rows bound it.
pub(crate) const TEXT_MAX_BYTES: usize = 1000;

/// Why a text is no name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// It is empty.
    #[error("it is empty")]
    Empty,
    /// It is too long.
    #[error("it has {len_bytes} bytes, more than the limit of {limit_bytes}")]
    TooLong {
        /// Its length.
        len_bytes: usize,
        /// What is allowed.
        limit_bytes: usize,
    },
    /// It holds a control character, or in a text that may hold some, NUL.
    #[error("it holds the character {0:?}")]
    Character(char),
}

/// Checks the name of an event type: 1 to 250 bytes without control characters, as a stream's.
pub(crate) fn check_event_name(name: &str) -> Result<(), NameError> {
    if name.is_empty() {
        return Err(NameError::Empty);
    }
    check_len(name, EVENT_NAME_MAX_BYTES)?;
    name.chars()
        .find(|character| character.is_control())
        .map_or(Ok(()), |found| Err(NameError::Character(found)))
}

/// Checks a text that something is looked up by: up to 1,000 bytes of anything but NUL, which PostgreSQL has no text with.
pub(crate) fn check_text(text: &str) -> Result<(), NameError> {
    check_len(text, TEXT_MAX_BYTES)?;
    if text.contains('\0') { Err(NameError::Character('\0')) } else { Ok(()) }
}

fn check_len(text: &str, limit_bytes: usize) -> Result<(), NameError> {
    let len_bytes = text.len();
    if len_bytes > limit_bytes { Err(NameError::TooLong { len_bytes, limit_bytes }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_breaks_a_rule_says_which() {
        assert_eq!(check_event_name("bank.opened"), Ok(()));
        assert_eq!(check_event_name(&"ü".repeat(125)), Ok(()));
        assert_eq!(check_event_name(""), Err(NameError::Empty));
        let too_long = NameError::TooLong { len_bytes: 251, limit_bytes: 250 };
        assert_eq!(check_event_name(&"x".repeat(251)), Err(too_long));
        assert_eq!(check_event_name("a\nb"), Err(NameError::Character('\n')));
        assert_eq!(check_text("a\nb"), Ok(()));
        assert_eq!(check_text("a\0b"), Err(NameError::Character('\0')));
        assert!(check_text(&"x".repeat(1001)).is_err());
    }
}
