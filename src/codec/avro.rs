//! `avro_event`: an Avro object container file (Avro 1.11 specification, "Object Container Files").
//!
//! Our events are Avro binary already, so a block is the events as they came with a head in front, the
//! file's sync marker behind, and the codec's compression over it. A block is closed when it has
//! `syncIntervalBytes`, and at each commit, since an event in an open block is not in the file.

use super::{EventSerializer, Options, SerializeError, Tail};
use crate::event::{Batch, EventRef, put_bytes, put_long};
use apache_avro::Codec;
use std::io::{self, Read, Seek, SeekFrom};
use std::str::FromStr;

/// The schema of Flume's file sinks; the order of fields is that of an encoded event.
pub const SCHEMA: &str = r#"{"type":"record","name":"Event","fields":[{"name":"headers","type":{"type":"map","values":"string"}},{"name":"body","type":"bytes"}]}"#;

/// What every container begins with. A block never does: it would be one of less than no records.
pub(crate) const MAGIC: &[u8] = b"Obj\x01";
pub(crate) const MARKER: usize = 16;
/// Bytes in front of the first block at most.
pub(crate) const HEAD: usize = 4 << 20;
const CODECS: &str = "null, deflate, snappy, zstandard and bzip2";

/// Writes events into blocks of a container.
pub struct Container {
    codec: Codec,
    /// Bytes of events after which a block is closed.
    interval: usize,
    marker: [u8; MARKER],
    schema: String,
    block: Vec<u8>,
    count: i64,
}

/// The serializer as its settings want it.
pub(super) fn make(options: &mut Options) -> Result<Box<dyn EventSerializer>, String> {
    let (codec, interval) = blocks(options)?;
    Ok(Box::new(Container::new(codec, interval)?))
}

/// The settings of blocks.
pub(super) fn blocks(options: &mut Options) -> Result<(Codec, usize), String> {
    let interval = options.number("syncIntervalBytes", 2_048_000)?;
    // Java's writer has the same bounds.
    if !(32..=1 << 30).contains(&interval) {
        return Err(format!(
            "syncIntervalBytes: {interval} is not between 32 and 1073741824"
        ));
    }
    let word = options.take("compressionCodec").unwrap_or_else(|| "null".into());
    let codec = Codec::from_str(&word).unwrap_or_else(|_| {
        let warning =
            format!("compressionCodec: \"{word}\" is no codec, so nothing is compressed; there are {CODECS}");
        options.warnings.push(warning);
        Codec::Null
    });
    Ok((codec, interval as usize))
}

impl Container {
    /// A container whose blocks have about `interval` bytes before compression.
    pub fn new(codec: Codec, interval: usize) -> Result<Self, String> {
        Container::of(SCHEMA, codec, interval)
    }

    /// A container of records with another schema, which [`Container::write_record`] takes.
    pub(super) fn of(schema: &str, codec: Codec, interval: usize) -> Result<Self, String> {
        let mut marker = [0; MARKER];
        let flags = rustix::rand::GetRandomFlags::empty();
        rustix::rand::getrandom(&mut marker, flags)
            .map_err(|error| format!("the system gives no random number for the sync marker: {error}"))?;
        Ok(Container {
            codec,
            interval,
            marker,
            schema: schema.to_string(),
            block: Vec::new(),
            count: 0,
        })
    }

    /// One record that is encoded already.
    pub(super) fn write_record(&mut self, record: &[u8], out: &mut Vec<u8>) -> Result<(), SerializeError> {
        self.block.extend_from_slice(record);
        self.count += 1;
        self.closed_if_full(out)
    }

    fn closed_if_full(&mut self, out: &mut Vec<u8>) -> Result<(), SerializeError> {
        match self.block.len() >= self.interval {
            true => self.flush(out),
            false => Ok(()),
        }
    }
}

impl EventSerializer for Container {
    fn begin(&mut self, out: &mut Vec<u8>) {
        let codec: &str = self.codec.into();
        out.extend_from_slice(MAGIC);
        put_long(out, 2);
        for (key, value) in [("avro.schema", self.schema.as_str()), ("avro.codec", codec)] {
            put_bytes(out, key.as_bytes());
            put_bytes(out, value.as_bytes());
        }
        put_long(out, 0);
        out.extend_from_slice(&self.marker);
    }

    fn write(&mut self, event: EventRef<'_>, out: &mut Vec<u8>) -> Result<(), SerializeError> {
        self.write_record(event.encoded(), out)
    }

    fn write_batch(&mut self, batch: &Batch, out: &mut Vec<u8>) -> Result<(), SerializeError> {
        // One bad event would make the whole block unreadable.
        batch.check()?;
        if self.block.len() + batch.bytes() < self.interval {
            self.block.extend_from_slice(batch.encoded());
            self.count += i64::from(batch.len());
            return Ok(());
        }
        // A block ends behind the event with which it is long enough, as those of Java's writer do.
        batch.events().try_for_each(|event| self.write(event?, out))
    }

    fn held(&self) -> usize {
        self.block.len()
    }

    fn flush(&mut self, out: &mut Vec<u8>) -> Result<(), SerializeError> {
        if self.count == 0 {
            return Ok(());
        }
        self.codec
            .compress(&mut self.block)
            .map_err(|error| SerializeError::Format(format!("a block cannot be compressed: {error}")))?;
        put_long(out, self.count);
        put_bytes(out, &self.block);
        out.extend_from_slice(&self.marker);
        self.discard();
        Ok(())
    }

    fn discard(&mut self) {
        self.block.clear();
        self.count = 0;
    }

    fn tail(&self) -> Tail {
        Tail::AvroBlocks
    }
}

/// Bytes of a container that [`Container`] wrote up to the end of its last whole block; 0 if it has none.
pub fn whole_length(input: &mut (impl Read + Seek)) -> io::Result<u64> {
    let size = input.seek(SeekFrom::End(0))?;
    // What we write in front of the first block has about 200 bytes, or those of somebody's schema.
    let mut head = read_at(input, 0, 4096)?;
    if header(&head).is_none() {
        head = read_at(input, 0, HEAD)?;
    }
    let Some((mut at, marker, _)) = header(&head) else {
        return Ok(0);
    };
    let start = at;
    while let Some(end) = block_end(input, at, size, &marker)? {
        at = end;
    }
    Ok(if at == start { 0 } else { at })
}

/// The head of a container: where the first block begins, the sync marker, and the entries.
pub(crate) type Head<'h> = (u64, [u8; MARKER], Vec<(&'h [u8], &'h [u8])>);

/// Where the first block begins, the sync marker, and what else stands in front of it, if all of that is there.
pub(crate) fn header(head: &[u8]) -> Option<Head<'_>> {
    let mut rest = head.strip_prefix(MAGIC)?;
    let mut entries = Vec::new();
    loop {
        let count = take_long(&mut rest)?;
        if count == 0 {
            break;
        }
        if count < 0 {
            // The length of what follows.
            take_long(&mut rest)?;
        }
        for _ in 0..count.unsigned_abs() {
            let (name, value) = (take_bytes(&mut rest)?, take_bytes(&mut rest)?);
            entries.push((name, value));
        }
    }
    let marker = rest.first_chunk()?;
    let at = head.len() - rest.len() + MARKER;
    Some((at as u64, *marker, entries))
}

fn take_bytes<'b>(rest: &mut &'b [u8]) -> Option<&'b [u8]> {
    let length = usize::try_from(take_long(rest)?).ok()?;
    let (bytes, behind) = rest.split_at_checked(length)?;
    *rest = behind;
    Some(bytes)
}

/// Where the block at `at` ends, if all of it is there.
fn block_end(
    input: &mut (impl Read + Seek),
    at: u64,
    size: u64,
    marker: &[u8; MARKER],
) -> io::Result<Option<u64>> {
    let head = read_at(input, at, 20)?;
    let mut rest = &head[..];
    let (Some(1..), Some(length @ 0..)) = (take_long(&mut rest), take_long(&mut rest)) else {
        return Ok(None);
    };
    let data_end = (at + (head.len() - rest.len()) as u64).saturating_add(length as u64);
    if data_end.saturating_add(MARKER as u64) > size {
        return Ok(None);
    }
    let found = read_at(input, data_end, MARKER)?;
    Ok((found == marker).then_some(data_end + MARKER as u64))
}

fn read_at(input: &mut (impl Read + Seek), at: u64, most: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(most);
    input.seek(SeekFrom::Start(at))?;
    input.take(most as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// A number as Avro writes it, from the front of `bytes`.
pub(crate) fn take_long(bytes: &mut &[u8]) -> Option<i64> {
    let mut value = 0u64;
    for shift in 0..10 {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << (7 * shift);
        if byte < 0x80 {
            return Some((value >> 1) as i64 ^ -((value & 1) as i64));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{BatchBuilder, Event};
    use apache_avro::types::Value;
    use std::collections::HashMap;
    use std::io::Cursor;

    fn sample() -> Batch {
        let mut builder = BatchBuilder::new();
        for number in 0..100 {
            let event = Event::new(format!("body {number}"));
            builder.push_event(&event.with_header("number", number.to_string()));
        }
        builder.finish()
    }

    fn container(codec: Codec, interval: usize, batches: &[Batch]) -> Vec<u8> {
        let mut container = Container::new(codec, interval).unwrap();
        let mut out = Vec::new();
        container.begin(&mut out);
        for batch in batches {
            container.write_batch(batch, &mut out).unwrap();
        }
        container.end(&mut out).unwrap();
        out
    }

    /// Bodies, and the values of the header "number", as apache_avro's reader sees them.
    fn read_back(file: &[u8]) -> Vec<(Vec<u8>, String)> {
        let records = apache_avro::Reader::new(file).unwrap();
        let event = |record: Result<Value, _>| {
            let Ok(Value::Record(fields)) = record else {
                panic!("{record:?}")
            };
            let fields: HashMap<_, _> = fields.into_iter().collect();
            let (Value::Map(headers), Value::Bytes(body)) = (&fields["headers"], &fields["body"]) else {
                panic!("{fields:?}")
            };
            let Value::String(number) = &headers["number"] else {
                panic!("{headers:?}")
            };
            (body.clone(), number.clone())
        };
        records.map(event).collect()
    }

    #[test]
    fn every_codec_is_read_back_by_apache_avro() {
        for word in ["null", "deflate", "snappy", "zstandard", "bzip2"] {
            let mut options = Options::new([("compressionCodec".into(), word.into())]);
            let mut serializer = make(&mut options).unwrap();
            assert_eq!(options.warnings, Vec::<String>::new());
            let mut file = Vec::new();
            serializer.begin(&mut file);
            serializer.write_batch(&sample(), &mut file).unwrap();
            serializer.end(&mut file).unwrap();
            assert!(file.windows(word.len()).any(|bytes| bytes == word.as_bytes()));
            let expected: Vec<_> = (0..100)
                .map(|number| (format!("body {number}").into_bytes(), number.to_string()))
                .collect();
            assert_eq!(read_back(&file), expected, "{word}");
        }
    }

    #[test]
    fn block_is_closed_at_the_sync_interval() {
        let one = sample();
        let many = container(Codec::Null, 32, &[one.clone(), one.clone()]);
        let few = container(Codec::Null, 1 << 20, &[one.clone(), one]);
        assert!(many.len() > few.len());
        assert_eq!(read_back(&many).len(), 200);
        assert_eq!(read_back(&few).len(), 200);
        // Each event has 19 or 20 bytes: behind every other one, also inside of a batch.
        let markers = |file: &[u8]| {
            file.windows(MARKER)
                .filter(|at| *at == &file[file.len() - MARKER..])
                .count()
        };
        assert_eq!((markers(&many), markers(&few)), (1 + 100, 1 + 1));
    }

    #[test]
    fn cut_container_is_whole_up_to_its_last_whole_block() {
        let mut container = Container::new(Codec::Null, 1 << 20).unwrap();
        let mut file = Vec::new();
        container.begin(&mut file);
        container.write_batch(&sample(), &mut file).unwrap();
        container.flush(&mut file).unwrap();
        let one = file.len();
        container.write_batch(&sample(), &mut file).unwrap();
        container.end(&mut file).unwrap();
        for end in 0..=file.len() {
            let expected = match end {
                _ if end == file.len() => file.len(),
                _ if end >= one => one,
                _ => 0,
            };
            let found = whole_length(&mut Cursor::new(&file[..end])).unwrap();
            assert_eq!(found, expected as u64, "cut at {end}");
        }
    }

    #[test]
    fn discarded_events_are_not_in_the_file() {
        let mut container = Container::new(Codec::Null, 1 << 20).unwrap();
        let mut out = Vec::new();
        container.begin(&mut out);
        container.write_batch(&sample(), &mut out).unwrap();
        container.discard();
        container.write_batch(&sample(), &mut out).unwrap();
        container.end(&mut out).unwrap();
        assert_eq!(read_back(&out).len(), 100);
    }
}
