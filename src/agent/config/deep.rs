//! What only the machine can say of a graph: ports, directories, key stores. Nothing is changed.

use super::report::{Problem, Report};
use crate::component::{Spec, find, made};
use crate::exit::StageError;
use crate::flow::graph::{Definition, Graph, Place};
use crate::stage::Source;
use crate::stage::obstacle::{is_writable, may_be_made};
use crate::tls::{ClientSsl, HostNames, ServerSsl};
use crate::{channel, source};
use std::collections::BTreeMap;
use std::path::Path;

const SERVER: Spec<ServerSsl> = Spec::new::<ServerSsl>("tls", made::<ServerSsl>);
const CLIENT: Spec<ClientSsl> = Spec::new::<ClientSsl>("tls", made::<ClientSsl>);

/// Ports in use, directories that cannot be written, key stores that do not open: of all that would start.
pub fn look(graph: &Graph) -> Vec<Problem> {
    let mut report = Report::new(true);
    report.agent = graph.name.clone();
    for source in &graph.sources {
        let component = format!("source {}", source.definition.name);
        look_at_source(&source.definition, &component, &mut report);
        let opened = |ssl: &ServerSsl| ssl.acceptor(&component).map(drop);
        look_at_tls(&SERVER, &source.definition, &component, opened, &mut report);
    }
    for channel in &graph.channels {
        let is_file = find(channel::ALL, &channel.r#type).is_some_and(|spec| spec.name == "file");
        for key in ["directory", "checkpointDir", "dataDirs"]
            .iter()
            .filter(|_| is_file)
        {
            let Some(value) = channel.settings.get(*key) else {
                continue;
            };
            for directory in value.text.split(',').map(str::trim) {
                if let Err(why) = may_be_made(Path::new(directory)) {
                    let component = format!("channel {}", channel.name);
                    report.error(&value.place, &component, format!("{key} is {directory}: {why}"));
                }
            }
        }
    }
    for sink in &graph.sinks {
        let component = format!("sink {}", sink.definition.name);
        if let Some(value) = sink.definition.settings.get("sink.directory")
            && let Err(why) = is_writable(Path::new(&value.text))
        {
            let what = format!("sink.directory is {}: {why}", value.text);
            report.error(&value.place, &component, what);
        }
        let opened = |ssl: &ClientSsl| ssl.connector(HostNames::Ignored, &component).map(drop);
        look_at_tls(&CLIENT, &sink.definition, &component, opened, &mut report);
    }
    report.into_problems()
}

/// What the source itself finds in its way.
fn look_at_source(of: &Definition, component: &str, report: &mut Report) {
    let settings = of.settings.iter();
    let settings = settings
        .map(|(key, value)| (key.clone(), value.text.clone()))
        .collect();
    let spec: Option<&Spec<Source>> = find(source::ALL, &of.r#type);
    // What is wrong with the settings was told when they were read.
    let Some(Ok(made)) = spec.map(|spec| spec.from_properties(&settings)) else {
        return;
    };
    for obstacle in made.look() {
        let place = of
            .settings
            .get(&obstacle.property)
            .map_or(&of.place, |value| &value.place);
        match obstacle.prevents {
            true => report.error(place, component, obstacle.what),
            false => report.warn(place, component, obstacle.what),
        }
    }
}

/// What TLS needs is loaded as at the start.
fn look_at_tls<Made: 'static>(
    spec: &Spec<Made>,
    of: &Definition,
    component: &str,
    open: impl FnOnce(&Made) -> Result<(), StageError>,
    report: &mut Report,
) {
    let Some(ssl) = of.settings.get("ssl") else { return };
    let settings = spec.settings();
    let own: BTreeMap<String, String> = of
        .settings
        .iter()
        .filter(|(key, _)| settings.iter().any(|own| own.property == **key))
        .map(|(key, value)| (key.clone(), value.text.clone()))
        .collect();
    // What is wrong with the settings was told when they were read.
    let Ok(made) = spec.from_properties(&own) else {
        return;
    };
    if let Err(error) = open(&made) {
        let stores = ["keystore", "truststore", "tls-cert", "tls-ca"];
        let store = stores.iter().find_map(|key| of.settings.get(*key));
        let place: &Place = store.map_or(&ssl.place, |store| &store.place);
        report.error(place, component, error.to_string());
    }
}
