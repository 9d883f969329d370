//! A graph as a picture: columns of sources, channels, groups and sinks, and arrows between them.

use super::draw::{Node, arrows, nodes};
use crate::flow::graph::Graph;
use std::collections::BTreeMap;
use std::fmt::Write;

/// In pixels: a box, what lies between two in a row and in a column, and the border.
const BOX: (usize, usize) = (200, 48);
const GAP: (usize, usize) = (90, 24);
const BORDER: usize = 20;

/// Where a box stands: its left upper corner.
type At = (usize, usize);

/// Draw it.
pub fn svg(graph: &Graph) -> String {
    let nodes = nodes(graph);
    let columns: Vec<&str> = ["source", "channel", "group", "sink"]
        .into_iter()
        .filter(|kind| nodes.iter().any(|node| node.kind == *kind))
        .collect();
    let mut places: BTreeMap<&str, At> = BTreeMap::new();
    let mut height = 0;
    for (column, kind) in columns.iter().enumerate() {
        for (row, node) in nodes.iter().filter(|node| node.kind == *kind).enumerate() {
            let at = (BORDER + column * (BOX.0 + GAP.0), BORDER + row * (BOX.1 + GAP.1));
            height = height.max(at.1 + BOX.1 + BORDER);
            places.insert(&node.title, at);
        }
    }
    let width = 2 * BORDER + columns.len() * BOX.0 + columns.len().saturating_sub(1) * GAP.0;
    let mut out = head(width, height);
    for arrow in arrows(graph) {
        if let (Some(from), Some(to)) = (places.get(&*arrow.from), places.get(&*arrow.to)) {
            line(*from, *to, &arrow.label, &mut out);
        }
    }
    for node in &nodes {
        if let Some(at) = places.get(&*node.title) {
            boxed(node, *at, &mut out);
        }
    }
    out.push_str("</svg>\n");
    out
}

fn head(width: usize, height: usize) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         font-family=\"sans-serif\" font-size=\"13\">\n\
         <defs><marker id=\"arrow\" markerWidth=\"9\" markerHeight=\"8\" refX=\"8\" refY=\"4\" orient=\"auto\">\
         <path d=\"M0,0 L9,4 L0,8 z\"/></marker></defs>\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
    )
}

fn line(from: At, to: At, label: &str, out: &mut String) {
    let (x1, y1) = (from.0 + BOX.0, from.1 + BOX.1 / 2);
    let (x2, y2) = (to.0, to.1 + BOX.1 / 2);
    let middle = (x1 + x2) / 2;
    // What is written to a String does not fail.
    let _ = writeln!(
        out,
        "<path d=\"M{x1},{y1} C{middle},{y1} {middle},{y2} {x2},{y2}\" fill=\"none\" stroke=\"black\" \
         marker-end=\"url(#arrow)\"/>"
    );
    if !label.is_empty() {
        let (x, y) = (middle, (y1 + y2) / 2 - 4);
        let _ = writeln!(
            out,
            "<text x=\"{x}\" y=\"{y}\" text-anchor=\"middle\" fill=\"#555\">{}</text>",
            escaped(label)
        );
    }
}

fn boxed(node: &Node, (x, y): At, out: &mut String) {
    let fill = match node.kind {
        "source" => "#dff0d8",
        "channel" => "#d9edf7",
        "group" => "#f5e6ff",
        _ => "#fcf8e3",
    };
    let (width, height) = BOX;
    let round = if node.kind == "channel" { 20 } else { 4 };
    let centre = x + width / 2;
    let _ = writeln!(
        out,
        "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" rx=\"{round}\" fill=\"{fill}\" stroke=\"black\"/>\n\
         <text x=\"{centre}\" y=\"{}\" text-anchor=\"middle\" font-weight=\"bold\">{}</text>\n\
         <text x=\"{centre}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
        y + 20,
        escaped(&node.title),
        y + 38,
        escaped(&node.r#type)
    );
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
