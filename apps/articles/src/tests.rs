//! The app as a whole: what becomes of an article that is deleted, whatever happens meanwhile.

use contracts::{
    articles::{Delete, Publish},
    comments::{AddComment, DiscussionClosed},
};
use umbel_host::DispatchOptions;
use umbel_testing::{TestUmbrella, run};
use uuid::Uuid;

const ADA: Uuid = Uuid::from_u128(1);

umbel_core::events! {
    #[derive(Clone, PartialEq)]
    enum Ended { Closed(DiscussionClosed) }
}

/// An article of ada's with a comment: its id, and where it is.
async fn discussed(umbrella: &TestUmbrella) -> (Uuid, String) {
    let (title, description, body) = ("Note G".to_owned(), "Numbers".to_owned(), "Step by step.".to_owned());
    let publish = Publish { author_id: ADA, title, description, body, tags: Vec::new() };
    let article = umbrella.dispatch(publish).await.reply;
    let (slug, body) = (article.slug, "Is line 4 right?".to_owned());
    umbrella.dispatch(AddComment { slug: slug.clone(), author_id: ADA, body }).await;
    (article.article_id, slug)
}

/// CD-09, PM-04: given an umbrella that ends between the deletion of an article and what follows from it, before or after any of what that
/// stores, then the next one closes the discussion, once.
#[test]
fn a_deleted_article_takes_its_discussion_along_after_a_crash() {
    run(async {
        // What is stored: the deletion; what the process manager makes of it; the closing; that it is done.
        for stored in 1..=3 {
            let umbrella = TestUmbrella::of(crate::app()).await;
            let (article_id, slug) = discussed(&umbrella).await;
            umbrella.fail_appends_after(stored, u32::MAX);
            let delete = Delete { slug, editor_id: ADA };
            umbrella.bus().dispatch_with(delete, DispatchOptions::default()).await.unwrap();
            if stored == 3 {
                umbrella.wait_for_event::<DiscussionClosed>(|closed| closed.article_id == article_id).await;
            }
            let umbrella = umbrella.restart().await;
            let closed = DiscussionClosed { article_id, numbers: vec![1] };
            let before = umbrella.events::<Ended>().await;
            assert_eq!(before.len(), usize::from(stored == 3), "{before:?} after {stored}");
            umbrella.fail_appends(0);
            umbrella.settled().await;
            assert_eq!(umbrella.events::<Ended>().await, [Ended::Closed(closed)], "after {stored}");
            umbrella.stop().await;
        }
    });
}
