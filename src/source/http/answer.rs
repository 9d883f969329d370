//! What a request is answered.

use super::handler::HandlerError;
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use hyper::{Response, StatusCode};

/// Seconds after which a client may come again.
const RETRY: HeaderValue = HeaderValue::from_static("5");

/// A status, and a sentence.
pub struct Answer {
    pub status: StatusCode,
    pub why: String,
}

impl Answer {
    pub fn new(status: StatusCode, why: &str) -> Answer {
        Answer {
            status,
            why: why.to_string(),
        }
    }

    /// The client should come again.
    pub fn later(why: &str) -> Answer {
        Answer::new(StatusCode::SERVICE_UNAVAILABLE, why)
    }
}

impl From<HandlerError> for Answer {
    fn from(error: HandlerError) -> Answer {
        let status = match error {
            HandlerError::Bad(_) => StatusCode::BAD_REQUEST,
            HandlerError::Unsupported(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            HandlerError::Failed(_) => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Answer::new(status, &error.to_string())
    }
}

impl From<Answer> for Response<Full<Bytes>> {
    fn from(answer: Answer) -> Response<Full<Bytes>> {
        let text = match answer.why.is_empty() {
            true => Bytes::new(),
            false => Bytes::from(format!("{}\n", answer.why)),
        };
        let mut response = Response::new(Full::new(text));
        *response.status_mut() = answer.status;
        let headers = response.headers_mut();
        if !answer.why.is_empty() {
            headers.insert(
                CONTENT_TYPE,
                HeaderValue::from_static("text/plain; charset=utf-8"),
            );
        }
        match answer.status {
            StatusCode::SERVICE_UNAVAILABLE => drop(headers.insert(RETRY_AFTER, RETRY)),
            StatusCode::METHOD_NOT_ALLOWED => {
                drop(headers.insert(ALLOW, HeaderValue::from_static("POST, GET")));
            }
            _ => {}
        }
        response
    }
}
