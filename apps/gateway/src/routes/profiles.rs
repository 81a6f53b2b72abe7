//! Profiles: see somebody, follow them, follow them no more.

use actix_web::web::{Json, Path};
use contracts::{
    accounts::{GetProfile, Profile},
    articles::Author,
    social::{Follow, Unfollow},
};
use tokio::try_join;
use uuid::Uuid;

use crate::{
    auth::{CurrentUser, Viewer},
    call::Call,
    error::ApiError,
    shapes::{ProfileEnvelope, ProfileShape},
    social::Social,
};

type Answer = Result<Json<ProfileEnvelope>, ApiError>;

/// `GET /api/profiles/{username}`
pub(crate) async fn get(viewer: Viewer, call: Call, username: Path<String>) -> Answer {
    let profile = profile_of(&call, username.into_inner()).await?;
    shown(&call, viewer.0, profile).await
}

/// `POST /api/profiles/{username}/follow`
pub(crate) async fn follow(me: CurrentUser, call: Call, username: Path<String>) -> Answer {
    let (_, profile) = try_join!(call.user(me.id), profile_of(&call, username.into_inner()))?;
    call.dispatch(Follow { follower_id: me.id, followed_id: profile.id }, Some(me.id)).await?;
    shown(&call, Some(me.id), profile).await
}

/// `DELETE /api/profiles/{username}/follow`
pub(crate) async fn unfollow(me: CurrentUser, call: Call, username: Path<String>) -> Answer {
    let (_, profile) = try_join!(call.user(me.id), profile_of(&call, username.into_inner()))?;
    call.dispatch(Unfollow { follower_id: me.id, followed_id: profile.id }, Some(me.id)).await?;
    shown(&call, Some(me.id), profile).await
}

async fn profile_of(call: &Call, username: String) -> Result<Profile, ApiError> {
    call.ask(GetProfile { username }).await?.ok_or_else(|| ApiError::not_found("profile"))
}

async fn shown(call: &Call, viewer: Option<Uuid>, profile: Profile) -> Answer {
    let social = Social::of(call, viewer, [profile.id], []).await?;
    let Profile { id, username, bio, image } = profile;
    let profile = ProfileShape::new(Author { id, username, bio, image }, &social);
    Ok(Json(ProfileEnvelope { profile }))
}
