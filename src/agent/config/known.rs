//! Components of Apache Flume that are still to come: their names are known, so that a file that has one is
//! told so and not that it is misspelt.

/// Kind, as in [`crate::cli::KINDS`], alias (empty if it has none) and Java class, behind `org.apache.flume.`.
pub(super) const TO_COME: &[(&str, &str, &str)] = &[
    ("source", "thrift", "source.ThriftSource"),
    ("source", "jms", "source.jms.JMSSource"),
    ("source", "kafka", "source.kafka.KafkaSource"),
    ("source", "twitter", "source.twitter.TwitterSource"),
    ("source", "scribe", "source.scribe.ScribeSource"),
    ("source", "avrolegacy", "source.avroLegacy.AvroLegacySource"),
    ("source", "thriftlegacy", "source.thriftLegacy.ThriftLegacySource"),
    ("sink", "hdfs", "sink.hdfs.HDFSEventSink"),
    ("sink", "hive", "sink.hive.HiveSink"),
    ("sink", "irc", "sink.irc.IRCSink"),
    ("sink", "thrift", "sink.ThriftSink"),
    ("sink", "hbase", "sink.hbase.HBaseSink"),
    ("sink", "asynchbase", "sink.hbase.AsyncHBaseSink"),
    ("sink", "hbase2", "sink.hbase2.HBase2Sink"),
    ("sink", "elasticsearch", "sink.elasticsearch.ElasticSearchSink"),
    ("sink", "morphline_solr", "sink.solr.morphline.MorphlineSolrSink"),
    ("sink", "", "sink.solr.morphline.MorphlineSink"),
    ("sink", "http", "sink.http.HttpSink"),
    ("sink", "kafka", "sink.kafka.KafkaSink"),
    ("sink", "kite", "sink.kite.DatasetSink"),
    ("sink", "kudu", "sink.kudu.KuduSink"),
    ("channel", "jdbc", "channel.jdbc.JdbcChannel"),
    ("channel", "spillablememory", "channel.SpillableMemoryChannel"),
    ("channel", "kafka", "channel.kafka.KafkaChannel"),
    (
        "intercept",
        "morphline",
        "sink.solr.morphline.MorphlineInterceptor$Builder",
    ),
];

/// The package of all of them.
pub(super) const PACKAGE: &str = "org.apache.flume.";

/// Is it a component of Flume that is still to come?
pub(super) fn is_to_come(kind: &str, word: &str) -> bool {
    let class = word
        .get(..PACKAGE.len())
        .filter(|start| start.eq_ignore_ascii_case(PACKAGE))
        .map(|_| &word[PACKAGE.len()..]);
    let mut of_kind = TO_COME.iter().filter(|(of, _, _)| *of == kind);
    of_kind.any(|(_, alias, own)| {
        alias.eq_ignore_ascii_case(word) || class.is_some_and(|class| own.eq_ignore_ascii_case(class))
    })
}

/// The short names of a kind that are still to come.
pub(super) fn names(kind: &str) -> impl Iterator<Item = &'static str> {
    let of_kind = TO_COME
        .iter()
        .filter(move |(of, alias, _)| *of == kind && !alias.is_empty());
    of_kind.map(|(_, alias, _)| *alias)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{channel, component, intercept, sink, source};

    #[test]
    fn what_is_built_is_no_longer_to_come() {
        for (kind, alias, class) in TO_COME {
            for word in [alias.to_string(), format!("{PACKAGE}{class}")] {
                let is_built = match *kind {
                    "source" => component::find(source::ALL, &word).is_some(),
                    "intercept" => component::find(intercept::ALL, &word).is_some(),
                    "channel" => component::find(channel::ALL, &word).is_some(),
                    _ => component::find(sink::ALL, &word).is_some(),
                };
                assert!(!is_built, "{kind} {word} is built: take it out of this list");
                assert!(word.is_empty() || is_to_come(kind, &word.to_uppercase()));
            }
        }
    }
}
