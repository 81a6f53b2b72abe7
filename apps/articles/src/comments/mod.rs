//! Comments: what readers say below an article.
//!
//! An aggregate of its own for each article's discussion. Not a part of the article: its author's edits and its readers'
//! comments would meet in one stream and read each other's history. Not one for each comment: their numbers, which
//! clients want to be integers, would need a counter beside them. A discussion counts by itself; it holds a number and an
//! author for each comment and no texts, and its comments are decided one after the other, which one page's readers bear.

mod discussion;
mod farewell;
mod handlers;
mod thread;

pub(crate) use discussion::Discussion;
pub(crate) use farewell::Farewell;
pub(crate) use handlers::{add, delete, list};
pub(crate) use thread::Comments;
