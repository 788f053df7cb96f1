//! The providers' pages answer the same questions in the same order.

use super::{headings, pages};

const QUESTIONS: &[&str] = &[
    "What can be managed",
    "The credential",
    "What the API doesn't show, and what follows",
    "What can't be done, and where to do it",
    "Traps",
    "Requests",
];

#[test]
fn each_provider_has_a_page_that_answers_the_same_questions() {
    let pages = pages();
    for provider in rolecall_model::ProviderName::ALL {
        let path = format!("docs/{provider}.md");
        let page = pages.iter().find(|page| page.path == path).unwrap_or_else(|| panic!("there is no {path}"));
        let headings = headings(&page.text);
        let answered: Vec<&str> =
            headings.iter().map(|(_, heading)| &**heading).filter(|heading| QUESTIONS.contains(heading)).collect();
        assert_eq!(answered, QUESTIONS, "{path}");
    }
}
