//! What an experiment leaves on disk: the folder, the manifest, the log, each file written whole or not at all.
//!
//! Never: decodes a picture, knows a network, prints.
