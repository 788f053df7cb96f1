//! The checks of `deliver`: the targets of new keys' secrets.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Component, Path, PathBuf};

use super::check::Checker;
use super::field::Field;
use super::files::Loaded;
use super::raw::{OneOrMore, RawDelivery, RecipientText};
use rolecall_model::{Code, Credential, Delivery, Desired, DesiredKey, Finding, Place, Placed, quote};

impl Checker<'_> {
    /// Checks where the secret of a new key goes.
    pub fn deliveries(&mut self, field: Field<OneOrMore<RawDelivery>>) -> Vec<Placed<Delivery>> {
        let Some(OneOrMore(all)) = field.value else { return Vec::new() };
        if all.is_empty() {
            self.invalid(field.mark, "The list of targets is empty.".to_owned(), "Add one, or remove the field.");
        }
        let placed = |item: Field<RawDelivery>| {
            let mark = item.mark;
            self.delivery(item).map(|delivery| self.placed(mark, delivery))
        };
        all.into_iter().filter_map(placed).collect()
    }

    fn delivery(&mut self, field: Field<RawDelivery>) -> Option<Delivery> {
        let RawDelivery { file, command, env_file, name, age } = field.value?;
        match (file, command, env_file, name, age) {
            (Some(file), None, None, None, None) => Some(Delivery::File(self.path(file)?.into())),
            (None, Some(words), None, None, None) => self.command(words.mark, words.value?).map(Delivery::Command),
            (None, None, Some(file), Some(name), None) => {
                let (file, name) = (self.path(file), self.variable(name));
                Some(Delivery::EnvFile { file: file?.into(), name: name? })
            }
            (Some(file), None, None, None, Some(age)) => {
                let (file, recipients) = (self.path(file), self.recipients(age));
                Some(Delivery::Age { recipients: recipients?, file: file?.into() })
            }
            (..) => {
                let message = "Expected `file`, `command`, `env_file` with `name`, or `age` with `file`.";
                let hint = "Keep the fields of one of them. To deliver to several places, write a list.";
                self.invalid(field.mark, message.to_owned(), hint);
                None
            }
        }
    }

    fn recipients(&mut self, field: Field<Vec<Field<RecipientText>>>) -> Option<Vec<String>> {
        let all = field.value?;
        if all.is_empty() {
            self.invalid(
                field.mark,
                "The list of recipients is empty.".to_owned(),
                "Add a public key, such as `age1…`.",
            );
            return None;
        }
        let checked: Vec<Option<String>> = all.into_iter().map(|item| self.recipient(item)).collect();
        checked.into_iter().collect()
    }

    fn recipient(&mut self, field: Field<RecipientText>) -> Option<String> {
        let RecipientText(text) = field.value?;
        if is_recipient(&text) {
            return Some(text);
        }
        // The text isn't quoted, because it may be the secret key.
        let place = self.place(field.mark);
        self.push(
            Finding::error(Code::InvalidValue, place, "This is not a public key to which age can encrypt.")
                .hint(
                    "Write `age1…`, `ssh-ed25519 …` or `ssh-rsa …`, as `age-keygen` or `ssh-keygen` prints it. \
                     For a key of a plugin, use `command`.",
                )
                .without_source(),
        );
        None
    }
}

/// Returns whether a text has the form of a public key of age or SSH. The recipients of age's plugins are not accepted,
/// because they choose a program that age starts.
fn is_recipient(text: &str) -> bool {
    if text.starts_with("age1") {
        return is_age_key(text);
    }
    let mut words = text.split(' ');
    let (kind, blob) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let is_base64 = blob.len() % 4 == 0
        && blob.trim_end_matches('=').bytes().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'+' | b'/'));
    // A key begins with its type once more, and age needs 2048 bits of an RSA key.
    let is_key = match kind {
        "ssh-ed25519" => blob.starts_with("AAAAC3NzaC1lZDI1NTE5AAAAI") && blob.len() == 68,
        "ssh-rsa" => blob.starts_with("AAAAB3NzaC1yc2EAAAA") && blob.len() >= 372,
        _ => false,
    };
    is_key && is_base64 && !text.contains(char::is_control)
}

/// Returns whether a text is an X25519 key in Bech32, with a correct checksum.
fn is_age_key(text: &str) -> bool {
    const LETTERS: &str = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";
    const GENERATOR: [usize; 5] = [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3];
    let letters = text.strip_prefix("age1").filter(|letters| letters.len() == 58).unwrap_or_default();
    let values: Option<Vec<usize>> = letters.chars().map(|letter| LETTERS.find(letter)).collect();
    // The checksum covers `age` as well: the upper bits of its letters, a zero, and the lower bits.
    let prefix = [3, 3, 3, 0, 1, 7, 5];
    let checksum = prefix.into_iter().chain(values.unwrap_or_default()).fold(1, |sum, value| {
        let (top, shifted) = (sum >> 25, (sum & 0x1ff_ffff) << 5);
        let parts = GENERATOR.iter().enumerate().filter(|(bit, _)| top >> bit & 1 == 1);
        parts.fold(shifted ^ value, |sum, (_, part)| sum ^ part)
    });
    !letters.is_empty() && checksum == 1
}

/// The use of a file in a run.
#[derive(Clone, Copy)]
enum Use<'a> {
    /// The run reads or writes it for another reason.
    Own(&'a str),
    /// A secret goes there. Only a line of it is replaced if there is a `variable`.
    Secret { key: &'a DesiredKey, place: &'a Place, variable: Option<&'a str> },
}

/// The files of a run with their uses, by path in lower case, and by identity.
#[derive(Default)]
struct Used<'a> {
    by_path: BTreeMap<PathBuf, Vec<(PathBuf, Use<'a>)>>,
    by_identity: BTreeMap<Identity, Vec<Use<'a>>>,
}

impl<'a> Used<'a> {
    fn add(&mut self, path: &Path, how: Use<'a>) {
        let target = on_disk(path);
        self.by_path.entry(lower(&target)).or_default().push((target, how));
        if let Some(identity) = identity(path) {
            self.by_identity.entry(identity).or_default().push(how);
        }
    }

    /// Returns the uses of a file: by any spelling of its path, by a link, or by another name for it on disk.
    fn of(&self, path: &Path) -> Vec<Use<'a>> {
        let target = on_disk(path);
        let named = self.by_path.get(&lower(&target)).into_iter().flatten();
        let named = named.filter(|(other, _)| is_same_path(other, &target)).map(|(_, how)| *how);
        let linked = identity(path).and_then(|identity| self.by_identity.get(&identity)).into_iter().flatten();
        named.chain(linked.copied()).collect()
    }

    /// Returns where a secret goes to a file that this path needs as a folder, or the other way round.
    fn across(&self, path: &Path) -> Option<&'a Place> {
        let target = on_disk(path);
        let lowered = lower(&target);
        let above = lowered.ancestors().skip(1).filter_map(|folder| self.by_path.get(folder));
        let below = self.by_path.range(lowered.clone()..).take_while(|(other, _)| other.starts_with(&lowered));
        let is_above = |one: &Path, other: &Path| other.ancestors().skip(1).any(|above| is_same_path(above, one));
        above.chain(below.map(|(_, uses)| uses)).flatten().find_map(|(other, how)| match how {
            Use::Secret { place, .. } if is_above(other, &target) || is_above(&target, other) => Some(*place),
            Use::Secret { .. } | Use::Own(_) => None,
        })
    }
}

impl Loaded {
    fn all_desired(&self) -> impl Iterator<Item = &Desired> {
        self.files.iter().filter_map(|file| file.desired.as_ref())
    }

    /// Returns the files that a run reads, each with what it is to the run.
    fn read_files(&self) -> impl Iterator<Item = (&Path, &'static str)> {
        let credentials = self.all_desired().flat_map(|desired| desired.credentials.values());
        let credentials = credentials.filter_map(|credential| match &credential.value {
            Credential::File(path) => Some((&**path, "the file of a credential")),
            Credential::Env(_) | Credential::Command(_) => None,
        });
        self.paths().map(|path| (path, "a file that this run reads")).chain(credentials)
    }

    /// Returns the files that nothing that a run writes may replace, each with what it is to the run.
    pub fn used_files(&self) -> impl Iterator<Item = (&Path, &'static str)> {
        let keys = self.all_desired().flat_map(|desired| &desired.keys);
        let secrets = keys.flat_map(|key| &key.deliver).filter_map(|delivery| delivery.file());
        self.read_files().chain(secrets.map(|path| (path, "where the secret of a key goes")))
    }

    /// Checks where the secrets of all files of a run go on this disk. A path can lead to the same file as another by a
    /// link, or because one of them is absolute. `own` are further files that the run reads or writes, each with what it
    /// is to the run.
    pub fn check_deliveries(&self, own: &[(&Path, &str)]) -> Vec<Finding> {
        let mut used = Used::default();
        for (path, what) in self.read_files() {
            used.add(path, Use::Own(what));
        }
        for (path, what) in own {
            used.add(path, Use::Own(what));
        }
        let mut findings = Vec::new();
        for key in self.all_desired().flat_map(|desired| &desired.keys) {
            for delivery in &key.deliver {
                let Some(path) = delivery.file() else { continue };
                let variable = match &delivery.value {
                    Delivery::EnvFile { name, .. } => Some(&**name),
                    Delivery::File(_) | Delivery::Command(_) | Delivery::Age { .. } => None,
                };
                findings.extend(own_file(path, &used).map(|message| {
                    Finding::error(Code::InvalidValue, delivery.place.clone(), message)
                        .hint("Write the path of a file that nothing else uses.")
                }));
                findings.extend(clash(path, variable, key, &used).map(|(message, first)| {
                    Finding::error(Code::DuplicateDelivery, delivery.place.clone(), message)
                        .hint(format!("The first is at {first}. Use a separate file for each key."))
                }));
                used.add(path, Use::Secret { key, place: &delivery.place, variable });
            }
        }
        findings
    }
}

/// Returns why a secret can't go to a file: rolecall uses the file itself.
fn own_file(path: &Path, used: &Used<'_>) -> Option<String> {
    let shown = quote(&path.display().to_string());
    let own = used.of(path).into_iter().find_map(|how| match how {
        Use::Own(what) => Some(what),
        Use::Secret { .. } => None,
    });
    let name = path.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
    match own {
        Some(what) => Some(format!("{shown} is {what}, and one would overwrite the other.")),
        None if name.ends_with(Delivery::TEMPORARY) => {
            Some(format!("{shown} has a name that rolecall uses for a secret on its way."))
        }
        None => is_ours(path)
            .then(|| format!("{shown} is a file of rolecall itself, and the secret would overwrite it.")),
    }
}

/// Returns whether a path leads into the folder where rolecall keeps ledgers and what it has read.
pub fn is_ours(path: &Path) -> bool {
    let folder = on_disk(Path::new(".rolecall"));
    on_disk(path).ancestors().any(|above| is_same_path(above, &folder))
}

/// Returns why a secret would not arrive or not stay in its file, and the place of the other secret.
fn clash<'a>(
    path: &Path,
    variable: Option<&str>,
    key: &DesiredKey,
    used: &Used<'a>,
) -> Option<(String, &'a Place)> {
    let shown = quote(&path.display().to_string());
    let same = used.of(path).into_iter().find_map(|how| match how {
        Use::Secret { variable: other, .. } if variable.is_some() && other.is_some() && variable != other => None,
        Use::Secret { key, place, .. } => Some((key, place)),
        Use::Own(_) => None,
    });
    if let Some((other, place)) = same {
        let whose = if std::ptr::eq(other, key) { "this key" } else { "another key" };
        let what = variable.map(|name| format!("the variable `{name}` of ")).unwrap_or_default();
        return Some((format!("The secret of {whose} is written to {what}the file {shown} too."), place));
    }
    let across = used.across(path)?;
    Some((format!("{shown} can't be a file: it or the file of another key would be a folder."), across))
}

/// Returns the real path of a file that may not exist. Its name isn't followed, even if it is a link, because the
/// delivery replaces the link.
fn on_disk(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { return normalize(&path) };
    let existing = folder.ancestors().find_map(|there| Some((there.canonicalize().ok()?, there)));
    let real = existing.map(|(real, there)| match folder.strip_prefix(there) {
        Ok(missing) => normalize(&real.join(missing)),
        Err(_) => real,
    });
    real.unwrap_or_else(|| normalize(folder)).join(name)
}

/// The identity of a file on disk, which all its names and links have in common.
#[cfg(unix)]
type Identity = (u64, u64);
#[cfg(not(unix))]
type Identity = PathBuf;

#[cfg(unix)]
fn identity(path: &Path) -> Option<Identity> {
    use std::os::unix::fs::MetadataExt as _;
    fs::metadata(path).ok().map(|meta| (meta.dev(), meta.ino()))
}

#[cfg(not(unix))]
fn identity(path: &Path) -> Option<Identity> {
    path.canonicalize().ok()
}

fn lower(path: &Path) -> PathBuf {
    path.to_string_lossy().to_lowercase().into()
}

/// Returns whether two real paths mean the same on this disk, which may ignore the case of names.
fn is_same_path(one: &Path, other: &Path) -> bool {
    one == other
        || lower(one) == lower(other) && {
            let same = one.components().zip(other.components()).take_while(|(one, other)| one == other);
            ignores_case(&same.map(|(part, _)| part).collect::<PathBuf>())
        }
}

/// Returns whether names in a folder mean the same in upper and in lower case. The nearest folder that has a name with
/// letters shows it.
fn ignores_case(folder: &Path) -> bool {
    let shown = folder.ancestors().find_map(|there| {
        fs::read_dir(there).ok()?.flatten().find_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let swap = |c: char| if c.is_uppercase() { c.to_ascii_lowercase() } else { c.to_ascii_uppercase() };
            let swapped: String = name.chars().map(swap).collect();
            let known = identity(&there.join(&name)).filter(|_| swapped != name)?;
            Some(identity(&there.join(swapped)) == Some(known))
        })
    });
    shown.unwrap_or(cfg!(any(windows, target_os = "macos")))
}

/// Normalizes a path without reading the file system: `a/../b` and `./b` become `b`.
pub(super) fn normalize(path: &Path) -> PathBuf {
    let mut parts = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if parts.file_name().is_some() => {
                parts.pop();
            }
            _ => parts.push(part),
        }
    }
    parts
}
