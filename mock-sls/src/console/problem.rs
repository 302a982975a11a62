//! What goes wrong, as a page for a person and as JSON for a script.

use axum::response::{IntoResponse, Response};
use http::{StatusCode, Uri};
use maud::html;
use serde_json::json;

use super::page::Page;
use super::visit::Visit;
use crate::error::ApiError;

/// Why a page cannot be shown or a form has no effect. The guard turns it into a page.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{code}: {message}")]
pub struct Problem {
    /// Status of the answer.
    pub status: StatusCode,
    /// Code of the API's error, or one of the console's own.
    pub code: String,
    /// What is wrong, where and what to do.
    pub message: String,
}

impl Problem {
    /// Something that was sent cannot be used.
    pub fn bad(message: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, code: "ParameterInvalid".to_owned(), message: message.into() }
    }

    /// It is not allowed.
    pub fn forbidden(message: impl Into<String>) -> Self {
        Self { status: StatusCode::FORBIDDEN, code: "Forbidden".to_owned(), message: message.into() }
    }

    /// There is no such thing.
    pub fn missing(message: impl Into<String>) -> Self {
        Self { status: StatusCode::NOT_FOUND, code: "NotFound".to_owned(), message: message.into() }
    }

    /// The page or the JSON that says so.
    pub(super) fn shown(&self, visit: &Visit) -> Response {
        if visit.script {
            let body = json!({ "errorCode": self.code, "errorMessage": self.message });
            return (self.status, axum::Json(body)).into_response();
        }
        let title = match self.status {
            StatusCode::NOT_FOUND => visit.t("Not found", "未找到"),
            StatusCode::FORBIDDEN => visit.t("Not allowed", "不允许"),
            status if status.is_server_error() => visit.t("The emulator failed", "模拟器出错"),
            _ => visit.t("That does not work", "无法完成"),
        };
        let page = Page::new(visit, title).body(html! {
            div.notice.bad role="alert" {
                strong { (self.code) }
                p { (self.message) }
            }
            p.row { a.button href="/" { (visit.t("To the projects", "返回项目列表")) } }
        });
        (self.status, page).into_response()
    }
}

impl From<ApiError> for Problem {
    fn from(error: ApiError) -> Self {
        let (status, code) = error.wire();
        Self { status, code: code.to_owned(), message: error.to_string() }
    }
}

impl IntoResponse for Problem {
    /// Empty but for itself: the guard knows the visitor and dresses it.
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// Nothing is at this address.
pub(super) async fn no_page(uri: Uri) -> Problem {
    Problem::missing(format!("there is no page {} of the console, or it takes other methods", uri.path()))
}
