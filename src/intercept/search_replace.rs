//! `search_replace`: rewrites bodies (Flume's SearchAndReplaceInterceptor).
//!
//! The body is decoded and encoded again with `charset`, also where nothing matches, as Flume does: what the
//! charset cannot read becomes U+FFFD, what it cannot write `?`. `flume intercept regex --replace` leaves
//! such bytes alone.

use super::Checked;
use crate::charset::{Charset, DecodeErrorPolicy};
use crate::event::{BatchBuilder, EventRef};
use crate::exit::StageError;
use crate::pattern::{Pattern, Template};
use crate::stage::Interceptor;

/// Replace all that a pattern matches in the body.
#[derive(clap::Args)]
pub struct SearchReplace {
    /// Java regular expression, searched anywhere in the body.
    #[arg(
        long,
        id = "searchPattern",
        value_name = "PATTERN",
        allow_hyphen_values = true
    )]
    search_pattern: Pattern,
    /// What takes the place of every match; $1 and ${name} are groups, a backslash takes the next character as
    /// it is.
    #[arg(
        long,
        id = "replaceString",
        default_value = "",
        value_name = "TEXT",
        allow_hyphen_values = true
    )]
    replace_string: String,
    /// How bodies are decoded and encoded: a character set by Java's name.
    #[arg(long, id = "charset", default_value = "UTF-8", value_name = "NAME")]
    charset: Charset,
    #[arg(skip)]
    template: Option<Template>,
    #[arg(skip)]
    replaced: Vec<u8>,
}

impl Checked for SearchReplace {
    fn check(&mut self) -> Result<(), String> {
        let template = Template::new(&self.replace_string, &self.search_pattern);
        self.template = Some(template.map_err(|why| format!("search_replace: replaceString: {why}"))?);
        Ok(())
    }
}

impl Interceptor for SearchReplace {
    fn intercept(&mut self, event: EventRef<'_>, out: &mut BatchBuilder) -> Result<(), StageError> {
        let text = self.charset.decode(event.body(), DecodeErrorPolicy::Replace);
        let text = text.map_err(|error| StageError::Failed(error.to_string()))?;
        self.replaced.clear();
        let found = self.template.as_ref().is_some_and(|template| {
            self.search_pattern
                .replace_all(text.as_bytes(), template, &mut self.replaced)
        });
        let text = match found {
            true => String::from_utf8_lossy(&self.replaced),
            false => text,
        };
        out.push_with(event, &[], Some(&self.charset.encode(&text)));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::event::Event;
    use crate::intercept::tests::{check, check_properties, refused};

    fn replace<'a>(pattern: &'a str, text: &'a str) -> Vec<&'a str> {
        vec![
            "search_replace",
            "--search-pattern",
            pattern,
            "--replace-string",
            text,
        ]
    }

    #[test]
    fn every_match_is_replaced_and_headers_stay() {
        let event = |body: &str| Event::new(body.to_string()).with_header("a", "b");
        check(
            &replace(r"(\w+)=(\w+)", r"$2\=$1"),
            &[event("k=v, x=y"), event("-")],
            &[event("v=k, y=x"), event("-")],
        );
    }

    #[test]
    fn without_a_replacement_matches_are_removed() {
        check(
            &["search_replace", "--search-pattern", r"\s+$"],
            &[Event::new("a \n")],
            &[Event::new("a")],
        );
        check_properties(
            "search_replace",
            &[("searchPattern", "^A-")],
            &[Event::new("A-b")],
            &[Event::new("b")],
        );
    }

    #[test]
    fn bytes_that_the_charset_cannot_read_or_write_are_replaced() {
        let body = |bytes: &[u8]| [Event::new(bytes.to_vec())];
        check(&replace("x", "y"), &body(b"\xe9"), &body("\u{fffd}".as_bytes()));
        let with =
            |charset: &'static str, words: Vec<&'static str>| [&words[..], &["--charset", charset]].concat();
        check(
            &with("iso-8859-1", replace("\u{e9}", "\u{e8}\u{20ac}")),
            &body(b"a\xe9"),
            &body(b"a\xe8?"),
        );
        check(
            &with("US-ASCII", replace("a", "\u{e9}")),
            &body(b"a\xe9"),
            &body(b"??"),
        );
    }

    #[test]
    fn other_charsets_and_bad_replacements_are_refused_by_name() {
        let message = refused(&["search_replace", "--search-pattern=a", "--charset=UTF-9"]);
        assert!(
            message.contains("UTF-9") && message.contains("ISO-8859-1"),
            "{message}"
        );
        let message = refused(&replace("(a)", "$2"));
        assert!(
            message.contains("replaceString") && message.contains("$2 is no group"),
            "{message}"
        );
        assert!(refused(&["search_replace"]).contains("--search-pattern"));
    }
}
