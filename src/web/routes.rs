//! The routes: the page, its pictures and its data. Everything is read-only.

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;

use super::views::Views;
use crate::shutdown::Shutdown;

const PAGE: &str = include_str!("ui/index.html");

/// Serves the page until shutdown.
pub async fn serve(listener: TcpListener, views: Views, shutdown: Shutdown) {
    let routes = Router::new()
        .route("/", get(|| async { Html(PAGE) }))
        .route("/api/state", get(state))
        .route("/camera/{file}", get(picture))
        .with_state(views);
    let stop = async move { shutdown.wait().await };
    if let Err(error) = axum::serve(listener, routes).with_graceful_shutdown(stop).await {
        tracing::error!("the web page has stopped: {error}");
    }
}

async fn state(State(views): State<Views>) -> Response {
    let headers = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")];
    (headers, views.json().to_string()).into_response()
}

async fn picture(State(views): State<Views>, Path(file): Path<String>) -> Response {
    let Some(camera) = file.strip_suffix(".jpg") else { return StatusCode::NOT_FOUND.into_response() };
    let camera = camera.to_owned();
    // Drawing and encoding take milliseconds of processor time, too long for the thread that serves.
    match tokio::task::spawn_blocking(move || views.picture(&camera)).await {
        Ok(Some(jpeg)) => {
            let headers = [(header::CONTENT_TYPE, "image/jpeg"), (header::CACHE_CONTROL, "no-store")];
            (headers, jpeg).into_response()
        }
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}
