//! A handler of your own for posts: each line of a body is an event, with the path that it was posted to as a header.
//!
//! Under the name `flume-source-lines` on the PATH it is a component like ours, with all settings of source http:
//! `flume source lines --port 5140 | flume sink logger`.

use clap::FromArgMatches;
use flume::component::Spec;
use flume::event::{Batch, BatchBuilder};
use flume::source::http::Http;
use flume::source::http::handler::{Handler, HandlerError, Post};
use flume::stage::Source;
use std::process::ExitCode;
use std::sync::Arc;

struct Lines;

impl Handler for Lines {
    /// Called in several threads at a time. An error is answered with its status and sentence.
    fn events(&self, post: &Post<'_>) -> Result<Batch, HandlerError> {
        if post.path == "/" {
            return Err(HandlerError::Bad("post to a path, which becomes a header".into()));
        }
        let mut events = BatchBuilder::new();
        for line in post
            .body
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty())
        {
            events.push([(&b"path"[..], post.path.as_bytes())].into_iter(), line);
        }
        Ok(events.finish())
    }
}

fn main() -> ExitCode {
    flume::cli::own::main(&Spec::<Source>::new::<Http>("lines", |matches| {
        let http = Http::from_arg_matches(matches)?;
        Ok(Source::EventDriven(Box::new(http.with_handler(Arc::new(Lines)))))
    }))
}
