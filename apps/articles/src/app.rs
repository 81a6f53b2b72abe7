//! The declaration: what of articles runs on the bus.

use umbel_host::App;

use crate::{
    article::Article,
    comments::{self, Comments, Discussion, Farewell},
    handlers::{delete, edit, publish},
    list::ArticleList,
    queries::{get_article, list_articles, list_tags},
};

/// The articles app.
#[must_use]
pub fn app() -> App {
    App::new("articles")
        .aggregate::<Article>()
        .aggregate::<Discussion>()
        .process_manager::<Farewell>()
        .projection::<ArticleList>()
        .projection::<Comments>()
        .command(publish)
        .command(edit)
        .command(delete)
        .command(comments::add)
        .command(comments::delete)
        .query(get_article)
        .query(list_articles)
        .query(list_tags)
        .query(comments::list)
}
