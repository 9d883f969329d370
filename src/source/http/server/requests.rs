//! Requests: what is read of one, within which limits, and what is answered.

use super::Service;
use crate::ack::{Class, Outcome};
use crate::event::Batch;
use crate::metrics::Count;
use crate::say;
use crate::source::http::answer::Answer;
use crate::source::http::handler::Post;
use crate::source::idle::SLOWEST;
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, EXPECT};
use hyper::{Method, Request, Response, StatusCode};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::time::{Instant, sleep_until, timeout_at};

/// How long, and for how many bytes, a body is read on that is not taken.
const FAREWELL: Duration = Duration::from_secs(1);
const UNREAD: usize = 16 << 20;

impl Service {
    /// Answer one request.
    pub(super) async fn answer(&self, request: Request<Incoming>, peer: &str) -> Response<Full<Bytes>> {
        let answer = self.take(request).await;
        if answer.status != StatusCode::OK {
            say::info(
                self.to.counters().name(),
                format!("{peer}: answered {}: {}", answer.status.as_u16(), answer.why),
            );
        }
        answer.into()
    }

    async fn take(&self, request: Request<Incoming>) -> Answer {
        match *request.method() {
            Method::POST | Method::GET => {}
            // As Flume answers them.
            Method::TRACE | Method::OPTIONS => {
                return Answer::new(StatusCode::FORBIDDEN, "this method is not allowed: POST events");
            }
            _ => return Answer::new(StatusCode::METHOD_NOT_ALLOWED, "events are posted: use POST"),
        }
        let (head, mut incoming) = request.into_parts();
        let body = match self.body(&mut incoming).await {
            Ok(body) => body,
            Err(answer) => {
                // Who waits to be told to go on hears the answer at once.
                if answer.status != StatusCode::REQUEST_TIMEOUT && !head.headers.contains_key(EXPECT) {
                    drain(&mut incoming).await;
                }
                return self.failed(Count::EventReadFail, answer);
            }
        };
        let content_type = head
            .headers
            .get(CONTENT_TYPE)
            .and_then(|value| value.to_str().ok());
        let post = Post {
            path: head.uri.path(),
            query: head.uri.query(),
            content_type,
            body: &body.bytes,
        };
        let batch = match self.handler.events(&post) {
            Ok(batch) => batch,
            Err(error) => return self.failed(Count::EventReadFail, error.into()),
        };
        let answer = self.hand_on(batch).await;
        // Its bytes count until here.
        drop(body);
        answer
    }

    fn failed(&self, count: Count, answer: Answer) -> Answer {
        self.to.counters().add(count, 1);
        answer
    }

    /// The whole body, if it comes within the limits.
    async fn body(&self, body: &mut Incoming) -> Result<Buffered<'_>, Answer> {
        let too_long = || {
            let most = self.limits.body;
            let why = format!("the body has more than {most} bytes (--max-body)");
            Answer::new(StatusCode::PAYLOAD_TOO_LARGE, &why)
        };
        if body.size_hint().lower() > self.limits.body {
            return Err(too_long());
        }
        let mut buffered = Buffered {
            of: &self.buffered,
            bytes: Vec::new(),
        };
        let began = Instant::now();
        loop {
            // Who sends a byte now and then must not keep its place for ever.
            let grace = Duration::from_secs(buffered.bytes.len() as u64 / SLOWEST);
            let by = (Instant::now() + self.limits.idle).min(began + self.limits.idle + grace);
            let frame = match timeout_at(by, body.frame()).await {
                Ok(None) => return Ok(buffered),
                Ok(Some(Ok(frame))) => frame,
                Ok(Some(Err(error))) => {
                    let why = format!("the body ended before its end: {error}");
                    return Err(Answer::new(StatusCode::BAD_REQUEST, &why));
                }
                Err(_) => {
                    let why = "the body comes too slowly (--idle-timeout)";
                    return Err(Answer::new(StatusCode::REQUEST_TIMEOUT, why));
                }
            };
            let Ok(data) = frame.into_data() else { continue };
            if buffered.bytes.len() as u64 + data.len() as u64 > self.limits.body {
                return Err(too_long());
            }
            if !buffered.add(&data, self.limits.buffered) {
                let why = "too many requests wait for their acceptance (--max-buffered)";
                return Err(Answer::later(why));
            }
        }
    }

    /// Hand on events, and answer when somebody has taken responsibility for them.
    async fn hand_on(&self, batch: Batch) -> Answer {
        let events = u64::from(batch.len());
        if batch.is_empty() {
            return Answer::new(StatusCode::OK, "");
        }
        let mut queued = self.queue.put(batch);
        let deadline = Instant::now() + self.limits.wait;
        let outcome = tokio::select! {
            outcome = &mut queued.outcome => outcome,
            () = sleep_until(deadline) => match queued.give_up() {
                true => {
                    let seconds = self.limits.wait.as_secs_f64();
                    let why = format!("nothing could be handed on for {seconds} s (--max-wait)");
                    return self.failed(Count::ChannelWriteFail, Answer::later(&why));
                }
                false => queued.outcome.await,
            },
        };
        let counters = self.to.counters();
        match outcome {
            Ok(Outcome::Accepted) => {
                counters.add(Count::EventAccepted, events);
                counters.add(Count::AppendBatchAccepted, 1);
                Answer::new(StatusCode::OK, "")
            }
            Ok(Outcome::Refused(refusal)) => {
                counters.add(Count::Refused, events);
                match refusal.class {
                    Class::Retry => Answer::later(&refusal.reason),
                    Class::Reject => Answer::new(StatusCode::UNPROCESSABLE_ENTITY, &refusal.reason),
                }
            }
            Ok(Outcome::Lost) | Err(_) => {
                counters.add(Count::Refused, events);
                self.to.stop().stop();
                Answer::later("the next stage has gone")
            }
        }
    }
}

/// Read on for a moment what nobody wants: a client that still writes would not hear the answer.
async fn drain(body: &mut Incoming) {
    let (by, mut left) = (Instant::now() + FAREWELL, UNREAD);
    while let Ok(Some(Ok(frame))) = timeout_at(by, body.frame()).await {
        left = left.saturating_sub(frame.data_ref().map_or(0, Bytes::len));
        if left == 0 {
            return;
        }
    }
}

/// A body that counts as long as it is here.
struct Buffered<'a> {
    of: &'a AtomicU64,
    bytes: Vec<u8>,
}

impl Buffered<'_> {
    /// False if all together are too many then.
    fn add(&mut self, data: &[u8], most: u64) -> bool {
        let more = data.len() as u64;
        let all = self.of.fetch_add(more, Ordering::AcqRel) + more;
        self.bytes.extend_from_slice(data);
        all <= most
    }
}

impl Drop for Buffered<'_> {
    fn drop(&mut self) {
        self.of.fetch_sub(self.bytes.len() as u64, Ordering::AcqRel);
    }
}
