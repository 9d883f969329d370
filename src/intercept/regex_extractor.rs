//! `regex_extractor`: groups of the first match become headers (Flume's RegexExtractorInterceptor).
//!
//! The first group goes through the first serializer and so on; groups without a serializer and serializers
//! without a group do nothing. A group that took no part sets an empty value: Flume stores a null there, which
//! its file channel gives back as the empty string and which no encoding can carry. A text that the Millis
//! serializer cannot read sets no header and is reported; in Flume it blocks the source for ever.

use super::Checked;
use super::groups::Groups;
use crate::component::nearest;
use crate::date::{DatePattern, Zone};
use crate::event::{BatchBuilder, EventRef, shown};
use crate::exit::StageError;
use crate::pattern::Pattern;
use crate::say;
use crate::stage::Interceptor;
use crate::value::Pair;

const NAME: &str = "intercept regex_extractor";
const PASS_THROUGH: &str = "org.apache.flume.interceptor.RegexExtractorInterceptorPassThroughSerializer";
const MILLIS: &str = "org.apache.flume.interceptor.RegexExtractorInterceptorMillisSerializer";

/// Set headers to the groups that a pattern finds in the body.
#[derive(clap::Args)]
pub struct RegexExtractor {
    /// Java regular expression, searched anywhere in the body.
    #[arg(long, id = "regex", value_name = "PATTERN", allow_hyphen_values = true)]
    regex: Pattern,
    /// Serializers, one for each group in order: s1 or, with the name of its header, s1=day.
    #[arg(long, id = "serializers", value_name = "NAME[=HEADER] ...")]
    serializers: String,
    /// A setting of a serializer: its name (of the header), type (DEFAULT or the Millis serializer's class), or
    /// pattern (of a date, in the letters of Joda-Time).
    #[arg(long = "serializer", id = "serializers.*", value_name = "NAME.KEY=VALUE")]
    members: Vec<Pair>,
    #[arg(skip)]
    groups: Groups,
    #[arg(skip)]
    dates: Vec<Dated>,
    #[arg(skip)]
    zone: Option<Zone>,
    #[arg(skip)]
    unread: u64,
}

/// A header that is the time that a group says.
struct Dated {
    group: usize,
    header: String,
    format: DatePattern,
}

/// A serializer as the settings describe it.
#[derive(Default)]
struct Member<'a> {
    name: &'a str,
    header: Option<&'a str>,
    class: Option<&'a str>,
    pattern: Option<&'a str>,
}

fn members<'a>(list: &'a str, settings: &'a [Pair]) -> Result<Vec<Member<'a>>, String> {
    let mut members: Vec<Member<'_>> = Vec::new();
    for word in list.split_whitespace() {
        let (name, header) = match word.split_once('=') {
            Some((name, header)) => (name, Some(header)),
            None => (word, None),
        };
        members.push(Member {
            name,
            header,
            ..Member::default()
        });
    }
    if members.is_empty() {
        return Err("serializers: the list is empty; write 's1=day s2=action', one for each group".into());
    }
    for Pair { name: path, value } in settings {
        let (name, key) = path
            .split_once('.')
            .ok_or_else(|| format!("serializers: \"{path}\" is no NAME.KEY; write s1.name=day"))?;
        let Some(member) = members.iter_mut().find(|member| member.name == name) else {
            say::warn(
                NAME,
                format!("serializers.{path} does nothing: the list serializers has no \"{name}\""),
            );
            continue;
        };
        match key {
            "name" => member.header = Some(value),
            "type" => member.class = Some(value),
            "pattern" => member.pattern = Some(value),
            other => {
                let near = nearest(other, ["name", "type", "pattern"]);
                let hint = near.map_or("there are name, type and pattern".into(), |near| {
                    format!("did you mean \"{near}\"?")
                });
                return Err(format!(
                    "serializers.{name}: \"{other}\" is no setting of a serializer; {hint}"
                ));
            }
        }
    }
    Ok(members)
}

impl Member<'_> {
    fn header(&self) -> Result<String, String> {
        let header = self.header.filter(|header| !header.is_empty());
        header.map(str::to_string).ok_or_else(|| {
            format!(
                "serializers.{0}.name is missing: the name of the header that it sets, as in \
                 --serializers {0}=NAME",
                self.name
            )
        })
    }

    /// The date pattern of a Millis serializer; `None` for one that passes the text through.
    fn date(&self) -> Result<Option<DatePattern>, String> {
        match self.class.unwrap_or("DEFAULT") {
            "DEFAULT" | PASS_THROUGH => Ok(None),
            MILLIS => {
                let pattern = self.pattern.ok_or_else(|| {
                    format!(
                        "serializers.{}.pattern is missing: the date pattern to read with",
                        self.name
                    )
                })?;
                let format = DatePattern::joda_reader(pattern);
                format
                    .map(Some)
                    .map_err(|why| format!("serializers.{}.pattern: {why}", self.name))
            }
            other => Err(format!(
                "serializers.{}.type: \"{other}\" is no serializer; there are DEFAULT, {PASS_THROUGH} and {MILLIS}",
                self.name
            )),
        }
    }
}

impl Checked for RegexExtractor {
    fn check(&mut self) -> Result<(), String> {
        let within = |why: String| format!("regex_extractor: {why}");
        let members = members(&self.serializers, &self.members).map_err(within)?;
        let mut groups = Vec::new();
        let mut dates: Vec<Dated> = Vec::new();
        for (group, member) in (1..).zip(&members) {
            let header = member.header().map_err(within)?;
            let date = member.date().map_err(within)?;
            if group > self.regex.group_count() {
                continue;
            }
            // The last of several for one header wins, whatever kind they are.
            groups.retain(|(_, own)| *own != header);
            dates.retain(|dated| dated.header != header);
            match date {
                None => groups.push((group, header)),
                Some(format) => dates.push(Dated {
                    group,
                    header,
                    format,
                }),
            }
        }
        if members.len() > self.regex.group_count() {
            let (given, there) = (members.len(), self.regex.group_count());
            say::warn(
                NAME,
                format!("{given} serializers, and the pattern has groups for {there} of them"),
            );
        }
        self.groups = Groups::new(groups).with_empty_for_absent();
        self.dates = dates;
        Ok(())
    }
}

impl Interceptor for RegexExtractor {
    fn intercept(&mut self, event: EventRef<'_>, out: &mut BatchBuilder) -> Result<(), StageError> {
        if !self.regex.find(event.body()) {
            out.push_encoded(event);
        } else if self.dates.is_empty() {
            self.groups.push(event, &self.regex, event.body(), out);
        } else {
            self.push_dated(event, out);
        }
        Ok(())
    }
}

impl RegexExtractor {
    fn push_dated(&mut self, event: EventRef<'_>, out: &mut BatchBuilder) {
        let body = event.body();
        let zone = self.zone.get_or_insert_with(Zone::local);
        let mut times: Vec<(&str, String)> = Vec::with_capacity(self.dates.len());
        for dated in &self.dates {
            let text = self.regex.group(dated.group).map(|range| &body[range]);
            match text.and_then(|text| dated.format.read(text, zone)) {
                Some(millis) => times.push((&dated.header, millis.to_string())),
                None => {
                    self.unread += 1;
                    warn_unread(&dated.header, text.unwrap_or_default(), self.unread);
                }
            }
        }
        let mut set = self.groups.found(&self.regex, body);
        set.extend(
            times
                .iter()
                .map(|(header, millis)| (header.as_bytes(), millis.as_bytes())),
        );
        out.push_with(event, &set, None);
    }
}

/// Said at the first, the tenth, the hundredth text: a log of nothing but such lines must not fill another.
fn warn_unread(header: &str, text: &[u8], count: u64) {
    if 10u64.checked_pow(count.ilog10()) == Some(count) {
        let text = shown(&text[..text.len().min(80)]);
        say::warn(
            NAME,
            format!(
                "\"{text}\" does not fit the date pattern: the header {header} is not set ({count} so far)"
            ),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::MILLIS;
    use crate::event::Event;
    use crate::intercept::tests::{check, check_properties, intercepted, refused};

    const LINE: &str = "2026-11-25 07:51:43 install jq";

    fn line() -> Event {
        Event::new(LINE)
    }

    fn extractor<'a>(regex: &'a str, serializers: &'a str) -> Vec<&'a str> {
        vec!["regex_extractor", "--regex", regex, "--serializers", serializers]
    }

    #[test]
    fn groups_go_through_serializers_in_order() {
        let words = extractor(r"(\d+)-(\d+)-(\d+)", "a=year b=month");
        let expected = line().with_header("year", "2026").with_header("month", "11");
        check(&words, &[line(), Event::new("x")], &[expected, Event::new("x")]);
    }

    #[test]
    fn settings_of_members_may_follow_or_come_from_properties() {
        let expected = line().with_header("day", "2026-11-25");
        let words = [&extractor(r"^(\S+)", "s1")[..], &["--serializer", "s1.name=day"]].concat();
        check(&words, &[line()], std::slice::from_ref(&expected));
        let given = [
            ("regex", r"^(\S+)"),
            ("serializers", "s1"),
            ("serializers.s1.name", "day"),
            ("serializers.s1.type", "DEFAULT"),
        ];
        check_properties("regex_extractor", &given, &[line()], &[expected]);
    }

    #[test]
    fn a_group_that_took_no_part_sets_an_empty_value() {
        let expected = Event::new("b").with_header("x", "").with_header("y", "b");
        check(
            &extractor("(a)|(b)", "1=x 2=y"),
            &[Event::new("b").with_header("x", "old")],
            &[expected],
        );
    }

    #[test]
    fn the_last_of_two_for_one_header_wins() {
        check(
            &extractor("(.)(.)", "1=x 2=x"),
            &[Event::new("ab")],
            &[Event::new("ab").with_header("x", "b")],
        );
    }

    #[test]
    fn serializers_without_a_group_do_nothing() {
        check(
            &extractor("(a)", "1=x 2=y"),
            &[Event::new("a")],
            &[Event::new("a").with_header("x", "a")],
        );
    }

    #[test]
    fn millis_are_read_from_a_date() {
        let class = format!("s1.type={MILLIS}");
        let words = extractor(r"^(.*)", "s1=timestamp");
        let words = [
            &words[..],
            &[
                "--serializer",
                &class,
                "--serializer=s1.pattern=yyyy-MM-dd HH:mm:ss Z",
            ],
        ]
        .concat();
        let input = [Event::new("2026-11-25 07:51:43 +0100"), Event::new("yesterday")];
        let expected = [
            input[0].clone().with_header("timestamp", "1795589503000"),
            input[1].clone(),
        ];
        check(&words, &input, &expected);
    }

    #[test]
    fn bytes_that_are_no_characters_are_carried() {
        let events = intercepted(&extractor("^(.*)$", "1=x"), &[Event::new(&b"caf\xe9"[..])]);
        assert_eq!(events[0].header("x"), Some(&b"caf\xe9"[..]));
    }

    #[test]
    fn settings_that_cannot_be_are_refused_by_name() {
        let date = format!("a.type={MILLIS}");
        let cases: &[(&str, &[&str], &str)] = &[
            ("a", &[], "serializers.a.name is missing"),
            (" ", &[], "list is empty"),
            ("a=x", &["--serializer=a.type=com.example.Own"], "com.example.Own"),
            ("a=x", &["--serializer=a.type=default"], "DEFAULT"),
            ("a=x", &["--serializer=a.nane=y"], "did you mean \"name\""),
            ("a=x", &["--serializer=a=y"], "NAME.KEY"),
            ("a=x", &["--serializer", &date], "a.pattern is missing"),
            (
                "a=x",
                &["--serializer", &date, "--serializer=a.pattern=yyyy G"],
                "\"G\" at character 6",
            ),
        ];
        for (serializers, more, what) in cases {
            let message = refused(&[&extractor("(a)", serializers)[..], more].concat());
            assert!(
                message.contains("regex_extractor: ") && message.contains(what),
                "{message}"
            );
        }
    }
}
