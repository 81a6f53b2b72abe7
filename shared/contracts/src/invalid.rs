//! What is wrong with the fields of a message: all of it at once, not the first thing only.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Everything that is wrong with a message's fields. Never empty.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invalid(
    /// In the order of the fields.
    pub Vec<FieldProblem>,
);

/// One thing that is wrong with one field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldProblem {
    /// The field as clients know it, such as `tagList`.
    pub field: String,
    /// What is wrong.
    pub problem: Problem,
}

/// What can be wrong with a field. Its text form is what a person reads behind the field's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Problem {
    /// Absent, empty, or nothing but white space.
    Blank,
    /// Fewer characters than it must have.
    TooShort {
        /// How many it must have.
        min: usize,
    },
    /// More characters, or more elements, than it may have.
    TooLong {
        /// How many it may have.
        max: usize,
    },
    /// Not of the form it must have.
    Malformed,
}

impl Invalid {
    /// Collects what a list of checks found.
    ///
    /// # Errors
    /// When any check found a problem.
    pub fn check<'a>(checks: impl IntoIterator<Item = (&'a str, Option<Problem>)>) -> Result<(), Self> {
        let found: Vec<_> = checks
            .into_iter()
            .filter_map(|(field, problem)| Some(FieldProblem { field: field.to_owned(), problem: problem? }))
            .collect();
        if found.is_empty() { Ok(()) } else { Err(Self(found)) }
    }
}

/// When each problem of a text arises: part of what it means, and so the same for every app.
impl Problem {
    /// What is wrong with a text that must be there and have at most `max` characters.
    #[must_use]
    pub fn of_required(text: &str, max: usize) -> Option<Self> {
        if text.trim().is_empty() { Some(Self::Blank) } else { Self::of_text(text, max) }
    }

    /// What is wrong with a text that may be empty and has at most `max` characters. NUL is refused everywhere: it has
    /// no use in a text, and not every database can hold it.
    #[must_use]
    pub fn of_text(text: &str, max: usize) -> Option<Self> {
        if text.chars().nth(max).is_some() {
            Some(Self::TooLong { max })
        } else if text.contains('\0') {
            Some(Self::Malformed)
        } else {
            None
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Blank => f.write_str("can't be blank"),
            Self::TooShort { min } => write!(f, "is too short (minimum is {min})"),
            Self::TooLong { max } => write!(f, "is too long (maximum is {max})"),
            Self::Malformed => f.write_str("is invalid"),
        }
    }
}

impl fmt::Display for FieldProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.field, self.problem)
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Invalid {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_problems_are_told_at_once() {
        let checks = [
            ("username", Some(Problem::Blank)),
            ("email", None),
            ("password", Some(Problem::TooShort { min: 8 })),
        ];
        let invalid = Invalid::check(checks).unwrap_err();
        assert_eq!(invalid.to_string(), "username can't be blank, password is too short (minimum is 8)");
        assert_eq!(Invalid::check([("email", None)]), Ok(()));
    }
}
