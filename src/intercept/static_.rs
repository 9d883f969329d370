//! `static`: the same header on every event (Flume's StaticInterceptor).

use crate::event::{BatchBuilder, EventRef};
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
        let (key, value) = (self.key.as_bytes(), self.value.as_bytes());
        if event.header(key).is_none() {
            out.push_appended(event, &[(key, value)], event.body());
        } else if self.preserve_existing {
            out.push_encoded(event);
        } else {
            out.push_with(event, &[(key, value)], None);
        }
        Ok(())
    }
}
