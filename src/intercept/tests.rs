//! Helpers of the interceptors' tests, and what holds for all of them.

use super::*;
use crate::component::find;
use crate::event::Event;
use proptest::prelude::*;

/// Make an interceptor from the words of the command line and start it.
pub(super) fn made(words: &[&str]) -> Box<dyn Interceptor> {
    let flags: Vec<String> = words[1..].iter().map(|word| word.to_string()).collect();
    let spec = find(ALL, words[0]).unwrap_or_else(|| panic!("{} is not in the table", words[0]));
    let mut made = spec.from_flags(&flags).unwrap_or_else(|error| panic!("{error}"));
    made.start().unwrap();
    made
}

pub(super) fn batch_of(events: &[Event]) -> Batch {
    let mut builder = BatchBuilder::new();
    events.iter().for_each(|event| builder.push_event(event));
    builder.finish()
}

/// The events that come out of an interceptor.
pub(super) fn intercepted(words: &[&str], input: &[Event]) -> Vec<Event> {
    let batch = made(words).intercept_batch(batch_of(input)).unwrap();
    batch.events().map(|event| event.unwrap().to_event()).collect()
}

/// What comes out of an interceptor that is given `input`.
pub(super) fn check(words: &[&str], input: &[Event], expected: &[Event]) {
    assert_eq!(intercepted(words, input), expected, "{words:?}");
}

/// The message of settings that are refused.
pub(super) fn refused(words: &[&str]) -> String {
    let flags: Vec<String> = words[1..].iter().map(|word| word.to_string()).collect();
    match find(ALL, words[0]).unwrap().from_flags(&flags) {
        Ok(_) => panic!("{words:?} is not refused"),
        Err(error) => error.to_string(),
    }
}

/// Make an interceptor from properties and give it events.
pub(super) fn check_properties(name: &str, given: &[(&str, &str)], input: &[Event], expected: &[Event]) {
    let given = given
        .iter()
        .map(|(key, value)| (key.to_string(), value.to_string()))
        .collect();
    let mut made = find(ALL, name)
        .unwrap()
        .from_properties(&given)
        .unwrap_or_else(|error| panic!("{error}"));
    made.start().unwrap();
    let batch = made.intercept_batch(batch_of(input)).unwrap();
    let found: Vec<_> = batch.events().map(|event| event.unwrap().to_event()).collect();
    assert_eq!(found, expected, "{name}");
}

#[test]
fn flumes_names_are_known() {
    for (name, class) in [
        ("host", "HostInterceptor"),
        ("regex_extractor", "RegexExtractorInterceptor"),
        ("regex_filter", "RegexFilteringInterceptor"),
        ("remove_header", "RemoveHeaderInterceptor"),
        ("search_replace", "SearchAndReplaceInterceptor"),
        ("static", "StaticInterceptor"),
        ("timestamp", "TimestampInterceptor"),
    ] {
        let class = format!("org.apache.flume.interceptor.{class}$Builder");
        assert_eq!(find(ALL, &class).map(|spec| spec.name), Some(name));
    }
    let uuid = "org.apache.flume.sink.solr.morphline.UUIDInterceptor$Builder";
    assert_eq!(find(ALL, uuid).map(|spec| spec.name), Some("uuid"));
}

#[test]
fn a_filter_that_keeps_all_copies_nothing() {
    let batch = batch_of(&[Event::new("a"), Event::new("b")]);
    let kept = filtered(batch.clone(), |_| true).unwrap();
    assert_eq!(kept.encoded().as_ptr(), batch.encoded().as_ptr());
    let some = filtered(batch, |event| event.body() == b"b").unwrap();
    assert_eq!(some.events().next().unwrap().unwrap().to_event(), Event::new("b"));
}

#[test]
fn a_batch_that_has_the_header_already_is_not_copied() {
    let batch = batch_of(&[
        Event::new("a").with_header("k", "1"),
        Event::new("b").with_header("k", ""),
    ]);
    let mut made = made(&["static", "--key=k"]);
    let kept = made.intercept_batch(batch.clone()).unwrap();
    assert_eq!(kept.encoded().as_ptr(), batch.encoded().as_ptr());
}

#[test]
fn a_static_header_is_kept_unless_told() {
    let has = Event::new("b").with_header("k", "old");
    let words = ["static", "--key", "k", "--value", "v"];
    check(
        &words,
        &[Event::new("a"), has.clone()],
        &[Event::new("a").with_header("k", "v"), has.clone()],
    );
    check(
        &[&words[..], &["--preserve-existing=false"]].concat(),
        &[has],
        &[Event::new("b").with_header("k", "v")],
    );
}

proptest! {
    #[test]
    fn no_interceptor_panics_on_any_bytes(
        body in proptest::collection::vec(any::<u8>(), 0..80),
        name in proptest::collection::vec(any::<u8>(), 0..4),
        value in proptest::collection::vec(any::<u8>(), 0..40),
    ) {
        let event = Event::new(body).with_header(name, &value).with_header("h", value);
        let all: &[&[&str]] = &[
            &["batch"],
            &["regex", r"(?P<a>\w+)(?P<b>.)?$"],
            &["regex", "--keep", "[a-z]"],
            &["regex", r"(.)(\d*)", "--replace", "$2$1", "--header", "h"],
            &["regex_filter", "--regex", "[a-m]"],
            &["regex_extractor", "--regex", r"(\d+)(.*)", "--serializers", "a=n b=m"],
            &["search_replace", "--search-pattern", "(a|.$)", "--replace-string", "<$1>"],
            &["search_replace", "--search-pattern", r"\W", "--charset", "ISO-8859-1"],
            &["remove_header", "--matching", "[a-z]*"],
            &["static"],
            &["timestamp"],
            &["uuid"],
        ];
        for words in all {
            for event in intercepted(words, std::slice::from_ref(&event)) {
                prop_assert!(event.body().len() <= 3 * 82 + 82);
            }
        }
    }

    #[test]
    fn a_header_on_a_batch_is_what_it_is_on_each_event(
        given in proptest::collection::vec((any::<bool>(), proptest::collection::vec(any::<u8>(), 0..20)), 1..9),
        words in prop_oneof![
            Just(&["static", "--key=k"][..]),
            Just(&["static", "--key=k", "--preserve-existing=false"][..]),
            Just(&["host", "--host-header=k"][..]),
            Just(&["host", "--host-header=k", "--preserve-existing"][..]),
        ],
    ) {
        let event = |(has, body): &(bool, Vec<u8>)| match has {
            true => Event::new(body.clone()).with_header("a", "b").with_header("k", "old"),
            false => Event::new(body.clone()).with_header("other", "x"),
        };
        let events: Vec<_> = given.iter().map(event).collect();
        let (batch, mut out, mut made) = (batch_of(&events), BatchBuilder::new(), made(words));
        for event in batch.events() {
            made.intercept(event.unwrap(), &mut out).unwrap();
        }
        let whole = made.intercept_batch(batch).unwrap();
        let each = out.finish();
        prop_assert_eq!(whole.encoded(), each.encoded());
        prop_assert_eq!(whole.len() as usize, events.len());
    }

    #[test]
    fn a_slab_that_is_no_events_is_an_error(bytes in proptest::collection::vec(any::<u8>(), 1..60)) {
        let batch = Batch::from_encoded(bytes.into(), 3);
        for words in [&["regex", "(?P<a>x)"][..], &["regex_filter"], &["timestamp"], &["static"], &["remove_header", "--with-name=a"]] {
            let wrong = batch.check().is_err();
            prop_assert_eq!(made(words).intercept_batch(batch.clone()).is_err(), wrong);
        }
    }
}
