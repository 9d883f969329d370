//! Interceptors: what changes, adds or drops events on their way. The table below is the list of all of them.
//!
//! They map batches and never take responsibility. An interceptor may stand before and behind a channel, also
//! in a stage of its own between a source and a channel.

pub mod batch;
pub mod host;
pub mod regex;
pub mod regex_extractor;
pub mod regex_filter;
pub mod remove_header;
pub mod search_replace;
pub mod static_;
pub mod timestamp;
pub mod uuid;
mod groups;

use crate::component::{Spec, setting_error};
use crate::event::{Batch, BatchBuilder, Entries, EventRef};
use crate::exit::StageError;
use crate::stage::{Interceptor, undecodable};
use clap::{Args, FromArgMatches};

/// All interceptors.
pub const ALL: &[Spec<Box<dyn Interceptor>>] = &[
    row::<batch::Regrouping>("batch"),
    row::<host::Host>("host").also(&["org.apache.flume.interceptor.HostInterceptor$Builder"]),
    checked::<regex::Regex>("regex").positional("pattern"),
    checked::<regex_extractor::RegexExtractor>("regex_extractor")
        .also(&["org.apache.flume.interceptor.RegexExtractorInterceptor$Builder"]),
    row::<regex_filter::RegexFilter>("regex_filter")
        .also(&["org.apache.flume.interceptor.RegexFilteringInterceptor$Builder"]),
    checked::<remove_header::RemoveHeader>("remove_header")
        .also(&["org.apache.flume.interceptor.RemoveHeaderInterceptor$Builder"]),
    checked::<search_replace::SearchReplace>("search_replace")
        .also(&["org.apache.flume.interceptor.SearchAndReplaceInterceptor$Builder"]),
    row::<static_::Static>("static").also(&["org.apache.flume.interceptor.StaticInterceptor$Builder"]),
    row::<timestamp::Timestamp>("timestamp")
        .also(&["org.apache.flume.interceptor.TimestampInterceptor$Builder"]),
    row::<uuid::Uuid>("uuid").also(&["org.apache.flume.sink.solr.morphline.UUIDInterceptor$Builder"]),
];

/// The line of an interceptor.
pub const fn row<T: Args + FromArgMatches + Interceptor + 'static>(
    name: &'static str,
) -> Spec<Box<dyn Interceptor>> {
    Spec::new::<T>(name, |matches| Ok(Box::new(T::from_arg_matches(matches)?)))
}

/// Settings that depend on each other: looked at once, before anything starts.
pub trait Checked {
    /// Prepare what the settings ask for. The error is a sentence that begins with the interceptor's name.
    fn check(&mut self) -> Result<(), String>;
}

/// The line of an interceptor whose settings depend on each other.
pub const fn checked<T: Args + FromArgMatches + Interceptor + Checked + 'static>(
    name: &'static str,
) -> Spec<Box<dyn Interceptor>> {
    Spec::new::<T>(name, |matches| {
        let mut made = T::from_arg_matches(matches)?;
        made.check().map_err(setting_error)?;
        Ok(Box::new(made))
    })
}

/// Push the event with a header set, or as it is when it has the header and that shall stay.
fn push_header(event: EventRef<'_>, name: &str, value: &[u8], preserve: bool, out: &mut BatchBuilder) {
    if preserve && event.header(name.as_bytes()).is_some() {
        out.push_encoded(event);
    } else {
        out.push_with(event, &[(name.as_bytes(), value)], None);
    }
}

/// A header set on every event of a batch. The batch itself, not copied, when all have it and `preserve` says
/// that it stays.
fn with_header(batch: Batch, name: &str, value: &str, preserve: bool) -> Result<Batch, StageError> {
    let (name, value) = (name.as_bytes(), value.as_bytes());
    let entries = Entries::one(name, value);
    let mut events = batch.events();
    let (mut unchanged, mut at) = (0, 0);
    let mut out: Option<BatchBuilder> = None;
    loop {
        let (event, old) = match events.usual_finding(name) {
            Some(found) => found,
            None => match events.rare_finding(name) {
                Some(found) => found.map_err(undecodable)?,
                None => break,
            },
        };
        let keeps = preserve && old.is_some();
        let out = match &mut out {
            Some(out) => out,
            None if keeps => {
                (unchanged, at) = (unchanged + 1, events.at());
                continue;
            }
            None => {
                let room = batch.bytes() + entries.room() * batch.len() as usize;
                let out = out.insert(BatchBuilder::with_room(room));
                out.push_run(&batch.encoded()[..at], unchanged);
                out
            }
        };
        match old {
            None => out.push_entries(event, &entries),
            Some(_) if keeps => out.push_encoded(event),
            Some(_) => out.push_with(event, &[(name, value)], None),
        }
    }
    Ok(match out {
        Some(mut out) => batch.replaced_by(out.finish()),
        None => batch,
    })
}

/// The events of a batch that `keep` wants. The batch itself, not copied, when that is all of them.
fn filtered(batch: Batch, mut keep: impl FnMut(EventRef<'_>) -> bool) -> Result<Batch, StageError> {
    let mut kept: Option<BatchBuilder> = None;
    for (index, event) in batch.events().enumerate() {
        let event = event.map_err(undecodable)?;
        match (keep(event), &mut kept) {
            (true, None) => {}
            (true, Some(kept)) => kept.push_encoded(event),
            (false, Some(_)) => {}
            (false, None) => {
                let mut before = BatchBuilder::with_room(batch.bytes());
                for event in batch.events().take(index) {
                    before.push_encoded(event.map_err(undecodable)?);
                }
                kept = Some(before);
            }
        }
    }
    Ok(match kept {
        Some(mut kept) => batch.replaced_by(kept.finish()),
        None => batch,
    })
}

#[cfg(test)]
mod tests;
