//! JSON as the published HTTP contract has it: the envelopes, and what is answered in them. What is sent in them is in
//! [`sent`].

mod sent;

pub(crate) use sent::{ChangedArticle, ChangedUser, LogInUser, NewArticle, NewComment, NewUser};

use contracts::{
    accounts::User,
    articles::{Article, Author, Summary},
    comments::Comment,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{body::object, social::Social};

/// `{"user": ...}`, in and out.
#[derive(Debug, Serialize, Deserialize)]
#[serde(bound(deserialize = "T: DeserializeOwned"))]
pub(crate) struct UserEnvelope<T> {
    #[serde(deserialize_with = "object")]
    pub(crate) user: T,
}

/// `{"article": ...}`, in and out.
#[derive(Debug, Serialize, Deserialize)]
#[serde(bound(deserialize = "T: DeserializeOwned"))]
pub(crate) struct ArticleEnvelope<T> {
    #[serde(deserialize_with = "object")]
    pub(crate) article: T,
}

/// `{"comment": ...}`, in and out.
#[derive(Debug, Serialize, Deserialize)]
#[serde(bound(deserialize = "T: DeserializeOwned"))]
pub(crate) struct CommentEnvelope<T> {
    #[serde(deserialize_with = "object")]
    pub(crate) comment: T,
}

/// `{"profile": ...}`.
#[derive(Debug, Serialize)]
pub(crate) struct ProfileEnvelope {
    pub(crate) profile: ProfileShape,
}

/// A user as they see themselves.
#[derive(Debug, Serialize)]
pub(crate) struct UserShape {
    email: String,
    token: String,
    username: String,
    bio: Option<String>,
    image: Option<String>,
}

/// A user as others see them.
#[derive(Debug, Serialize)]
pub(crate) struct ProfileShape {
    username: String,
    bio: Option<String>,
    image: Option<String>,
    following: bool,
}

/// An article; in lists without its text.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ArticleShape {
    slug: String,
    title: String,
    description: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<String>,
    tag_list: Vec<String>,
    created_at: String,
    updated_at: String,
    favorited: bool,
    favorites_count: u64,
    author: ProfileShape,
}

/// A page of articles and how many there are in all.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ArticlesShape {
    pub(crate) articles: Vec<ArticleShape>,
    pub(crate) articles_count: u64,
}

/// A comment.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CommentShape {
    id: u64,
    created_at: String,
    updated_at: String,
    body: String,
    author: ProfileShape,
}

/// All comments of an article.
#[derive(Debug, Serialize)]
pub(crate) struct CommentsShape {
    pub(crate) comments: Vec<CommentShape>,
}

/// All tags.
#[derive(Debug, Serialize)]
pub(crate) struct TagsShape {
    pub(crate) tags: Vec<String>,
}

impl UserShape {
    pub(crate) fn new(user: User, token: String) -> UserEnvelope<Self> {
        let User { id: _, username, email, bio, image } = user;
        UserEnvelope { user: Self { email, token, username, bio, image } }
    }
}

impl ProfileShape {
    pub(crate) fn new(author: Author, social: &Social) -> Self {
        let Author { id, username, bio, image } = author;
        Self { username, bio, image, following: social.follows(id) }
    }
}

impl ArticleShape {
    /// The article with its text.
    pub(crate) fn whole(article: Article, social: &Social) -> ArticleEnvelope<Self> {
        let Article { summary, body } = article;
        ArticleEnvelope { article: Self { body: Some(body), ..Self::listed(summary, social) } }
    }

    /// The article as lists show it.
    pub(crate) fn listed(summary: Summary, social: &Social) -> Self {
        let Summary { id, slug, title, description, tags, created_at, updated_at, author } = summary;
        let (favorited, favorites_count) = social.favorites(id);
        Self {
            slug,
            title,
            description,
            body: None,
            tag_list: tags,
            created_at: created_at.to_millis_string(),
            updated_at: updated_at.to_millis_string(),
            favorited,
            favorites_count,
            author: ProfileShape::new(author, social),
        }
    }
}

impl CommentShape {
    /// A comment never changes, so it was changed last when it was added.
    pub(crate) fn new(comment: Comment, social: &Social) -> Self {
        let added_at = comment.added_at.to_millis_string();
        Self {
            id: comment.number,
            created_at: added_at.clone(),
            updated_at: added_at,
            body: comment.body,
            author: ProfileShape::new(comment.author, social),
        }
    }
}

#[cfg(test)]
mod tests {
    use contracts::social::{ArticleRelation, Relations};
    use serde_json::{json, to_value};
    use umbel_core::Timestamp;
    use uuid::Uuid;

    use super::*;

    const ID: Uuid = Uuid::from_u128(7);

    fn article() -> Article {
        let author = Author { id: ID, username: "Jake_W".into(), bio: None, image: None };
        let summary = Summary {
            id: Uuid::from_u128(1),
            slug: "dragons".into(),
            title: "Dragons".into(),
            description: "How?".into(),
            tags: vec!["dragons".into()],
            created_at: Timestamp::from_micros(1_769_860_800_123_456),
            updated_at: Timestamp::from_micros(1_769_860_800_123_456),
            author,
        };
        Article { summary, body: "Believe.".into() }
    }

    #[test]
    fn a_user_has_all_keys_and_no_id() {
        let user = User {
            id: ID,
            username: "Jake_W".into(),
            email: "jake@example.com".into(),
            bio: None,
            image: None,
        };
        let expected = json!({ "user": {
            "email": "jake@example.com", "token": "t", "username": "Jake_W", "bio": null, "image": null,
        }});
        assert_eq!(to_value(UserShape::new(user, "t".into())).unwrap(), expected);
    }

    #[test]
    fn an_article_has_all_keys_and_lists_leave_its_text_out() {
        let mut expected = json!({
            "slug": "dragons", "title": "Dragons", "description": "How?", "body": "Believe.",
            "tagList": ["dragons"],
            "createdAt": "2026-01-31T12:00:00.123Z", "updatedAt": "2026-01-31T12:00:00.123Z",
            "favorited": false, "favoritesCount": 0,
            "author": { "username": "Jake_W", "bio": null, "image": null, "following": false },
        });
        let nobody = Social::default();
        assert_eq!(to_value(ArticleShape::whole(article(), &nobody).article).unwrap(), expected);
        expected.as_object_mut().unwrap().remove("body");
        assert_eq!(to_value(ArticleShape::listed(article().summary, &nobody)).unwrap(), expected);
        let liked = ArticleRelation { article_id: Uuid::from_u128(1), favorite: true, favorites: 2 };
        let social = Social::from(Relations { followed: vec![ID], articles: vec![liked] });
        expected["favorited"] = json!(true);
        expected["favoritesCount"] = json!(2);
        expected["author"]["following"] = json!(true);
        assert_eq!(to_value(ArticleShape::listed(article().summary, &social)).unwrap(), expected);
    }

    #[test]
    fn a_comment_has_all_keys_and_an_integer_for_an_id() {
        let Article { summary: Summary { author, created_at: added_at, .. }, .. } = article();
        let comment = Comment { number: 3, body: "Indeed.".into(), added_at, author };
        let expected = json!({
            "id": 3, "body": "Indeed.",
            "createdAt": "2026-01-31T12:00:00.123Z", "updatedAt": "2026-01-31T12:00:00.123Z",
            "author": { "username": "Jake_W", "bio": null, "image": null, "following": false },
        });
        assert_eq!(to_value(CommentShape::new(comment, &Social::default())).unwrap(), expected);
    }
}
