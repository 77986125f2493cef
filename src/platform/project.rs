//! Finding the project of a folder: the nearest folder above it with a manifest or `.git`.
//!
//! Files are opened without following anything that could block, and only their first part is
//! read: the folder belongs to whoever runs the process.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::files;
use crate::model::Project;

/// How much of a manifest is read.
const LIMIT: u64 = 256 * 1024;
/// The most characters of a name.
const NAME_LIMIT: usize = 100;
/// How many folders up the search goes.
const DEPTH: usize = 32;

/// Reads a project's name from the text of its manifest.
type NameOf = fn(&str) -> Option<String>;

/// The manifests that mark a project, and where they say its name. The first that is there wins.
const MANIFESTS: &[(&str, NameOf)] = &[
    ("package.json", json_name),
    ("Cargo.toml", |text| toml_name(text, &["package"])),
    ("pyproject.toml", |text| {
        toml_name(text, &["project"]).or_else(|| toml_name(text, &["tool", "poetry"]))
    }),
    ("go.mod", |text| {
        line_value(text, "module ")
            .map(|module| module.rsplit('/').next().unwrap_or(module).to_owned())
    }),
    ("pom.xml", pom_name),
    ("Gemfile", |_| None),
    ("composer.json", |text| {
        json_name(text).map(|name| name.rsplit('/').next().unwrap_or(&name).to_owned())
    }),
    ("mix.exs", |text| {
        line_value(text, "app: :").map(|name| name.trim_end_matches(',').to_owned())
    }),
    ("deno.json", json_name),
    ("deno.jsonc", |_| None),
];

/// The project that `cwd` belongs to.
pub fn of(cwd: &Path) -> Option<Project> {
    let root = cwd
        .ancestors()
        .take(DEPTH)
        .filter(|folder| folder.parent().is_some())
        .find(|folder| is_root(folder))?;
    let folder_name = || {
        root.file_name()
            .map(|name| name.to_string_lossy().into_owned())
    };
    let named = manifest_name(root);
    let git = root
        .ancestors()
        .take(DEPTH)
        .find_map(|folder| git_folder(&folder.join(".git")));
    let copy = git
        .as_ref()
        .filter(|(_, worktree)| *worktree)
        .and_then(|(folder, _)| working_copy(folder));
    let (branch, worktree) = git.map_or((None, false), |(folder, worktree)| {
        (branch(&folder), worktree)
    });
    let name = match (named, copy) {
        (named, Some((repository, copy))) => format!("{}@{copy}", named.unwrap_or(repository)),
        (named, None) => named.or_else(folder_name)?,
    };
    Some(Project {
        name: name.chars().take(NAME_LIMIT).collect(),
        root: root.to_owned(),
        branch,
        worktree,
    })
}

fn is_root(folder: &Path) -> bool {
    folder.join(".git").exists()
        || MANIFESTS
            .iter()
            .any(|(file, _)| folder.join(file).is_file())
}

fn manifest_name(root: &Path) -> Option<String> {
    let named = MANIFESTS
        .iter()
        .find_map(|(file, name)| name(&read(&root.join(file))?));
    named
        .map(|name| name.trim().to_owned())
        .filter(|name| !name.is_empty())
}

/// The start of a regular file, as text. A FIFO is not waited for.
fn read(path: &Path) -> Option<String> {
    let file = files::open_at_once(path).ok()?;
    if !file.metadata().ok()?.is_file() {
        return None;
    }
    let mut bytes = Vec::new();
    file.take(LIMIT).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

fn json_name(text: &str) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Manifest {
        name: Option<String>,
    }
    serde_json::from_str::<Manifest>(text).ok()?.name
}

fn toml_name(text: &str, tables: &[&str]) -> Option<String> {
    let mut table: toml::Table = text.parse().ok()?;
    for name in tables {
        match table.remove(*name)? {
            toml::Value::Table(inner) => table = inner,
            _ => return None,
        }
    }
    table.get("name")?.as_str().map(str::to_owned)
}

/// The rest of the first line that starts with `start`.
fn line_value<'a>(text: &'a str, start: &str) -> Option<&'a str> {
    text.lines()
        .find_map(|line| line.trim().strip_prefix(start))
        .map(str::trim)
}

/// The project's own artifactId: the first one outside `<parent>`.
fn pom_name(text: &str) -> Option<String> {
    let own = match (text.find("<parent>"), text.find("</parent>")) {
        (Some(start), Some(end)) if start < end => format!("{}{}", &text[..start], &text[end..]),
        _ => text.to_owned(),
    };
    let start = own.find("<artifactId>")? + "<artifactId>".len();
    let end = start + own[start..].find("</artifactId>")?;
    Some(own[start..end].to_owned())
}

/// The git folder behind `.git`, which in a linked worktree or submodule is a file that names it,
/// and whether that is a linked worktree.
fn git_folder(dot_git: &Path) -> Option<(PathBuf, bool)> {
    if dot_git.is_dir() {
        return Some((dot_git.to_owned(), false));
    }
    let text = read(dot_git)?;
    let target = Path::new(line_value(&text, "gitdir:")?).to_owned();
    let folder = dot_git.parent()?.join(target);
    let worktree = folder
        .parent()
        .and_then(Path::file_name)
        .is_some_and(|name| name == "worktrees");
    Some((folder, worktree))
}

/// The names of a repository and of the linked worktree whose git folder this is.
fn working_copy(git_folder: &Path) -> Option<(String, String)> {
    let name = |path: &Path| Some(path.file_name()?.to_string_lossy().into_owned());
    let dot_git = git_folder.parent()?.parent()?;
    // A bare repository is itself the folder.
    let repository = match name(dot_git)?.as_str() {
        ".git" => name(dot_git.parent()?)?,
        bare => bare.strip_suffix(".git").unwrap_or(bare).to_owned(),
    };
    Some((repository, name(git_folder)?))
}

fn branch(git_folder: &Path) -> Option<String> {
    let head = read(&git_folder.join("HEAD"))?;
    let head: String = head.lines().next()?.trim().chars().take(200).collect();
    match head.strip_prefix("ref:") {
        Some(reference) => {
            let reference = reference.trim();
            Some(
                reference
                    .strip_prefix("refs/heads/")
                    .unwrap_or(reference)
                    .to_owned(),
            )
        }
        None => head
            .get(..8)
            .filter(|hash| hash.bytes().all(|b| b.is_ascii_hexdigit()))
            .map(str::to_owned),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// A folder that is removed at the end.
    struct Folder(PathBuf);
    impl Folder {
        fn new(name: &str) -> Folder {
            let folder = std::env::temp_dir()
                .join(format!("freeport-project-{}-{name}", std::process::id()));
            let _ = fs::remove_dir_all(&folder);
            fs::create_dir_all(&folder).unwrap();
            Folder(folder)
        }
        fn write(&self, path: &str, text: &str) {
            let path = self.0.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
    }
    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn each_manifest_names_its_project() {
        let cases = [
            (
                "package.json",
                r#"{"name": "shop", "version": "1"}"#,
                "shop",
            ),
            ("Cargo.toml", "[package]\nname = \"shop\"\n", "shop"),
            ("pyproject.toml", "[project]\nname = \"shop\"\n", "shop"),
            ("pyproject.toml", "[tool.poetry]\nname = \"shop\"\n", "shop"),
            (
                "go.mod",
                "module example.com/team/shop\n\ngo 1.22\n",
                "shop",
            ),
            (
                "pom.xml",
                "<project><parent><artifactId>base</artifactId></parent><artifactId>shop</artifactId></project>",
                "shop",
            ),
            ("composer.json", r#"{"name": "team/shop"}"#, "shop"),
            ("mix.exs", "def project do\n [\n  app: :shop,\n ]", "shop"),
            ("deno.json", r#"{"name": "shop"}"#, "shop"),
            ("Gemfile", "source 'x'", "folder"),
            ("package.json", "not json", "folder"),
            ("Cargo.toml", "[workspace]\n", "folder"),
        ];
        for (index, (file, text, expected)) in cases.into_iter().enumerate() {
            let place = Folder::new(&format!("manifest{index}"));
            place.write(&format!("folder/{file}"), text);
            place.write("folder/src/deep/x", "");
            let found = of(&place.0.join("folder/src/deep")).unwrap();
            assert_eq!(
                (found.name.as_str(), found.root),
                (expected, place.0.join("folder")),
                "{file}"
            );
        }
    }

    #[test]
    fn branches_and_worktrees() {
        let place = Folder::new("git");
        place.write("repo/.git/HEAD", "ref: refs/heads/feature/x\n");
        place.write(
            "repo/.git/worktrees/two/HEAD",
            "0123456789abcdef0123456789abcdef01234567\n",
        );
        place.write(
            "two/.git",
            &format!(
                "gitdir: {}\n",
                place.0.join("repo/.git/worktrees/two").display()
            ),
        );
        place.write("repo/web/package.json", r#"{"name": "web"}"#);
        let main = of(&place.0.join("repo")).unwrap();
        assert_eq!(
            (main.name.as_str(), main.branch.as_deref(), main.worktree),
            ("repo", Some("feature/x"), false)
        );
        let linked = of(&place.0.join("two")).unwrap();
        assert_eq!(
            (
                linked.name.as_str(),
                linked.branch.as_deref(),
                linked.worktree
            ),
            ("repo@two", Some("01234567"), true)
        );
        let inner = of(&place.0.join("repo/web")).unwrap();
        assert_eq!(
            (inner.name.as_str(), inner.branch.as_deref()),
            ("web", Some("feature/x")),
            "the manifest is nearer than the repository"
        );
    }

    #[test]
    fn a_fifo_is_not_waited_for() {
        let place = Folder::new("fifo");
        assert!(
            std::process::Command::new("mkfifo")
                .arg(place.0.join("package.json"))
                .status()
                .unwrap()
                .success()
        );
        place.write("go.mod", "module shop\n");
        assert_eq!(of(&place.0).unwrap().name, "shop");
    }

    #[test]
    fn the_root_folder_is_no_project() {
        assert_eq!(of(Path::new("/")), None);
    }
}
