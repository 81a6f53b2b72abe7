//! The app as a whole: what becomes of an article that is deleted, whatever happens meanwhile.

use contracts::{
    articles::{Article, Delete, Edit, Publish, Rejection},
    comments::{AddComment, DeleteComment, DiscussionClosed},
};
use umbel_core::{Command, CommandId};
use umbel_host::{DispatchError, DispatchOptions, Dispatched, Outcome};
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

/// Dispatches under this id.
async fn dispatch_as<C: Command>(
    umbrella: &TestUmbrella,
    id: u128,
    command: C,
) -> Result<Dispatched<C::Reply>, DispatchError<C::Rejection>> {
    let options = DispatchOptions::default().command_id(CommandId(Uuid::from_u128(id)));
    umbrella.bus().dispatch_with(command, options).await
}

/// The same for one that is carried out and whose reply is then not kept: its outcome is unknown, and everything has followed it.
async fn interrupted<C: Command>(umbrella: &TestUmbrella, id: u128, command: C) {
    umbrella.fail_appends_after(1, u32::MAX);
    let lost = dispatch_as(umbrella, id, command).await.map(|_| ());
    assert!(matches!(lost, Err(DispatchError::Timeout { outcome: Outcome::Unknown, .. })), "{}", C::NAME);
    umbrella.fail_appends(0);
    umbrella.settled().await;
}

/// CM-14: what ended before its reply was kept, and is not found any more where it was, is answered as carried out when it comes again.
#[test]
fn what_was_carried_out_is_no_unknown_article_when_it_comes_again() {
    run(async {
        let umbrella = TestUmbrella::of(crate::app()).await;
        let (_, slug) = discussed(&umbrella).await;
        let edit = Edit {
            slug: slug.clone(),
            editor_id: ADA,
            title: Some("Note H".into()),
            description: None,
            body: None,
            tags: None,
        };
        interrupted(&umbrella, 1, edit.clone()).await;
        let edited = dispatch_as(&umbrella, 1, edit.clone()).await.unwrap();
        assert_eq!((edited.reply.summary.slug.as_str(), edited.repeated), ("note-h", true));
        assert_eq!(edited.reply.body, "Step by step.");

        let slug = edited.reply.summary.slug;
        let add = AddComment { slug: slug.clone(), author_id: ADA, body: "Line 5".into() };
        interrupted(&umbrella, 2, add.clone()).await;
        let take_back = DeleteComment { slug: slug.clone(), number: 1, editor_id: ADA };
        interrupted(&umbrella, 3, take_back.clone()).await;
        let delete = Delete { slug, editor_id: ADA };
        interrupted(&umbrella, 4, delete.clone()).await;
        assert_eq!(dispatch_as(&umbrella, 2, add).await.unwrap().reply.number, 2);
        assert!(dispatch_as(&umbrella, 3, take_back).await.unwrap().repeated);
        assert!(dispatch_as(&umbrella, 4, delete.clone()).await.unwrap().repeated);
        assert_eq!(
            umbrella.rejected(delete).await,
            Rejection::UnknownArticle,
            "without the id it is another one"
        );
        // The edit's reply was kept when it came again.
        assert_eq!(dispatch_as(&umbrella, 1, edit).await.unwrap().reply.summary.slug, "note-h");
        umbrella.stop().await;
    });
}

/// What has come between an edit and its repetition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meanwhile {
    /// Somebody else's article has taken its old place.
    TakenBefore,
    /// It was moved on, and somebody else's has taken its new place.
    TakenAfter,
    Deleted,
}

/// CM-14: given an edit that ended before its reply was kept, when it comes again, then what is told is of the article that was edited, whatever is
/// found by now where that was.
#[test]
fn an_edit_that_comes_again_is_told_of_its_own_article() {
    const GRACE: Uuid = Uuid::from_u128(2);
    let publish = |author_id, title: &str, body: &str| {
        let (title, description, body) = (title.to_owned(), "Letters".to_owned(), body.to_owned());
        Publish { author_id, title, description, body, tags: vec!["letters".into()] }
    };
    let retitle = |slug: &str, title: &str| {
        let (slug, title) = (slug.to_owned(), Some(title.to_owned()));
        Edit { slug, editor_id: ADA, title, description: None, body: None, tags: None }
    };
    run(async {
        for meanwhile in [Meanwhile::TakenBefore, Meanwhile::TakenAfter, Meanwhile::Deleted] {
            let umbrella = TestUmbrella::of(crate::app()).await;
            let first = umbrella.dispatch(publish(ADA, "Xray", "Ada's.")).await.reply;
            let edit = retitle("xray", "Yankee");
            interrupted(&umbrella, 1, edit.clone()).await;
            let body = match meanwhile {
                Meanwhile::TakenBefore => {
                    let other = umbrella.dispatch(publish(GRACE, "Xray", "Grace's.")).await.reply;
                    assert_eq!(other.slug, "xray");
                    "Ada's."
                }
                Meanwhile::TakenAfter => {
                    umbrella.dispatch(retitle("yankee", "Zulu")).await;
                    umbrella.settled().await;
                    let other = umbrella.dispatch(publish(GRACE, "Yankee", "Grace's.")).await.reply;
                    assert_eq!(other.slug, "yankee");
                    "Ada's."
                }
                Meanwhile::Deleted => {
                    umbrella.dispatch(Delete { slug: "yankee".into(), editor_id: ADA }).await;
                    ""
                }
            };
            umbrella.settled().await;
            let Article { summary, body: told } = dispatch_as(&umbrella, 1, edit).await.unwrap().reply;
            assert_eq!((summary.id, told.as_str()), (first.article_id, body), "{meanwhile:?}");
            assert_eq!((&*summary.title, &*summary.slug), ("Yankee", "yankee"), "{meanwhile:?}");
            assert_eq!((summary.author.id, &*summary.tags), (ADA, &["letters".to_owned()][..]));
            assert_eq!(summary.created_at, first.published_at);
            umbrella.stop().await;
        }
    });
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
