//! The handshake in front of the first request of a connection, and of its answer.
//!
//! The client says by hash which protocol it speaks and which it believes the server to speak. The server
//! answers BOTH when it knows both, CLIENT with its own text when the client was wrong about it, and NONE when
//! it does not know the client's: then nothing was called, and the client says the whole request again, with its
//! text. After BOTH and CLIENT no pack of the connection carries a handshake any more.

use super::CallError;
use super::protocol::{self, HASH, Shape, TEXT};
use super::values::put_option;
use crate::event::{Cursor, put_bytes, put_long};
use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};

/// Protocols of clients that are remembered by their hash at most. One over it has to show its text each time.
const MAX_CLIENTS: usize = 256;

/// The name under which the order of calls is asked for and promised in the meta data of a handshake.
const ORDER: &[u8] = b"flume.order";
const META: &str = "the meta data of the handshake";

/// A union that is a map with this one entry, without a value.
fn put_order(to: &mut Vec<u8>) {
    to.extend_from_slice(&[2, 2]);
    put_bytes(to, ORDER);
    to.extend_from_slice(&[0, 0]);
}

/// What a client says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HandshakeRequest<'a> {
    /// Of its own protocol.
    pub client_hash: [u8; 16],
    /// Its own protocol, where it has to tell.
    pub client_protocol: Option<&'a str>,
    /// Of the server's protocol, as it believes.
    pub server_hash: [u8; 16],
    /// It asks whether calls that follow each other are taken in that order. In the meta data of the handshake,
    /// which Java passes over.
    pub asks_order: bool,
}

/// Whose protocol the server knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Match {
    Both,
    Client,
    None,
}

/// What a server answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HandshakeResponse<'a> {
    /// Whose protocol it knows.
    pub matches: Match,
    /// Its own protocol, unless the client knew it.
    pub server_protocol: Option<Cow<'a, str>>,
    /// And the hash of that.
    pub server_hash: Option<[u8; 16]>,
    /// It promises to take the calls of a connection in their order, also when several wait for their answer.
    /// Flume does not: its calls are worked off by several threads.
    pub keeps_order: bool,
}

impl<'a> HandshakeRequest<'a> {
    /// As a Java client begins: the same protocol on both sides, by its hash.
    pub fn usual() -> Self {
        HandshakeRequest {
            client_hash: HASH,
            client_protocol: None,
            server_hash: HASH,
            asks_order: false,
        }
    }

    pub(super) fn decode(cursor: &mut Cursor<'a>) -> Result<Self, CallError> {
        let client_hash = cursor.hash("the hash of the client's protocol")?;
        let client_protocol = match cursor.is_some("the client's protocol")? {
            true => Some(cursor.text("the client's protocol")?),
            false => None,
        };
        let server_hash = cursor.hash("the hash of the server's protocol")?;
        let asks_order = cursor.is_some(META)? && cursor.find_meta(ORDER)?;
        Ok(HandshakeRequest {
            client_hash,
            client_protocol,
            server_hash,
            asks_order,
        })
    }

    /// Append it; where there is nothing to ask, with an empty map of meta data as Java has it.
    pub fn put(&self, to: &mut Vec<u8>) {
        to.extend_from_slice(&self.client_hash);
        put_option(to, self.client_protocol);
        to.extend_from_slice(&self.server_hash);
        match self.asks_order {
            true => put_order(to),
            false => to.extend_from_slice(&[2, 0]),
        }
    }
}

impl<'a> HandshakeResponse<'a> {
    /// Both sides know each other.
    pub const BOTH: HandshakeResponse<'static> = HandshakeResponse {
        matches: Match::Both,
        server_protocol: None,
        server_hash: None,
        keeps_order: false,
    };

    /// With our own protocol, which the client has to know.
    pub(crate) fn telling(matches: Match) -> HandshakeResponse<'static> {
        HandshakeResponse {
            matches,
            server_protocol: Some(Cow::Borrowed(TEXT)),
            server_hash: Some(HASH),
            keeps_order: false,
        }
    }

    pub(super) fn decode(cursor: &mut Cursor<'a>) -> Result<Self, CallError> {
        let what = "the match of a handshake";
        let matches = match cursor.long(what)? {
            0 => Match::Both,
            1 => Match::Client,
            2 => Match::None,
            found => return Err(CallError::Branch { what, found }),
        };
        let server_protocol = match cursor.is_some("the server's protocol")? {
            true => Some(Cow::Borrowed(cursor.text("the server's protocol")?)),
            false => None,
        };
        let server_hash = match cursor.is_some("the hash of the server's protocol")? {
            true => Some(cursor.hash("the hash of the server's protocol")?),
            false => None,
        };
        let keeps_order = cursor.is_some(META)? && cursor.find_meta(ORDER)?;
        Ok(HandshakeResponse {
            matches,
            server_protocol,
            server_hash,
            keeps_order,
        })
    }

    /// Append it.
    pub fn put(&self, to: &mut Vec<u8>) {
        put_long(to, self.matches as i64);
        put_option(to, self.server_protocol.as_deref());
        put_long(to, i64::from(self.server_hash.is_some()));
        if let Some(hash) = &self.server_hash {
            to.extend_from_slice(hash);
        }
        match self.keeps_order {
            true => put_order(to),
            false => to.push(0),
        }
    }
}

/// The server's side: the protocols of clients that it knows. One for a source, as Java has one for a process.
#[derive(Default)]
pub struct Clients(Mutex<HashMap<[u8; 16], Shape>>);

impl Clients {
    /// What to answer, and what the client's protocol is like; nothing of it where the answer is NONE.
    /// The promise to keep the order of calls is made to who asks for it: the server hands them on as they come.
    ///
    /// Errors: a protocol whose events or answers have another encoding.
    pub fn greet(
        &self,
        request: &HandshakeRequest<'_>,
    ) -> Result<(HandshakeResponse<'static>, Option<Shape>), CallError> {
        let Some(shape) = self.shape_of(request)? else {
            return Ok((HandshakeResponse::telling(Match::None), None));
        };
        let response = match request.server_hash == HASH {
            true => HandshakeResponse::BOTH,
            false => HandshakeResponse::telling(Match::Client),
        };
        // Whoever did not ask gets the answer that Flume would give, to the byte.
        let response = HandshakeResponse {
            keeps_order: request.asks_order,
            ..response
        };
        Ok((response, Some(shape)))
    }

    fn shape_of(&self, request: &HandshakeRequest<'_>) -> Result<Option<Shape>, CallError> {
        if request.client_hash == HASH {
            return Ok(Some(Shape::default()));
        }
        // What was shown once holds for all who have the hash, as in Java.
        if let Some(shape) = self.lock().get(&request.client_hash) {
            return Ok(Some(*shape));
        }
        let Some(text) = request.client_protocol else {
            return Ok(None);
        };
        let shape = protocol::shape(text)?;
        let mut known = self.lock();
        if known.len() < MAX_CLIENTS {
            known.insert(request.client_hash, shape);
        }
        Ok(Some(shape))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<[u8; 16], Shape>> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// The client's side of one connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Greeting {
    server_hash: [u8; 16],
    shows_text: bool,
    established: bool,
    asks_order: bool,
    keeps_order: bool,
}

impl Default for Greeting {
    fn default() -> Self {
        Self::new()
    }
}

impl Greeting {
    /// Nothing was said yet.
    pub fn new() -> Self {
        Greeting {
            server_hash: HASH,
            shows_text: false,
            established: false,
            asks_order: false,
            keeps_order: false,
        }
    }

    /// As [`Greeting::new`], asking for the order of calls.
    pub fn asking_order() -> Self {
        Greeting {
            asks_order: true,
            ..Greeting::new()
        }
    }

    /// What the next request has to carry; `None` once both sides know each other.
    pub fn request(&self) -> Option<HandshakeRequest<'static>> {
        (!self.established).then_some(HandshakeRequest {
            client_hash: HASH,
            client_protocol: self.shows_text.then_some(TEXT),
            server_hash: self.server_hash,
            asks_order: self.asks_order,
        })
    }

    /// The server has promised to take calls in their order.
    pub fn keeps_order(&self) -> bool {
        self.keeps_order
    }

    /// Take the server's answer: true if the request that it answers was made, false if it has to be sent again.
    ///
    /// Errors: a server that has another protocol, or that still does not know ours when it has its text.
    pub fn heard(&mut self, response: &HandshakeResponse<'_>) -> Result<bool, CallError> {
        if let Some(text) = &response.server_protocol {
            protocol::shape(text)?;
        }
        if let Some(hash) = response.server_hash {
            self.server_hash = hash;
        }
        if response.matches != Match::None {
            self.established = true;
            self.keeps_order = response.keeps_order;
            return Ok(true);
        }
        if self.shows_text {
            let why = "the server does not take it though it has its text";
            return Err(CallError::Protocol(why.into()));
        }
        self.shows_text = true;
        Ok(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request<'a>(client: u8, text: Option<&'a str>, server: [u8; 16]) -> HandshakeRequest<'a> {
        HandshakeRequest {
            client_hash: [client; 16],
            client_protocol: text,
            server_hash: server,
            asks_order: false,
        }
    }

    fn both_ways(response: &HandshakeResponse<'_>) {
        let mut bytes = Vec::new();
        response.put(&mut bytes);
        let mut cursor = Cursor::start(&bytes);
        assert_eq!(&HandshakeResponse::decode(&mut cursor).unwrap(), response);
        assert_eq!(cursor.at, bytes.len());
    }

    #[test]
    fn what_is_put_is_what_is_decoded() {
        both_ways(&HandshakeResponse::BOTH);
        both_ways(&HandshakeResponse::telling(Match::Client));
        both_ways(&HandshakeResponse::telling(Match::None));
        for request in [HandshakeRequest::usual(), request(1, Some("{}"), [2; 16])] {
            let mut bytes = Vec::new();
            request.put(&mut bytes);
            let mut cursor = Cursor::start(&bytes);
            assert_eq!(HandshakeRequest::decode(&mut cursor).unwrap(), request);
            assert_eq!(cursor.at, bytes.len());
            for end in 0..bytes.len() {
                assert!(HandshakeRequest::decode(&mut Cursor::start(&bytes[..end])).is_err());
            }
        }
    }

    #[test]
    fn server_knows_by_hash_or_by_text_and_then_by_hash() {
        let clients = Clients::default();
        let greet = |request: HandshakeRequest<'_>| {
            let (response, shape) = clients.greet(&request).unwrap();
            assert_eq!(shape.is_none(), response.matches == Match::None);
            assert_eq!(response.server_hash.is_none(), response.matches == Match::Both);
            response.matches
        };
        assert_eq!(greet(HandshakeRequest::usual()), Match::Both);
        assert_eq!(greet(request(1, None, HASH)), Match::None);
        assert_eq!(greet(request(1, None, [9; 16])), Match::None);
        assert_eq!(greet(request(1, Some(TEXT), [9; 16])), Match::Client);
        assert_eq!(greet(request(1, None, HASH)), Match::Both);
        assert_eq!(greet(request(1, None, [1; 16])), Match::Client);
        assert_eq!(greet(request(2, Some(TEXT), HASH)), Match::Both);
        assert!(clients.greet(&request(3, Some("no JSON"), HASH)).is_err());
    }

    #[test]
    fn server_remembers_no_more_clients_than_its_bound() {
        let clients = Clients::default();
        for number in 0..=MAX_CLIENTS as u128 {
            let request = HandshakeRequest {
                client_hash: number.to_be_bytes(),
                client_protocol: Some(TEXT),
                server_hash: HASH,
                asks_order: false,
            };
            assert_eq!(clients.greet(&request).unwrap().0.matches, Match::Both);
        }
        assert_eq!(clients.lock().len(), MAX_CLIENTS);
    }

    #[test]
    fn client_goes_on_after_each_of_the_answers() {
        let mut greeting = Greeting::new();
        assert_eq!(greeting.request(), Some(HandshakeRequest::usual()));
        let none = HandshakeResponse {
            server_hash: Some([5; 16]),
            ..HandshakeResponse::telling(Match::None)
        };
        assert_eq!(greeting.heard(&none), Ok(false));
        let again = greeting.request().unwrap();
        assert_eq!((again.client_protocol, again.server_hash), (Some(TEXT), [5; 16]));
        assert!(greeting.clone().heard(&none).is_err());
        assert_eq!(greeting.heard(&HandshakeResponse::BOTH), Ok(true));
        assert_eq!(greeting.request(), None);
        let mut greeting = Greeting::new();
        assert_eq!(
            greeting.heard(&HandshakeResponse::telling(Match::Client)),
            Ok(true)
        );
        assert_eq!(greeting.request(), None);
    }
    #[test]
    fn order_is_promised_to_who_asks_and_to_nobody_else() {
        for (mut greeting, promised) in [(Greeting::new(), false), (Greeting::asking_order(), true)] {
            let mut bytes = Vec::new();
            greeting.request().unwrap().put(&mut bytes);
            let request = HandshakeRequest::decode(&mut Cursor::start(&bytes)).unwrap();
            let (response, _) = Clients::default().greet(&request).unwrap();
            both_ways(&response);
            assert_eq!(response == HandshakeResponse::BOTH, !promised);
            greeting.heard(&response).unwrap();
            assert_eq!(greeting.keeps_order(), promised);
        }
    }
}
