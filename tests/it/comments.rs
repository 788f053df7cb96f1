//! Comments speak plain English: the doc of an item is a sentence with a subject and a verb.

use super::walls::sources;

/// A doc comment that begins with one of these words is a clause without a subject, which has to be read twice.
const CLAUSES: &[&str] = &[
    "Are", "Does", "How", "Is", "May", "None", "Of", "So", "Such", "That", "Those", "What", "Where", "Whoever",
    "Whom", "Whose",
];

/// Returns the first line of every doc comment, with its file and line.
fn docs() -> Vec<(String, String)> {
    let mut docs = Vec::new();
    for (file, text) in sources() {
        let mut inside = false;
        for (line, content) in text.lines().enumerate() {
            let doc = content.trim_start().strip_prefix("///");
            if let Some(doc) = doc.filter(|_| !inside) {
                docs.push((format!("{file}:{}", line + 1), doc.trim().to_owned()));
            }
            inside = doc.is_some();
        }
    }
    docs
}

#[test]
fn a_doc_comment_is_a_sentence_with_a_subject() {
    let docs = docs();
    assert!(docs.len() > 2_000, "only {} doc comments were found", docs.len());
    let is_clause = |doc: &str| {
        let word = doc.split(|c: char| !c.is_alphabetic()).next().unwrap_or_default();
        CLAUSES.contains(&word)
    };
    let clauses: Vec<String> =
        docs.iter().filter(|(_, doc)| is_clause(doc)).map(|(place, doc)| format!("{place}: {doc}")).collect();
    assert!(clauses.is_empty(), "{} of {} doc comments:\n{}", clauses.len(), docs.len(), clauses.join("\n"));
}
