//! Writes a graph in the language of Mermaid, which GitHub and GitLab draw.

use std::fmt::Write as _;

use super::{Cluster, Edge, Graph, Mark, Node, Shape};
use rolecall_model::OrganizationPlan;

/// A comment shows a graph with at most this many nodes.
const DRAWN: usize = 30;

/// Writes the graph of an organisation, folded, for a comment. It is empty if there is nothing to draw, or too much.
pub(in crate::report) fn fold(plan: &OrganizationPlan) -> String {
    let graph = Graph(vec![Cluster::of(plan)]);
    if plan.sealed.changes.is_empty() || graph.len() > DRAWN {
        return String::new();
    }
    format!("<details><summary>Graph</summary>\n\n```mermaid\n{}```\n\n</details>\n\n", mermaid(&graph))
}

/// Writes the graph. Every id is made here, and every other text stands in quotation marks.
pub(in crate::report) fn mermaid(Graph(clusters): &Graph) -> String {
    let mut text = "flowchart LR\n".to_owned();
    for (index, cluster) in clusters.iter().enumerate() {
        let id = |node: usize| format!("g{index}n{node}");
        let _ = writeln!(text, "  subgraph g{index}[\"{}\"]\n    direction LR", escaped(&cluster.title));
        for (node, Node { shape, mark, lines }) in cluster.nodes.iter().enumerate() {
            let (open, close) = match shape {
                Shape::Holder => ("([", "])"),
                Shape::Role => ("[", "]"),
                Shape::Part => ("[[", "]]"),
            };
            let label: Vec<String> = lines.iter().map(|line| escaped(line)).collect();
            let _ = writeln!(text, "    {}{open}\"{}\"{close}{}", id(node), label.join("<br/>"), class(*mark));
        }
        for Edge { from, to, mark } in &cluster.edges {
            let arrow = match mark {
                Mark::Stays => "-->",
                Mark::New => "==>",
                Mark::Changed | Mark::Removed => "-.->",
            };
            let label = mark.label().map(|label| format!("|{label}|")).unwrap_or_default();
            let _ = writeln!(text, "    {} {arrow}{label} {}", id(*from), id(*to));
        }
        text.push_str("  end\n");
    }
    text.push_str(
        "  classDef new stroke:#1a7f37,stroke-width:3px\n  classDef changed stroke:#9a6700,stroke-width:3px\n  \
         classDef removed stroke:#cf222e,stroke-width:2px,stroke-dasharray:5 5\n",
    );
    text
}

fn class(mark: Mark) -> String {
    mark.label().map(|label| format!(":::{label}")).unwrap_or_default()
}

/// Texts that mean something to Mermaid even as codes: letters that it writes itself, formulas, icons and the end of a line.
const SPECIAL: &[(&str, &str)] =
    &[("ﬂ", "\\u{fb02}"), ("¶", "\\u{b6}"), ("$$", "$\\u{24}"), (":fa-", ":fa\\u{2d}"), ("\\n", "\\u{5c}n")];

/// Writes every character that could have a meaning as its code: to Mermaid, or to the Markdown that it reads in labels.
fn escaped(text: &str) -> String {
    let mut safe = String::new();
    let mut last = ' ';
    let text = SPECIAL.iter().fold(text.to_owned(), |text, (special, escape)| text.replace(special, escape));
    for c in text.chars() {
        let is_plain = match c {
            // Spaces at the beginning would be code, and a hyphen would begin a list. `direction TB` is a statement,
            // wherever it stands.
            ' ' => last != ' ' && !safe.ends_with("direction"),
            '-' => last.is_alphanumeric(),
            '/' | ',' => true,
            c => c.is_alphanumeric(),
        };
        if is_plain {
            safe.push(c);
        } else {
            let _ = write!(safe, "#{};", u32::from(c));
        }
        last = c;
    }
    safe
}
