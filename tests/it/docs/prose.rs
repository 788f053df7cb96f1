//! Sentences of the documentation are short enough to be read once.

use pulldown_cmark::{Event, Tag, TagEnd};

use super::{Page, pages, parse};

/// A longer sentence has to be read twice.
const MOST_WORDS: usize = 25;

/// Returns the paragraphs and list items of a page. Inline code counts as one word. Code blocks, tables, headings and
/// HTML are left out.
fn paragraphs(text: &str) -> Vec<String> {
    let mut paragraphs = vec![String::new()];
    // How many code blocks, tables, headings and HTML blocks the event lies in.
    let mut left_out = 0_usize;
    for event in parse(text) {
        let current = paragraphs.last_mut().expect("there is always one");
        match event {
            Event::Start(Tag::CodeBlock(_) | Tag::Table(_) | Tag::Heading { .. } | Tag::HtmlBlock) => {
                left_out += 1;
                paragraphs.push(String::new());
            }
            Event::End(TagEnd::CodeBlock | TagEnd::Table | TagEnd::Heading(_) | TagEnd::HtmlBlock) => {
                left_out -= 1;
            }
            Event::Start(Tag::Paragraph | Tag::Item | Tag::List(_))
            | Event::End(TagEnd::Paragraph | TagEnd::Item | TagEnd::List(_)) => paragraphs.push(String::new()),
            _ if left_out > 0 => {}
            Event::Text(text) => current.push_str(&text),
            Event::Code(_) => current.push_str("code"),
            Event::SoftBreak | Event::HardBreak => current.push(' '),
            _ => {}
        }
    }
    paragraphs
}

/// Splits a paragraph where a word ends with a full stop, a question mark or an exclamation mark.
fn sentences(paragraph: &str) -> Vec<Vec<&str>> {
    let mut sentences = vec![Vec::new()];
    for word in paragraph.split_whitespace() {
        let current = sentences.last_mut().expect("there is always one");
        if word.contains(char::is_alphanumeric) {
            current.push(word);
        }
        if word.trim_end_matches(['"', '\'', ')', '”']).ends_with(['.', '?', '!']) {
            sentences.push(Vec::new());
        }
    }
    sentences
}

/// Returns the sentences of a page that have too many words, with their length.
fn too_long(page: &Page) -> Vec<String> {
    let paragraphs = paragraphs(&page.text);
    let sentences = paragraphs.iter().flat_map(|paragraph| sentences(paragraph));
    let long = sentences.filter(|words| words.len() > MOST_WORDS);
    long.map(|words| format!("{}: {} words: {}", page.path, words.len(), words.join(" "))).collect()
}

#[test]
fn no_sentence_has_more_than_25_words() {
    // The page of every field is generated. The other pages in the root are for contributors.
    let is_ours = |page: &&Page| {
        page.path == "README.md" || page.path.starts_with("docs/") && page.path != "docs/reference.md"
    };
    let pages = pages();
    let ours: Vec<&Page> = pages.iter().filter(is_ours).collect();
    assert!(ours.len() >= 20, "pages were looked for in the wrong place");
    let long: Vec<String> = ours.into_iter().flat_map(too_long).collect();
    assert!(long.is_empty(), "{long:#?}");
}

#[test]
fn a_sentence_that_is_too_long_is_seen() {
    let words = |count: usize| vec!["word"; count].join(" ");
    let found = |text: &str| {
        let page = Page { path: "x.md".to_owned(), text: text.to_owned() };
        too_long(&page).len()
    };
    let (most, more) = (words(MOST_WORDS), words(MOST_WORDS + 1));
    for short in [
        format!("{most}."),
        format!("{most}. {most}! {most}? ({most}.) {most}"),
        format!("{most}\n\n{most}\n- {most}\n- {most}\n  1. {most}"),
        format!("{} `{more}`", words(MOST_WORDS - 1)),
        format!("# {more}"),
        format!("```sh\n{more}\n```"),
        format!("| a |\n|---|\n| {more} |"),
        format!("<!-- {more} -->"),
    ] {
        assert_eq!(found(&short), 0, "{short}");
    }
    for long in [
        format!("{more}."),
        format!("{most}. {more}"),
        format!("- {more}"),
        format!("> {more}"),
        format!("**{}** [{}](x.md)", words(MOST_WORDS - 1), words(2)),
        format!("{}\n{}", words(MOST_WORDS), words(1)),
        format!("{most} `code`"),
    ] {
        assert_eq!(found(&long), 1, "{long}");
    }
}
