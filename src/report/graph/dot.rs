//! Writes a graph in the language of Graphviz.

use std::fmt::Write as _;

use super::{Edge, Graph, Mark, Node, Shape};

/// Writes the graph.
pub(in crate::report) fn dot(Graph(clusters): &Graph) -> String {
    let mut text = "digraph rolecall {\n  rankdir=LR;\n  node [fontname=\"sans-serif\"];\n  edge [fontname=\"sans-serif\"];\n".to_owned();
    for (index, cluster) in clusters.iter().enumerate() {
        let id = |node: usize| format!("g{index}n{node}");
        let _ = writeln!(text, "  subgraph cluster_{index} {{\n    label={};", quoted([&cluster.title]));
        for (node, Node { shape, mark, lines }) in cluster.nodes.iter().enumerate() {
            let shape = match shape {
                Shape::Holder => "ellipse",
                Shape::Role => "box",
                Shape::Part => "folder",
            };
            let _ = writeln!(text, "    {} [label={}, shape={shape}{}];", id(node), quoted(lines), style(*mark));
        }
        for Edge { from, to, mark } in &cluster.edges {
            let label = mark.label().map(|label| format!(", label=\"{label}\"")).unwrap_or_default();
            let _ = writeln!(text, "    {} -> {} [weight=1{label}{}];", id(*from), id(*to), style(*mark));
        }
        text.push_str("  }\n");
    }
    text.push_str("}\n");
    text
}

/// Returns the attributes of a mark. None of them is a colour alone.
fn style(mark: Mark) -> &'static str {
    match mark {
        Mark::Stays => "",
        Mark::New => ", style=bold, color=\"#1a7f37\"",
        Mark::Changed => ", style=bold, color=\"#9a6700\"",
        Mark::Removed => ", style=dashed, color=\"#cf222e\"",
    }
}

/// Returns lines as one string of the language. In a label, a backslash and an ampersand have a meaning, too.
fn quoted<T: AsRef<str>>(lines: impl IntoIterator<Item = T>) -> String {
    let escaped = lines
        .into_iter()
        .map(|line| line.as_ref().replace('&', "&amp;").replace('\\', "\\\\").replace('"', "\\\""));
    format!("\"{}\"", escaped.collect::<Vec<_>>().join("\\n"))
}
