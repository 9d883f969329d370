//! How events become the bytes of a file or of a line, and back.
//!
//! An [`EventSerializer`] writes the events of one file (Flume's `EventSerializer`); [`ALL`] lists those that
//! a sink knows by name. A program that uses the library hands its own to the sink, for example with
//! [`crate::sink::file_roll::FileRoll::with_serializer`]. [`json`] is one event as one line of JSON.
//!
//! These lean on the event alone: who writes the bytes, syncs and retries is the sink's business.

pub mod avro;
pub mod avro_body;
pub mod deserializer;
pub mod json;
pub mod text;

use crate::event::{Batch, DecodeError, EventRef};

/// Why events could not be serialized.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SerializeError {
    /// The batch holds bytes that are no events.
    #[error("the batch holds bytes that are no events: {0}")]
    Decode(#[from] DecodeError),
    /// The format cannot hold them.
    #[error("{0}")]
    Format(String),
}

/// How a file that a crash has cut is known to end: where its last whole event is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tail {
    /// The content does not tell: the writer has to remember the length beside the file.
    Exact,
    /// Each event ends with the only newline in it.
    Lines,
    /// An Avro container: each block ends with the file's sync marker.
    AvroBlocks,
}

/// Writes the events of one file. Everything goes to the end of `out`, which the caller writes to the file
/// and empties; one serializer serves one file, from `begin` to `end`.
///
/// The caller commits with `flush`: what has been written up to then is then in `out`. `discard` takes back
/// what came after the last `flush` that was committed, an `end` included; it is never called when nothing
/// was committed, since such a file is thrown away with its serializer.
pub trait EventSerializer: Send {
    /// What a file has in front of its events.
    fn begin(&mut self, _out: &mut Vec<u8>) {}

    /// One event.
    fn write(&mut self, event: EventRef<'_>, out: &mut Vec<u8>) -> Result<(), SerializeError>;

    /// The file can hold this event, too. Where it cannot, the sink ends the file and begins another.
    fn fits(&mut self, _event: EventRef<'_>) -> bool {
        true
    }

    /// [`EventSerializer::fits`] has to be asked for each event; else it is not.
    fn looks_at_each(&self) -> bool {
        false
    }

    /// A whole batch, for formats that need not look at each event.
    fn write_batch(&mut self, batch: &Batch, out: &mut Vec<u8>) -> Result<(), SerializeError> {
        batch.events().try_for_each(|event| self.write(event?, out))
    }

    /// Bytes of events that are kept back until `flush`.
    fn held(&self) -> usize {
        0
    }

    /// Put what is kept back into `out`.
    fn flush(&mut self, _out: &mut Vec<u8>) -> Result<(), SerializeError> {
        Ok(())
    }

    /// Forget what came after the last commit.
    fn discard(&mut self) {}

    /// What a file has behind its events. A file that a crash has ended goes without.
    fn end(&mut self, out: &mut Vec<u8>) -> Result<(), SerializeError> {
        self.flush(out)
    }

    /// How the file as written so far, and what is in `out`, can be cut after a crash.
    fn tail(&self) -> Tail {
        Tail::Exact
    }
}

/// The settings of a serializer: Flume's `serializer.*` without the prefix.
#[derive(Debug, Default, Clone)]
pub struct Options {
    given: Vec<(String, String)>,
    /// What is not as it should be and is read as Flume reads it.
    pub warnings: Vec<String>,
}

impl Options {
    /// Settings by name.
    pub fn new(given: impl IntoIterator<Item = (String, String)>) -> Self {
        Options {
            given: given.into_iter().collect(),
            warnings: Vec::new(),
        }
    }

    /// The value of a setting, which is then used up.
    pub fn take(&mut self, name: &str) -> Option<String> {
        let at = self.given.iter().position(|(key, _)| key == name)?;
        Some(self.given.remove(at).1)
    }

    /// A setting that is none of these.
    pub fn unknown(&self, settings: &[&str]) -> Option<&str> {
        let mut keys = self.given.iter().map(|(key, _)| key.as_str());
        keys.find(|key| !settings.contains(key))
    }

    /// A truth value. As in Flume everything but "true" is false, which is worth a warning.
    pub fn flag(&mut self, name: &str, default: bool) -> bool {
        let Some(word) = self.take(name) else {
            return default;
        };
        let is_true = word.trim().eq_ignore_ascii_case("true");
        if !is_true && !word.trim().eq_ignore_ascii_case("false") {
            self.warnings.push(format!(
                "{name}: \"{word}\" is read as false; write true or false"
            ));
        }
        is_true
    }

    /// A number.
    pub fn number(&mut self, name: &str, default: u64) -> Result<u64, String> {
        match self.take(name) {
            None => Ok(default),
            Some(word) => word
                .trim()
                .parse()
                .map_err(|_| format!("{name}: \"{word}\" is no number; the default is {default}")),
        }
    }
}

/// One line in the table of serializers.
pub struct Spec {
    /// The word for it, in any case.
    pub name: &'static str,
    /// Flume's class name.
    pub class: &'static str,
    /// The settings that it has.
    pub settings: &'static [&'static str],
    /// What it writes, as a sentence.
    pub about: &'static str,
    make: fn(&mut Options) -> Result<Box<dyn EventSerializer>, String>,
}

/// All serializers.
pub const ALL: &[Spec] = &[
    Spec {
        name: "TEXT",
        class: "org.apache.flume.serialization.BodyTextEventSerializer$Builder",
        settings: &["appendNewline"],
        about: "The body and a newline.",
        make: |options| Ok(Box::new(text::Text::new(options.flag("appendNewline", true)))),
    },
    Spec {
        name: "HEADER_AND_TEXT",
        class: "org.apache.flume.serialization.HeaderAndBodyTextEventSerializer$Builder",
        settings: &["appendNewline"],
        about: "The headers as {name=value, name=value}, a blank, the body and a newline.",
        make: |options| {
            let newline = options.flag("appendNewline", true);
            Ok(Box::new(text::HeaderAndText::new(newline)))
        },
    },
    Spec {
        name: "avro_event",
        class: "org.apache.flume.serialization.FlumeEventAvroEventSerializer$Builder",
        settings: &["syncIntervalBytes", "compressionCodec"],
        about: "An Avro object container of records with headers and body.",
        make: avro::make,
    },
    Spec {
        name: "AvroEventSerializer",
        class: "org.apache.flume.sink.hdfs.AvroEventSerializer$Builder",
        settings: &["syncIntervalBytes", "compressionCodec", "schemaURL"],
        about: "An Avro object container of the bodies, which are Avro already, under the schema that a header names.",
        make: avro_body::make,
    },
];

/// The serializer with this name or class name, in any case.
///
/// Errors: a sentence that names the serializer or the setting and says what would be right.
pub fn serializer(name: &str, options: &mut Options) -> Result<Box<dyn EventSerializer>, String> {
    let known = |spec: &&Spec| spec.name.eq_ignore_ascii_case(name) || spec.class.eq_ignore_ascii_case(name);
    let Some(spec) = ALL.iter().find(known) else {
        let names: Vec<_> = ALL.iter().map(|spec| spec.name).collect();
        return Err(format!(
            "\"{name}\" is no serializer; there are {}",
            names.join(", ")
        ));
    };
    if let Some(key) = options.unknown(spec.settings) {
        return Err(format!(
            "the serializer {} has no setting \"{key}\"; it has {}",
            spec.name,
            spec.settings.join(" and ")
        ));
    }
    (spec.make)(options).map_err(|why| format!("serializer {}: {why}", spec.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(name: &str, given: &[(&str, &str)]) -> Result<Vec<String>, String> {
        let mut options = Options::new(given.iter().map(|(k, v)| (k.to_string(), v.to_string())));
        serializer(name, &mut options).map(|_| options.warnings)
    }

    #[test]
    fn serializer_is_found_by_name_and_class_in_any_case() {
        for name in ["text", "TEXT", "Header_And_Text", "AVRO_EVENT"] {
            assert_eq!(made(name, &[]), Ok(vec![]), "{name}");
        }
        for spec in ALL {
            assert_eq!(made(spec.class, &[]), Ok(vec![]), "{}", spec.class);
        }
    }

    #[test]
    fn what_is_not_known_is_named_with_what_there_is() {
        let error = made("jason", &[]).unwrap_err();
        assert!(
            error.contains("jason") && error.contains("HEADER_AND_TEXT"),
            "{error}"
        );
        let error = made("text", &[("appendNewLine", "true")]).unwrap_err();
        assert!(
            error.contains("appendNewLine") && error.contains("appendNewline"),
            "{error}"
        );
        let error = made("avro_event", &[("syncIntervalBytes", "much")]).unwrap_err();
        assert!(error.contains("syncIntervalBytes: \"much\""), "{error}");
    }

    #[test]
    fn what_flume_reads_otherwise_than_one_might_think_is_a_warning() {
        let warnings = made("text", &[("appendNewline", "yes")]).unwrap();
        assert!(warnings[0].contains("read as false"), "{warnings:?}");
        let warnings = made("avro_event", &[("compressionCodec", "zstd")]).unwrap();
        assert!(
            warnings[0].contains("zstd") && warnings[0].contains("zstandard"),
            "{warnings:?}"
        );
    }
}
