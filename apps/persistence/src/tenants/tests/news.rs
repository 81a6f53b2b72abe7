//! What tenants hear of other processes.

use futures_util::{StreamExt as _, stream::BoxStream};
use umbel_core::subscription::Change;

use super::*;
use crate::News;

impl Place {
    /// As when the network does.
    async fn cut_listeners(&self) {
        let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1";
        self.observer.query(sql, &[&format!("{} listener", self.application)]).await.unwrap();
    }

    async fn until_listener_says(&self, statement: &str) {
        let sql = "SELECT count(*) FROM pg_stat_activity WHERE application_name = $1 AND query = $2";
        let application = format!("{} listener", self.application);
        let said = async || {
            self.observer.query_one(sql, &[&application, &statement]).await.unwrap().get::<_, i64>(0)
        };
        soon(async { while said().await == 0 {} }).await;
    }
}

/// What a store tells next.
async fn next(news: &mut BoxStream<'static, News>) -> News {
    soon(news.next()).await.unwrap()
}

/// OP-05, OP-04: twenty tenants that are followed hear on one connection, each of its own appends and of nobody else's; when it is lost, all
/// look for what they missed and hear again; when nobody follows any more it is closed.
#[tokio::test]
async fn tenants_hear_on_one_connection() {
    let (place, events) = (Place::with(20, 2).await, Events::default());
    let (mut stores, mut news, mut attending) = (Vec::new(), Vec::new(), JoinSet::new());
    for number in 0..20 {
        let store = place.open(number).await;
        let attended = Arc::clone(&store);
        attending.spawn(async move { attended.attend().await });
        news.push(store.news());
        stores.push(store);
    }
    place.until_listeners(0).await;
    let head = |position| News::Head(Position::new(position));
    // Heads that tell the tenants apart.
    let mut heads = vec![0; 20];
    for round in 0..4 {
        for (news, known) in news.iter_mut().zip(&heads) {
            assert_eq!(next(news).await, head(*known), "round {round}");
            assert_eq!(next(news).await, News::Changed(Change::Any));
        }
        place.until_listeners(1).await;
        for _ in 0..2 {
            for ((store, head), count) in stores.iter().zip(&mut heads).zip(1..) {
                append(&**store, events.append("s", ExpectedVersion::Any, count)).await;
                *head += u64::try_from(count).unwrap();
            }
            for (news, appended) in news.iter_mut().zip(&heads) {
                assert_eq!(next(news).await, head(*appended), "round {round}");
            }
        }
        if round < 2 {
            place.cut_listeners().await;
        } else {
            // Whoever comes when the others have gone.
            news = Vec::new();
            place.until_listeners(0).await;
            news.extend(stores.iter().map(|store| store.news()));
        }
    }
}

/// OP-05: of tenants that hear on one connection, one that is followed no more is not listened to, and the others do not notice; one
/// that is followed twice is told twice.
#[tokio::test]
async fn only_what_is_followed_is_listened_to() {
    let (place, events) = (Place::with(2, 2).await, Events::default());
    let (staying, going) = (place.open(0).await, place.open(1).await);
    let attended = Arc::clone(&staying);
    let attending = tokio::spawn(async move { attended.attend().await });
    let head = |position| News::Head(Position::new(position));
    let (mut first, mut gone) = (staying.news(), going.news());
    for news in [&mut first, &mut gone] {
        assert_eq!((next(news).await, next(news).await), (head(0), News::Changed(Change::Any)));
    }
    drop(gone);
    place.until_listener_says(&format!("UNLISTEN \"umbel:{}\";", place.schemas[1].name())).await;
    let mut second = staying.news();
    for news in [&mut second, &mut first] {
        assert_eq!((next(news).await, next(news).await), (head(0), News::Changed(Change::Any)));
    }
    append(&*staying, events.append("s", ExpectedVersion::Any, 1)).await;
    assert_eq!((next(&mut first).await, next(&mut second).await), (head(1), head(1)));
    drop(first);
    append(&*staying, events.append("s", ExpectedVersion::Any, 1)).await;
    assert_eq!(next(&mut second).await, head(2));
    place.until_listeners(1).await;
    attending.abort();
}
