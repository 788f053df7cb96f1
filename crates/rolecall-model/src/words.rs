//! Small helpers for the text of messages.

/// Returns the known name that was probably meant, if one is similar enough to what was typed.
pub fn nearest<'a>(typed: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let folded = typed.to_lowercase();
    let letters = typed.chars().count();
    let scored = known.into_iter().filter_map(|name| {
        let others = name.chars().count();
        // Up to a third of the letters may be wrong. Each letter that one of them has more is wrong.
        let most = (letters.max(others) / 3).max(1);
        let distance = || distance(&folded, &name.to_lowercase());
        (letters.abs_diff(others) <= most).then(distance).filter(|distance| *distance <= most).map(|it| (it, name))
    });
    scored.min().map(|(_, name)| name)
}

/// Returns the known email address that was probably meant. Of a domain that both have, no letter counts.
pub fn nearest_email<'a>(typed: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let Some((local, domain)) = typed.rsplit_once('@') else { return nearest(typed, known) };
    let (same, others): (Vec<&str>, Vec<&str>) = known
        .into_iter()
        .partition(|email| email.rsplit_once('@').is_some_and(|(_, other)| other.eq_ignore_ascii_case(domain)));
    let locals = same.iter().filter_map(|email| Some(email.rsplit_once('@')?.0));
    let near = nearest(local, locals).and_then(|near| {
        same.iter().copied().find(|email| email.rsplit_once('@').is_some_and(|(local, _)| local == near))
    });
    let is_same =
        |email: &&str| email.rsplit_once('@').is_some_and(|(other, _)| other.eq_ignore_ascii_case(local));
    near.or_else(|| others.into_iter().find(is_same))
}

/// Returns the number of letters by which two words differ. Two letters that are swapped count as one.
pub fn distance(one: &str, other: &str) -> usize {
    strsim::damerau_levenshtein(one, other)
}

/// Quotes a value for a message: in backticks, escaped, and cut after 80 characters.
pub fn quote(text: &str) -> String {
    const LONGEST: usize = 80;
    let mut shown: String = text.chars().take(LONGEST).flat_map(char::escape_debug).collect();
    // Quotation marks don't need an escape between backticks.
    shown = shown.replace("\\\"", "\"").replace("\\'", "'");
    let rest = text.chars().count().saturating_sub(LONGEST);
    if rest > 0 { format!("`{shown}…` ({rest} more characters)") } else { format!("`{shown}`") }
}

/// Lists names in backticks: `a`, `b` or `c`. `joiner` is the word before the last one.
pub fn list_of<T: AsRef<str>>(names: &[T], joiner: &str) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{}`", name.as_ref())).collect();
    match quoted.as_slice() {
        [] => "nothing".to_owned(),
        [only] => only.clone(),
        [most @ .., last] => format!("{} {joiner} {last}", most.join(", ")),
    }
}

/// Makes a sentence of a phrase: an upper-case letter first, and a period at the end.
pub fn sentence(phrase: &str) -> String {
    let phrase = phrase.trim_end_matches('.');
    let mut letters = phrase.chars();
    let first = letters.next().into_iter().flat_map(char::to_uppercase);
    let end = if phrase.ends_with(['?', '!']) { "" } else { "." };
    first.chain(letters).chain(end.chars()).collect()
}
