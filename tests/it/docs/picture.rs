//! The picture of a plan in the README is made from the real output, so it can't go out of date.

use anstyle::RgbColor;
use anstyle_svg::{Palette, Term};
use rolecall::report::{Layout, plan_text};

use super::root;
use crate::support::cli::Env;

/// The width of the terminal in the picture, in columns.
const COLUMNS: usize = 112;

/// The colours of one picture: text, background, and the sixteen that a program names.
struct Theme {
    name: &'static str,
    text: RgbColor,
    background: RgbColor,
    green: RgbColor,
    yellow: RgbColor,
    red: RgbColor,
    magenta: RgbColor,
}

const THEMES: &[Theme] = &[
    Theme {
        name: "light",
        text: RgbColor(0x1f, 0x23, 0x28),
        background: RgbColor(0xf6, 0xf8, 0xfa),
        green: RgbColor(0x11, 0x63, 0x29),
        yellow: RgbColor(0x7d, 0x4e, 0x00),
        red: RgbColor(0xcf, 0x22, 0x2e),
        magenta: RgbColor(0x82, 0x50, 0xdf),
    },
    Theme {
        name: "dark",
        text: RgbColor(0xd1, 0xd7, 0xe0),
        background: RgbColor(0x15, 0x1b, 0x23),
        green: RgbColor(0x3f, 0xb9, 0x50),
        yellow: RgbColor(0xd2, 0x99, 0x22),
        red: RgbColor(0xff, 0x7b, 0x72),
        magenta: RgbColor(0xbc, 0x8c, 0xff),
    },
];

/// Returns the plan of the Hive example as a terminal shows it, with its colours.
fn example() -> String {
    let env = Env::new();
    std::fs::create_dir_all(env.path("examples")).unwrap();
    env.write("examples/hive.yaml", std::fs::read(root().join("examples/hive.yaml")).unwrap());
    let said = env.run(&["plan", "--sandbox", "--out", "plan.json", "examples/hive.yaml"]);
    assert_eq!(said.code, 0, "{}", said.all());
    let plan = serde_json::from_str(&env.read("plan.json")).unwrap();
    let text = plan_text(&plan, Layout { width: Some(COLUMNS), full: false });
    format!("$ rolecall plan --sandbox examples/hive.yaml\n\n{text}")
}

fn picture(text: &str, theme: &Theme) -> String {
    let Theme { text: fg, background, green, yellow, red, magenta, .. } = *theme;
    // Black, red, green, yellow, blue, magenta, cyan and white, then the bright ones.
    let eight = [background, red, green, yellow, fg, magenta, fg, fg];
    let mut sixteen = [fg; 16];
    sixteen[..8].copy_from_slice(&eight);
    sixteen[8..].copy_from_slice(&eight);
    let palette = Palette(sixteen.map(Into::into));
    Term::new().palette(palette).fg_color(fg.into()).bg_color(background.into()).render_svg(text)
}

#[test]
fn the_readme_shows_what_the_program_prints() {
    let text = example();
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    for theme in THEMES {
        let name = format!("docs/plan-{}.svg", theme.name);
        let drawn = picture(&text, theme);
        let path = root().join(&name);
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(&path, &drawn).unwrap();
        }
        let kept = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(kept == drawn, "{name} is out of date: BLESS=1 cargo test --test it docs");
        assert!(readme.contains(&name), "the README doesn't show {name}");
    }
}
