//! Small helpers for what findings say.

/// The name that was probably meant, if one is near enough.
pub fn nearest<'a>(typed: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let folded = typed.to_lowercase();
    let scored = known.into_iter().map(|name| {
        let lower = name.to_lowercase();
        (strsim::damerau_levenshtein(&folded, &lower), name)
    });
    let (distance, name) = scored.min()?;
    // A third of the letters may be wrong; more is another word.
    (distance <= (typed.chars().count().max(name.chars().count()) / 3).max(1)).then_some(name)
}

/// A value as a message shows it: in backticks, escaped, and not endless.
pub fn quote(text: &str) -> String {
    const LONGEST: usize = 80;
    let mut shown: String = text.chars().take(LONGEST).flat_map(char::escape_debug).collect();
    // Quotation marks need no escape between backticks.
    shown = shown.replace("\\\"", "\"").replace("\\'", "'");
    let rest = text.chars().count().saturating_sub(LONGEST);
    if rest > 0 { format!("`{shown}…` ({rest} more characters)") } else { format!("`{shown}`") }
}

/// `a`, `b` or `c`.
pub fn list_of<T: AsRef<str>>(names: &[T], joiner: &str) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{}`", name.as_ref())).collect();
    match quoted.as_slice() {
        [] => "nothing".to_owned(),
        [one] => one.clone(),
        [most @ .., last] => format!("{} {joiner} {last}", most.join(", ")),
    }
}
