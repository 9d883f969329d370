//! Flume's RPC: Avro's protocol `AvroSourceProtocol` over the framing of Avro's Netty transport.
//!
//! In layers, each of which knows only the one above it in this list:
//!
//! - [`values`]: numbers, bytes and unions of Avro binary, as the protocol needs them;
//! - [`deflate`]: a connection that is compressed as a whole (`compression-type = deflate`);
//! - [`pack`]: the frames, packs: a serial and a list of buffers, gathered into one;
//! - [`protocol`]: the protocol's text and hash, and whether a peer's protocol encodes what ours does;
//! - [`handshake`]: which a connection's first request carries, and the rules of both sides;
//! - [`call`]: requests and answers.
//!
//! The events of a request are the bytes of a slab, in both directions: [`call::Request::decode`] slices them
//! out of the pack that came, and [`call::RequestPack`] names a batch's slab as one of the pack's buffers.

pub mod call;
pub mod deflate;
pub mod handshake;
pub mod pack;
pub mod protocol;
pub mod values;

pub use call::{Answer, Message, Reply, Request, RequestPack, Status};
pub use deflate::{Deflate, Inflated, put_stored};
pub use handshake::{Clients, HandshakeRequest, HandshakeResponse, Match};
pub use pack::{Got, Limits, Pack, PackError, PackReader};

use crate::event::DecodeError;

/// Why the payload of a pack is not what it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// Its bytes are not the Avro binary that must be there.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// A text that is not UTF-8.
    #[error("{0} is not UTF-8")]
    Text(&'static str),
    /// A union or an enumeration with a branch that it does not have.
    #[error("{what} has no branch {found}")]
    Branch {
        /// The union or enumeration.
        what: &'static str,
        /// What stands there.
        found: i64,
    },
    /// More events than a batch can count, or than there are bytes for.
    #[error("an array of {0} events cannot be in what is left of the request")]
    Count(i64),
    /// The peer's protocol encodes something in another way.
    #[error("the protocol of the peer does not fit: {0}")]
    Protocol(String),
}
