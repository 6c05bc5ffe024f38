//! The library: the folder in which models are installed, one folder each, by name.

use std::path::{Component, Path, PathBuf};

use super::catalog::Catalogue;
use super::error::ModelError;
use super::package::Model;

/// Where the service keeps its state.
const SYSTEM: &str = "/var/lib/lookout/models";

/// Folders of installed models: the first is written to, all are searched.
#[derive(Clone, Debug)]
pub struct Library {
    places: Vec<PathBuf>,
}

/// Whether a model may be called so: it is a folder's name and stands in commands.
pub fn is_name(text: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'_' | b'-');
    (1..=64).contains(&text.len()) && text.bytes().all(allowed) && text.as_bytes()[0].is_ascii_alphanumeric()
}

/// Whether a path stays within the folder that it starts in.
pub fn is_inner(path: &str) -> bool {
    !path.is_empty() && Path::new(path).components().all(|part| matches!(part, Component::Normal(_)))
}

/// A name made of any text, `None` if nothing is left of it.
pub fn name_of(text: &str) -> Option<String> {
    let lower = text.to_lowercase();
    let plain = lower.chars().map(|c| if c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-') { c } else { '-' });
    let name: String = plain.collect::<String>().trim_matches(['-', '.', '_']).chars().take(64).collect();
    is_name(&name).then_some(name)
}

impl Library {
    /// The library of this machine: `$LOOKOUT_MODELS` and nothing else if that is set; else `/var/lib/lookout/models`, where
    /// the service looks, before that of the user, `$XDG_DATA_HOME/lookout/models`.
    pub fn here() -> Self {
        if let Some(folder) = std::env::var_os("LOOKOUT_MODELS").filter(|value| !value.is_empty()) {
            return Self::at(folder);
        }
        let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let home = set("HOME").map(|home| home.join(".local/share"));
        let user = set("XDG_DATA_HOME").filter(|path| path.is_absolute()).or(home);
        let places = [Some(PathBuf::from(SYSTEM)), user.map(|data| data.join("lookout/models"))];
        Self { places: places.into_iter().flatten().collect() }
    }

    /// A library of one folder.
    pub fn at(folder: impl Into<PathBuf>) -> Self {
        Self { places: vec![folder.into()] }
    }

    /// The folder that models are installed into: the first that can be written to. It is made if it is not there.
    ///
    /// # Errors
    /// Why none of them can.
    pub fn writable(&self) -> Result<PathBuf, ModelError> {
        let mut refused = Vec::new();
        for place in &self.places {
            let attempt = std::fs::create_dir_all(place).and_then(|()| {
                let probe = place.join(format!(".probe-{}", std::process::id()));
                std::fs::write(&probe, b"").and_then(|()| std::fs::remove_file(&probe))
            });
            match attempt {
                Ok(()) => return Ok(place.clone()),
                Err(error) => refused.push(format!("{} ({error})", place.display())),
            }
        }
        let problem =
            format!("can be written to neither at {}; set LOOKOUT_MODELS to one that can", refused.join(", nor at "));
        Err(ModelError::Manifest { file: "the models folder".to_owned(), problem })
    }

    /// All folders, in the order of search.
    pub fn places(&self) -> &[PathBuf] {
        &self.places
    }

    /// All folders, as people should see them.
    pub fn named(&self) -> String {
        self.places.iter().map(|place| place.display().to_string()).collect::<Vec<_>>().join(" or ")
    }

    /// The folder of an installed model.
    pub fn find(&self, name: &str) -> Option<PathBuf> {
        let there = |place: &PathBuf| Some(place.join(name)).filter(|folder| folder.join("manifest.toml").is_file());
        is_name(name).then(|| self.places.iter().find_map(there)).flatten()
    }

    /// Names and folders of the installed models, sorted by name.
    pub fn installed(&self) -> Vec<(String, PathBuf)> {
        let mut all: Vec<(String, PathBuf)> = Vec::new();
        for entry in self.places.iter().filter_map(|place| std::fs::read_dir(place).ok()).flatten().flatten() {
            let Ok(name) = entry.file_name().into_string() else { continue };
            if all.iter().all(|(known, _)| *known != name)
                && let Some(folder) = self.find(&name)
            {
                all.push((name, folder));
            }
        }
        all.sort();
        all
    }

    /// The folder that a person means: of an installed model of that name, else the folder of that path.
    ///
    /// # Errors
    /// What is there instead, and how to get the model.
    pub fn folder(&self, name_or_path: &Path) -> Result<PathBuf, ModelError> {
        let name = name_or_path.to_str().filter(|text| is_name(text));
        if let Some(folder) = name.and_then(|name| self.find(name)) {
            return Ok(folder);
        }
        if name_or_path.is_dir() {
            return Ok(name_or_path.to_owned());
        }
        let problem = match name {
            Some(name) => self.missing(name),
            None => "there is no such folder".to_owned(),
        };
        Err(ModelError::Manifest { file: name_or_path.display().to_string(), problem })
    }

    /// Opens what a person means, as [`Self::folder`].
    ///
    /// # Errors
    /// As that, and what is wrong with the model.
    pub fn open(&self, name_or_path: &Path) -> Result<Model, ModelError> {
        Model::open(&self.folder(name_or_path)?)
    }

    /// What to tell of a model that is not installed: how to get it.
    pub fn missing(&self, name: &str) -> String {
        let place = self.named();
        let Ok(catalogue) = Catalogue::here(None) else { return format!("is not installed in {place}") };
        match (catalogue.find(name), catalogue.like(name)) {
            (Some(_), _) => format!("is not installed in {place}; `lookout models pull {name}` fetches it"),
            (None, Some(like)) => format!("is not installed in {place}, nor in the catalogue; did you mean {like:?}?"),
            (None, None) => {
                format!("is not installed in {place}, nor in the catalogue; `lookout models list` shows both")
            }
        }
    }
}
