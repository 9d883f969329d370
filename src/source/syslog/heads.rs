//! Settings that all syslog sources have.

use crate::event::Entries;
use crate::source::ipfilter::{as_java, host_name};
use crate::syslog::Keep;
use crate::syslog::classic::Custom;
use std::net::IpAddr;

/// What of the head of a message stays in its body, and headers that say where it came from.
#[derive(clap::Args, Debug, Clone)]
pub struct Heads {
    /// What of the head of a message stays in the body: none, all, or a list of priority, version, timestamp and
    /// hostname.
    #[arg(long, id = "keepFields", default_value = "none", value_name = "FIELDS")]
    pub keep_fields: Keep,
    /// Header for the address of the sender.
    #[arg(long, id = "clientIPHeader", value_name = "NAME")]
    pub client_ip_header: Option<String>,
    /// Header for the host name of the sender, which is looked up; its address where it has none.
    #[arg(long, id = "clientHostnameHeader", value_name = "NAME")]
    pub client_hostname_header: Option<String>,
}

impl Heads {
    /// A header says where a message came from.
    pub fn want_sender(&self) -> bool {
        self.client_ip_header.is_some() || self.client_hostname_header.is_some()
    }

    /// Add the headers for a sender. The look-up of its name may take its time.
    pub(crate) fn put_sender(&self, sender: Option<IpAddr>, to: &mut Entries) {
        let Some(ip) = sender.map(|ip| ip.to_canonical()) else {
            return;
        };
        let mut put = |name: &Option<String>, value: &dyn Fn(IpAddr) -> String| {
            if let Some(name) = name {
                to.put(name.as_bytes(), value(ip).as_bytes());
            }
        };
        put(&self.client_ip_header, &as_java);
        put(&self.client_hostname_header, &host_name);
    }
}

/// A form of messages that the user describes.
#[derive(clap::Args, Debug, Clone, Default)]
pub struct Format {
    /// A pattern of messages that is tried before the usual ones; it must match all of a message, and its groups are
    /// priority, version, time, host and text.
    #[arg(long, id = "format.regex", value_name = "PATTERN")]
    format_regex: Option<String>,
    /// What is replaced in the time of such a message.
    #[arg(long, id = "format.search", value_name = "PATTERN")]
    format_search: Option<String>,
    /// What stands in its place.
    #[arg(long, id = "format.replace", value_name = "TEXT")]
    format_replace: Option<String>,
    /// How the time of such a message is read, in Java's SimpleDateFormat; without it there is no header for it.
    #[arg(long, id = "format.dateFormat", value_name = "PATTERN")]
    format_date_format: Option<String>,
}

impl Format {
    /// The form, if there is one.
    pub fn custom(&self) -> Result<Option<Box<Custom>>, String> {
        let Some(regex) = &self.format_regex else {
            let others = [
                &self.format_search,
                &self.format_replace,
                &self.format_date_format,
            ];
            return match others.iter().any(|given| given.is_some()) {
                true => Err(
                    "format.search, format.replace and format.dateFormat need format.regex, \
                             the form of messages"
                        .into(),
                ),
                false => Ok(None),
            };
        };
        let custom = Custom::new(
            regex,
            self.format_search.as_deref(),
            self.format_replace.as_deref(),
            self.format_date_format.as_deref(),
        )?;
        Ok(Some(Box::new(custom)))
    }
}
