//! What makes events of the body of a request (Flume's `HTTPSourceHandler`).
//!
//! [`ALL`] lists those that source http knows by name; a program that uses the library hands its own to
//! [`super::Http::with_handler`].

use super::{blob, bodies, json};
use crate::codec::Options;
use crate::event::Batch;
use std::sync::Arc;

/// One request, with its whole body.
pub struct Post<'a> {
    /// Its path.
    pub path: &'a str,
    /// What stands behind the question mark of its path.
    pub query: Option<&'a str>,
    /// The header of that name.
    pub content_type: Option<&'a str>,
    /// The bytes.
    pub body: &'a [u8],
}

impl Post<'_> {
    /// The media type, in small letters and without parameters; empty if the request names none.
    pub fn media_type(&self) -> String {
        let named = self.content_type.unwrap_or_default();
        let bare = named.split(';').next().unwrap_or_default();
        bare.trim().to_ascii_lowercase()
    }

    /// The parameter `charset` of the content type.
    pub fn charset(&self) -> Option<&str> {
        let mut parameters = self.content_type?.split(';').skip(1);
        parameters.find_map(|parameter| {
            let (name, value) = parameter.split_once('=')?;
            let is_it = name.trim().eq_ignore_ascii_case("charset");
            is_it.then(|| value.trim().trim_matches(['"', '\'']))
        })
    }
}

/// Why there are no events in a request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HandlerError {
    /// The request is not as it should be, which it will not be when it comes again: status 400. The sentence has the
    /// place of the mistake.
    #[error("{0}")]
    Bad(String),
    /// It is in a character set or form that is not known: status 415.
    #[error("{0}")]
    Unsupported(String),
    /// The handler itself failed: status 500.
    #[error("{0}")]
    Failed(String),
}

/// Makes events of requests; called from several threads at a time.
pub trait Handler: Send + Sync {
    /// The events of one request, which are handed on together. None at all is no mistake.
    fn events(&self, post: &Post<'_>) -> Result<Batch, HandlerError>;
}

/// One line in the table of handlers.
pub struct HandlerSpec {
    /// The word for it.
    pub name: &'static str,
    /// Flume's class names.
    pub classes: &'static [&'static str],
    /// Its settings, without `handler.` in front.
    pub settings: &'static [&'static str],
    make: fn(&mut Options) -> Result<Arc<dyn Handler>, String>,
}

/// All handlers.
pub const ALL: &[HandlerSpec] = &[
    HandlerSpec {
        name: "json",
        classes: &["org.apache.flume.source.http.JSONHandler"],
        settings: &[],
        make: |_| Ok(Arc::new(json::Json)),
    },
    HandlerSpec {
        name: "blob",
        classes: &["org.apache.flume.source.http.BLOBHandler"],
        settings: &["mandatoryParameters"],
        make: |options| Ok(Arc::new(blob::Parameters::new(options))),
    },
    HandlerSpec {
        name: "content",
        classes: &["org.apache.flume.sink.solr.morphline.BlobHandler"],
        settings: &["maxBlobLength"],
        make: |options| Ok(Arc::new(blob::Content::new(options)?)),
    },
    HandlerSpec {
        name: "ndjson",
        classes: &[],
        settings: &[],
        make: |_| Ok(Arc::new(bodies::Lines)),
    },
    HandlerSpec {
        name: "stream",
        classes: &[],
        settings: &[],
        make: |_| Ok(Arc::new(bodies::Frames)),
    },
];

/// The handler with this name or class, with its settings.
///
/// Errors: a sentence that names what is not known and what there is.
pub fn handler(name: &str, options: &mut Options) -> Result<Arc<dyn Handler>, String> {
    let is_it = |spec: &&HandlerSpec| {
        let mut names = std::iter::once(&spec.name).chain(spec.classes);
        names.any(|known| known.eq_ignore_ascii_case(name))
    };
    let Some(spec) = ALL.iter().find(is_it) else {
        let names: Vec<_> = ALL.iter().map(|spec| spec.name).collect();
        return Err(format!(
            "\"{name}\" is no handler; there are {}",
            names.join(", ")
        ));
    };
    match options.unknown(spec.settings) {
        None => (spec.make)(options).map_err(|why| format!("handler.{why}")),
        Some(key) if spec.settings.is_empty() => Err(format!(
            "the handler {} has no settings: not \"{key}\"",
            spec.name
        )),
        Some(key) => Err(format!(
            "the handler {} has no setting \"{key}\"; it has {}",
            spec.name,
            spec.settings.join(" and ")
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(name: &str, given: &[(&str, &str)]) -> Result<(), String> {
        let given = given
            .iter()
            .map(|(key, value)| (key.to_string(), value.to_string()));
        handler(name, &mut Options::new(given)).map(drop)
    }

    #[test]
    fn handler_is_found_by_name_and_class() {
        for spec in ALL {
            assert_eq!(made(&spec.name.to_uppercase(), &[]), Ok(()));
            for class in spec.classes {
                assert_eq!(made(class, &[]), Ok(()));
            }
        }
        assert_eq!(made("blob", &[("mandatoryParameters", "a,b")]), Ok(()));
    }

    #[test]
    fn what_is_not_known_is_named_with_what_there_is() {
        let error = made("xml", &[]).unwrap_err();
        assert!(error.contains("xml") && error.contains("ndjson"), "{error}");
        let error = made("blob", &[("mandatory", "a")]).unwrap_err();
        assert!(
            error.contains("\"mandatory\"") && error.contains("mandatoryParameters"),
            "{error}"
        );
        assert!(made("json", &[("x", "1")]).unwrap_err().contains("no settings"));
        let error = made("content", &[("maxBlobLength", "much")]).unwrap_err();
        assert!(error.contains("handler.maxBlobLength: \"much\""), "{error}");
    }

    #[test]
    fn content_type_is_taken_apart() {
        let post = |content_type| Post {
            path: "/",
            query: None,
            content_type: Some(content_type),
            body: b"",
        };
        let one = post("Application/JSON; a=b; Charset=\"utf-16\"");
        assert_eq!(
            (one.media_type().as_str(), one.charset()),
            ("application/json", Some("utf-16"))
        );
        let other = post("text/plain");
        assert_eq!(
            (other.media_type().as_str(), other.charset()),
            ("text/plain", None)
        );
    }
}
