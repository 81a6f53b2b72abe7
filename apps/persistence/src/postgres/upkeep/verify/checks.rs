//! Which statement checks which rule, and what it walks through.

use umbel_core::store::Rule;

use crate::postgres::sql::Statements;

/// A statement that finds what breaks a rule.
pub(in crate::postgres) struct Check<'a> {
    pub(in crate::postgres) rule: Rule,
    pub(in crate::postgres) walk: Walk,
    pub(in crate::postgres) sql: &'a str,
}

/// What a statement looks at, and in which order.
#[derive(Clone, Copy)]
pub(in crate::postgres) enum Walk {
    /// All of it at once: a table that does not grow with the log, or the end of an index.
    Whole,
    /// Events by position.
    Positions,
    /// Events by position that hold sealed values, each with the key to be tried on it.
    Sealed,
    /// Events by position, whole spans at a time.
    Spans,
    /// The rows of spans.
    SpanRows,
    /// What lists events by kind.
    SpanKinds,
    /// Places in streams; what is seen of a stream is carried into the next step.
    Places,
    /// Events by id.
    Ids,
    /// Links by the position they lead to.
    Links,
    /// What events are found by.
    Tags,
    /// Snapshots by stream.
    Snapshots,
    /// Index entries by document.
    Entries,
    /// Documents by collection and key.
    Documents,
    /// Recorded commands by id.
    Commands,
    /// Dead letters by place.
    Letters,
    /// Partitions of subscriptions, so many that their dead letters are a step.
    Partitions,
}

impl Walk {
    /// The statement that says where a step ends, and where the first begins.
    pub(in crate::postgres) fn steps(self, statements: &Statements) -> Option<(&str, &'static str)> {
        const NIL: &str = "00000000-0000-0000-0000-000000000000";
        Some(match self {
            Self::Whole => return None,
            Self::Positions | Self::Sealed => (&statements.verify_next_positions, "0"),
            Self::Spans => (&statements.verify_next_spans, "0"),
            Self::SpanRows => (&statements.verify_next_span_rows, "-9223372036854775808"),
            Self::SpanKinds => (&statements.verify_next_span_kinds, "[-2147483648, 0]"),
            Self::Places => (&statements.verify_next_places, "[0, 0]"),
            Self::Ids => (&statements.verify_next_ids, NIL),
            Self::Links => (&statements.verify_next_links, "-9223372036854775808"),
            Self::Tags => (&statements.verify_next_tags, r#"["", 0]"#),
            Self::Snapshots => (&statements.verify_next_snapshots, ""),
            Self::Entries => (&statements.verify_next_entries, r#"["", ""]"#),
            Self::Documents => (&statements.verify_next_documents, r#"["", ""]"#),
            Self::Commands => (&statements.verify_next_commands, NIL),
            Self::Letters => (&statements.verify_next_letters, "[0, 0]"),
            Self::Partitions => (&statements.verify_next_partitions, r#"["", 0]"#),
        })
    }

    /// Behind everything there can be, where the steps carry something.
    pub(super) const fn end(self) -> Option<&'static str> {
        match self {
            Self::Places => Some("[9223372036854775807, 0]"),
            _ => None,
        }
    }
}

/// All checks but for sums.
pub(in crate::postgres) fn checks(statements: &Statements) -> Vec<Check<'_>> {
    let check = |(rule, walk, sql)| Check { rule, walk, sql };
    [
        (Rule::Log, Walk::Whole, statements.verify_log.as_str()),
        (Rule::Positions, Walk::Whole, &statements.verify_stray_positions),
        (Rule::Versions, Walk::Places, &statements.verify_versions),
        (Rule::Versions, Walk::Whole, &statements.verify_stray_removals),
        (Rule::EventIds, Walk::Ids, &statements.verify_event_ids),
        (Rule::References, Walk::Positions, &statements.verify_references),
        (Rule::References, Walk::Whole, &statements.verify_kinds),
        (Rule::Spans, Walk::Spans, &statements.verify_spans),
        (Rule::Spans, Walk::SpanRows, &statements.verify_stray_spans),
        (Rule::Spans, Walk::Spans, &statements.verify_span_kinds),
        (Rule::Spans, Walk::SpanKinds, &statements.verify_stray_span_kinds),
        (Rule::Links, Walk::Links, &statements.verify_links),
        (Rule::Tags, Walk::Positions, &statements.verify_tags),
        (Rule::Tags, Walk::Tags, &statements.verify_stray_tags),
        (Rule::Checkpoints, Walk::Whole, &statements.verify_checkpoints),
        (Rule::Snapshots, Walk::Snapshots, &statements.verify_snapshots),
        (Rule::Documents, Walk::Entries, &statements.verify_documents),
        (Rule::Documents, Walk::Documents, &statements.verify_shapes),
        (Rule::Documents, Walk::Whole, &statements.verify_served),
        (Rule::Commands, Walk::Commands, &statements.verify_commands),
        (Rule::Archive, Walk::Whole, &statements.verify_archive),
        (Rule::Payloads, Walk::Positions, &statements.verify_payloads),
        (Rule::SubjectKeys, Walk::Positions, &statements.verify_subject_keys),
        (Rule::SubjectKeys, Walk::Sealed, &statements.verify_sealed),
        (Rule::Checkpoints, Walk::Whole, &statements.verify_subscription_checkpoints),
        (Rule::Subscriptions, Walk::Whole, &statements.verify_subscriptions),
        (Rule::Letters, Walk::Letters, &statements.verify_letters),
        (Rule::Letters, Walk::Partitions, &statements.verify_letter_counts),
    ]
    .map(check)
    .into()
}
