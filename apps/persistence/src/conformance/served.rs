//! A projection whose documents readers get.

use umbel_core::store::OpenProjection;

use crate::Adapter;

/// Lets the first generation of `items` serve the collection `test.items`.
pub(crate) async fn serve(store: &dyn Adapter) {
    let opening = OpenProjection {
        projection: "items".into(),
        version: 1,
        collections: vec!["test.items".into()],
        indexes: Vec::new(),
        inline: Vec::new(),
    };
    store.open_projection(opening).await.unwrap();
}
