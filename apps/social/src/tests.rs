//! The app as a whole: what is asked of it on the bus, and what it answers.

use std::collections::BTreeSet;

use contracts::{
    articles::Deleted,
    social::{
        ArticleRelation, Favorite, Favorited, Follow, Followed, ListFavorites, ListFollowed, Relate,
        Relations, Unfavorite, Unfollow,
    },
};
use umbel_core::Timestamp;
use umbel_testing::{TestUmbrella, run};
use umbel_testkit::golden::{Waiting, check_waiting};
use uuid::Uuid;

use crate::sweep::SweepFavorites;

const ADA: Uuid = Uuid::from_u128(1);
const BOB: Uuid = Uuid::from_u128(2);
const ARTICLE: Uuid = Uuid::from_u128(3);

async fn seen_by_ada(umbrella: &TestUmbrella) -> Relations {
    umbrella.ask(Relate { viewer_id: Some(ADA), user_ids: vec![BOB], article_ids: vec![ARTICLE] }).await
}

fn relation(favorite: bool, favorites: u64) -> Vec<ArticleRelation> {
    vec![ArticleRelation { article_id: ARTICLE, favorite, favorites }]
}

/// CD-07: every write shows in the next answer; following or liking twice is as once, and also after a restart.
#[test]
fn what_was_done_shows_at_once() {
    run(async {
        let umbrella = TestUmbrella::of(crate::app()).await;
        let nothing = Relations { followed: vec![], articles: relation(false, 0) };
        assert_eq!(seen_by_ada(&umbrella).await, nothing);
        for _ in 0..2 {
            umbrella.dispatch(Follow { follower_id: ADA, followed_id: BOB }).await;
            umbrella.dispatch(Favorite { user_id: ADA, article_id: ARTICLE }).await;
        }
        umbrella.dispatch(Favorite { user_id: BOB, article_id: ARTICLE }).await;
        let all = Relations { followed: vec![BOB], articles: relation(true, 2) };
        assert_eq!(seen_by_ada(&umbrella).await, all);
        assert_eq!(umbrella.ask(ListFollowed { follower_id: ADA }).await, [BOB]);
        assert_eq!(umbrella.ask(ListFavorites { user_id: ADA }).await, [ARTICLE]);

        let umbrella = umbrella.restart().await;
        let twice = umbrella.dispatch(Follow { follower_id: ADA, followed_id: BOB }).await;
        assert_eq!(twice.position, None, "nothing was written");
        umbrella.dispatch(Unfollow { follower_id: ADA, followed_id: BOB }).await;
        umbrella.dispatch(Unfavorite { user_id: ADA, article_id: ARTICLE }).await;
        let left = Relations { followed: vec![], articles: relation(false, 1) };
        assert_eq!(seen_by_ada(&umbrella).await, left);
        assert_eq!(umbrella.settled().await.get(), 5);
        umbrella.stop().await;
    });
}

/// What one request led to is one conversation; others have theirs.
#[test]
fn events_tell_which_request_led_to_them() {
    run(async {
        let umbrella = TestUmbrella::of(crate::app()).await;
        umbrella.dispatch(Follow { follower_id: ADA, followed_id: BOB }).await;
        umbrella.dispatch(Favorite { user_id: ADA, article_id: ARTICLE }).await;
        let followed = umbrella.wait_for_event::<Followed>(|event| event.followed_id == BOB).await;
        let favorited = umbrella.wait_for_event::<Favorited>(|_| true).await;
        let conversations =
            [followed.recorded, favorited.recorded].map(|event| event.metadata.correlation_id);
        assert!(conversations[0].is_some() && conversations[0] != conversations[1]);
        umbrella.assert_no_event::<Followed>(|event| event.follower_id == BOB).await;
        umbrella.stop().await;
    });
}

/// CD-08: however many somebody follows and likes, all of them are known, and those that are no more are not.
#[test]
fn no_number_of_follows_and_favourites_is_too_large() {
    run(async {
        let umbrella = TestUmbrella::of(crate::app()).await;
        let ids: Vec<_> = (100..1150).map(Uuid::from_u128).collect();
        for id in &ids {
            umbrella.dispatch(Follow { follower_id: ADA, followed_id: *id }).await;
            umbrella.dispatch(Favorite { user_id: ADA, article_id: *id }).await;
        }
        umbrella.dispatch(Unfollow { follower_id: ADA, followed_id: ids[7] }).await;
        umbrella.dispatch(Unfavorite { user_id: ADA, article_id: ids[9] }).await;
        let but = |id: Uuid| ids.iter().copied().filter(|other| *other != id).collect::<BTreeSet<_>>();
        let followed = umbrella.ask(ListFollowed { follower_id: ADA }).await;
        let favorites = umbrella.ask(ListFavorites { user_id: ADA }).await;
        assert_eq!((followed.len(), favorites.len()), (1049, 1049));
        assert_eq!(followed.into_iter().collect::<BTreeSet<_>>(), but(ids[7]));
        assert_eq!(favorites.into_iter().collect::<BTreeSet<_>>(), but(ids[9]));
        umbrella.stop().await;
    });
}

/// Given favourites of an article from before and from behind its deletion, when it is swept, then none is left, whichever came when.
#[test]
fn the_sweep_finds_favorites_from_before_and_behind_the_deletion() {
    run(async {
        let umbrella = TestUmbrella::of(crate::app()).await;
        let favorite = async |user_id| {
            umbrella.dispatch(Favorite { user_id, article_id: ARTICLE }).await;
        };
        let swept = async || umbrella.dispatch(SweepFavorites {}).await.reply;
        favorite(ADA).await;
        assert_eq!(swept().await, 0, "it is there");
        let gone = Deleted { article_id: ARTICLE, tags: Vec::new(), deleted_at: Timestamp::from_micros(1) };
        umbrella.append(&format!("article-{ARTICLE}"), &gone).await;
        favorite(BOB).await;
        umbrella.settled().await;
        assert_eq!(swept().await, 2);
        assert_eq!(seen_by_ada(&umbrella).await.articles, relation(false, 0));
        assert_eq!(swept().await, 0, "nothing is left");
        favorite(ADA).await;
        assert_eq!(swept().await, 1, "it is still gone");
        assert!(umbrella.ask(ListFavorites { user_id: ADA }).await.is_empty());
        umbrella.stop().await;
    });
}

/// UX-18: what is planned is carried out in whatever version of the app comes next.
#[test]
fn what_waits_is_read_as_it_was() {
    check_waiting(&[Waiting::of::<SweepFavorites>()], concat!(env!("CARGO_MANIFEST_DIR"), "/golden"));
}
