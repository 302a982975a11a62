//! `/mutate` and `/validate`, as API servers call them, and `/healthz`.

use std::sync::Arc;

use axum::Router;
use axum::extract::rejection::JsonRejection;
use axum::extract::{DefaultBodyLimit, Json, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};

use super::Settings;
use super::configs::Configs;
use super::figures::Figures;
use super::judge::judge;
use super::mutate::mutate;
use super::review::Review;
use crate::inject::Profile;
use crate::validate::Defaults;

/// Largest review, in bytes. Source: kube-apiserver takes objects of 3 MiB, and a review has two.
const REVIEW_BYTES_MAX: usize = 8 * 1024 * 1024;

/// What answers need.
struct Shared {
    configs: Configs,
    profile: Profile,
    defaults: Defaults,
    own_namespace: String,
    figures: Arc<Figures>,
}

/// The routes.
pub fn router(configs: Configs, settings: &Settings, figures: Arc<Figures>) -> Router {
    let shared = Shared {
        configs,
        profile: settings.profile.clone(),
        defaults: settings.defaults.clone(),
        own_namespace: settings.own_namespace.clone(),
        figures,
    };
    Router::new()
        .route("/mutate", post(on_mutate))
        .route("/validate", post(on_validate))
        .route("/healthz", get(|| async { "ok\n" }))
        .layer(DefaultBodyLimit::max(REVIEW_BYTES_MAX))
        .with_state(Arc::new(shared))
}

type Body = Result<Json<Review>, JsonRejection>;

async fn on_mutate(State(shared): State<Arc<Shared>>, body: Body) -> Response {
    let Review { request } = match body {
        Ok(Json(review)) => review,
        Err(refused) => return refused.into_response(),
    };
    let Some(configs) = shared.configs.of(&request.namespace).await else {
        shared.figures.not_ready();
        // The failure policy decides what that means for the Pod.
        let why = "it is not known yet which AliyunLogConfigs there are\n";
        return (StatusCode::SERVICE_UNAVAILABLE, why).into_response();
    };
    let (answer, became) = mutate(&request, &configs, &shared.profile, &shared.own_namespace);
    shared.figures.injection(became);
    tracing::debug!(namespace = request.namespace, name = request.name, ?became, "Pod");
    Json(answer.to_review(&request.uid)).into_response()
}

async fn on_validate(State(shared): State<Arc<Shared>>, body: Body) -> Response {
    let Review { request } = match body {
        Ok(Json(review)) => review,
        Err(refused) => return refused.into_response(),
    };
    let answer = judge(&request, &shared.defaults);
    shared.figures.judged(answer.refused.is_none());
    tracing::debug!(
        namespace = request.namespace,
        name = request.name,
        operation = request.operation,
        allowed = answer.refused.is_none(),
        "AliyunLogConfig"
    );
    Json(answer.to_review(&request.uid)).into_response()
}
