//! What is in a file: as it stands there, or decompressed where its first bytes say that it is gzip, zstd or bzip2.

use bzip2::read::MultiBzDecoder;
use flate2::read::MultiGzDecoder;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};

/// Bytes read of a compressed file at once.
const BUFFER: usize = 256 << 10;

/// How a file is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    None,
    /// gzip, of one or several members.
    Gzip,
    /// zstd, of one or several frames.
    Zstd,
    /// bzip2, of one or several streams.
    Bzip2,
}

impl Compression {
    /// What the first bytes of a file say.
    pub fn of(head: &[u8]) -> Compression {
        let is_bzip2 = head.starts_with(b"BZh")
            && head.get(3).is_some_and(|level| (b'1'..=b'9').contains(level))
            && (head[4..].starts_with(b"1AY&SY") || head[4..].starts_with(b"\x17\x72\x45\x38\x50\x90"));
        match head {
            [0x1F, 0x8B, 8, ..] => Compression::Gzip,
            [0x28, 0xB5, 0x2F, 0xFD, ..] => Compression::Zstd,
            _ if is_bzip2 => Compression::Bzip2,
            _ => Compression::None,
        }
    }
}

/// The content of a file from some place on.
pub struct Content {
    from: From,
    /// Bytes that the file had when it was opened, and that are not read.
    left: u64,
    is_plain: bool,
}

enum From {
    Plain(File),
    Packed(Box<dyn Read + Send>),
}

impl Content {
    /// Of a file that has so many bytes; with `decompress`, what is compressed is decompressed.
    pub fn open(mut file: File, size: u64, decompress: bool) -> io::Result<Content> {
        let mut head = [0; 10];
        let mut length = 0;
        while decompress && length < head.len() {
            match file.read(&mut head[length..]) {
                Ok(0) => break,
                Ok(count) => length += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        file.seek(SeekFrom::Start(0))?;
        let compression = Compression::of(&head[..length]);
        let packed = |file: File| BufReader::with_capacity(BUFFER, file.take(size));
        let from = match compression {
            Compression::None => From::Plain(file),
            Compression::Gzip => From::Packed(Box::new(MultiGzDecoder::new(packed(file)))),
            Compression::Zstd => From::Packed(Box::new(zstd::Decoder::with_buffer(packed(file))?)),
            Compression::Bzip2 => From::Packed(Box::new(MultiBzDecoder::new(packed(file)))),
        };
        Ok(Content {
            from,
            left: size,
            is_plain: compression == Compression::None,
        })
    }

    /// Whether it is as it stands in the file.
    pub fn is_plain(&self) -> bool {
        self.is_plain
    }

    /// Go to a place, which is counted in the content. It can be gone to once, after the start; false if the content ends
    /// before.
    pub fn go_to(&mut self, place: u64) -> io::Result<bool> {
        match &mut self.from {
            From::Plain(file) => {
                let size = file.metadata()?.len();
                file.seek(SeekFrom::Start(place))?;
                self.left = size.min(self.left).saturating_sub(place);
                Ok(place <= size)
            }
            From::Packed(content) => {
                let gone = io::copy(&mut content.by_ref().take(place), &mut io::sink())?;
                Ok(gone == place)
            }
        }
    }

    /// Append at most so many bytes; 0 at the end. Of a plain file no more is read than it had when it was opened.
    pub fn read_onto(&mut self, buffer: &mut Vec<u8>, most: usize) -> io::Result<usize> {
        loop {
            let read = match &mut self.from {
                From::Plain(file) => {
                    let most = most.min(usize::try_from(self.left).unwrap_or(most));
                    if most == 0 {
                        return Ok(0);
                    }
                    crate::fd::read_onto(&*file, buffer, most)
                }
                From::Packed(content) => {
                    let start = buffer.len();
                    buffer.resize(start + most, 0);
                    let read = content.read(&mut buffer[start..]);
                    buffer.truncate(start + *read.as_ref().unwrap_or(&0));
                    read
                }
            };
            match read {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(count) => {
                    self.left = self.left.saturating_sub(count as u64);
                    return Ok(count);
                }
                Err(error) => return Err(error),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn text() -> Vec<u8> {
        (0..50_000)
            .flat_map(|number| format!("line {number}\n").into_bytes())
            .collect()
    }

    fn packed(compression: Compression, text: &[u8]) -> Vec<u8> {
        match compression {
            Compression::None => text.to_vec(),
            Compression::Gzip => {
                let mut to = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
                to.write_all(text).unwrap();
                to.finish().unwrap()
            }
            Compression::Zstd => zstd::encode_all(text, 1).unwrap(),
            Compression::Bzip2 => {
                let mut to = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
                to.write_all(text).unwrap();
                to.finish().unwrap()
            }
        }
    }

    fn content(bytes: &[u8], decompress: bool, from: u64) -> io::Result<Vec<u8>> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        file.seek(SeekFrom::Start(0)).unwrap();
        let mut content = Content::open(file, bytes.len() as u64, decompress)?;
        assert!(content.go_to(from)?);
        let mut all = Vec::new();
        while content.read_onto(&mut all, 10_000)? > 0 {}
        Ok(all)
    }

    const ALL: [Compression; 4] = [
        Compression::None,
        Compression::Gzip,
        Compression::Zstd,
        Compression::Bzip2,
    ];

    #[test]
    fn content_is_decompressed_also_of_several_pieces_and_from_the_middle() {
        let text = text();
        for compression in ALL {
            let (one, other) = text.split_at(text.len() / 2);
            let bytes = [packed(compression, one), packed(compression, other)].concat();
            assert_eq!(Compression::of(&bytes), compression);
            assert!(content(&bytes, true, 0).unwrap() == text, "{compression:?}");
            assert!(
                content(&bytes, true, 300_001).unwrap() == text[300_001..],
                "{compression:?}"
            );
            assert!(content(&bytes, false, 0).unwrap() == bytes, "{compression:?}");
        }
    }

    #[test]
    fn content_that_is_cut_off_is_an_error() {
        let text = text();
        for compression in ALL.into_iter().skip(1) {
            let bytes = packed(compression, &text);
            assert!(
                content(&bytes[..bytes.len() - 5], true, 0).is_err(),
                "{compression:?}"
            );
        }
    }

    #[test]
    fn text_that_begins_like_a_word_of_compression_is_text() {
        for text in [&b"BZh9 is a name\n"[..], b"(\n", b"\x1F", b""] {
            assert_eq!(Compression::of(text), Compression::None);
        }
    }
}
