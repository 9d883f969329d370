//! An interceptor of your own: the length of each body as a header.
//!
//! Under the name `flume-intercept-length` on the PATH it is a component like ours:
//! `flume source stdin < app.log | flume intercept length | flume sink logger`.

use flume::event::{BatchBuilder, EventRef};
use flume::exit::StageError;
use flume::intercept;
use flume::stage::Interceptor;
use std::process::ExitCode;

/// Set a header to the number of bytes in the body, and drop events without any.
#[derive(clap::Args)]
struct Length {
    /// Name of the header.
    #[arg(long, id = "header", default_value = "length", value_name = "NAME")]
    header: String,
}

impl Interceptor for Length {
    /// Push what becomes of one event: nothing to drop it, more than one to add some.
    fn intercept(&mut self, event: EventRef<'_>, out: &mut BatchBuilder) -> Result<(), StageError> {
        let length = event.body().len();
        if length > 0 {
            let value = length.to_string();
            out.push_with(event, &[(self.header.as_bytes(), value.as_bytes())], None);
        }
        Ok(())
    }
}

fn main() -> ExitCode {
    flume::cli::own::main(&intercept::row::<Length>("length"))
}
