//! What is answered to a request over HTTP.

use super::config::Http;
use super::http::{Form, Reply, Request};
use super::{groups, health, prometheus};
use crate::flow::Board;

const HTML: &str = "text/html;charset=utf-8";
const JSON: &str = "application/json;charset=utf-8";
const TEXT: &str = "text/plain;version=0.0.4;charset=utf-8";

/// The start page, with what else there is.
const START: &str = "<!DOCTYPE html><html><head><title>Flume agent</title></head><body><h1>Flume agent</h1><ul>\
<li><a href=\"/metrics\">Counters</a></li>\
<li><a href=\"/metrics?format=json\">Counters as JSON</a></li>\
<li><a href=\"/metrics?format=prometheus\">Counters for Prometheus</a></li>\
<li><a href=\"/health/ready\">Ready?</a></li>\
<li><a href=\"/health/live\">Alive?</a></li></ul></body></html>\n";

/// The answer.
pub fn reply(request: &Request, config: &Http, board: &Board) -> Reply {
    if ["TRACE", "OPTIONS"].contains(&request.method.as_str()) {
        return Reply::new(403, "text/plain", "this is not answered\n");
    }
    let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
    let healthy = |limit| match health::check(board, limit) {
        (true, all) => Reply::new(200, JSON, all),
        (false, all) => Reply::new(503, JSON, all),
    };
    match path.to_ascii_lowercase().as_str() {
        "/" | "" => Reply::new(200, HTML, START),
        "/metrics" => match form(request, query, config.form) {
            Form::Json => Reply::new(200, JSON, groups::json(board).to_string()),
            Form::Prometheus => Reply::new(200, TEXT, prometheus::text(board)),
        },
        "/health/ready" => healthy(config.ready_limit),
        "/health/live" => healthy(config.live_limit),
        _ => Reply::new(
            404,
            "text/plain",
            "there are /metrics, /health/ready and /health/live\n",
        ),
    }
}

/// In which form: as the query says, or as only Prometheus asks.
fn form(request: &Request, query: &str, otherwise: Form) -> Form {
    let asked = query.split('&').find_map(|pair| pair.strip_prefix("format="));
    let of_prometheus = ["version=0.0.4", "openmetrics-text"];
    match asked {
        Some("prometheus") => Form::Prometheus,
        Some("json") => Form::Json,
        _ if of_prometheus.iter().any(|mark| request.accept.contains(mark)) => Form::Prometheus,
        _ => otherwise,
    }
}
