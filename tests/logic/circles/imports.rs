//! Which file of a crate needs which, by the paths in its code.

use std::collections::{BTreeMap, BTreeSet};

use super::graph::Needs;
use super::text::{code, inner_modules, without_tests};
use crate::sources::Source;

type Module = Vec<String>;

/// What the code of one file names.
#[derive(Default)]
struct Names {
    /// Each path, from the module that it is written in.
    paths: Vec<(Module, Vec<String>)>,
    /// Names that `use` brings in: by name, the path.
    uses: BTreeMap<String, Vec<String>>,
}

/// For each file the others it needs, with the names.
pub fn edges(sources: &[&Source]) -> Needs {
    let mut files: BTreeMap<Module, &Source> = BTreeMap::new();
    let mut texts: BTreeMap<Module, String> = BTreeMap::new();
    let mut of_tests: BTreeSet<Module> = BTreeSet::new();
    for source in sources {
        let (text, tests) = without_tests(&code(&source.text));
        of_tests.extend(tests.into_iter().map(|name| below(&source.path, &name)));
        files.insert(source.path.clone(), source);
        texts.insert(source.path.clone(), text);
    }
    files.retain(|module, _| !of_tests.iter().any(|tests| module.starts_with(tests)));
    let names: BTreeMap<&Module, Names> =
        files.keys().map(|module| (module, names_in(module, &texts[module], &files))).collect();

    let mut needs = Needs::new();
    for (module, found) in &names {
        let mine = &files[*module].place;
        needs.entry(mine.clone()).or_default();
        for (from, path) in &found.paths {
            let Some((target, name)) = resolve(from, path, &files) else { continue };
            let (target, name) = definition(target, name, &names, &files);
            if target != **module {
                let theirs = files[&target].place.clone();
                let name = name.unwrap_or_else(|| "the module".to_owned());
                needs.entry(mine.clone()).or_default().entry(theirs).or_default().insert(name);
            }
        }
    }
    needs
}

fn below(module: &[String], name: &str) -> Module {
    module.iter().cloned().chain([name.to_owned()]).collect()
}

fn names_in(module: &Module, text: &str, files: &BTreeMap<Module, &Source>) -> Names {
    let mut names = Names::default();
    let (own, inner) = inner_modules(text);
    collect(module, &own, files, &mut names, true);
    for (name, body) in inner {
        collect(&below(module, &name), &body, files, &mut names, false);
    }
    names
}

fn collect(
    module: &Module,
    text: &str,
    files: &BTreeMap<Module, &Source>,
    names: &mut Names,
    is_file: bool,
) {
    let mut rest = text;
    let mut code = String::new();
    while let Some((at, is_public, tree, end)) = next_use(rest) {
        code.push_str(&rest[..at]);
        for path in expanded(&[], &tree) {
            let (path, alias) = path;
            if is_file && let Some(alias) = alias {
                names.uses.insert(alias, path.clone());
            }
            // To pass a name on is no use of it.
            if !(is_public && is_file) {
                names.paths.push((module.clone(), path));
            }
        }
        rest = &rest[end..];
    }
    code.push_str(rest);
    for path in paths_in(&code) {
        let is_rooted = matches!(path[0].as_str(), "crate" | "super" | "self");
        if is_rooted || is_file && files.contains_key(&below(module, &path[0])) {
            names.paths.push((module.clone(), path));
        }
    }
}

/// The next `use`: where it begins, whether it passes its names on, its tree, and where it ends.
fn next_use(text: &str) -> Option<(usize, bool, String, usize)> {
    let mut from = 0;
    loop {
        let at = from + text[from..].find("use ")?;
        from = at + 4;
        let before = text[..at].trim_end_matches(' ');
        let begins = before.is_empty() || before.ends_with(['\n', ';', '{', '}', ']', ')']);
        let is_public = before.ends_with("pub")
            || before.ends_with(')')
                && before.rfind("pub(").is_some_and(|public| !before[public..].contains('\n'));
        if !begins && !is_public {
            continue;
        }
        let end = at + text[at..].find(';')?;
        return Some((at, is_public, text[at + 4..end].to_owned(), end + 1));
    }
}

/// Each path of a tree, and the name it brings in; `None` for a glob.
fn expanded(before: &[String], tree: &str) -> Vec<(Vec<String>, Option<String>)> {
    let tree = tree.trim();
    if let Some(open) = tree.find('{') {
        let prefix = tree[..open].trim().trim_end_matches("::");
        let mut path = before.to_vec();
        path.extend(prefix.split("::").filter(|name| !name.is_empty()).map(str::to_owned));
        let inside = tree[open + 1..].trim_end().trim_end_matches('}');
        return parts(inside).iter().flat_map(|part| expanded(&path, part)).collect();
    }
    if tree.is_empty() {
        return Vec::new();
    }
    let (written, alias) = tree
        .split_once(" as ")
        .map_or((tree, None), |(path, alias)| (path.trim(), Some(alias.trim().to_owned())));
    let mut path = before.to_vec();
    path.extend(written.split("::").map(|name| name.trim().to_owned()));
    if path.len() > 1 && path.last().is_some_and(|last| last == "self" || last == "*") {
        let is_glob = path.pop().is_some_and(|last| last == "*");
        let name = path.last().cloned().filter(|_| !is_glob);
        return vec![(path, alias.or(name))];
    }
    let name = path.last().cloned();
    vec![(path, alias.or(name))]
}

/// What commas part on the first level.
fn parts(text: &str) -> Vec<String> {
    let (mut parts, mut depth) = (vec![String::new()], 0);
    for character in text.chars() {
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(String::new());
                continue;
            }
            _ => {}
        }
        if let Some(last) = parts.last_mut() {
            last.push(character);
        }
    }
    parts
}

/// Every path of at least two names in code.
fn paths_in(code: &str) -> Vec<Vec<String>> {
    let is_part = |character: char| character.is_alphanumeric() || matches!(character, '_' | ':');
    code.split(|character| !is_part(character))
        .filter(|word| !word.starts_with(':') && word.contains("::"))
        .map(|word| word.split("::").filter(|name| !name.is_empty()).map(str::to_owned).collect())
        .filter(|path: &Vec<String>| !path.is_empty())
        .collect()
}

/// The file a path leads to, and the item in it.
fn resolve(
    from: &Module,
    path: &[String],
    files: &BTreeMap<Module, &Source>,
) -> Option<(Module, Option<String>)> {
    let mut rest = path;
    let mut at: Module = match path.first()?.as_str() {
        "crate" => {
            rest = &rest[1..];
            Vec::new()
        }
        "self" => {
            rest = &rest[1..];
            from.clone()
        }
        "super" => {
            let mut at = from.clone();
            while rest.first().is_some_and(|name| name == "super") {
                at.pop();
                rest = &rest[1..];
            }
            at
        }
        child if files.contains_key(&below(from, child)) => from.clone(),
        _ => return None,
    };
    while let Some(next) = rest.first().map(|name| below(&at, name)) {
        if !files.contains_key(&next) {
            break;
        }
        at = next;
        rest = &rest[1..];
    }
    // A module that is written inside a file belongs to the file.
    while !files.contains_key(&at) {
        at.pop()?;
    }
    Some((at, rest.first().cloned()))
}

/// Follows a name that is passed on to the file that defines it.
fn definition(
    mut module: Module,
    mut name: Option<String>,
    names: &BTreeMap<&Module, Names>,
    files: &BTreeMap<Module, &Source>,
) -> (Module, Option<String>) {
    for _ in 0..10 {
        let used = name.as_ref().and_then(|name| names.get(&module)?.uses.get(name));
        match used.and_then(|path| resolve(&module, path, files)) {
            Some(next) if next.0 != module => (module, name) = next,
            _ => break,
        }
    }
    (module, name)
}
