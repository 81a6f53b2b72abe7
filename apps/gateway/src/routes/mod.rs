//! The routes: each turns a request into messages and their answers into a response, and does nothing else.

mod articles;
mod comments;
mod page;
mod profiles;
mod users;

use actix_web::{
    HttpResponse, Route,
    http::{
        Method,
        header::{self, HeaderValue},
    },
    web::{self, ServiceConfig},
};

use crate::{error::ApiError, health, state::State};

/// All routes, and what answers what is none.
pub(crate) fn configure(state: &State) -> impl FnOnce(&mut ServiceConfig) + use<> {
    let body_limit_bytes = state.body_limit_bytes;
    let state = web::Data::new(state.clone());
    move |config| {
        config
            .app_data(state)
            .app_data(web::PayloadConfig::new(body_limit_bytes))
            .app_data(web::PathConfig::default().error_handler(|_, _| ApiError::not_found("route").into()))
            .service(resource("/api/users", [(Method::POST, web::post().to(users::register))]))
            .service(resource("/api/users/login", [(Method::POST, web::post().to(users::log_in))]))
            .service(resource(
                "/api/user",
                [(Method::GET, web::get().to(users::current)), (Method::PUT, web::put().to(users::update))],
            ))
            .service(resource(
                "/api/articles",
                [
                    (Method::GET, web::get().to(articles::list)),
                    (Method::POST, web::post().to(articles::publish)),
                ],
            ))
            // Before the slugs: no article is ever called so.
            .service(resource("/api/articles/feed", [(Method::GET, web::get().to(articles::feed))]))
            .service(resource(
                "/api/articles/{slug}",
                [
                    (Method::GET, web::get().to(articles::get)),
                    (Method::PUT, web::put().to(articles::edit)),
                    (Method::DELETE, web::delete().to(articles::delete)),
                ],
            ))
            .service(resource(
                "/api/articles/{slug}/favorite",
                [
                    (Method::POST, web::post().to(articles::favorite)),
                    (Method::DELETE, web::delete().to(articles::unfavorite)),
                ],
            ))
            .service(resource(
                "/api/articles/{slug}/comments",
                [(Method::GET, web::get().to(comments::list)), (Method::POST, web::post().to(comments::add))],
            ))
            .service(resource(
                "/api/articles/{slug}/comments/{id}",
                [(Method::DELETE, web::delete().to(comments::delete))],
            ))
            .service(resource("/api/profiles/{username}", [(Method::GET, web::get().to(profiles::get))]))
            .service(resource(
                "/api/profiles/{username}/follow",
                [
                    (Method::POST, web::post().to(profiles::follow)),
                    (Method::DELETE, web::delete().to(profiles::unfollow)),
                ],
            ))
            .service(resource("/api/tags", [(Method::GET, web::get().to(articles::tags))]))
            .service(resource("/health/live", [(Method::GET, web::get().to(health::live))]))
            .service(resource("/health/ready", [(Method::GET, web::get().to(health::ready))]))
            .default_service(web::to(no_route));
    }
}

/// A path and the methods it takes; another one is answered with those that would do. Who takes GET takes HEAD: the
/// middleware makes one of the other.
fn resource<const N: usize>(path: &str, routes: [(Method, Route); N]) -> actix_web::Resource {
    let named =
        |method: &Method| if *method == Method::GET { "GET, HEAD" } else { method.as_str() }.to_owned();
    let methods: Vec<_> = routes.iter().map(|(method, _)| named(method)).collect();
    let allow = HeaderValue::from_str(&methods.join(", ")).expect("names of methods are made of letters");
    let refuse = move || {
        let allow = allow.clone();
        async move { method_not_allowed(allow) }
    };
    let resource = web::resource(path).default_service(web::to(refuse));
    routes.into_iter().fold(resource, |resource, (_, route)| resource.route(route))
}

async fn no_route() -> Result<HttpResponse, ApiError> {
    Err(ApiError::not_found("route"))
}

fn method_not_allowed(allow: HeaderValue) -> HttpResponse {
    use actix_web::{ResponseError, http::StatusCode};
    let error = ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "method", "not allowed");
    let mut response = error.error_response();
    response.headers_mut().insert(header::ALLOW, allow);
    response
}
