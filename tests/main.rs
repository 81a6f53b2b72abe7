//! What only shows when everything runs: the umbrella as real processes over real databases, and the rules of the
//! tree. One binary, so that everything is linked once.

mod support;

mod cli;
mod conduit;
mod nodes;
mod recovery;
mod tidy;
