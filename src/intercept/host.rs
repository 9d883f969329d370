//! `host`: the agent's own host on every event (Flume's HostInterceptor).

use super::{push_header, with_header};
use crate::event::{Batch, BatchBuilder, EventRef};
use crate::exit::{StageError, StageResult};
use crate::say;
use crate::stage::Interceptor;
use crate::this_host::{address_of, canonical_name, own_name};

/// Set a header to the address or the name of this host.
#[derive(clap::Args)]
pub struct Host {
    /// Name of the header.
    #[arg(long, id = "hostHeader", default_value = "host", value_name = "NAME")]
    host_header: String,
    /// The address that this host's name resolves to; false for its canonical name.
    #[arg(long, id = "useIP", default_value = "true")]
    use_ip: bool,
    /// Keep the value of an event that has the header already.
    #[arg(long, id = "preserveExisting", default_value = "false")]
    preserve_existing: bool,
    #[arg(skip)]
    host: Option<String>,
}

impl Interceptor for Host {
    /// Resolves once: a look-up for each event would cost more than everything else.
    fn start(&mut self) -> StageResult {
        let name = own_name();
        let address = address_of(&name);
        if address.is_none() {
            say::warn(
                "intercept host",
                format!("the name of this host, {name}, does not resolve: no header is set"),
            );
        }
        self.host = address.map(|address| match self.use_ip {
            true => address.to_string(),
            false => canonical_name(address).unwrap_or(name),
        });
        Ok(())
    }

    fn intercept(&mut self, event: EventRef<'_>, out: &mut BatchBuilder) -> Result<(), StageError> {
        match &self.host {
            Some(host) => push_header(
                event,
                &self.host_header,
                host.as_bytes(),
                self.preserve_existing,
                out,
            ),
            None => out.push_encoded(event),
        }
        Ok(())
    }

    fn intercept_batch(&mut self, batch: Batch) -> Result<Batch, StageError> {
        match &self.host {
            Some(host) => with_header(batch, &self.host_header, host, self.preserve_existing),
            None => Ok(batch),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Event;
    use crate::intercept::tests::intercepted;
    use std::net::IpAddr;

    #[test]
    fn the_header_is_an_address_or_a_name_wherever_the_host_resolves() {
        let name = own_name();
        let expected = address_of(&name).map(|address| address.to_string());
        let event = Event::new("a").with_header("host", "old");
        let found = &intercepted(&["host"], std::slice::from_ref(&event))[0];
        assert_eq!(
            found.header("host"),
            Some(expected.as_deref().unwrap_or("old").as_bytes())
        );
        let named = &intercepted(&["host", "--use-ip=false", "--host-header=h"], &[event])[0];
        assert_eq!(named.header("h").is_some(), expected.is_some());
        assert!(named.header("h").is_none_or(|name| name.parse_ip().is_none()));
    }

    #[test]
    fn an_existing_value_stays_when_told() {
        let event = Event::new("a").with_header("host", "old");
        assert_eq!(
            intercepted(&["host", "--preserve-existing"], std::slice::from_ref(&event)),
            [event]
        );
    }

    trait ParseIp {
        fn parse_ip(&self) -> Option<IpAddr>;
    }

    impl ParseIp for &[u8] {
        fn parse_ip(&self) -> Option<IpAddr> {
            std::str::from_utf8(self).ok()?.parse().ok()
        }
    }
}
