//! Two processes or three, as buses with links of their own over real TCP, and a wire between them that can be held and cut.

mod bounds;
mod carrying;
mod encrypted;
mod failing;
mod lasting;
mod meeting;
mod stopping;
mod world;
