//! Models as people get them: the catalogue, pulled from a real server or a mirror, imported, named in the configuration.

mod faults;
mod import;
mod installed;
mod pull;
