//! RPC protocols that carry events between machines: bytes, frames and meaning, without threads and sockets.
//!
//! A source or a sink brings the connection; what stands here reads from any [`crate::wire::Input`] and writes
//! into buffers, and checks each length that comes from outside before it uses it.

pub mod avro;

/// Who speaks in a way that is not the one expected, by the first bytes that it sent: for the message that
/// tells why its connection is closed.
pub fn stranger(first: &[u8]) -> Option<&'static str> {
    const KNOWN: &[(&[u8], &str)] = &[
        (b"GET ", "HTTP"),
        (b"HEAD ", "HTTP"),
        (b"POST ", "HTTP"),
        (b"PUT ", "HTTP"),
        (b"DELETE ", "HTTP"),
        (b"OPTIONS ", "HTTP"),
        (b"CONNECT ", "HTTP"),
        (b"PRI * HTTP/2", "HTTP/2"),
        (b"HTTP/", "HTTP"),
        (b"\x16\x03", "TLS"),
        // An alert, as a server answers what is no TLS.
        (b"\x15\x03", "TLS"),
        (b"SSH-", "SSH"),
        (b"FLM1", "a stream of frames, which `source stream` takes"),
        (b"\x80\x01\x00\x01", "Thrift"),
        (b"\x82\x21", "Thrift (compact)"),
        (b"\x78\x01", "zlib (deflate)"),
        (b"\x78\x5e", "zlib (deflate)"),
        (b"\x78\x9c", "zlib (deflate)"),
        (b"\x78\xda", "zlib (deflate)"),
    ];
    let known = KNOWN.iter().find(|(start, _)| first.starts_with(start));
    known.map(|(_, name)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangers_are_known_by_their_first_bytes() {
        assert_eq!(stranger(b"GET / HTTP/1.1\r\n"), Some("HTTP"));
        assert_eq!(stranger(b"\x16\x03\x01\x02\x00\x01"), Some("TLS"));
        assert_eq!(stranger(b"\x15\x03\x03\0\x02\x02\x46"), Some("TLS"));
        assert_eq!(stranger(b"HTTP/1.0 400 Bad Request\r\n"), Some("HTTP"));
        assert_eq!(stranger(&[0, 0, 0, 1, 0, 0, 0, 1]), None);
        assert_eq!(stranger(b""), None);
    }
}
