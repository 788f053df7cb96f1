//! Pages for browsers: one file that loads nothing. The frame has the head, the style and the filter; each kind of report
//! writes the content.
//!
//! No crate for templates is used. Markup is `&'static str` and everything else is escaped, so a name can't become
//! markup: the types see to that.

mod changes;

use std::fmt::{Display, Write as _};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use super::style::clean;
pub(super) use changes::{outcomes, plan};

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// The content of a page.
#[derive(Default)]
pub(super) struct Html(String);

impl Html {
    /// Adds markup, which is a part of the program.
    pub fn raw(&mut self, markup: &'static str) -> &mut Self {
        self.0.push_str(markup);
        self
    }

    /// Adds text from anywhere, also as the value of an attribute in double quotes.
    pub fn text(&mut self, text: impl Display) -> &mut Self {
        for c in clean(text).chars() {
            match c {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                c => self.0.push(c),
            }
        }
        self
    }

    /// Adds an element with nothing but text in it. `open` and `close` are its tags.
    pub fn element(&mut self, open: &'static str, text: impl Display, close: &'static str) -> &mut Self {
        self.raw(open).text(text).raw(close)
    }

    /// Adds the box and the checks that filter the rows, each with its mark and its label. Without scripts, they are hidden.
    pub fn filters(&mut self, marks: &[(&'static str, &'static str)]) -> &mut Self {
        self.raw(
            "<form class=\"tools\" hidden>\n\
             <input type=\"search\" placeholder=\"Filter: a name, a role, a resource, a file\" aria-label=\"Filter\">\n",
        );
        for (mark, label) in marks {
            self.raw("<label><input type=\"checkbox\" value=\"")
                .raw(mark)
                .raw("\"> ")
                .raw(label)
                .raw("</label>\n");
        }
        self.raw("<output class=\"soft\"></output>\n</form>\n")
    }

    /// Returns the whole page. The policy allows the page's own style and script, and no request.
    pub fn page(self, title: &'static str) -> String {
        let (style, script) = (hash(STYLE), hash(SCRIPT));
        let mut page = String::new();
        let _ = write!(
            page,
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src '{style}'; \
             script-src '{script}'; base-uri 'none'; form-action 'none'\">\n\
             <meta name=\"referrer\" content=\"no-referrer\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"color-scheme\" content=\"light dark\">\n\
             <title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n{content}\
             <script>{SCRIPT}</script>\n</body>\n</html>\n",
            content = self.0
        );
        page
    }
}

/// Returns the hash by which a policy allows an inline style or script.
fn hash(text: &str) -> String {
    format!("sha256-{}", STANDARD.encode(Sha256::digest(text)))
}
