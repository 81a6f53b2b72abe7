//! Nothing: this member exists for its integration tests.
