//! `static`: the same header on every event (Flume's StaticInterceptor).

use super::{push_header, with_header};
use crate::event::{Batch, BatchBuilder, EventRef};
use crate::exit::StageError;
use crate::stage::Interceptor;

/// Set one header to the same value on every event.
#[derive(clap::Args)]
pub struct Static {
    /// Name of the header.
    #[arg(long, id = "key", default_value = "key", value_name = "NAME")]
    key: String,
    /// Its value.
    #[arg(long, id = "value", default_value = "value", value_name = "TEXT")]
    value: String,
    /// Keep the value of an event that has the header already.
    #[arg(long, id = "preserveExisting", default_value = "true")]
    preserve_existing: bool,
}

impl Interceptor for Static {
    fn intercept(&mut self, event: EventRef<'_>, out: &mut BatchBuilder) -> Result<(), StageError> {
        let value = self.value.as_bytes();
        push_header(event, &self.key, value, self.preserve_existing, out);
        Ok(())
    }

    fn intercept_batch(&mut self, batch: Batch) -> Result<Batch, StageError> {
        with_header(batch, &self.key, &self.value, self.preserve_existing)
    }
}
