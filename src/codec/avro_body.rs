//! `AvroEventSerializer`: an Avro object container whose records are the bodies, which are Avro binary already.
//!
//! The schema is that of the header `flume.avro.schema.url`, else `flume.avro.schema.literal`, else of the setting
//! `schemaURL`. A file has the schema of its first event, and an event with another one goes into another file; Flume
//! writes it into the same file, where nobody can read it.

use super::avro::{Container, HEAD, blocks};
use super::{EventSerializer, Options, SerializeError, Tail};
use crate::event::EventRef;
use apache_avro::{Codec, Schema};
use std::collections::HashMap;

const URL: &[u8] = b"flume.avro.schema.url";
const LITERAL: &[u8] = b"flume.avro.schema.literal";
/// Schemas by their places at most; more are read again.
const REMEMBERED: usize = 100;

/// Writes bodies into blocks of a container.
struct Bodies {
    codec: Codec,
    interval: usize,
    schema_url: Option<String>,
    /// What was read at a place.
    read: HashMap<String, String>,
    /// The container, when the first event has said its schema.
    container: Option<(String, Container)>,
}

pub(super) fn make(options: &mut Options) -> Result<Box<dyn EventSerializer>, String> {
    let (codec, interval) = blocks(options)?;
    let schema_url = options.take("schemaURL").filter(|url| !url.is_empty());
    if let Some(url) = &schema_url {
        path_of(url).map_err(|why| format!("schemaURL: {why}"))?;
    }
    Ok(Box::new(Bodies {
        codec,
        interval,
        schema_url,
        read: HashMap::new(),
        container: None,
    }))
}

/// The file of a URL.
fn path_of(url: &str) -> Result<&str, String> {
    let path = match url.split_once("://") {
        Some(("file", path)) => path,
        Some((scheme, _)) => {
            return Err(format!(
                "\"{url}\": a schema is read from a file (file:///PATH), not over {scheme}; send it in the header \
                 flume.avro.schema.literal"
            ));
        }
        None => url.strip_prefix("file:").unwrap_or(url),
    };
    match path.starts_with('/') {
        true => Ok(path),
        false => Err(format!("\"{url}\" is no place of a schema; write file:///PATH")),
    }
}

impl Bodies {
    /// The schema of an event, as JSON.
    fn schema(&mut self, event: EventRef<'_>) -> Result<String, SerializeError> {
        let text = |bytes: &[u8]| {
            let text = std::str::from_utf8(bytes).map(str::to_string);
            text.map_err(|_| SerializeError::Format("the schema of an event is no UTF-8".into()))
        };
        if let Some(url) = event.header(URL) {
            return self.schema_at(&text(url)?);
        }
        if let Some(literal) = event.header(LITERAL) {
            return text(literal);
        }
        match self.schema_url.clone() {
            Some(url) => self.schema_at(&url),
            None => Err(SerializeError::Format(
                "an event has no schema: neither the header flume.avro.schema.url nor flume.avro.schema.literal, and \
                 there is no schemaURL"
                    .into(),
            )),
        }
    }

    fn schema_at(&mut self, url: &str) -> Result<String, SerializeError> {
        if let Some(schema) = self.read.get(url) {
            return Ok(schema.clone());
        }
        let path = path_of(url).map_err(SerializeError::Format)?;
        let cannot = |error: &dyn std::fmt::Display| {
            SerializeError::Format(format!("the schema {url} cannot be read: {error}"))
        };
        let length = std::fs::metadata(path).map_err(|error| cannot(&error))?.len();
        if length > HEAD as u64 / 2 {
            return Err(cannot(&"it is too long"));
        }
        let schema = std::fs::read_to_string(path).map_err(|error| cannot(&error))?;
        if self.read.len() >= REMEMBERED {
            self.read.clear();
        }
        self.read.insert(url.to_string(), schema.clone());
        Ok(schema)
    }
}

impl EventSerializer for Bodies {
    fn fits(&mut self, event: EventRef<'_>) -> bool {
        let same =
            |own: &str, schema: Result<String, SerializeError>| schema.is_ok_and(|schema| schema == own);
        match self.container.as_ref().map(|(schema, _)| schema.clone()) {
            // One without a schema is an error when it is written.
            Some(own) => {
                let schema = self.schema(event);
                schema.is_err() || same(&own, schema)
            }
            None => true,
        }
    }

    fn looks_at_each(&self) -> bool {
        true
    }

    fn write(&mut self, event: EventRef<'_>, out: &mut Vec<u8>) -> Result<(), SerializeError> {
        let schema = self.schema(event)?;
        if self.container.is_none() {
            let read = Schema::parse_str(&schema);
            read.map_err(|error| SerializeError::Format(format!("the schema of an event is none: {error}")))?;
            if schema.len() > HEAD / 2 {
                return Err(SerializeError::Format(
                    "the schema of an event is too long".into(),
                ));
            }
            let mut container =
                Container::of(&schema, self.codec, self.interval).map_err(SerializeError::Format)?;
            container.begin(out);
            self.container = Some((schema, container));
        }
        match &mut self.container {
            Some((_, container)) => container.write_record(event.body(), out),
            None => Ok(()),
        }
    }

    fn held(&self) -> usize {
        self.container
            .as_ref()
            .map_or(0, |(_, container)| container.held())
    }

    fn flush(&mut self, out: &mut Vec<u8>) -> Result<(), SerializeError> {
        match &mut self.container {
            Some((_, container)) => container.flush(out),
            None => Ok(()),
        }
    }

    fn discard(&mut self) {
        if let Some((_, container)) = &mut self.container {
            container.discard();
        }
    }

    fn tail(&self) -> Tail {
        Tail::AvroBlocks
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Batch, Event};
    use apache_avro::types::Value;

    const LONGS: &str = r#"{"type":"record","name":"N","fields":[{"name":"n","type":"long"}]}"#;

    fn serializer(given: &[(&str, &str)]) -> Box<dyn EventSerializer> {
        let given = given
            .iter()
            .map(|(key, value)| (key.to_string(), value.to_string()));
        crate::codec::serializer("AvroEventSerializer", &mut Options::new(given)).unwrap()
    }

    fn write(
        serializer: &mut dyn EventSerializer,
        event: &Event,
        out: &mut Vec<u8>,
    ) -> Result<(), SerializeError> {
        let batch = Batch::single(event);
        batch.events().try_for_each(|event| serializer.write(event?, out))
    }

    /// A body that is the record {n: number}, for a number below 64.
    fn record(number: u8) -> Event {
        Event::new(vec![2 * number])
    }

    fn numbers(file: &[u8]) -> Vec<i64> {
        let records = apache_avro::Reader::new(file).unwrap();
        let number = |record: Result<Value, _>| match record {
            Ok(Value::Record(fields)) => match fields[0].1 {
                Value::Long(number) => number,
                ref other => panic!("{other:?}"),
            },
            other => panic!("{other:?}"),
        };
        records.map(number).collect()
    }

    #[test]
    fn bodies_are_the_records_of_the_schema_in_the_header() {
        for codec in ["null", "deflate"] {
            let mut made = serializer(&[("compressionCodec", codec)]);
            let mut out = Vec::new();
            made.begin(&mut out);
            for number in 0..5 {
                let event = record(number).with_header("flume.avro.schema.literal", LONGS);
                write(&mut *made, &event, &mut out).unwrap();
            }
            made.end(&mut out).unwrap();
            assert_eq!(numbers(&out), [0, 1, 2, 3, 4]);
            let length = super::super::avro::whole_length(&mut std::io::Cursor::new(&out)).unwrap();
            assert_eq!(length, out.len() as u64);
        }
    }

    #[test]
    fn schema_may_be_in_a_file_and_another_one_does_not_fit() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), LONGS).unwrap();
        let url = format!("file://{}", file.path().display());
        let mut made = serializer(&[("schemaURL", &url)]);
        let mut out = Vec::new();
        write(&mut *made, &record(1), &mut out).unwrap();
        write(
            &mut *made,
            &record(2).with_header("flume.avro.schema.url", url.clone()),
            &mut out,
        )
        .unwrap();
        made.end(&mut out).unwrap();
        assert_eq!(numbers(&out), [1, 2]);
        let other = record(1).with_header("flume.avro.schema.literal", "\"long\"");
        let batch = Batch::single(&other);
        assert!(!made.fits(batch.events().next().unwrap().unwrap()));
    }

    #[test]
    fn event_without_a_schema_or_with_a_bad_one_is_an_error() {
        let mut out = Vec::new();
        let error = write(&mut *serializer(&[]), &record(1), &mut out).unwrap_err();
        assert!(error.to_string().contains("schemaURL"), "{error}");
        for (header, value) in [
            ("flume.avro.schema.literal", "{"),
            ("flume.avro.schema.url", "file:///no/such/schema"),
            ("flume.avro.schema.url", "hdfs://host/schema"),
        ] {
            let event = record(1).with_header(header, value);
            assert!(write(&mut *serializer(&[]), &event, &mut out).is_err(), "{value}");
        }
        let error = crate::codec::serializer(
            "AvroEventSerializer",
            &mut Options::new([("schemaURL".into(), "x".into())]),
        );
        assert!(error.err().unwrap().contains("file:///PATH"));
    }
}
